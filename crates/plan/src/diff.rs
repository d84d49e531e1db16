//! What a change of the configuration means: two plans, compared by what they
//! decide and not by how they were written.
//!
//! Each part of a plan says what it is as a list of [`aspect::Aspect`]s, made by
//! taking the part to pieces without leaving one out, so that a new setting
//! cannot be forgotten here. Two plans differ in what their aspects differ in.

mod acme;
mod aspect;
mod backends;
mod groups;
mod listeners;
mod pages;
mod precedence;
mod routes;
mod tls;
mod whole;

use std::fmt::{self, Formatter};

use crate::Plan;

/// Everything in which two plans differ; nothing where they mean the same.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// What concerns no listener, route or group alone.
    pub whole: Vec<Change>,
    pub listeners: Vec<Difference>,
    pub routes: Vec<Difference>,
    pub precedence: Precedence,
    pub groups: Vec<Difference>,
}

/// A listener, route or group that is not what it was.
#[derive(Debug, PartialEq, Eq)]
pub struct Difference {
    pub id: String,
    pub what: What,
}

#[derive(Debug, PartialEq, Eq)]
pub enum What {
    /// What it is, line by line, in the words of `explain`.
    Added(Vec<String>),
    /// What it was.
    Removed(Vec<String>),
    Changed(Vec<Change>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    Replaced {
        what: String,
        old: String,
        new: String,
    },
    Gained(String),
    Lost(String),
}

/// Routes of both plans that change places where a request could tell.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Precedence {
    pub turned: Vec<Turned>,
    /// There are so many routes in another order that not all were looked at.
    pub is_cut_short: bool,
}

/// Two routes that may take the same request: now the first one gets it, before
/// the second one did.
#[derive(Debug, PartialEq, Eq, Hash, Clone)]
pub struct Turned {
    pub first: String,
    pub second: String,
}

impl Differences {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Compares two plans.
pub fn diff(old: &Plan, new: &Plan) -> Differences {
    Differences {
        whole: whole::changes(old, new),
        listeners: listeners::differences(old, new),
        routes: routes::differences(old, new),
        precedence: precedence::compare(&old.table, &new.table),
        groups: groups::differences(old, new),
    }
}

/// The lines of a description, without what they all are indented by.
fn lines(describe: impl Fn(&mut Formatter<'_>) -> fmt::Result) -> Vec<String> {
    let text = fmt::from_fn(describe).to_string();
    let lines = text.lines();
    lines
        .map(|line| line.strip_prefix("  ").unwrap_or(line).to_owned())
        .collect()
}

#[cfg(test)]
mod tests;

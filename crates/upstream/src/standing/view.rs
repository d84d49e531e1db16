use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use super::change::seconds;
use super::record::Record;
use super::{Change, Check, State};

/// A backend's standing at one moment, for operators.
#[derive(Debug, Clone)]
pub struct View {
    pub state: State,
    /// Since when; none if it never was in another.
    pub since: Option<Instant>,
    /// What brought it there; empty if it never was in another.
    pub why: Arc<str>,
    /// When the state ends by itself.
    pub until: Option<Instant>,
    /// `BreakerOpen` or `HalfOpen`, whatever the state is; none if it is closed.
    pub breaker: Option<State>,
    pub consecutive_failures: u32,
    /// Ever.
    pub ejections: u64,
    pub last_error: Option<Arc<str>>,
    pub last_check: Option<Check>,
    /// Checks in a row.
    pub checks_good: u32,
    pub checks_bad: u32,
    /// The latest changes, the oldest first.
    pub history: Vec<Change>,
}

impl View {
    pub(super) fn of(record: &Record) -> Self {
        let checks = record.checks();
        let latest = record.history().back();
        Self {
            state: record.state(),
            since: latest.map(|change| change.at),
            why: latest.map_or_else(|| "".into(), |change| Arc::clone(&change.why)),
            until: record.returns(),
            breaker: record.breaker(),
            consecutive_failures: record.failures(),
            ejections: record.ejections(),
            last_error: record.last_error().cloned(),
            last_check: checks.last.clone(),
            checks_good: checks.good,
            checks_bad: checks.bad,
            history: record.history().iter().cloned().collect(),
        }
    }

    /// The state in a few words.
    pub fn at(&self, now: Instant) -> impl fmt::Display + '_ {
        fmt::from_fn(move |f| {
            write!(f, "{}", self.state)?;
            if !self.why.is_empty() {
                write!(f, ": {}", self.why)?;
            }
            match self.until {
                Some(until) if !self.state.is_in() => {
                    let left = seconds(until.saturating_duration_since(now));
                    write!(f, ", back in {left} s")
                }
                _ => Ok(()),
            }
        })
    }
}

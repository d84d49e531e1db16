//! How the backends of a group differ.

use std::collections::HashMap;
use std::sync::Arc;

use upstream::{Backend, Keepalive, PoolOptions};

use super::Change;
use super::aspect::{Aspect, compare};
use crate::Group;

/// What changes in the same way for every backend is said once.
pub(super) fn changes(old: &Group, new: &Group) -> Vec<Change> {
    let (in_old, in_new) = (by_url(old), by_url(new));
    let phrase = |group: &Group, backend: &Backend, weight: u32| {
        let most = backend.options.max_connections;
        let weight = match group.balance.strategy.uses_weights() {
            true => format!(", weight {weight}"),
            false => String::new(),
        };
        format!("backend {}, up to {most} connections{weight}", backend.url)
    };
    let (mut gained, mut lost, mut kept) = (Vec::new(), Vec::new(), Vec::new());
    for (backend, &weight) in new.balance.backends.iter().zip(new.balance.weights()) {
        let Some(&at) = in_old.get(&*backend.url) else {
            gained.push(Change::Gained(phrase(new, backend, weight)));
            continue;
        };
        let before = (
            old.balance.backends.get(at),
            old.balance.weights().get(at).copied(),
        );
        if let (Some(before), Some(weight_before)) = before {
            let weights = (counted(old, weight_before), counted(new, weight));
            // Nearly all of thousands, when one of them comes.
            let is_same = Arc::ptr_eq(before, backend) && weights.0 == weights.1;
            let changes = match is_same {
                true => Vec::new(),
                false => compare(
                    &of_backend(before, weights.0),
                    &of_backend(backend, weights.1),
                ),
            };
            kept.push((&*backend.url, changes));
        }
    }
    for (backend, &weight) in old.balance.backends.iter().zip(old.balance.weights()) {
        if !in_new.contains_key(&*backend.url) {
            lost.push(Change::Lost(phrase(old, backend, weight)));
        }
    }
    let mut changes = lost;
    changes.extend(gained);
    changes.extend(match &kept[..] {
        [] => of_strangers(old, new),
        _ => said_once(kept),
    });
    changes
}

fn by_url(group: &Group) -> HashMap<&str, usize> {
    let urls = group.balance.backends.iter().map(|backend| &*backend.url);
    urls.zip(0..).collect()
}

/// Where all backends are others, what they all have in common can have changed
/// nevertheless.
fn of_strangers(old: &Group, new: &Group) -> Vec<Change> {
    let pool = |group: &Group| {
        let first = group.balance.backends.first();
        first.map_or(Vec::new(), |backend| of_pool(backend.options))
    };
    let mut changes = compare(&pool(old), &pool(new));
    changes.iter_mut().for_each(|c| c.is_about("each backend"));
    changes
}

fn said_once(mut kept: Vec<(&str, Vec<Change>)>) -> Vec<Change> {
    let mut common = match &kept[..] {
        [] | [_] => Vec::new(),
        [(_, first), others @ ..] => {
            let mut common = first.clone();
            common.retain(|change| others.iter().all(|(_, other)| other.contains(change)));
            common
        }
    };
    for (_, changes) in &mut kept {
        changes.retain(|change| !common.contains(change));
    }
    common.iter_mut().for_each(|c| c.is_about("each backend"));
    for (url, changes) in kept {
        common.extend(changes.into_iter().map(|mut change| {
            change.is_about(url);
            change
        }));
    }
    common
}

impl Change {
    fn is_about(&mut self, whom: &str) {
        if let Self::Replaced { what, .. } = self {
            *what = format!("{whom}: {what}");
        }
    }
}

/// A weight, where it counts for something: where nobody looks at weights, or
/// none has any, all are equal.
fn counted(group: &Group, weight: u32) -> Option<u32> {
    let balance = &group.balance;
    let counts = balance.strategy.uses_weights() && balance.weights().iter().any(|&w| w > 0);
    counts.then_some(weight)
}

fn of_backend(backend: &Backend, weight: Option<u32>) -> Vec<Aspect> {
    let shown = weight.map_or("equal".to_owned(), |weight| weight.to_string());
    let mut all = vec![
        Aspect::value("weight", shown, "").exactly(weight.unwrap_or(1)),
        Aspect::value("connections", backend.options.max_connections, ""),
        // The same URL may stand for another address one day.
        Aspect::value("address", &backend.address, ""),
        Aspect::value("authority", &backend.authority, ""),
    ];
    all.extend(of_pool(backend.options));
    all
}

/// What all backends of a group have in common.
fn of_pool(options: PoolOptions) -> Vec<Aspect> {
    let PoolOptions {
        max_idle,
        idle_timeout,
        max_age,
        // Each backend may have its own.
        max_connections: _,
        max_waiting,
        // Of the group.
        protocol: _,
        max_streams,
        keepalive,
    } = options;
    let (idle_timeout, max_age) = (format!("{idle_timeout:?}"), format!("{max_age:?}"));
    let keepalive = keepalive.map_or_else(|| "off".to_owned(), pings);
    vec![
        Aspect::value("unused connections kept", max_idle, ""),
        Aspect::value("unused connections kept for", idle_timeout, ""),
        Aspect::value("connections used for", max_age, ""),
        Aspect::value("requests that may wait", max_waiting, ""),
        Aspect::value("requests at a time on a shared connection", max_streams, ""),
        Aspect::value("pings on a silent shared connection", keepalive, ""),
    ]
}

fn pings(keepalive: Keepalive) -> String {
    let Keepalive {
        interval,
        timeout,
        when_idle,
    } = keepalive;
    let idle = if when_idle {
        ", also without requests"
    } else {
        ""
    };
    format!("after {interval:?}, answered within {timeout:?}{idle}")
}

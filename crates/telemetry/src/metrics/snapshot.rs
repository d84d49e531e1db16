//! Counters that have left their worker.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::cells::{Failures, ListenerCells, Retried, RouteCells};
use super::series::Key;
use super::tunnels::Tunnels;
use super::{LimitFigures, Names, StandingFigures, UpstreamFigures};

/// The counters of one worker at one moment, or of several workers together.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub(super) names: Arc<Names>,
    /// A combination may occur more than once, for workers are merged by
    /// putting their lists together; rendering adds up.
    pub(super) requests: Vec<(Key, u64)>,
    /// Requests of combinations beyond what a worker keeps apart.
    pub(super) requests_beyond: u64,
    pub(super) routes: Vec<RouteCells>,
    pub(super) routeless: RouteCells,
    pub(super) listeners: Vec<ListenerCells>,
    pub(super) tunnels: Tunnels,
    pub(super) failures: Failures,
    pub(super) panics: u64,
    pub(super) retries: [u64; Retried::ALL.len()],
    pub(super) retries_refused: u64,
    /// By the backend's number.
    pub(super) upstream: Vec<UpstreamFigures>,
    /// By the backend's number; the same for all workers.
    pub(super) standing: Vec<Option<StandingFigures>>,
    /// By the group's name; the same for all workers.
    pub(super) limits: BTreeMap<Box<str>, LimitFigures>,
}

impl Snapshot {
    /// Adds a pool's figures about a backend, given by its number in
    /// [`Names`].
    pub fn add_upstream(&mut self, backend: u32, figures: UpstreamFigures) {
        // A number without a name would never be shown.
        if self.names.backend_name(backend).is_some() {
            entry(&mut self.upstream, backend as usize).add(figures);
        }
    }

    /// Says how a backend stands, given by its number in [`Names`].
    pub fn put_standing(&mut self, backend: u32, figures: StandingFigures) {
        if self.names.backend_name(backend).is_some() {
            *entry(&mut self.standing, backend as usize) = Some(figures);
        }
    }

    /// Says how a group's limit stands.
    pub fn put_limit(&mut self, group: &str, figures: LimitFigures) {
        self.limits.insert(group.into(), figures);
    }

    /// Adds the counters of another worker. One of the two may go by a later plan,
    /// in which numbers mean something else.
    pub fn merge(&mut self, other: &Self) {
        if self.names == other.names {
            self.add(other);
        } else if self.names.covers(&other.names) {
            let mut other = other.clone();
            other.go_over_to(&self.names);
            self.add(&other);
        } else {
            self.go_over_to(&other.names);
            self.add(other);
        }
    }

    /// Drops what was counted for numbers that mean something else by these names.
    fn go_over_to(&mut self, names: &Arc<Names>) {
        let routes = names.other_routes(&self.names);
        let backends = names.other_backends(&self.names);
        self.requests
            .retain(|(key, _)| !key.has_any(&routes, &backends));
        clear(&mut self.routes, &routes);
        clear(&mut self.upstream, &backends);
        clear(&mut self.standing, &backends);
        self.names = Arc::clone(names);
    }

    fn add(&mut self, other: &Self) {
        self.requests.extend_from_slice(&other.requests);
        self.requests_beyond += other.requests_beyond;
        for (at, cells) in other.routes.iter().enumerate() {
            entry(&mut self.routes, at).merge(cells);
        }
        self.routeless.merge(&other.routeless);
        for (at, cells) in other.listeners.iter().enumerate() {
            entry(&mut self.listeners, at).merge(cells);
        }
        self.tunnels.merge(&other.tunnels);
        for (count, more) in self.failures.iter_mut().zip(other.failures) {
            *count += more;
        }
        self.panics += other.panics;
        for (count, more) in self.retries.iter_mut().zip(other.retries) {
            *count += more;
        }
        self.retries_refused += other.retries_refused;
        for (at, &figures) in other.upstream.iter().enumerate() {
            entry(&mut self.upstream, at).add(figures);
        }
        for (at, figures) in other.standing.iter().enumerate() {
            let known = entry(&mut self.standing, at);
            *known = known.or(*figures);
        }
        for (group, &figures) in &other.limits {
            self.limits.entry(group.clone()).or_insert(figures);
        }
    }
}

fn clear<T: Default>(list: &mut [T], numbers: &HashSet<u32>) {
    for &number in numbers {
        if let Some(at) = list.get_mut(number as usize) {
            *at = T::default();
        }
    }
}

/// The element at `at` of a list that grows as needed.
fn entry<T: Default>(list: &mut Vec<T>, at: usize) -> &mut T {
    if list.len() <= at {
        list.resize_with(at + 1, T::default);
    }
    &mut list[at]
}

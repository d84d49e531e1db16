//! Connections that are passed on as they are, in numbers.

use std::collections::{BTreeMap, HashSet};

use message::Kind;

use super::histogram::Histogram;
use crate::Record;

/// The numbers of a listener and of a backend; none where none was reached.
pub(super) type Way = (u32, Option<u32>);

/// What is counted for each way that connections take.
#[derive(Debug, Clone, Default)]
pub(super) struct TunnelCells {
    pub(super) received: u64,
    pub(super) sent: u64,
    /// How long those lasted that have ended.
    pub(super) duration: Histogram,
    pub(super) failures: Vec<(Kind, u64)>,
}

/// The ways that connections took.
#[derive(Debug, Clone, Default)]
pub(super) struct Tunnels(pub(super) BTreeMap<Way, TunnelCells>);

impl Tunnels {
    /// So many bytes more went from the client, and to it.
    pub(super) fn moved(&mut self, way: Way, (received, sent): (u64, u64)) {
        let cells = self.0.entry(way).or_default();
        cells.received += received;
        cells.sent += sent;
    }

    pub(super) fn ended(&mut self, way: Way, record: &Record<'_>) {
        let cells = self.0.entry(way).or_default();
        cells.duration.record(record.duration);
        if let Some(failure) = record.failure {
            cells.failed(failure.kind, 1);
        }
    }

    pub(super) fn refused(&mut self, way: Way, why: Kind) {
        self.0.entry(way).or_default().failed(why, 1);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (&way, more) in &other.0 {
            let cells = self.0.entry(way).or_default();
            cells.received += more.received;
            cells.sent += more.sent;
            cells.duration.merge(&more.duration);
            for &(kind, count) in &more.failures {
                cells.failed(kind, count);
            }
        }
    }

    /// Backends whose numbers are others' now.
    pub(super) fn forget(&mut self, backends: &HashSet<u32>) {
        self.0
            .retain(|(_, backend), _| backend.is_none_or(|number| !backends.contains(&number)));
    }
}

impl TunnelCells {
    fn failed(&mut self, kind: Kind, more: u64) {
        match self.failures.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, count)) => *count += more,
            None => self.failures.push((kind, more)),
        }
    }
}

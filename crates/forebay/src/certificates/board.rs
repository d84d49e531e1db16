//! What is told of certificates that are had from an authority.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::attempts::Attempts;

/// How each of them is now, and how many orders there were.
#[derive(Debug, Default)]
pub(crate) struct Board {
    told: Mutex<Told>,
}

#[derive(Debug, Default)]
struct Told {
    entries: Vec<Entry>,
    issued: u64,
    failed: u64,
}

/// One certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) names: Vec<Box<str>>,
    pub(crate) state: State,
    /// Until when the one that is kept is valid, in seconds since 1970.
    pub(crate) not_after: Option<i64>,
    /// When another one is ordered, or that is tried again.
    pub(crate) next_unix: i64,
    /// What has failed since the last one came.
    pub(crate) attempts: Attempts,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// It is kept, and needs nothing for now.
    Valid,
    /// It is ordered this moment, here or by another process.
    Ordering,
    /// That has failed, and is tried again later.
    Failed,
}

impl State {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Ordering => "ordering",
            Self::Failed => "failed",
        }
    }
}

impl Board {
    pub(super) fn clear(&self) {
        self.lock().entries.clear();
    }

    /// Those there are, in the order of the configuration.
    pub(super) fn set(&self, entries: Vec<Entry>) {
        self.lock().entries = entries;
    }

    pub(super) fn count(&self, is_issued: bool) {
        let mut told = self.lock();
        match is_issued {
            true => told.issued += 1,
            false => told.failed += 1,
        }
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.lock().entries.clone()
    }

    /// Orders that were done, and that have failed.
    pub(crate) fn orders(&self) -> (u64, u64) {
        let told = self.lock();
        (told.issued, told.failed)
    }

    fn lock(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! What all connections have in common whose bytes are passed on as they are.

use std::io;
use std::task::Context;
use std::time::Duration;

use tokio::time::Instant;

use crate::sockets::timers::Deadline;
use crate::worker::Worker;

/// Bytes that may have moved without being counted in the metrics yet.
pub(crate) const UNTOLD: u64 = 1 << 20;

/// Which end of one way broke.
#[derive(Debug)]
pub(crate) enum Broken {
    Source(io::Error),
    Sink(io::Error),
}

/// How long nothing has gone either way. Bytes cost no timer, only a note of when.
pub(crate) struct Silence {
    /// When it is to be looked whether it has lasted.
    deadline: Deadline,
    /// How long it may last.
    most: Duration,
    since: Instant,
}

impl Silence {
    pub(crate) fn new(worker: &Worker, most: Duration) -> Self {
        let deadline = worker.timers.deadline();
        deadline.within(most);
        Self {
            deadline,
            most,
            since: worker.clock.coarse(),
        }
    }

    /// Something has gone one way or the other.
    pub(crate) fn break_off(&mut self, worker: &Worker) {
        self.since = worker.clock.coarse();
    }

    /// It has lasted as long as it may; else the task is woken to look again.
    pub(crate) fn has_lasted(&self, cx: &Context<'_>, worker: &Worker) -> bool {
        while self.deadline.has_passed(cx) {
            let silent = worker.clock.coarse().saturating_duration_since(self.since);
            if silent >= self.most {
                return true;
            }
            self.deadline.within(self.most - silent);
        }
        false
    }
}

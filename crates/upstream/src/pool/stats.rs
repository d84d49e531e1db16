use std::cell::Cell;
use std::rc::Rc;

/// One worker's connections to one backend, in numbers. The first six only
/// grow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PoolStats {
    /// Connections opened.
    pub created: u64,
    /// Times a request got a connection that another had used.
    pub reused: u64,
    /// Requests that had to wait for a connection.
    pub waited: u64,
    /// Requests turned away because too many waited.
    pub queue_full: u64,
    /// Idle connections closed because they were dead, idle for too long or
    /// too old.
    pub stale_closed: u64,
    /// Streams of shared connections that the backend has refused.
    pub refused: u64,
    /// Connections idle now.
    pub idle: usize,
    /// Connections open now, the idle ones included.
    pub open: usize,
    /// Shared connections, of those open, that may be given more requests, and
    /// the streams on them.
    pub shared: usize,
    pub streams: usize,
}

/// The running counts behind [`PoolStats`].
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) created: Count,
    pub(super) reused: Count,
    pub(super) waited: Count,
    pub(super) queue_full: Count,
    pub(super) stale_closed: Count,
    refused: Count,
    open: Cell<usize>,
}

#[derive(Debug, Default)]
pub(super) struct Count(Cell<u64>);

impl Count {
    pub(super) fn add(&self, n: usize) {
        self.0.set(self.0.get() + n as u64);
    }
}

impl Tally {
    pub(super) fn stats(&self, idle: usize) -> PoolStats {
        PoolStats {
            created: self.created.0.get(),
            reused: self.reused.0.get(),
            waited: self.waited.0.get(),
            queue_full: self.queue_full.0.get(),
            stale_closed: self.stale_closed.0.get(),
            refused: self.refused.0.get(),
            idle,
            open: self.open.get(),
            shared: 0,
            streams: 0,
        }
    }
}

/// Counts one connection as open while it exists.
#[derive(Debug)]
pub(super) struct Open(Rc<Tally>);

impl Open {
    pub(super) fn new(tally: &Rc<Tally>) -> Self {
        tally.open.set(tally.open.get() + 1);
        Self(Rc::clone(tally))
    }

    /// The backend has refused a stream on it.
    pub(super) fn refused(&self) {
        self.0.refused.add(1);
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get() - 1);
    }
}

//! What is known of one connection, on whichever side of Forebay.

use std::cell::Cell;

use tokio::time::{Duration, Instant};

/// How one end of a connection was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// As after a last word.
    Fin,
    /// As if cut.
    Reset,
}

/// Counts and times of one connection. The peer is whoever is not Forebay.
pub(crate) struct Line {
    pub(crate) name: String,
    /// What lies in it at most, in each direction.
    pub(crate) capacity: Cell<usize>,
    /// Bytes that Forebay has sent, and that the peer has read of them.
    pub(crate) sent: Cell<u64>,
    pub(crate) read: Cell<u64>,
    /// Bytes that the peer has sent, and that Forebay has read of them.
    pub(crate) given: Cell<u64>,
    pub(crate) taken: Cell<u64>,
    /// When the peer read or wrote last.
    pub(crate) read_at: Cell<Instant>,
    pub(crate) gave_at: Cell<Instant>,
    /// The longest that it left something lying, or said nothing, since the
    /// latest request began.
    unread: Cell<Duration>,
    silence: Cell<Duration>,
    /// When the peer closed, reset or shut down its end.
    pub(crate) left_at: Cell<Option<Instant>>,
    /// Forebay has told the peer that it sends no more.
    pub(crate) ended: Cell<Option<End>>,
    /// Forebay has let go of the connection.
    pub(crate) dropped_at: Cell<Option<Instant>>,
}

impl Line {
    pub(crate) fn new(name: String) -> Self {
        let now = Instant::now();
        Self {
            name,
            capacity: Cell::new(0),
            sent: Cell::new(0),
            read: Cell::new(0),
            given: Cell::new(0),
            taken: Cell::new(0),
            read_at: Cell::new(now),
            gave_at: Cell::new(now),
            unread: Cell::default(),
            silence: Cell::default(),
            left_at: Cell::new(None),
            ended: Cell::new(None),
            dropped_at: Cell::new(None),
        }
    }

    pub(crate) fn peer_has_left(&self) -> bool {
        self.left_at.get().is_some()
    }

    pub(crate) fn is_dropped(&self) -> bool {
        self.dropped_at.get().is_some()
    }

    /// From now on the peer's silences count.
    pub(crate) fn begin_request(&self) {
        self.unread.set(Duration::ZERO);
        self.silence.set(Duration::ZERO);
        self.gave_at.set(Instant::now());
    }

    pub(crate) fn peer_reads(&self, n: usize) {
        self.unread.set(self.longest_unread());
        self.read.set(self.read.get() + n as u64);
        self.read_at.set(Instant::now());
    }

    pub(crate) fn peer_gives(&self, n: usize) {
        self.silence.set(self.longest_silence());
        self.given.set(self.given.get() + n as u64);
        self.gave_at.set(Instant::now());
    }

    /// The longest that the peer has left something lying.
    pub(crate) fn longest_unread(&self) -> Duration {
        let now = match self.sent.get() > self.read.get() {
            true => self.read_at.get().elapsed(),
            false => Duration::ZERO,
        };
        now.max(self.unread.get())
    }

    /// The longest that the peer has sent nothing.
    pub(crate) fn longest_silence(&self) -> Duration {
        self.gave_at.get().elapsed().max(self.silence.get())
    }
}

//! What a worker's pool tells of one backend.

/// One worker's figures about one backend. The gauges are as of now, the
/// counters since the worker began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UpstreamFigures {
    /// Connections that wait in the pool.
    pub idle: u64,
    /// Connections that serve an exchange.
    pub active: u64,
    /// Connections that carry several exchanges at a time (HTTP/2), of those above.
    pub shared: u64,
    /// Exchanges under way on these.
    pub streams: u64,
    /// Connections opened.
    pub created: u64,
    /// Times an open connection was used again.
    pub reused: u64,
    /// Times an exchange had to wait for a connection.
    pub waits: u64,
    /// Times there was no room left to wait.
    pub queue_full: u64,
    /// Pooled connections closed because they were dead, idle for too long or too old.
    pub stale: u64,
    /// Exchanges that the backend refused on connections that carry several.
    pub refused: u64,
}

impl UpstreamFigures {
    pub(super) fn add(&mut self, other: Self) {
        self.idle += other.idle;
        self.active += other.active;
        self.shared += other.shared;
        self.streams += other.streams;
        self.created += other.created;
        self.reused += other.reused;
        self.waits += other.waits;
        self.queue_full += other.queue_full;
        self.stale += other.stale;
        self.refused += other.refused;
    }
}

//! How much the registry keeps at most.

/// The registry's limits, each with its default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Services registered at a time: 100,000.
    pub services: usize,
    /// Latest events kept for those who come back: 10,000.
    pub events: usize,
    /// Those who watch at a time: 10,000.
    pub watchers: usize,
    /// Events that wait for one who watches: 256.
    pub mailbox: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            services: 100_000,
            events: 10_000,
            watchers: 10_000,
            mailbox: 256,
        }
    }
}

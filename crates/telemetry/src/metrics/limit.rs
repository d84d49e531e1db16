//! A group's limit of requests under way that follows its latency, in figures.

use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitFigures {
    pub limit: u64,
    pub under_way: u64,
    /// Requests ever that were refused, or would have been.
    pub refused: u64,
    /// The latency without waiting, as far as it is known.
    pub base: Option<Duration>,
    /// The latency lately.
    pub current: Option<Duration>,
}

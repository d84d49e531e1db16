//! What takes a backend out of its group, and for how long.

use std::fmt;
use std::time::Duration;

/// Of one group. Frozen: a reload may bring another while the standing of the
/// backends stays.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HealthPolicy {
    /// What ordinary requests that fail lead to.
    pub passive: Option<PassivePolicy>,
    pub breaker: Option<BreakerPolicy>,
    /// None where no checks are made; what they found is forgotten then.
    pub checks: Option<CheckPolicy>,
    /// How long a backend that is back is given less than its share.
    pub slow_start: Duration,
    /// Where no backend is left, those that are out are better than none.
    pub fails_open: bool,
}

impl HealthPolicy {
    /// Whether anything but an operator takes backends out.
    pub fn can_take_out(&self) -> bool {
        self.passive.is_some() || self.breaker.is_some() || self.checks.is_some()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PassivePolicy {
    /// Failures in a row; a connection that cannot be had is enough by itself.
    pub max_failures: u32,
    /// How long a failure counts, and how long a backend has to stay well for
    /// one ejection to be forgotten.
    pub window: Duration,
    /// The first ejection; the n-th lasts n times as long.
    pub ejection_time: Duration,
    pub max_ejection_time: Duration,
    /// Of the group's backends, rounded down.
    pub max_ejected_percent: u32,
}

impl PassivePolicy {
    /// How many of `n` backends may be ejected at a time.
    pub(crate) fn most_of(&self, n: usize) -> usize {
        n * self.max_ejected_percent.min(100) as usize / 100
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerPolicy {
    /// Failures within the window, in a row or not.
    pub failure_threshold: u32,
    pub window: Duration,
    pub open_timeout: Duration,
    /// Good answers one after another that close it again.
    pub success_threshold: u32,
}

/// Results in a row that decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckPolicy {
    pub healthy: u32,
    pub unhealthy: u32,
}

impl fmt::Display for PassivePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "after {} failures in a row within {:?} or a connection refused, for {:?} to {:?}, at most {}% at a time",
            self.max_failures,
            self.window,
            self.ejection_time,
            self.max_ejection_time,
            self.max_ejected_percent
        )
    }
}

impl fmt::Display for BreakerPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "opens for {:?} after {} failures within {:?}, closes after {} good answers",
            self.open_timeout, self.failure_threshold, self.window, self.success_threshold
        )
    }
}

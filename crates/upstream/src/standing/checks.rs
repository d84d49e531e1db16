use std::sync::Arc;
use std::time::{Duration, Instant};

use super::CheckPolicy;

/// One active check, as it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    pub at: Instant,
    pub latency: Duration,
    /// What was wrong; none if it was good.
    pub error: Option<Arc<str>>,
}

/// What checks have found so far.
#[derive(Debug, Default)]
pub(super) struct Checks {
    pub(super) last: Option<Check>,
    /// In a row.
    pub(super) good: u32,
    pub(super) bad: u32,
    pub(super) is_bad: bool,
}

/// What a check has decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finding {
    /// Nothing yet.
    Open,
    Well,
    Unwell,
}

impl Checks {
    pub(super) fn made(&mut self, policy: CheckPolicy, check: Check) -> Finding {
        let is_good = check.error.is_none();
        self.last = Some(check);
        (self.good, self.bad) = match is_good {
            true => (self.good.saturating_add(1), 0),
            false => (0, self.bad.saturating_add(1)),
        };
        if self.good >= policy.healthy {
            self.is_bad = false;
            Finding::Well
        } else if self.bad >= policy.unhealthy {
            self.is_bad = true;
            Finding::Unwell
        } else {
            Finding::Open
        }
    }
}

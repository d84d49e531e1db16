//! The circuit breaker: many failures open it, time makes it half open, good
//! answers to single requests close it.

use std::collections::VecDeque;
use std::time::Instant;

use super::BreakerPolicy;

#[derive(Debug, Default)]
pub(super) struct Breaker {
    phase: Phase,
    /// When the latest requests failed, while it is closed.
    failures: VecDeque<Instant>,
    /// Requests ever let through half open; names the one that is under way.
    probes: u64,
}

#[derive(Debug, Default, Clone, Copy)]
enum Phase {
    #[default]
    Closed,
    Open {
        until: Instant,
    },
    HalfOpen {
        probe: Option<u64>,
        successes: u32,
    },
}

impl Breaker {
    /// Returns whether it has opened.
    pub(super) fn failed(
        &mut self,
        policy: &BreakerPolicy,
        probe: Option<u64>,
        now: Instant,
    ) -> bool {
        let opens = match self.phase {
            Phase::Closed => self.is_too_much(policy, now),
            // Of requests that were under way.
            Phase::Open { .. } => false,
            Phase::HalfOpen { probe: current, .. } => probe.is_some() && probe == current,
        };
        if opens {
            self.failures.clear();
            self.phase = Phase::Open {
                until: now + policy.open_timeout,
            };
        }
        opens
    }

    fn is_too_much(&mut self, policy: &BreakerPolicy, now: Instant) -> bool {
        let is_old = |at: &Instant| now.saturating_duration_since(*at) > policy.window;
        while self.failures.front().is_some_and(is_old) {
            self.failures.pop_front();
        }
        self.failures.push_back(now);
        self.failures.len() >= policy.failure_threshold as usize
    }

    /// Returns whether it has closed.
    pub(super) fn probe_succeeded(&mut self, policy: &BreakerPolicy, of: u64) -> bool {
        let Phase::HalfOpen { probe, successes } = &mut self.phase else {
            return false;
        };
        if *probe != Some(of) {
            return false;
        }
        *probe = None;
        *successes += 1;
        let closes = *successes >= policy.success_threshold;
        if closes {
            self.phase = Phase::Closed;
        }
        closes
    }

    pub(super) fn take_probe(&mut self) -> Option<u64> {
        let Phase::HalfOpen { probe, .. } = &mut self.phase else {
            return None;
        };
        if probe.is_some() {
            return None;
        }
        self.probes += 1;
        *probe = Some(self.probes);
        *probe
    }

    pub(super) fn give_probe_back(&mut self, of: u64) {
        if let Phase::HalfOpen { probe, .. } = &mut self.phase
            && *probe == Some(of)
        {
            *probe = None;
        }
    }

    /// Returns why it is another now, if it is.
    pub(super) fn tick(
        &mut self,
        policy: Option<&BreakerPolicy>,
        now: Instant,
    ) -> Option<&'static str> {
        match self.phase {
            Phase::Closed => None,
            _ if policy.is_none() => {
                *self = Self::default();
                Some("there is no circuit breaker any more")
            }
            Phase::Open { until } if until <= now => {
                self.half_open();
                Some("the breaker was open for its time")
            }
            Phase::Open { .. } | Phase::HalfOpen { .. } => None,
        }
    }

    /// As if nothing had failed.
    pub(super) fn close(&mut self) {
        self.failures.clear();
        self.phase = Phase::Closed;
    }

    pub(super) fn open(&mut self, until: Instant) {
        self.phase = Phase::Open { until };
    }

    pub(super) fn half_open(&mut self) {
        self.phase = Phase::HalfOpen {
            probe: None,
            successes: 0,
        };
    }

    pub(super) fn open_until(&self) -> Option<Instant> {
        match self.phase {
            Phase::Open { until } => Some(until),
            _ => None,
        }
    }

    pub(super) fn is_half_open(&self) -> bool {
        matches!(self.phase, Phase::HalfOpen { .. })
    }

    pub(super) fn is_probing(&self) -> bool {
        matches!(self.phase, Phase::HalfOpen { probe: Some(_), .. })
    }
}

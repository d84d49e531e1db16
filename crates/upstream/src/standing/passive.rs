//! Ejection: a backend at which ordinary requests fail is left alone for a time.

use std::time::{Duration, Instant};

use super::PassivePolicy;
use super::legacy::{Legacy, before_millis, millis_between};

#[derive(Debug, Default)]
pub(super) struct Passive {
    /// Failures in a row.
    pub(super) failures: u32,
    last: Option<Instant>,
    /// The end of the ejection that is going on.
    pub(super) until: Option<Instant>,
    /// It would be ejected if there were not as many already as may be.
    pub(super) is_kept_in: bool,
    /// Ejections ever.
    pub(super) ejections: u64,
    /// Those that still make the next one longer.
    repeats: u32,
    back: Option<Instant>,
}

impl Passive {
    /// Returns whether it should be ejected.
    pub(super) fn failed(
        &mut self,
        policy: &PassivePolicy,
        is_unreachable: bool,
        now: Instant,
    ) -> bool {
        if self.until.is_some() {
            // Of requests that were under way; they have counted for the ejection.
            return false;
        }
        let is_old = |last: Instant| now.saturating_duration_since(last) > policy.window;
        if self.last.is_some_and(is_old) {
            self.failures = 0;
        }
        self.failures = self.failures.saturating_add(1);
        self.last = Some(now);
        is_unreachable || self.failures >= policy.max_failures
    }

    pub(super) fn succeeded(&mut self) {
        self.failures = 0;
        self.is_kept_in = false;
    }

    pub(super) fn eject(&mut self, policy: &PassivePolicy, now: Instant) {
        let well = self
            .back
            .map_or(Duration::ZERO, |back| now.saturating_duration_since(back));
        let forgotten = well.as_nanos() / policy.window.as_nanos().max(1);
        let forgotten = u32::try_from(forgotten).unwrap_or(u32::MAX);
        self.repeats = self.repeats.saturating_sub(forgotten).saturating_add(1);
        let time = policy.ejection_time.saturating_mul(self.repeats);
        self.until = Some(now + time.min(policy.max_ejection_time));
        self.ejections += 1;
        self.succeeded();
    }

    pub(super) fn tick(&mut self, policy: Option<&PassivePolicy>, now: Instant) -> bool {
        match self.until {
            Some(until) if until <= now || policy.is_none() => {
                self.forgive(until.min(now));
                true
            }
            _ if policy.is_none() => std::mem::take(&mut self.is_kept_in),
            _ => false,
        }
    }

    /// What another process needs to go on with.
    pub(super) fn legacy(&self, now: Instant) -> Legacy {
        let last = self.last.filter(|_| self.failures > 0);
        Legacy {
            failures: self.failures,
            failed_ms: last.map(|last| millis_between(last, now)),
            kept_in: self.is_kept_in,
            ejected_ms: self.until.map(|until| millis_between(now, until)),
            ejections: self.ejections,
            repeats: self.repeats,
            ..Legacy::default()
        }
    }

    /// Goes on with what another process has counted.
    pub(super) fn inherit(&mut self, legacy: &Legacy, until: Option<Instant>, now: Instant) {
        (self.ejections, self.repeats) = (legacy.ejections, legacy.repeats);
        self.until = until;
        self.back = Some(now);
        if until.is_none() {
            (self.failures, self.is_kept_in) = (legacy.failures, legacy.kept_in);
            self.last = legacy.failed_ms.and_then(|ago| before_millis(now, ago));
        }
    }

    pub(super) fn forgive(&mut self, now: Instant) {
        self.until = None;
        self.succeeded();
        self.back = Some(now);
    }
}

//! The whole truth about one backend, as a state machine without a clock.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::breaker::Breaker;
use super::checks::{Checks, Finding};
use super::legacy::{Legacy, after_millis, millis_between};
use super::passive::Passive;
use super::state::{Flags, State, Word};
use super::{Change, Check, Fault, HealthPolicy, seconds};

/// Changes that are remembered.
const HISTORY: usize = 16;

#[derive(Debug, Default)]
pub(super) struct Record {
    is_disabled: bool,
    is_draining: bool,
    is_unknown: bool,
    passive: Passive,
    breaker: Breaker,
    checks: Checks,
    warming_until: Option<Instant>,
    last_error: Option<Arc<str>>,
    /// Why the latest step made a difference.
    why: Option<Arc<str>>,
    history: VecDeque<Change>,
}

impl Record {
    pub(super) fn state(&self) -> State {
        if self.is_disabled {
            State::Disabled
        } else if self.is_draining {
            State::Draining
        } else {
            self.health()
        }
    }

    /// The state without what operators want.
    fn health(&self) -> State {
        if self.checks.is_bad {
            State::CheckedBad
        } else if self.breaker.open_until().is_some() {
            State::BreakerOpen
        } else if self.is_ejected() {
            State::Ejected
        } else if self.breaker.is_half_open() {
            State::HalfOpen
        } else if self.is_unknown {
            State::Unknown
        } else if self.passive.is_kept_in {
            State::Failing
        } else if self.warming_until.is_some() {
            State::Warming
        } else {
            State::Up
        }
    }

    pub(super) fn word(&self) -> Word {
        let flags = Flags {
            is_probing: self.breaker.is_probing(),
            is_sick: !self.health().is_in(),
            is_troubled: self.passive.failures > 0,
            is_warming: self.warming_until.is_some(),
        };
        Word::new(self.state(), flags)
    }

    pub(super) fn is_ejected(&self) -> bool {
        self.passive.until.is_some()
    }

    /// When something happens by itself.
    pub(super) fn due(&self) -> Option<Instant> {
        let all = [
            self.passive.until,
            self.breaker.open_until(),
            self.warming_until,
        ];
        all.into_iter().flatten().min()
    }

    /// When the state ends by itself.
    pub(super) fn returns(&self) -> Option<Instant> {
        match self.state() {
            State::BreakerOpen | State::Ejected => {
                self.passive.until.max(self.breaker.open_until())
            }
            State::Warming => self.warming_until,
            _ => None,
        }
    }

    pub(super) fn failed(
        &mut self,
        health: &HealthPolicy,
        fault: Fault<'_>,
        probe: Option<u64>,
        now: Instant,
        claim: impl FnOnce() -> bool,
    ) {
        let Fault {
            why,
            is_unreachable,
        } = fault;
        self.last_error = Some(why.into());
        if let Some(policy) = &health.passive
            && self.passive.failed(policy, is_unreachable, now)
        {
            let failures = self.passive.failures;
            let why = match failures {
                _ if is_unreachable || failures == 1 => why.to_owned(),
                _ => format!("{failures} failures in a row, the last: {why}"),
            };
            if claim() {
                self.because(why);
                self.passive.eject(policy, now);
                self.checks.good = 0;
            } else {
                let most = policy.max_ejected_percent;
                self.because(format!(
                    "{why}; kept in, for no more than {most}% may be out"
                ));
                self.passive.is_kept_in = true;
            }
        }
        if let Some(policy) = &health.breaker
            && self.breaker.failed(policy, probe, now)
        {
            self.because(match (probe, policy.failure_threshold) {
                (Some(_), _) => format!("failed again: {why}"),
                (None, 1) => why.to_owned(),
                (None, n) => format!("{n} failures within {:?}, the last: {why}", policy.window),
            });
        }
    }

    pub(super) fn succeeded(&mut self) {
        self.passive.succeeded();
        self.because("a request was answered");
    }

    pub(super) fn probe_succeeded(&mut self, health: &HealthPolicy, probe: u64) {
        if let Some(policy) = &health.breaker
            && self.breaker.probe_succeeded(policy, probe)
        {
            self.because("a request was answered");
        }
    }

    pub(super) fn take_probe(&mut self) -> Option<u64> {
        match self.state() {
            State::HalfOpen => self.breaker.take_probe(),
            _ => None,
        }
    }

    pub(super) fn give_probe_back(&mut self, probe: u64) {
        self.breaker.give_probe_back(probe);
    }

    /// Good checks in a row end an ejection, which is Forebay's own guess. An
    /// open breaker becomes half open: what failed were requests, so requests
    /// have to show that it is over.
    pub(super) fn checked(&mut self, health: &HealthPolicy, check: Check) {
        let Some(policy) = health.checks else {
            return;
        };
        let (at, error) = (check.at, check.error.clone());
        let was_unknown = std::mem::take(&mut self.is_unknown);
        let finding = self.checks.made(policy, check);
        match (finding, error) {
            (Finding::Well, _) => {
                self.because(format!("{} good checks in a row", self.checks.good));
                if self.is_ejected() || self.passive.is_kept_in {
                    self.passive.forgive(at);
                }
                if self.breaker.open_until().is_some() {
                    self.breaker.half_open();
                }
            }
            (Finding::Unwell, Some(error)) => {
                self.because(format!("{} bad checks in a row: {error}", self.checks.bad));
                self.last_error = Some(error);
            }
            (_, None) => self.because("the first check was good"),
            // The first check decides whether it may begin.
            (_, Some(error)) if was_unknown => {
                self.is_unknown = true;
                self.last_error = Some(error);
            }
            (_, Some(error)) => self.last_error = Some(error),
        }
    }

    pub(super) fn await_check(&mut self) {
        if self.checks.last.is_none() {
            self.is_unknown = true;
            self.because("no check has been made yet");
        }
    }

    /// Whether operators want it drained, and whether disabled.
    pub(super) fn wishes(&self) -> [bool; 2] {
        [self.is_draining, self.is_disabled]
    }

    pub(super) fn follow(&mut self, wishes: [bool; 2]) {
        [self.is_draining, self.is_disabled] = wishes;
    }

    /// What goes to a process that takes over.
    pub(super) fn legacy(&self, now: Instant) -> Legacy {
        let open = self.breaker.open_until();
        let open_ms = open.map(|until| millis_between(now, until));
        Legacy {
            draining: self.is_draining,
            disabled: self.is_disabled,
            checked_bad: self.checks.is_bad,
            checked_good: self.checks.last.is_some() && !self.checks.is_bad && !self.is_unknown,
            open_ms: open_ms.or(self.breaker.is_half_open().then_some(0)),
            ..self.passive.legacy(now)
        }
    }

    /// Goes on with what another process has left; `why` says how that came,
    /// `claim` gives a place among the ejected.
    pub(super) fn inherit(
        &mut self,
        health: &HealthPolicy,
        legacy: &Legacy,
        why: &'static str,
        now: Instant,
        claim: impl FnOnce() -> bool,
    ) {
        self.follow([legacy.draining, legacy.disabled]);
        self.because(why);
        if health.checks.is_some() {
            self.checks.is_bad = legacy.checked_bad;
            self.is_unknown &= !legacy.checked_good;
        }
        if health.passive.is_some() {
            let until = legacy.ejected_ms.map(|millis| after_millis(now, millis));
            let until = until.filter(|_| claim());
            self.passive.inherit(legacy, until, now);
        }
        if health.breaker.is_some() {
            match legacy.open_ms {
                None => {}
                Some(0) => self.breaker.half_open(),
                Some(millis) => self.breaker.open(after_millis(now, millis)),
            }
        }
    }

    pub(super) fn drain(&mut self) {
        (self.is_draining, self.is_disabled) = (true, false);
        self.because("an operator wants it");
    }

    pub(super) fn disable(&mut self) {
        (self.is_draining, self.is_disabled) = (false, true);
        self.because("an operator wants it");
    }

    /// Also ends what requests have led to. What checks have found stays: they
    /// go on, and would find it again.
    pub(super) fn enable(&mut self, now: Instant) {
        (self.is_draining, self.is_disabled) = (false, false);
        self.passive.succeeded();
        if self.is_ejected() {
            self.passive.forgive(now);
        }
        self.breaker.close();
        self.because("enabled by an operator");
    }

    /// What happens by itself, and what a new policy does away with.
    pub(super) fn tick(&mut self, health: &HealthPolicy, now: Instant) {
        if let Some(why) = self.breaker.tick(health.breaker.as_ref(), now) {
            self.because(why);
        }
        if self.passive.tick(health.passive.as_ref(), now) {
            self.because("it was ejected for its time");
        }
        if health.checks.is_none() && (self.is_unknown || self.checks.is_bad) {
            self.is_unknown = false;
            self.checks = Checks::default();
            self.because("no checks are made any more");
        }
        if self.warming_until.is_some_and(|until| until <= now) {
            self.warming_until = None;
            self.because("it has warmed up");
        }
    }

    /// Makes the step from another state complete. Returns why it was made, if
    /// it was.
    pub(super) fn settle(
        &mut self,
        before: State,
        health: &HealthPolicy,
        now: Instant,
    ) -> Option<Arc<str>> {
        let mut why = self.why.take().unwrap_or_default();
        if !self.health().is_in() {
            self.warming_until = None;
        }
        let was_out = !before.is_in() && before != State::Unknown;
        if was_out && self.state() == State::Up && health.slow_start > Duration::ZERO {
            self.warming_until = Some(now + health.slow_start);
            let time = seconds(health.slow_start);
            why = format!("{why}; warming up for {time} s").into();
        }
        (self.state() != before).then_some(why)
    }

    pub(super) fn remember(&mut self, change: &Change) {
        if self.history.len() >= HISTORY {
            self.history.pop_front();
        }
        self.history.push_back(change.clone());
    }

    fn because(&mut self, why: impl Into<Arc<str>>) {
        self.why = Some(why.into());
    }

    pub(super) fn breaker(&self) -> Option<State> {
        match self.breaker.open_until() {
            Some(_) => Some(State::BreakerOpen),
            None => self.breaker.is_half_open().then_some(State::HalfOpen),
        }
    }

    pub(super) fn failures(&self) -> u32 {
        self.passive.failures
    }

    pub(super) fn ejections(&self) -> u64 {
        self.passive.ejections
    }

    pub(super) fn last_error(&self) -> Option<&Arc<str>> {
        self.last_error.as_ref()
    }

    pub(super) fn checks(&self) -> &Checks {
        &self.checks
    }

    pub(super) fn history(&self) -> &VecDeque<Change> {
        &self.history
    }
}

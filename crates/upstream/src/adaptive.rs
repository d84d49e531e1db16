//! A limit of requests under way that follows a group's own latency.
//!
//! What a request costs is one addition when it comes, one when it has been
//! answered and one when it goes. The rest is done once per window, by the
//! worker that closes it.

mod gradient;
mod log_time;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, TryLockError};
use std::time::{Duration, Instant};

pub use gradient::AdaptiveTerms;
use gradient::{ENOUGH, Gradient, Window};

use crate::padded::Padded;

/// What is done with the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdaptiveMode {
    /// It is only worked out.
    Shadow,
    /// Requests above it are refused.
    On,
}

/// The limit of one group, shared by all workers and kept from plan to plan.
#[derive(Debug)]
pub struct Adaptive {
    terms: AdaptiveTerms,
    under_way: Padded<AtomicUsize>,
    answers: Padded<AtomicU64>,
    /// Read by every request, written once per window.
    limit: AtomicUsize,
    /// Microseconds since `start` at which the window may be closed.
    due: AtomicU64,
    /// Microseconds; 0 while nothing is known.
    base: AtomicU64,
    current: AtomicU64,
    refused: Padded<AtomicU64>,
    given_up: AtomicU64,
    start: OnceLock<Instant>,
    closing: Mutex<Closing>,
}

/// What only the worker has that closes a window.
#[derive(Debug)]
struct Closing {
    gradient: Gradient,
    refused_before: u64,
    given_up_before: u64,
}

/// How things are right now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdaptiveFigures {
    pub limit: usize,
    pub under_way: usize,
    /// Requests ever that were refused, or would have been.
    pub refused: u64,
    /// The latency without waiting, as far as it is known.
    pub base: Option<Duration>,
    /// The latency of the last window.
    pub current: Option<Duration>,
}

/// A window is as long as the base, between these.
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(1);

/// A window with few answers goes on for so many times as long.
const PATIENCE: u64 = 10;
const LONGEST_WAIT: u64 = (PATIENCE - 1) * SHORTEST.as_micros() as u64;

/// Answers of the first window. It is short: under overload from the start, what
/// comes later has waited.
const FIRST: u64 = 16;

impl Adaptive {
    pub fn new(terms: AdaptiveTerms) -> Self {
        Self {
            terms,
            under_way: Padded::default(),
            answers: Padded::default(),
            limit: AtomicUsize::new(terms.max_limit),
            due: AtomicU64::new(0),
            base: AtomicU64::new(0),
            current: AtomicU64::new(0),
            refused: Padded::default(),
            given_up: AtomicU64::new(0),
            start: OnceLock::new(),
            closing: Mutex::new(Closing {
                gradient: Gradient::new(terms),
                refused_before: 0,
                given_up_before: 0,
            }),
        }
    }

    pub fn terms(&self) -> AdaptiveTerms {
        self.terms
    }

    /// One more under way; false, and none more, where that is refused.
    pub(crate) fn enter(&self, mode: AdaptiveMode) -> bool {
        let before = self.under_way.fetch_add(1, Ordering::Relaxed);
        if before < self.limit.load(Ordering::Relaxed) {
            return true;
        }
        self.refused.fetch_add(1, Ordering::Relaxed);
        if mode == AdaptiveMode::On {
            self.leave();
        }
        mode == AdaptiveMode::Shadow
    }

    pub(crate) fn leave(&self) {
        self.under_way.fetch_sub(1, Ordering::Relaxed);
    }

    /// A request has been answered.
    pub fn answered(&self, latency: Duration, now: Instant) {
        let answer = log_time::one(latency);
        let so_far = self.answers.fetch_add(answer, Ordering::Relaxed);
        let micros = self.since_start(now);
        let due = self.due.load(Ordering::Relaxed);
        if micros >= due {
            self.try_close(so_far.wrapping_add(answer), micros - due, now);
        }
    }

    /// A request got no answer for so long. That it says nothing where others
    /// take as long anyway keeps clients that leave early from lowering the base.
    pub fn unanswered(&self, waited: Duration, now: Instant) {
        let base = self.base.load(Ordering::Relaxed);
        if base > 0 && waited > Duration::from_micros(base) {
            self.given_up.fetch_add(1, Ordering::Relaxed);
            self.answered(waited, now);
        }
    }

    /// Lets the limit grow where there is no traffic: windows are closed by
    /// answers, and there it has none. Meant to be called about once a second.
    pub(crate) fn tick(&self, now: Instant) {
        let limit = self.limit.load(Ordering::Relaxed);
        if limit >= self.terms.max_limit {
            return;
        }
        let Some(mut closing) = self.try_lock() else {
            return;
        };
        let length = self.window();
        let due = self.due.load(Ordering::Relaxed);
        let late = self.since_start(now).saturating_sub(due);
        let has_answers = self.answers.load(Ordering::Relaxed) > 0;
        if has_answers && late >= LONGEST_WAIT {
            return self.close(&mut closing, now);
        }
        if has_answers || late < length {
            return;
        }
        let refused = self.refused.load(Ordering::Relaxed);
        let under_way = self.under_way.load(Ordering::Relaxed);
        // A group that hangs answers nothing either.
        if refused == closing.refused_before && under_way * 2 <= limit {
            closing.gradient.rest(late / length, under_way);
            let limit = closing.gradient.limit();
            self.limit.store(limit, Ordering::Relaxed);
        }
        closing.refused_before = refused;
        let due = self.since_start(now).saturating_add(length);
        self.due.store(due, Ordering::Relaxed);
    }

    pub fn figures(&self) -> AdaptiveFigures {
        let time = |micros: &AtomicU64| match micros.load(Ordering::Relaxed) {
            0 => None,
            micros => Some(Duration::from_micros(micros)),
        };
        AdaptiveFigures {
            limit: self.limit.load(Ordering::Relaxed),
            under_way: self.under_way.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            base: time(&self.base),
            current: time(&self.current),
        }
    }

    fn begun(&self, now: Instant) -> Instant {
        *self.start.get_or_init(|| now)
    }

    fn since_start(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.begun(now)).as_micros() as u64
    }

    /// How long a window is, in microseconds.
    fn window(&self) -> u64 {
        let base = Duration::from_micros(self.base.load(Ordering::Relaxed));
        base.clamp(SHORTEST, LONGEST).as_micros() as u64
    }

    /// Closes the window if it has enough answers and nobody else does so.
    #[cold]
    fn try_close(&self, answers: u64, late: u64, now: Instant) {
        let (count, latency) = log_time::mean(answers);
        let is_known = self.base.load(Ordering::Relaxed) > 0;
        let is_enough = match is_known {
            false => count >= FIRST && now - self.begun(now) > 2 * log_time::time(latency),
            true => count >= ENOUGH || late >= LONGEST_WAIT,
        };
        if is_enough && let Some(mut closing) = self.try_lock() {
            self.close(&mut closing, now);
        }
    }

    fn try_lock(&self) -> Option<MutexGuard<'_, Closing>> {
        match self.closing.try_lock() {
            Ok(closing) => Some(closing),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    fn close(&self, closing: &mut Closing, now: Instant) {
        let (answers, latency) = log_time::mean(self.answers.swap(0, Ordering::Relaxed));
        // Another worker has just closed it.
        if answers == 0 {
            return;
        }
        let refused = self.refused.load(Ordering::Relaxed);
        let given_up = self.given_up.load(Ordering::Relaxed);
        let window = Window {
            answers,
            latency,
            under_way: self.under_way.load(Ordering::Relaxed),
            refused: refused.wrapping_sub(closing.refused_before),
            given_up: given_up.wrapping_sub(closing.given_up_before),
        };
        closing.given_up_before = given_up;
        closing.refused_before = refused;
        let gradient = &mut closing.gradient;
        gradient.close(window, now);
        let base = gradient.base().map_or(Duration::ZERO, log_time::time);
        let latency = log_time::time(latency).as_micros() as u64;
        self.limit.store(gradient.limit(), Ordering::Relaxed);
        self.base
            .store((base.as_micros() as u64).max(1), Ordering::Relaxed);
        self.current.store(latency.max(1), Ordering::Relaxed);
        let due = self.since_start(now).saturating_add(self.window());
        self.due.store(due, Ordering::Relaxed);
    }
}

/// What a plan does with a group's limit.
#[derive(Debug, Clone)]
pub struct AdaptiveLimit {
    pub mode: AdaptiveMode,
    pub limit: Arc<Adaptive>,
}

impl AdaptiveLimit {
    /// A place for one more request, if there is one.
    pub(crate) fn enter(&self) -> Option<AdaptivePlace> {
        let may_go_on = self.limit.enter(self.mode);
        may_go_on.then(|| AdaptivePlace(Arc::clone(&self.limit)))
    }
}

impl fmt::Display for AdaptiveLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AdaptiveTerms {
            min_limit,
            max_limit,
            tolerance_percent,
        } = self.limit.terms();
        let mode = match self.mode {
            AdaptiveMode::Shadow => "is reported only",
            AdaptiveMode::On => "is kept",
        };
        write!(
            f,
            "{min_limit} to {max_limit}, at {tolerance_percent}% of the usual latency, {mode}"
        )
    }
}

/// One request's place.
#[derive(Debug)]
pub(crate) struct AdaptivePlace(Arc<Adaptive>);

impl Drop for AdaptivePlace {
    fn drop(&mut self) {
        self.0.leave();
    }
}

//! How the limit follows the latency: a pure state machine that is given one
//! window of answers after another.
//!
//! Waiting and slowness look alike from outside: both are latency. What tells
//! them apart is how many requests are under way. So nothing is limited until
//! both are far out of the ordinary; from then on the limit goes where the
//! latency is `tolerance` times its base.
//!
//! All latencies are logarithms to the base 2, and a window's is their mean:
//! the geometric mean hardly moves where a few requests take a thousand times
//! as long as the others, and moves at once where all wait.

use std::time::{Duration, Instant};

use super::log_time::time;

/// What an operator may choose.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdaptiveTerms {
    /// The limit is never lower.
    pub min_limit: usize,
    /// The limit is never higher; it is here while all is well.
    pub max_limit: usize,
    /// The latency to be had under overload, in percent of the base.
    pub tolerance_percent: u32,
}

/// What happened within a window.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    pub(super) answers: u64,
    /// The mean of the logarithms of their latencies in microseconds.
    pub(super) latency: f64,
    /// Under way at its end.
    pub(super) under_way: usize,
    /// Refused, or would have been.
    pub(super) refused: u64,
    /// Of the answers, those that were none: nobody waited for them any longer.
    pub(super) given_up: u64,
}

impl Window {
    /// Most have given up.
    fn is_in_vain(&self) -> bool {
        self.given_up * 2 > self.answers
    }
}

#[derive(Debug)]
pub(super) struct Gradient {
    terms: AdaptiveTerms,
    limit: f64,
    /// The latency without waiting; none while nothing is known.
    base: Option<f64>,
    /// Requests under way without waiting.
    normal: f64,
    /// Requests under way, the mean of the last few windows.
    lately: f64,
    /// Windows so far, as long as they are few.
    windows: u32,
    /// Answers before this do not show yet what the last change has done.
    settles: Option<Instant>,
    /// Windows in a row with too high a latency though nothing can wait.
    in_vain: u32,
    /// When the base is to be measured anew.
    probes: Option<Instant>,
    probe: Option<Probe>,
}

/// The base is being measured: with fewer requests than there were before.
#[derive(Debug, Clone, Copy)]
struct Probe {
    under_way: f64,
    latency: f64,
    limit: f64,
    stage: Stage,
}

#[derive(Debug, Clone, Copy)]
enum Stage {
    /// Those that are too many are on their way out; so many windows so far.
    Leaving(u32),
    /// The first window that closes then is no whole one.
    Settling,
    Measuring,
}

/// Answers that make a window count in full.
pub(super) const ENOUGH: u64 = 50;

/// Requests under way beyond a multiple of what is normal that are no sign of
/// overload: as large grows, by chance alone and whatever its size, the queue of
/// a group at 80 % of its capacity.
const CHANCE: f64 = 200.0;

/// It is less where they become more at such a pace: by so many times the
/// answers of a window above the mean of the last few windows.
const LESS_CHANCE: f64 = 100.0;
const PACE: f64 = 3.0;

/// That multiple: bursts.
const BURST: f64 = 4.0;

/// The base goes down quickly, up slowly: a doubling in a minute or so. Slower
/// than all but the slightest overload, which is not to be taken for normal.
const DOWN: f64 = 0.05;
const UP: f64 = 0.002;

/// In the beginning it goes up as quickly as down, for so many windows: those
/// that are answered first are the quickest of all.
const BEGINNING: u32 = 20;
const UP_AT_FIRST: f64 = 0.1;

/// While there is a limit, what is measured is what the limit makes of it, and
/// the base stays. It is measured anew now and then, with half of the requests,
/// for the first time soon after the limit was needed.
const FIRST_PROBE: Duration = Duration::from_secs(2);
const NEXT_PROBE: Duration = Duration::from_secs(10);
const FEWER: f64 = 0.5;

/// Not while the latency is so far above the base that it may still be rising.
const NEAR: f64 = 2.0;

/// What falls by less than this with so many requests fewer was no waiting.
const FALLS: f64 = 0.5;
const FEWER_INDEED: f64 = 0.75;

/// The limit falls by no more at a time.
const STEEPEST: f64 = 0.3;

/// So few of the normal requests under way cannot be waiting for each other.
const IDLE: f64 = 0.6;

/// Windows after which a latency that does not fall is taken for the base.
const PATIENCE: u32 = 5;

impl Gradient {
    pub(super) fn new(terms: AdaptiveTerms) -> Self {
        Self {
            terms,
            limit: terms.max_limit as f64,
            base: None,
            normal: 0.0,
            lately: 0.0,
            windows: 0,
            settles: None,
            in_vain: 0,
            probes: None,
            probe: None,
        }
    }

    pub(super) fn limit(&self) -> usize {
        self.limit as usize
    }

    pub(super) fn base(&self) -> Option<f64> {
        self.base
    }

    pub(super) fn close(&mut self, window: Window, now: Instant) {
        let Some(base) = self.base else {
            self.base = Some(window.latency);
            return;
        };
        let weight = (window.answers as f64 / ENOUGH as f64).min(1.0);
        // How far above the base, and above what is tolerated: 1 is twice.
        let above = window.latency - base;
        let mut too_high = above - (f64::from(self.terms.tolerance_percent) / 100.0).log2();
        if window.is_in_vain() {
            // Whatever is known, it is too long.
            too_high = too_high.max(1.0);
        } else {
            self.follow(base, above, weight);
        }
        let more = window.under_way as f64 - self.lately;
        self.lately += 0.2 * more;
        if self.settles.is_some_and(|settles| now < settles) {
            return;
        }
        if let Some(probe) = self.probe.take() {
            self.go_on(probe, &window, now);
        } else if !self.is_free() && above < NEAR && self.probes.is_some_and(|at| now >= at) {
            self.begin_probe(&window, above, now);
        } else if too_high <= 0.0 {
            self.in_vain = 0;
            self.learn_normal(&window, above, weight);
            self.grow(&window, too_high);
        } else if self.is_overload(&window, more) {
            self.shrink(&window, too_high, now);
        }
    }

    /// For so many windows nobody has been answered or refused, nor waited: the
    /// limit is in nobody's way.
    pub(super) fn rest(&mut self, windows: u64, under_way: usize) {
        let limit = self.probe.take().map_or(self.limit, |probe| probe.limit);
        self.lately += 0.2 * (under_way as f64 - self.lately);
        self.in_vain = 0;
        // More would make no difference.
        let windows = windows.min(100) as i32;
        self.put(limit * 1.5f64.powi(windows));
    }

    /// Nothing is limited.
    fn is_free(&self) -> bool {
        self.limit >= self.terms.max_limit as f64
    }

    /// Moves the base towards a window's latency.
    fn follow(&mut self, base: f64, above: f64, weight: f64) {
        self.windows = self.windows.saturating_add(1);
        let rate = match above < 0.0 {
            _ if !self.is_free() => return,
            true => DOWN,
            false if self.windows < BEGINNING => UP_AT_FIRST * above.max(1.0),
            false => UP,
        };
        self.base = Some(base + rate * weight * above.min(1.0));
    }

    fn learn_normal(&mut self, window: &Window, above: f64, weight: f64) {
        let without_waiting = window.under_way as f64 * (-above.max(0.0)).exp2();
        self.normal += 0.1 * weight * (without_waiting - self.normal);
    }

    fn is_overload(&self, window: &Window, more: f64) -> bool {
        let is_binding = !self.is_free() && window.refused > 0;
        let is_growing = more > PACE * window.answers as f64;
        let allowed = match () {
            () if window.is_in_vain() => BURST / 2.0 * self.normal + LESS_CHANCE,
            () if is_growing => BURST * self.normal + LESS_CHANCE,
            () if self.windows < BEGINNING => return is_binding,
            () => BURST * self.normal + CHANCE,
        };
        is_binding || window.under_way as f64 > allowed
    }

    /// Quickly where it stands in nobody's way or the latency is far from too
    /// high.
    fn grow(&mut self, window: &Window, too_high: f64) {
        let more = match window.refused {
            0 => self.limit * 0.5,
            _ => self.limit * ((-0.3 * too_high).exp2() - 1.0).min(0.5) + self.limit.sqrt() * 0.5,
        };
        self.put(self.limit + more.max(1.0));
    }

    fn shrink(&mut self, window: &Window, too_high: f64, now: Instant) {
        let under_way = window.under_way as f64;
        if self.is_free() {
            self.probes = Some(now + FIRST_PROBE);
        }
        let is_idle = under_way <= IDLE * self.normal
            || (self.limit <= self.terms.min_limit as f64 && under_way <= self.limit);
        if is_idle && window.given_up * 4 <= window.answers {
            self.in_vain += 1;
            if self.in_vain >= PATIENCE {
                self.in_vain = 0;
                self.base = Some(window.latency);
                self.normal = under_way;
            }
            return;
        }
        self.in_vain = 0;
        self.put(under_way.min(self.limit) * (-too_high).exp2().max(STEEPEST));
        self.settles = Some(now + time(window.latency));
    }

    fn begin_probe(&mut self, window: &Window, above: f64, now: Instant) {
        self.probes = Some(now + NEXT_PROBE);
        let under_way = window.under_way as f64;
        if self.limit.min(under_way) * FEWER_INDEED < self.terms.min_limit as f64 {
            // There cannot be fewer.
            let known = self.base.filter(|_| window.is_in_vain() || above < 0.0);
            self.base = known.or(Some(window.latency));
            return;
        }
        self.probe = Some(Probe {
            under_way,
            latency: window.latency,
            limit: self.limit,
            stage: Stage::Leaving(0),
        });
        let fewer = FEWER.min((-above).exp2());
        self.put(self.limit.min(under_way) * fewer);
    }

    fn go_on(&mut self, probe: Probe, window: &Window, now: Instant) {
        let stage = match probe.stage {
            Stage::Leaving(_) if window.under_way as f64 <= self.limit => {
                self.settles = Some(now + time(window.latency));
                Stage::Settling
            }
            Stage::Leaving(windows) if windows < PATIENCE => Stage::Leaving(windows + 1),
            Stage::Leaving(_) => return self.put(probe.limit),
            Stage::Settling => Stage::Measuring,
            Stage::Measuring => return self.end_probe(probe, window),
        };
        self.probe = Some(Probe { stage, ..probe });
    }

    fn end_probe(&mut self, probe: Probe, window: &Window) {
        self.put(probe.limit);
        let is_fewer = window.under_way as f64 <= FEWER_INDEED * probe.under_way;
        let says_nothing = window.given_up * 4 > window.answers;
        let (Some(base), true, false) = (self.base, is_fewer, says_nothing) else {
            return;
        };
        self.base = Some(match probe.latency - window.latency > FALLS {
            true => base.min(window.latency),
            false => window.latency,
        });
    }

    fn put(&mut self, limit: f64) {
        let (min, max) = (self.terms.min_limit as f64, self.terms.max_limit as f64);
        self.limit = limit.min(max).max(min);
    }
}

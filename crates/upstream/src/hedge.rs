use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::{Backend, Budget, Group};

/// When a second backend is asked as well, because the first takes longer than
/// is usual.
///
/// Usual is what the group's backends take: each has its own percentile, and
/// the median of these is the group's. So a backend that is slow does not make
/// slowness usual, not even one that gets every other request.
/// Half as much again is waited, so that what is a little slower than usual does
/// not double the load of a group that has little to spare.
#[derive(Debug)]
pub struct HedgePolicy {
    percent: u32,
    min_delay: Duration,
    /// How many hedges there may be, whatever the retries leave over.
    pub budget: Arc<Budget>,
    /// When it began to count; the microseconds since then at which `delay` was
    /// worked out; and it in microseconds, 0 while nothing is known.
    start: std::sync::OnceLock<Instant>,
    worked_out: AtomicU64,
    delay: AtomicU64,
}

/// How often the delay is worked out anew.
const EVERY: u64 = 100_000;

impl HedgePolicy {
    /// Waits for half as much again as `percent` of answers take, and at least
    /// for `min_delay`. There are no more hedges than the budget affords.
    pub fn new(percent: u32, min_delay: Duration, budget: Arc<Budget>) -> Self {
        Self {
            percent,
            min_delay,
            budget,
            start: std::sync::OnceLock::new(),
            worked_out: AtomicU64::new(0),
            delay: AtomicU64::new(0),
        }
    }

    /// How long to wait for the first backend; none while too little is known.
    pub fn delay(&self, group: &Group, now: Instant) -> Option<Duration> {
        let start = self.start.get_or_init(|| now);
        // Counted from 1, so that 0 is never.
        let micros = 1 + now.saturating_duration_since(*start).as_micros() as u64;
        let last = self.worked_out.load(Ordering::Relaxed);
        let is_due = last == 0 || micros >= last + EVERY;
        let (seen, old) = (Ordering::Relaxed, Ordering::Relaxed);
        if is_due
            && (self.worked_out)
                .compare_exchange(last, micros, seen, old)
                .is_ok()
        {
            let usual = self
                .usual(group)
                .map_or(0, |usual| usual.as_micros() as u64);
            self.delay.store(usual, Ordering::Relaxed);
        }
        match self.delay.load(Ordering::Relaxed) {
            0 => None,
            micros => Some(Duration::from_micros(micros / 2 * 3).max(self.min_delay)),
        }
    }

    fn usual(&self, group: &Group) -> Option<Duration> {
        let mut each: Vec<Duration> = group
            .backends
            .iter()
            .filter_map(|backend| {
                backend.latency.age();
                backend.latency.percentile(self.percent)
            })
            .collect();
        each.sort_unstable();
        each.get(each.len().saturating_sub(1) / 2).copied()
    }
}

impl std::fmt::Display for HedgePolicy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "a second backend is asked after 1.5 times what {}% of answers take, at least {:?}; hedges at most {}",
            self.percent, self.min_delay, self.budget
        )
    }
}

impl Backend {
    /// It took so long to begin an answer, or, without one, longer.
    pub fn answered_after(&self, time: Duration) {
        self.latency.record(time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Strategy;
    use crate::group::tests::group;

    fn answers(group: &Group, index: usize, millis: u64) {
        for _ in 0..100 {
            group.backends[index].answered_after(Duration::from_millis(millis));
        }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test begins some time")]
    fn usual_is_what_most_backends_take() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let policy = HedgePolicy::new(95, Duration::from_millis(2), Arc::new(Budget::new(10, 0)));
        let group = group(Strategy::RoundRobin, &[1; 3]);
        assert_eq!(policy.delay(&group, at(0)), None);
        answers(&group, 0, 500);
        // Not worked out on every request.
        assert_eq!(policy.delay(&group, at(50)), None);
        assert!(policy.delay(&group, at(101)) >= Some(Duration::from_millis(500)));
        // One that is slow is not usual: not among three, not even among two.
        answers(&group, 1, 5);
        let among_two = policy.delay(&group, at(202)).unwrap();
        answers(&group, 2, 5);
        let among_three = policy.delay(&group, at(303)).unwrap();
        for delay in [among_two, among_three] {
            let millis = delay.as_secs_f64() * 1000.0;
            assert!((7.5..10.0).contains(&millis), "{delay:?}");
        }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test begins some time")]
    fn the_least_delay_is_kept() {
        let policy = HedgePolicy::new(95, Duration::from_millis(9), Arc::new(Budget::new(10, 0)));
        let group = group(Strategy::RoundRobin, &[1; 2]);
        answers(&group, 0, 1);
        let delay = policy.delay(&group, Instant::now());
        assert_eq!(delay, Some(Duration::from_millis(9)));
    }
}

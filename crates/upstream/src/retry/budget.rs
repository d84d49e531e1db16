use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::Ordering;
use std::time::Instant;

use crate::sync::AtomicU64;

/// Seconds that the budget looks back.
const WINDOW: u64 = 10;

/// How many retries a group can afford: a share of the requests of the last ten
/// seconds, and some per second in any case. An outage then costs the backends
/// that are left a little more than usual, not a multiple of it.
///
/// Shared by all workers. Every count arrives; but workers that ask at the same
/// moment may each be given the last retry, so the sum can be too large by one
/// for each worker but one.
#[derive(Debug)]
pub struct Budget {
    /// When it was used first.
    start: OnceLock<Instant>,
    percent: u64,
    per_second: u64,
    requests: Seconds,
    retries: Seconds,
}

impl Budget {
    /// `percent` of the requests, and at least `per_second` retries a second.
    pub fn new(percent: u32, per_second: u32) -> Self {
        Self {
            start: OnceLock::new(),
            percent: percent.into(),
            per_second: per_second.into(),
            requests: Seconds::default(),
            retries: Seconds::default(),
        }
    }

    pub(crate) fn has_terms(&self, percent: u32, per_second: u32) -> bool {
        (self.percent, self.per_second) == (percent.into(), per_second.into())
    }

    /// A request has come.
    pub fn deposit(&self, now: Instant) {
        self.requests.count(self.second(now));
    }

    /// True if one more retry can be afforded.
    pub fn can_afford(&self, now: Instant) -> bool {
        let second = self.second(now);
        let share = self.requests.sum(second) * self.percent / 100;
        let affordable = share.max(self.per_second * WINDOW);
        self.retries.sum(second) < affordable
    }

    /// True if one more retry can be afforded, which is then made.
    pub fn withdraw(&self, now: Instant) -> bool {
        let may = self.can_afford(now);
        if may {
            self.retries.count(self.second(now));
        }
        may
    }

    fn second(&self, now: Instant) -> u64 {
        let start = self.start.get_or_init(|| now);
        now.saturating_duration_since(*start).as_secs()
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}% of requests", self.percent)?;
        match self.per_second {
            0 => Ok(()),
            least => write!(f, ", at least {least} per second"),
        }
    }
}

/// Counts of the last seconds, each in the place of its last digit: the second
/// in the upper half of the word, its count in the lower.
#[derive(Debug, Default)]
struct Seconds([AtomicU64; WINDOW as usize]);

const COUNT: u64 = u32::MAX as u64;

impl Seconds {
    /// Nothing is lost where several workers begin a second together. One whose
    /// clock is late by the whole window counts in the second it finds.
    fn count(&self, second: u64) {
        let Some(place) = self.0.get((second % WINDOW) as usize) else {
            return;
        };
        let mut found = place.load(Ordering::Relaxed);
        while found >> 32 < second & COUNT {
            let fresh = (second & COUNT) << 32 | 1;
            match place.compare_exchange(found, fresh, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return,
                Err(newer) => found = newer,
            }
        }
        place.fetch_add(1, Ordering::Relaxed);
    }

    fn sum(&self, second: u64) -> u64 {
        let words = self.0.iter().map(|place| place.load(Ordering::Relaxed));
        let recent = words.filter(|word| second.saturating_sub(word >> 32) < WINDOW);
        recent.map(|word| word & COUNT).sum()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    /// Retries that can be afforded at once.
    fn affordable(budget: &Budget, now: Instant) -> usize {
        (0..10_000).take_while(|_| budget.withdraw(now)).count()
    }

    fn at(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test begins some time")]
    fn a_share_of_the_requests_of_the_last_ten_seconds() {
        let start = Instant::now();
        let budget = Budget::new(20, 0);
        assert_eq!(affordable(&budget, start), 0);
        for second in 0..10 {
            (0..50).for_each(|_| budget.deposit(at(start, second)));
        }
        assert_eq!(affordable(&budget, at(start, 9)), 100);
        // The requests of the first second no longer count, the retries still do.
        assert_eq!(affordable(&budget, at(start, 10)), 0);
        // Nor do the retries by now; of the requests there have been no more.
        assert_eq!(affordable(&budget, at(start, 30)), 0);
        (0..50).for_each(|_| budget.deposit(at(start, 30)));
        assert_eq!(affordable(&budget, at(start, 30)), 10);
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test begins some time")]
    fn some_in_any_case() {
        let start = Instant::now();
        let budget = Budget::new(20, 3);
        assert_eq!(affordable(&budget, start), 30);
        assert_eq!(affordable(&budget, at(start, 9)), 0);
        assert_eq!(affordable(&budget, at(start, 10)), 30);
        (0..100).for_each(|_| budget.deposit(at(start, 20)));
        assert_eq!(
            affordable(&budget, at(start, 20)),
            30,
            "not on top of each other"
        );
        (0..100).for_each(|_| budget.deposit(at(start, 20)));
        assert_eq!(affordable(&budget, at(start, 20)), 10);
    }

    proptest! {
        /// The rule as a person would count it, from a list of what happened.
        #[test]
        #[expect(clippy::disallowed_methods, reason = "a test begins some time")]
        fn it_affords_what_a_list_affords(
            percent in 0u32..150,
            per_second in 0u32..3,
            steps in prop::collection::vec((0u64..3000, 0usize..8, 0usize..8), 0..60),
        ) {
            let mut now = Instant::now();
            let budget = Budget::new(percent, per_second);
            let (mut requests, mut retries) = (Vec::new(), Vec::new());
            let mut passed = Duration::ZERO;
            for (ms, deposits, withdrawals) in steps {
                // Time runs from the first use on.
                if !requests.is_empty() || !retries.is_empty() {
                    passed += Duration::from_millis(ms);
                    now += Duration::from_millis(ms);
                }
                let second = passed.as_secs();
                let recent = |list: &[u64]| {
                    list.iter().filter(|&&then| second - then < WINDOW).count() as u64
                };
                for _ in 0..deposits {
                    budget.deposit(now);
                    requests.push(second);
                }
                for _ in 0..withdrawals {
                    let share = recent(&requests) * u64::from(percent) / 100;
                    let affordable = share.max(u64::from(per_second) * WINDOW);
                    let may = recent(&retries) < affordable;
                    prop_assert_eq!(budget.withdraw(now), may);
                    if may {
                        retries.push(second);
                    }
                }
            }
        }
    }
}

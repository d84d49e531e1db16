use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// How long a backend has taken to answer lately: counts of answers, in steps
/// of a quarter of a power of two, from a sixteenth of a millisecond to over a
/// minute. Shared by all workers; recording is one addition.
#[derive(Debug)]
pub(crate) struct Latency {
    counts: [AtomicU32; STEPS],
}

const STEPS: usize = 84;

/// Microseconds below which all is one.
const FIRST: u64 = 64;

/// Answers before which nothing is said.
const ENOUGH: u32 = 20;

/// Answers after which the older half is forgotten.
const LATELY: u32 = 2000;

impl Default for Latency {
    fn default() -> Self {
        Self {
            counts: std::array::from_fn(|_| AtomicU32::new(0)),
        }
    }
}

impl Latency {
    pub(crate) fn record(&self, time: Duration) {
        if let Some(count) = self.counts.get(step(time)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The time within which so many percent of the answers have come, to the
    /// next step above; none while there are too few.
    pub(crate) fn percentile(&self, percent: u32) -> Option<Duration> {
        let counts = || self.counts.iter().map(|c| c.load(Ordering::Relaxed));
        let total: u32 = counts().sum();
        if total < ENOUGH {
            return None;
        }
        let wanted = (u64::from(total) * u64::from(percent)).div_ceil(100);
        let mut seen = 0;
        let at = counts().position(|count| {
            seen += u64::from(count);
            seen >= wanted
        });
        at.map(end)
    }

    /// Forgets the larger half, once there is more than enough. Meant for one
    /// worker at a time.
    pub(crate) fn age(&self) {
        let counts = self.counts.iter().map(|c| c.load(Ordering::Relaxed));
        if counts.sum::<u32>() > LATELY {
            for count in &self.counts {
                let half = count.load(Ordering::Relaxed).div_ceil(2);
                count.fetch_sub(half, Ordering::Relaxed);
            }
        }
    }
}

/// Four steps for each doubling.
fn step(time: Duration) -> usize {
    let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    let Some(doublings) = (micros / FIRST).checked_ilog2() else {
        return 0;
    };
    let quarter = (micros >> (doublings + FIRST.ilog2() - 2)) & 3;
    (1 + 4 * doublings as usize + quarter as usize).min(STEPS - 1)
}

/// Where a step ends.
fn end(step: usize) -> Duration {
    let (doublings, quarter) = match step.checked_sub(1) {
        None => return Duration::from_micros(FIRST),
        Some(step) => (step / 4, step % 4),
    };
    let begin = FIRST << doublings;
    Duration::from_micros(begin + begin / 4 * (quarter as u64 + 1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn percentiles_are_those_of_the_latest_answers() {
        let latency = Latency::default();
        let millis = Duration::from_millis;
        for n in 1..=19 {
            latency.record(millis(n));
        }
        assert_eq!(latency.percentile(50), None);
        for n in 20..=100 {
            latency.record(millis(n));
        }
        for (percent, low, high) in [(1, 1, 2), (50, 50, 63), (95, 95, 119), (99, 99, 124)] {
            let found = latency.percentile(percent).unwrap();
            assert!(
                found >= millis(low) && found <= millis(high),
                "{percent}: {found:?}"
            );
        }
        // Faster from now on.
        for _ in 0..40 {
            (0..500).for_each(|_| latency.record(millis(2)));
            latency.age();
        }
        assert!(latency.percentile(99).unwrap() < millis(3));
    }

    proptest! {
        /// A step is where its times are, and a quarter wide at most.
        #[test]
        fn steps_hold_their_times(micros in 0u64..100_000_000) {
            let time = Duration::from_micros(micros);
            let step = step(time);
            prop_assert!(time < end(step) || step == STEPS - 1);
            if micros >= FIRST && step < STEPS - 1 {
                prop_assert!(end(step) <= time.mul_f64(1.26), "{time:?} {:?}", end(step));
            }
        }
    }
}

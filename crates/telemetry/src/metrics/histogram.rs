//! How durations are distributed.

use std::time::Duration;

/// Upper bounds of the buckets, in seconds: from what a proxy on the same
/// machine takes to what a person gives up after.
pub(super) const BOUNDS_SECONDS: [f64; 16] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
    60.0,
];

const BOUNDS_NANOS: [u64; 16] = [
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
    30_000_000_000,
    60_000_000_000,
];

/// Counts per bucket, the last one for everything above the last bound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Histogram {
    counts: [u64; BOUNDS_SECONDS.len() + 1],
    /// Wide, for 64 bits of nanoseconds are used up by a few weeks of ten
    /// thousand long exchanges at a time.
    sum_nanos: u128,
    longest_nanos: u64,
}

impl Histogram {
    pub(super) fn record(&mut self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        // Looks at every bound, without branches; a bound belongs to its bucket.
        let bucket: usize = BOUNDS_NANOS.iter().map(|&b| usize::from(nanos > b)).sum();
        self.counts[bucket] += 1;
        self.sum_nanos += u128::from(nanos);
        self.longest_nanos = self.longest_nanos.max(nanos);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
        self.sum_nanos += other.sum_nanos;
        self.longest_nanos = self.longest_nanos.max(other.longest_nanos);
    }

    pub(super) fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    pub(super) fn sum_seconds(&self) -> f64 {
        self.sum_nanos as f64 / 1e9
    }

    pub(super) fn longest_seconds(&self) -> f64 {
        self.longest_nanos as f64 / 1e9
    }

    /// Upper bound in seconds and own count of every bucket.
    pub(super) fn buckets(&self) -> [(f64, u64); BOUNDS_SECONDS.len() + 1] {
        std::array::from_fn(|i| {
            let bound = BOUNDS_SECONDS.get(i).copied().unwrap_or(f64::INFINITY);
            (bound, self.counts[i])
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_two_lists_of_bounds_agree() {
        for (seconds, nanos) in BOUNDS_SECONDS.into_iter().zip(BOUNDS_NANOS) {
            assert_eq!((seconds * 1e9).round() as u64, nanos);
        }
        assert!(BOUNDS_NANOS.is_sorted());
    }

    #[test]
    fn a_bound_belongs_to_its_own_bucket() {
        for (i, nanos) in BOUNDS_NANOS.into_iter().enumerate() {
            let mut histogram = Histogram::default();
            let bound = Duration::from_nanos(nanos);
            histogram.record(bound);
            histogram.record(bound + Duration::from_nanos(1));
            assert_eq!(
                (histogram.counts[i], histogram.counts[i + 1]),
                (1, 1),
                "{nanos}"
            );
        }
    }

    proptest! {
        #[test]
        fn every_duration_is_counted_once(durations: Vec<Duration>) {
            let mut whole = Histogram::default();
            let mut halves = [Histogram::default(); 2];
            for (i, &duration) in durations.iter().enumerate() {
                whole.record(duration);
                halves[i % 2].record(duration);
            }
            let [mut merged, other] = halves;
            merged.merge(&other);
            prop_assert_eq!(merged, whole);
            prop_assert_eq!(whole.count(), durations.len() as u64);
            let below = |bound: f64| durations.iter().filter(|d| d.as_secs_f64() <= bound).count();
            let mut seen = 0;
            for (bound, count) in whole.buckets() {
                seen += count;
                prop_assert_eq!(seen, below(bound) as u64);
            }
        }
    }
}

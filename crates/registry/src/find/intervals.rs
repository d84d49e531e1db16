//! When to look again.

use std::time::Duration;

/// The least and the most time from one look to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Intervals {
    pub min: Duration,
    pub max: Duration,
}

/// Failures do not keep a source from being looked at for longer.
const LONGEST_AFTER_FAILURE: Duration = Duration::from_secs(30);

impl Intervals {
    /// After an answer that is valid for so long.
    pub fn after_answer(self, valid: Duration) -> Duration {
        valid.min(self.max).max(self.min)
    }

    /// After so many failures in a row, of which there is one at least: twice as
    /// long each time.
    pub fn after_failures(self, failures: u32) -> Duration {
        let doubled = 1_u32.checked_shl(failures.saturating_sub(1));
        let wait = self.min.saturating_mul(doubled.unwrap_or(u32::MAX));
        wait.min(self.max.min(LONGEST_AFTER_FAILURE)).max(self.min)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn waits_are_as_long_as_answers_are_valid() {
        let intervals = Intervals {
            min: SECOND,
            max: 300 * SECOND,
        };
        for (valid, wait) in [(0, 1), (1, 1), (60, 60), (3600, 300)] {
            assert_eq!(intervals.after_answer(valid * SECOND), wait * SECOND);
        }
        for (failures, wait) in [(0, 1), (1, 1), (2, 2), (5, 16), (6, 30), (33, 30), (99, 30)] {
            assert_eq!(intervals.after_failures(failures), wait * SECOND);
        }
    }

    proptest! {
        #[test]
        fn the_bounds_hold(min in 1_u64..100_000, more in 0_u64..100_000, valid: u32, failures: u32) {
            let min = Duration::from_millis(min);
            let intervals = Intervals { min, max: min + Duration::from_millis(more) };
            let valid = Duration::from_secs(valid.into());
            for wait in [intervals.after_answer(valid), intervals.after_failures(failures)] {
                prop_assert!(wait >= intervals.min && wait <= intervals.max);
            }
        }
    }
}

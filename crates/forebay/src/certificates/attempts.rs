//! Attempts that have failed, and when there is another.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Before the second attempt. Authorities allow some five failed checks of a
/// name in an hour; three times longer each time stays below that.
const FIRST: Duration = Duration::from_mins(1);
const LONGEST: Duration = Duration::from_hours(12);

/// What is kept on disk of them, so that a program that is started again and
/// again does not ask each time.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Attempts {
    /// In a row.
    pub(crate) failed: u32,
    pub(crate) next_unix: i64,
    /// Why the last one has failed.
    pub(crate) error: String,
}

impl Attempts {
    /// Another one has failed at `now`. `chance` is from 0 to 1: those that have
    /// failed together do not come back together.
    pub(super) fn fail(&mut self, error: String, now: i64, chance: f64) {
        let longer = 3_u32.saturating_pow(self.failed.min(20));
        let whole = FIRST.saturating_mul(longer).min(LONGEST);
        let wait = whole.mul_f64(0.5 + chance.clamp(0.0, 1.0) / 2.0);
        self.failed = self.failed.saturating_add(1);
        self.next_unix = now.saturating_add(i64::try_from(wait.as_secs()).unwrap_or(i64::MAX));
        self.error = error;
    }

    /// When there is another. A time that is too far away was written by a clock
    /// that was wrong, and is none.
    pub(super) fn next(&self, now: i64) -> i64 {
        let longest = i64::try_from(LONGEST.as_secs()).unwrap_or(i64::MAX);
        match self.next_unix > now.saturating_add(longest) {
            true => 0,
            false => self.next_unix,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn waits_grow_up_to_a_limit() {
        let mut attempts = Attempts::default();
        let mut waits = Vec::new();
        for _ in 0..40 {
            attempts.fail("no".to_owned(), 1_000, 1.0);
            waits.push(attempts.next_unix - 1_000);
        }
        assert_eq!(waits[..7], [60, 180, 540, 1_620, 4_860, 14_580, 43_200]);
        assert_eq!(waits[39], 43_200);
        assert_eq!((attempts.failed, &*attempts.error), (40, "no"));
    }

    #[test]
    fn at_most_five_fail_in_an_hour() {
        let mut attempts = Attempts::default();
        let mut now = 0;
        let mut within = 0;
        while now < 3_600 {
            within += 1;
            attempts.fail(String::new(), now, 0.0);
            now = attempts.next_unix;
        }
        assert_eq!(within, 5);
    }

    #[test]
    fn a_clock_that_was_wrong_holds_nobody_up() {
        let mut attempts = Attempts::default();
        (0..9).for_each(|_| attempts.fail(String::new(), 1_000_000, 1.0));
        assert_eq!(attempts.next(1_000_000), 1_043_200);
        assert_eq!(attempts.next(999_999), 0);
    }

    proptest! {
        #[test]
        fn waits_are_between_half_and_whole(failed: u32, chance: f64, now in 0..i64::MAX) {
            let mut attempts = Attempts { failed, ..Attempts::default() };
            let mut whole = attempts.clone();
            attempts.fail(String::new(), now, if chance.is_nan() { 0.5 } else { chance });
            whole.fail(String::new(), now, 1.0);
            prop_assert!(attempts.next_unix <= whole.next_unix);
            prop_assert!(attempts.next_unix - now >= (whole.next_unix - now) / 2);
        }
    }
}

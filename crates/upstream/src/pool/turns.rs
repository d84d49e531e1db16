//! How long a shared connection is given no requests, so that its permit comes free
//! for who has waited: others have waited for it, but requests that it could carry
//! must not wait for streams that never end.

use std::rc::{Rc, Weak};
use std::time::{Duration, Instant};

/// Most streams have ended by then.
const FIRST: Duration = Duration::from_millis(100);
/// Each further time may be twice as long as the one before, up to this.
const LONGEST: Duration = Duration::from_secs(1);
/// Between two times requests have it for so many times as long.
const PAUSE: u32 = 4;

pub(super) struct Turns<T> {
    /// It has its streams, but nobody else.
    one: Weak<T>,
    /// Until when it may go on like that.
    ends: Option<Instant>,
    /// Not before that again.
    next: Option<Instant>,
    length: Duration,
}

impl<T> Default for Turns<T> {
    fn default() -> Self {
        Self {
            one: Weak::new(),
            ends: None,
            next: None,
            length: FIRST,
        }
    }
}

impl<T> Turns<T> {
    pub(super) fn is_one_out(&self) -> bool {
        self.ends.is_some()
    }

    pub(super) fn may_begin(&self, now: Instant) -> bool {
        self.ends.is_none() && self.next.is_none_or(|next| now >= next)
    }

    pub(super) fn begin(&mut self, one: &Rc<T>, now: Instant) {
        self.one = Rc::downgrade(one);
        self.ends = Some(now + self.length);
    }

    /// The one that requests are to have again: its streams have not ended in time, or
    /// nobody waits for it any more.
    pub(super) fn back(&mut self, now: Instant, is_waited_for: bool) -> Option<Rc<T>> {
        let ends = self.ends?;
        let one = self.one.upgrade();
        if one.is_none() || !is_waited_for {
            *self = Self::default();
            return one;
        }
        if now < ends {
            return None;
        }
        self.ends = None;
        self.next = Some(now + PAUSE * self.length);
        self.length = (2 * self.length).min(LONGEST);
        one
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test begins some time")]
    fn it_is_out_for_a_fifth_of_the_time_at_most() {
        let start = Instant::now();
        let one = Rc::new(());
        let mut turns = Turns::default();
        let (mut out, mut longest, mut at_once) = (0, 0, 0);
        for tick in 0..4_000 {
            let now = start + ms(50 * tick);
            if turns.back(now, true).is_some() {
                at_once = 0;
            }
            if turns.may_begin(now) {
                turns.begin(&one, now);
            }
            if turns.is_one_out() {
                out += 1;
                at_once += 1;
                longest = longest.max(at_once);
            }
        }
        assert_eq!(longest, 20, "a second");
        assert!((700..=820).contains(&out), "{out} of 4,000");
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test begins some time")]
    fn it_comes_back_when_nobody_waits_and_is_gone_when_it_has_run_out() {
        let start = Instant::now();
        let one = Rc::new(());
        let mut turns = Turns::default();
        turns.begin(&one, start);
        assert!(!turns.may_begin(start) && turns.back(start, true).is_none());
        assert!(turns.back(start, false).is_some());
        assert!(turns.may_begin(start));
        turns.begin(&one, start);
        drop(one);
        assert!(turns.back(start, true).is_none());
        assert!(!turns.is_one_out() && turns.may_begin(start));
    }
}

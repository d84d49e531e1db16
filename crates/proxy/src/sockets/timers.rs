//! Deadlines without a timer per request.
//!
//! Each half of a connection owns a slot with its deadline. Setting one is a
//! store into memory; a single ticker per worker looks at all of them a few
//! times a second and wakes the tasks whose deadline has passed, a few at a
//! time. The clock by which they are set is up to one `TICK` behind, which is
//! added, so timeouts are never early and up to two ticks late: no timeout of a
//! proxy minds.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::Duration;

use tokio::time::Instant;

/// How often deadlines are looked at.
pub(crate) const TICK: Duration = Duration::from_millis(50);

/// How many tasks are woken before others get their turn. Thousands of slow
/// clients that come together are cut off together: in one go, everyone else
/// would wait for the last of them.
const AT_ONCE: usize = 4;

/// No deadline.
const NEVER: u64 = u64::MAX;

/// The deadlines of one worker. Times are milliseconds since its start.
pub(crate) struct Timers {
    start: Instant,
    now: Cell<u64>,
    slots: RefCell<Vec<Slot>>,
    free: RefCell<Vec<usize>>,
}

struct Slot {
    at: u64,
    /// Re-armed at each wait: silence for so long is a timeout; 0 for none.
    silence: u64,
    /// How long the next wait may take. Each byte that comes adds its time at the
    /// least rate, in bytes per second; without a rate any byte adds all of it.
    left: u64,
    rate: u64,
    waker: Option<Waker>,
}

impl Slot {
    const UNSET: Slot = Slot {
        at: NEVER,
        silence: 0,
        left: 0,
        rate: 0,
        waker: None,
    };
}

impl Timers {
    pub(crate) fn new() -> Rc<Self> {
        Rc::new(Self {
            start: Instant::now(),
            now: Cell::new(0),
            slots: RefCell::default(),
            free: RefCell::default(),
        })
    }

    /// By the coarse clock.
    pub(crate) fn now(&self) -> Instant {
        self.start + Duration::from_millis(self.now.get())
    }

    /// Advances the coarse clock and wakes every task whose deadline has passed.
    pub(crate) async fn tick(&self) {
        let now = self.start.elapsed().as_millis() as u64;
        self.now.set(now);
        let mut next = 0;
        while let Some(more) = self.wake_some(next, now) {
            next = more;
            tokio::task::yield_now().await;
        }
    }

    /// Wakes the first few from a slot on; the slot to go on with, if there may be more.
    fn wake_some(&self, from: usize, now: u64) -> Option<usize> {
        let mut slots = self.slots.borrow_mut();
        let passed = slots.iter_mut().enumerate().skip(from);
        let wakers = passed.filter_map(|(index, slot)| {
            let waker = slot.waker.take_if(|_| slot.at <= now)?;
            Some((index, waker))
        });
        let mut woken = 0;
        for (index, waker) in wakers {
            waker.wake();
            woken += 1;
            if woken == AT_ONCE {
                return Some(index + 1);
            }
        }
        None
    }

    /// Wakes every task that waits with a slot, whatever its deadline.
    pub(crate) fn wake_all(&self) {
        for slot in self.slots.borrow_mut().iter_mut() {
            if let Some(waker) = slot.waker.take() {
                waker.wake();
            }
        }
    }

    pub(crate) fn deadline(self: &Rc<Self>) -> Deadline {
        let slot = self.free.borrow_mut().pop().unwrap_or_else(|| {
            let mut slots = self.slots.borrow_mut();
            slots.push(Slot::UNSET);
            slots.len() - 1
        });
        Deadline {
            timers: Rc::clone(self),
            slot,
        }
    }
}

/// A time from the coarse clock's now on that is not over early.
fn from_now(time: Duration) -> u64 {
    millis(time.saturating_add(TICK))
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(NEVER)
}

/// The deadline of one half of a connection.
pub(crate) struct Deadline {
    timers: Rc<Timers>,
    slot: usize,
}

impl Deadline {
    fn with<T>(&self, f: impl FnOnce(&mut Slot) -> T) -> Option<T> {
        self.timers.slots.borrow_mut().get_mut(self.slot).map(f)
    }

    /// Everything from now on must be done within `time`.
    pub(crate) fn within(&self, time: Duration) {
        let at = self.timers.now.get().saturating_add(from_now(time));
        self.with(|slot| {
            slot.at = at;
            slot.silence = 0;
        });
    }

    /// The deadline is at most `time` away.
    pub(crate) fn no_later_than(&self, time: Duration) {
        let at = self.timers.now.get().saturating_add(from_now(time));
        self.with(|slot| slot.at = slot.at.min(at));
    }

    /// From now on no single wait may take longer than `time`.
    pub(crate) fn silence(&self, time: Duration) {
        self.trickle(time, 0);
    }

    /// From now on no single wait may take longer than `time`, nor all waits
    /// together longer than that and what the bytes that have moved take at
    /// `rate` bytes per second: a peer that moves a byte now and then is not
    /// waited for any longer than one that is silent.
    pub(crate) fn trickle(&self, time: Duration, rate: u64) {
        let silence = millis(time);
        self.with(|slot| {
            slot.at = NEVER;
            slot.silence = silence;
            slot.left = silence;
            slot.rate = rate;
        });
    }

    /// There is no deadline any more.
    pub(crate) fn clear(&self) {
        self.with(|slot| {
            slot.at = NEVER;
            slot.silence = 0;
        });
    }

    /// So many bytes moved.
    pub(crate) fn progressed(&self, count: usize) {
        let now = self.timers.now.get();
        self.with(|slot| {
            if slot.silence == 0 {
                return;
            }
            if let Some(earned) = (count as u64).saturating_mul(1000).checked_div(slot.rate) {
                // Only waiting counts, not what happens between two waits.
                if slot.at != NEVER {
                    slot.left = slot.at.saturating_sub(now + millis(TICK));
                }
                slot.left = slot.left.saturating_add(earned).min(slot.silence);
            }
            slot.at = NEVER;
        });
    }

    /// The deadline has passed; if not, the task is woken when it does.
    pub(crate) fn has_passed(&self, cx: &Context<'_>) -> bool {
        let now = self.timers.now.get();
        self.with(|slot| {
            if slot.at == NEVER && slot.silence > 0 {
                slot.at = now.saturating_add(slot.left).saturating_add(millis(TICK));
            }
            if slot.at <= now {
                return true;
            }
            match &mut slot.waker {
                Some(waker) if waker.will_wake(cx.waker()) => {}
                waker => *waker = Some(cx.waker().clone()),
            }
            false
        })
        .unwrap_or(false)
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        self.with(|slot| *slot = Slot::UNSET);
        self.timers.free.borrow_mut().push(self.slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Wake, Waker};

    #[tokio::test(start_paused = true)]
    async fn deadlines_pass_on_the_coarse_clock() {
        let timers = Timers::new();
        let deadline = timers.deadline();
        let cx = Context::from_waker(Waker::noop());
        assert!(!deadline.has_passed(&cx));
        deadline.within(Duration::from_secs(1));
        tokio::time::advance(Duration::from_millis(1049)).await;
        timers.tick().await;
        assert!(!deadline.has_passed(&cx));
        tokio::time::advance(Duration::from_millis(1)).await;
        timers.tick().await;
        assert!(deadline.has_passed(&cx));
        deadline.clear();
        assert!(!deadline.has_passed(&cx));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_measured_from_the_last_progress() {
        let timers = Timers::new();
        let deadline = timers.deadline();
        let cx = Context::from_waker(Waker::noop());
        deadline.silence(Duration::from_secs(1));
        for _ in 0..3 {
            assert!(!deadline.has_passed(&cx));
            tokio::time::advance(Duration::from_millis(900)).await;
            timers.tick().await;
            assert!(!deadline.has_passed(&cx));
            deadline.progressed(1);
        }
        assert!(!deadline.has_passed(&cx));
        tokio::time::advance(Duration::from_secs(1) + TICK).await;
        timers.tick().await;
        assert!(deadline.has_passed(&cx));
    }

    /// One byte every 900 ms is not enough at 10 bytes per second; 9 are, and what
    /// happens between two waits does not count.
    #[tokio::test(start_paused = true)]
    async fn who_trickles_is_waited_for_no_longer_than_who_is_silent() {
        for (bytes, expected) in [(1, 1), (8, 2), (9, 20), (1000, 20)] {
            let timers = Timers::new();
            let deadline = timers.deadline();
            let cx = Context::from_waker(Waker::noop());
            deadline.trickle(Duration::from_secs(1), 10);
            let mut waits = 0;
            while waits < 20 && !deadline.has_passed(&cx) {
                tokio::time::advance(Duration::from_millis(900)).await;
                timers.tick().await;
                if deadline.has_passed(&cx) {
                    break;
                }
                deadline.progressed(bytes);
                tokio::time::advance(Duration::from_secs(60)).await;
                timers.tick().await;
                waits += 1;
            }
            assert_eq!(waits, expected, "{bytes}");
        }
    }

    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn others_get_their_turn_while_many_deadlines_pass() {
        let timers = Timers::new();
        let count = Arc::new(Count(AtomicUsize::new(0)));
        let waker = Waker::from(Arc::clone(&count));
        let all: Vec<Deadline> = (0..2 * AT_ONCE + 1).map(|_| timers.deadline()).collect();
        for deadline in &all {
            deadline.within(Duration::from_secs(1));
            assert!(!deadline.has_passed(&Context::from_waker(&waker)));
        }
        tokio::time::advance(Duration::from_secs(1) + TICK).await;
        let mut tick = std::pin::pin!(timers.tick());
        let cx = &mut Context::from_waker(Waker::noop());
        for woken in [AT_ONCE, 2 * AT_ONCE, 2 * AT_ONCE + 1] {
            assert_eq!(tick.as_mut().poll(cx).is_pending(), woken < all.len());
            assert_eq!(count.0.load(Ordering::Relaxed), woken);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn slots_are_reused() {
        let timers = Timers::new();
        let slot = timers.deadline().slot;
        let again = timers.deadline();
        assert_eq!(again.slot, slot);
        assert_eq!(timers.slots.borrow().len(), 1);
        drop(again);
    }
}

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);

/// Requests that were refused for want of room, counted so that they can be
/// told of at most once a second, however many they are.
#[derive(Debug, Default)]
pub struct Refusals {
    untold: AtomicU64,
    told: Mutex<Option<Instant>>,
}

impl Refusals {
    /// One more. Returns how many are to be told of now, if it is time.
    pub fn count(&self, now: Instant) -> Option<u64> {
        self.untold.fetch_add(1, Ordering::Relaxed);
        self.due(now)
    }

    /// The same, but nothing happened: so that the last ones are told of too.
    pub fn due(&self, now: Instant) -> Option<u64> {
        if self.untold.load(Ordering::Relaxed) == 0 {
            return None;
        }
        // Whoever holds it tells.
        let mut told = self.told.try_lock().ok()?;
        if told.is_some_and(|at| now.saturating_duration_since(at) < SECOND) {
            return None;
        }
        let untold = self.untold.swap(0, Ordering::Relaxed);
        *told = Some(now);
        (untold > 0).then_some(untold)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test begins some time")]
    fn all_are_told_of_and_at_most_once_a_second() {
        let (refusals, start) = (Refusals::default(), Instant::now());
        let at = |millis| start + Duration::from_millis(millis);
        assert_eq!(refusals.due(at(0)), None);
        assert_eq!(refusals.count(at(0)), Some(1));
        for n in 1..1000 {
            assert_eq!(refusals.count(at(n)), None);
        }
        assert_eq!(refusals.count(at(1000)), Some(1000));
        assert_eq!(refusals.count(at(1500)), None);
        assert_eq!(refusals.due(at(1999)), None);
        assert_eq!(refusals.due(at(2000)), Some(1));
        assert_eq!(refusals.due(at(3000)), None);
    }
}

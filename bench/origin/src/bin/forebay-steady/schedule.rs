//! When each request is due.

use std::time::Duration;

/// Requests at equal distances, the first at once. Times are since the start.
#[derive(Debug)]
pub(crate) struct Schedule {
    /// Requests per second.
    rate: u64,
    next: u64,
    total: u64,
}

impl Schedule {
    pub(crate) fn new(rate: u64, seconds: u64) -> Schedule {
        Schedule {
            rate,
            next: 0,
            total: rate * seconds,
        }
    }

    /// The distance between two requests.
    pub(crate) fn step(&self) -> Duration {
        Duration::from_nanos(1_000_000_000 / self.rate)
    }

    /// The time of the next request that is due, if any is.
    pub(crate) fn take_due(&mut self, now: Duration) -> Option<Duration> {
        let at = self.at(self.next);
        let is_due = self.next < self.total && at <= now;
        is_due.then(|| {
            self.next += 1;
            at
        })
    }

    pub(crate) fn is_over(&self) -> bool {
        self.next == self.total
    }

    /// From the whole, so that rounding does not add up.
    fn at(&self, number: u64) -> Duration {
        let nanos = u128::from(number) * 1_000_000_000 / u128::from(self.rate);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::Schedule;
    use std::time::Duration;

    #[test]
    fn each_is_due_once_and_at_its_time() {
        let mut schedule = Schedule::new(3, 2);
        let mut due = |millis| {
            let now = Duration::from_millis(millis);
            std::iter::from_fn(|| schedule.take_due(now))
                .map(|at| at.as_millis())
                .collect::<Vec<_>>()
        };
        assert_eq!(due(0), [0]);
        assert!(due(333).is_empty());
        assert_eq!(due(334), [333]);
        // Late: all that were missed, with the times they should have had.
        assert_eq!(due(1400), [666, 1000, 1333]);
        assert_eq!(due(9000), [1666]);
        assert!(due(9000).is_empty());
        assert!(schedule.is_over());
    }

    #[test]
    fn rounding_does_not_add_up() {
        let mut schedule = Schedule::new(29_999, 60);
        let last = std::iter::from_fn(|| schedule.take_due(Duration::from_secs(60))).last();
        assert!(last.unwrap() > Duration::from_micros(59_999_900));
        assert_eq!(schedule.step(), Duration::from_nanos(33_334));
    }
}

//! So many a second and no more, for what is useful but not cheap.

use std::cell::Cell;
use std::time::Duration;

use tokio::time::Instant;

const SECOND: Duration = Duration::from_secs(1);

/// Counts what has been done within a second.
pub(crate) struct Allowance {
    per_second: u32,
    since: Cell<Option<Instant>>,
    done: Cell<u32>,
}

impl Allowance {
    pub(crate) fn new(per_second: u32) -> Self {
        Self {
            per_second,
            since: Cell::new(None),
            done: Cell::new(0),
        }
    }

    /// True if it may be done once more, which is then counted.
    pub(crate) fn take(&self, now: Instant) -> bool {
        let is_over = |since| now.saturating_duration_since(since) >= SECOND;
        if self.since.get().is_none_or(is_over) {
            self.since.set(Some(now));
            self.done.set(0);
        }
        let may = self.done.get() < self.per_second;
        self.done.set(self.done.get() + u32::from(may));
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_is_renewed_every_second() {
        let allowance = Allowance::new(2);
        let start = Instant::now();
        let taken = |after| {
            let now = start + Duration::from_millis(after);
            (0..5).filter(|_| allowance.take(now)).count()
        };
        assert_eq!(
            [taken(0), taken(999), taken(1000), taken(1999)],
            [2, 0, 2, 0]
        );
        assert_eq!(taken(60_000), 2);
    }
}

//! The worker's clocks: one reading a request gives both the monotonic and the
//! wall time.
#![expect(
    clippy::disallowed_methods,
    reason = "this is the file that owns reading the wall clock"
)]

use std::cell::Cell;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// Wall time as an offset from the monotonic clock, renewed on every tick.
pub(crate) struct Clock {
    base: Cell<(Instant, u64)>,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self {
            base: Cell::new((Instant::now(), unix_micros())),
        }
    }

    pub(crate) fn tick(&self) {
        self.base.set((Instant::now(), unix_micros()));
    }

    /// The time of the last tick, for whatever does not mind: reading it is free.
    pub(crate) fn coarse(&self) -> Instant {
        self.base.get().0
    }

    pub(crate) fn now(&self) -> Instant {
        Instant::now()
    }

    /// Microseconds since the Unix epoch at `now`.
    pub(crate) fn unix_micros(&self, now: Instant) -> u64 {
        let (instant, micros) = self.base.get();
        micros + now.saturating_duration_since(instant).as_micros() as u64
    }
}

fn unix_micros() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or(Duration::ZERO)
        .as_micros() as u64
}

//! Waiting for something to become true, and failing the test when it does not.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long anything may take. A test that hangs fails after this long.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A value that other threads change and tests wait for.
#[derive(Default)]
pub struct Watched<T> {
    value: Mutex<T>,
    changed: Condvar,
}

impl<T> Watched<T> {
    pub fn new(value: T) -> Self {
        Self {
            value: Mutex::new(value),
            changed: Condvar::new(),
        }
    }

    pub fn update<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        let result = change(&mut self.lock());
        self.changed.notify_all();
        result
    }

    pub fn read<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        look(&self.lock())
    }

    /// What `look` finds, as soon as it finds something; none once the time is up.
    pub fn wait_within<R>(
        &self,
        time: Duration,
        mut look: impl FnMut(&mut T) -> Option<R>,
    ) -> Option<R> {
        let end = Instant::now() + time;
        let mut value = self.lock();
        loop {
            if let Some(found) = look(&mut value) {
                return Some(found);
            }
            let left = end.checked_duration_since(Instant::now())?;
            let waited = self.changed.wait_timeout(value, left);
            value = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The same, but a test that waits in vain fails.
    #[track_caller]
    pub fn wait<R>(&self, what: &str, look: impl FnMut(&mut T) -> Option<R>) -> R {
        match self.wait_within(PATIENCE, look) {
            Some(found) => found,
            None => panic!("waited {PATIENCE:?} in vain: {what}"),
        }
    }

    fn lock(&self) -> MutexGuard<'_, T> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks again and again, for what tells nobody when it changes: files, other
/// processes.
#[track_caller]
pub fn until<R>(what: &str, mut look: impl FnMut() -> Option<R>) -> R {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "waited {PATIENCE:?} in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

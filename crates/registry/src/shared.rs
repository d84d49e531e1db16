//! The registry as several threads use it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::registry::Registry;
use crate::snapshot::Snapshot;

/// One registry for all who hold this. Nothing waits while the lock is held, so
/// it is held only for moments.
#[derive(Debug, Clone)]
pub struct Shared(Arc<Mutex<Registry>>);

impl Shared {
    pub fn new(registry: Registry) -> Self {
        Self(Arc::new(Mutex::new(registry)))
    }

    /// For a list with its cursor, or anything else that belongs together.
    pub fn lock(&self) -> MutexGuard<'_, Registry> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As [`Registry::snapshot`], but most of the work is done when the others
    /// can go on.
    pub fn snapshot(&self, now: Instant) -> Snapshot {
        let leases = self.lock().leases(now);
        Snapshot::of(&leases)
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::Filter;
    use crate::registry::tests::{registry, service_with};

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test begins some time")]
    fn threads_share_one_even_after_one_of_them_has_panicked() {
        let now = Instant::now();
        let shared = Shared::new(registry());
        thread::scope(|threads| {
            for id in ["a", "b", "c"] {
                let shared = shared.clone();
                let service = service_with(id, "web", &[], 30);
                threads.spawn(move || shared.lock().register(service, now));
            }
        });
        let panicking = shared.clone();
        let ended = thread::spawn(move || {
            let _registry = panicking.lock();
            panic!("while the lock is held");
        });
        assert!(ended.join().is_err());
        assert_eq!(shared.lock().list(&Filter::default()).count(), 3);
        let snapshot = shared.snapshot(now);
        assert_eq!(snapshot, shared.lock().snapshot(now));
    }
}

use std::ops::Deref;
use std::sync::Arc;

use crate::Backend;

/// One exchange on its way to a backend: counts in [`Backend::load`] for as
/// long as it exists.
///
/// Generic over how the backend is held. An exchange that keeps its plan alive
/// anyway may lend `&Backend` and spare the shared reference count.
#[derive(Debug)]
#[must_use = "the exchange counts only while this exists"]
pub struct InFlight<B: Deref<Target = Backend> = Arc<Backend>>(B);

impl<B: Deref<Target = Backend>> InFlight<B> {
    pub fn new(backend: B) -> Self {
        backend.load_up();
        Self(backend)
    }

    pub fn backend(&self) -> &B {
        &self.0
    }
}

impl<B: Deref<Target = Backend>> Drop for InFlight<B> {
    fn drop(&mut self) {
        self.0.load_down();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::tests::backends;

    #[test]
    fn load_is_the_number_of_guards_from_all_threads() {
        let backend = &backends(1)[0];
        let owned = InFlight::new(Arc::clone(backend));
        std::thread::scope(|threads| {
            for _ in 0..8 {
                threads.spawn(|| {
                    for _ in 0..1000 {
                        let lent = InFlight::new(&**backend);
                        assert!((2..=9).contains(&lent.backend().load()));
                    }
                });
            }
        });
        assert_eq!(backend.load(), 1);
        drop(owned);
        assert_eq!(backend.load(), 0);
    }
}

//! The load of a backend is the number of exchanges in flight.

use upstream::InFlight;

use super::*;

#[test]
fn load_counts_every_guard_once() {
    check(2, || {
        let backend = backend(PoolOptions::default());
        let owned = InFlight::new(Arc::clone(&backend));
        let shared = Arc::clone(&backend);
        threads(3, move |_| {
            let lent = InFlight::new(&*shared);
            let load = lent.backend().load();
            assert!((2..=4).contains(&load), "{load}");
        });
        assert_eq!(backend.load(), 1);
        drop(owned);
        assert_eq!(backend.load(), 0);
    });
}

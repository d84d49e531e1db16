//! The retry budget: no count is lost, and what workers can overdraw is bounded.

use upstream::Budget;

use super::*;

/// Retries that can still be afforded, one after another.
fn affordable(budget: &Budget, now: Instant) -> usize {
    (0..100).take_while(|_| budget.withdraw(now)).count()
}

#[test]
fn requests_that_come_together_all_count() {
    check(3, || {
        let (budget, start) = (Arc::new(Budget::new(100, 0)), start());
        budget.deposit(start);
        let shared = Arc::clone(&budget);
        // A new second begins with them, so all find an old count in its place.
        let now = start + seconds(10);
        threads(3, move |_| shared.deposit(now));
        assert_eq!(affordable(&budget, now), 3);
    });
}

#[test]
fn retries_made_together_all_count() {
    check(3, || {
        let (budget, start) = (Arc::new(Budget::new(100, 0)), start());
        for _ in 0..3 {
            budget.deposit(start);
        }
        let shared = Arc::clone(&budget);
        let now = start + seconds(1);
        let made = threads(2, move |_| shared.withdraw(now));
        assert_eq!(made, [true, true]);
        assert_eq!(affordable(&budget, now), 1);
    });
}

#[test]
fn the_last_retry_is_made_once_by_each_worker_at_most() {
    check(3, || {
        let (budget, start) = (Arc::new(Budget::new(100, 0)), start());
        budget.deposit(start);
        let shared = Arc::clone(&budget);
        let now = start + seconds(1);
        let made = threads(2, move |_| affordable(&shared, now));
        assert!(made.iter().sum::<usize>() >= 1, "{made:?}");
        assert!(made.iter().all(|&made| made <= 1), "{made:?}");
        assert_eq!(affordable(&budget, now), 0);
    });
}

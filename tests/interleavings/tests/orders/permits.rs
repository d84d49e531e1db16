//! The permits of a backend over all workers: never more connections than
//! allowed, every permit comes back, and no request waits for ever.

use super::workers::{Worker, run};
use super::*;

fn limits(max_connections: usize) -> PoolOptions {
    PoolOptions {
        max_connections,
        ..PoolOptions::default()
    }
}

#[test]
fn a_closed_connection_lets_the_next_request_in() {
    check(3, || {
        run(limits(1), 2, async |worker, _| worker.failure().await)
    });
}

#[test]
fn an_idle_connection_is_given_up_for_another_worker() {
    check(3, || {
        run(limits(1), 2, async |worker, _| worker.exchange().await)
    });
}

#[test]
fn a_worker_that_uses_its_connection_again_lets_the_other_in() {
    check(3, || {
        run(limits(1), 2, async |worker: &Worker, number| {
            worker.exchange().await;
            if number == 0 {
                worker.exchange().await;
            }
        });
    });
}

#[test]
fn two_requests_of_one_worker_and_one_of_another() {
    check(2, || {
        run(limits(1), 2, async |worker: &Worker, number| {
            if number == 0 {
                tokio::join!(worker.exchange(), worker.exchange());
            } else {
                worker.exchange().await;
            }
        });
    });
}

#[test]
fn a_request_that_leaves_passes_on_what_it_got() {
    check(3, || {
        run(limits(1), 2, async |worker: &Worker, number| {
            if number == 0 {
                worker.leave_early();
            } else {
                worker.failure().await;
            }
            worker.exchange().await;
        });
    });
}

/// Three workers share two connections, and one of them gives up both.
#[test]
fn a_worker_that_is_asked_while_it_gives_up_is_asked_again() {
    check(1, || {
        run(limits(2), 3, async |worker: &Worker, number| {
            if number == 0 {
                tokio::join!(worker.exchange(), worker.exchange());
            } else {
                worker.exchange().await;
            }
        });
    });
}

#[test]
fn a_backend_is_forgotten_and_used_again() {
    check(2, || {
        run(limits(1), 2, async |worker: &Worker, number| {
            worker.exchange().await;
            if number == 0 {
                worker.forget();
                worker.exchange().await;
            }
        });
    });
}

#[test]
fn a_full_queue_turns_away_and_nothing_else() {
    let options = PoolOptions {
        max_waiting: 1,
        ..limits(1)
    };
    check(2, move || {
        run(options, 3, async |worker: &Worker, _| {
            let got = worker.get().await;
            assert!(worker.waiting() <= 1);
            drop(got);
        });
    });
}

#[test]
fn no_more_stay_idle_than_allowed() {
    let options = PoolOptions {
        max_idle: 1,
        ..limits(2)
    };
    check(3, move || {
        run(options, 2, async |worker, _| worker.exchange().await);
    });
}

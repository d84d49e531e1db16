use std::cell::RefCell;
use std::rc::Rc;

use super::*;

fn worker(options: PoolOptions) -> (Worker, Instant) {
    (Worker::new(&backend(options), &Arc::default()), start())
}

#[test]
fn sequential_requests_share_one_connection() {
    let (worker, now) = worker(limits(5));
    for _ in 0..50 {
        let conn = worker.get(now).unwrap();
        worker.give(conn, now);
    }
    assert_eq!(worker.wires.total(), 1);
    let stats = worker.stats();
    assert_eq!((stats.created, stats.reused), (1, 49));
    assert_eq!((stats.idle, stats.open), (1, 1));
}

#[test]
fn the_connection_used_last_is_used_next() {
    let (worker, now) = worker(limits(5));
    let conns: Vec<_> = (0..3).filter_map(|_| worker.get(now)).collect();
    for conn in conns {
        worker.give(conn, now);
    }
    let order: Vec<_> = (0..3).filter_map(|_| worker.get(now)).collect();
    let numbers: Vec<_> = order.iter().map(|conn| conn.number).collect();
    assert_eq!(numbers, [2, 1, 0]);
}

#[test]
fn a_dropped_connection_is_closed_and_makes_room() {
    let (worker, now) = worker(limits(2));
    let held = [worker.get(now), worker.get(now)];
    assert!(held.iter().all(Option::is_some));
    assert!(worker.get(now).is_none());
    assert_eq!((worker.wires.open(), worker.backend.open()), (2, 2));
    drop(held);
    assert_eq!((worker.wires.open(), worker.backend.open()), (0, 0));
    assert!(worker.get(now).is_some());
}

#[test]
fn a_permit_not_used_makes_room() {
    let (worker, now) = worker(limits(1));
    let checkout = worker.pool.checkout(&worker.backend, now, |_| true);
    assert!(worker.get(now).is_none());
    drop(checkout);
    assert!(worker.get(now).is_some());
}

#[test]
fn dead_connections_are_passed_over() {
    let (worker, now) = worker(limits(5));
    let mut conns: Vec<_> = (0..3).filter_map(|_| worker.get(now)).collect();
    conns[1].dead = true;
    conns[2].dead = true;
    for conn in conns {
        worker.give(conn, now);
    }
    assert_eq!(worker.get(now).unwrap().number, 0);
    assert_eq!(worker.stats().stale_closed, 2);
    assert_eq!(worker.get(now).unwrap().number, 3);
}

#[test]
fn idle_and_old_connections_are_not_used_again() {
    let options = PoolOptions {
        idle_timeout: ms(100),
        max_age: ms(1000),
        ..limits(5)
    };
    for (used_at, then_at, same) in [
        (0, 99, true),
        (0, 100, false),
        (950, 999, true),
        (950, 1000, false),
        (1000, 1000, false),
    ] {
        for sweep in [false, true] {
            let (worker, now) = worker(options);
            let conn = worker.get(now).unwrap();
            worker.give(conn, now + ms(used_at));
            if sweep {
                worker.pool.sweep(now + ms(then_at), |_| true);
                assert_eq!(worker.stats().idle, usize::from(same));
            }
            let conn = worker.get(now + ms(then_at)).unwrap();
            assert_eq!(conn.number == 0, same, "{used_at} {then_at} {sweep}");
            assert_eq!(worker.stats().stale_closed, u64::from(!same));
        }
    }
}

#[test]
fn a_sweep_closes_only_what_is_due() {
    let (worker, now) = worker(limits(5));
    let conns: Vec<_> = (0..4).filter_map(|_| worker.get(now)).collect();
    for (conn, at) in conns.into_iter().zip([0, 10, 20, 30]) {
        worker.give(conn, now + Duration::from_secs(at));
    }
    worker.pool.sweep(now + Duration::from_secs(101), |_| true);
    assert_eq!((worker.stats().idle, worker.wires.open()), (2, 2));
    assert_eq!(worker.stats().stale_closed, 2);
}

#[test]
fn no_more_idle_connections_than_allowed() {
    let options = PoolOptions {
        max_idle: 2,
        ..limits(5)
    };
    let (worker, now) = worker(options);
    for _ in 0..3 {
        let conns: Vec<_> = (0..5).filter_map(|_| worker.get(now)).collect();
        for conn in conns {
            worker.give(conn, now);
        }
        assert_eq!((worker.stats().idle, worker.wires.open()), (2, 2));
        worker.pool.sweep(now, |_| true);
    }
}

#[test]
fn waiting_requests_get_returned_connections_in_their_order() {
    let (worker, now) = worker(limits(1));
    let conn = worker.get(now).unwrap();
    let first = worker.queue(now);
    let second = worker.queue(now);
    assert_eq!(worker.backend.waiting(), 2);
    worker.give(conn, now);
    assert!(worker.get(now).is_none(), "the connection is spoken for");
    let Checkout::Reused(conn) = ready(first) else {
        panic!("should be the returned connection");
    };
    assert_eq!(conn.number, 0);
    drop(conn);
    let Checkout::Connect(permit) = ready(second) else {
        panic!("should be room for a new connection");
    };
    worker.give(worker.open(permit, now), now);
    let stats = worker.stats();
    assert_eq!((stats.waited, stats.reused, stats.created), (2, 1, 2));
    assert_eq!((worker.backend.waiting(), worker.wires.most()), (0, 1));
}

#[test]
fn waiting_requests_come_before_the_idle_ones() {
    let (worker, now) = worker(limits(1));
    worker.give(worker.get(now).unwrap(), now);
    let conn = worker.get(now).unwrap();
    let waiting = worker.queue(now);
    worker.give(conn, now);
    assert!(matches!(ready(waiting), Checkout::Reused(_)));
}

#[test]
fn the_queue_is_bounded() {
    let options = PoolOptions {
        max_waiting: 2,
        ..limits(1)
    };
    let (worker, now) = worker(options);
    let conn = worker.get(now).unwrap();
    let first = worker.queue(now);
    let _second = worker.queue(now);
    let mut third: Waiting<'_> = Box::pin(worker.pool.wait(&worker.backend, now));
    assert!(matches!(poll(&mut third), Poll::Ready(Err(QueueFull))));
    assert_eq!(worker.stats().queue_full, 1);
    drop(first);
    let fourth = worker.queue(now);
    drop(fourth);
    drop(conn);
}

#[test]
fn a_wait_need_not_wait_if_there_is_room_again() {
    let (worker, now) = worker(limits(1));
    let conn = worker.get(now).unwrap();
    let waiting: Waiting<'_> = Box::pin(worker.pool.wait(&worker.backend, now));
    drop(conn);
    assert!(matches!(ready(waiting), Checkout::Connect(_)));
    assert_eq!(worker.stats().waited, 0);
}

#[test]
fn a_request_that_gives_up_loses_nothing() {
    // Gives up in the queue; after a connection was handed to it; after a
    // permit was granted to it.
    for granted in [None, Some(true), Some(false)] {
        for other_waits in [false, true] {
            let (worker, now) = worker(limits(1));
            let conn = worker.get(now).unwrap();
            let quitter = worker.queue(now);
            let other = other_waits.then(|| worker.queue(now));
            match granted {
                None => drop(quitter),
                Some(clean) => {
                    if clean {
                        worker.give(conn, now);
                    } else {
                        drop(conn);
                    }
                    drop(quitter);
                    let expected = usize::from(clean || other_waits);
                    assert_eq!(worker.backend.open(), expected);
                    if let Some(other) = other {
                        let conn = worker.finish(ready(other), now);
                        assert_eq!(conn.number == 0, clean);
                        worker.give(conn, now);
                    }
                    assert!(worker.get(now).is_some());
                    continue;
                }
            }
            worker.give(conn, now);
            if let Some(other) = other {
                worker.give(worker.finish(ready(other), now), now);
            }
            assert_eq!((worker.stats().idle, worker.wires.total()), (1, 1));
        }
    }
}

#[test]
fn a_connection_too_old_is_not_handed_on() {
    let options = PoolOptions {
        max_age: ms(50),
        ..limits(1)
    };
    let (worker, now) = worker(options);
    let conn = worker.get(now).unwrap();
    let waiting = worker.queue(now);
    worker.give(conn, now + ms(50));
    assert!(matches!(ready(waiting), Checkout::Connect(_)));
}

#[test]
fn a_forgotten_backend_keeps_no_connection() {
    let (worker, now) = worker(limits(3));
    let (idle, used) = (worker.get(now).unwrap(), worker.get(now).unwrap());
    worker.give(idle, now);
    worker.pool.forget(&worker.backend);
    assert_eq!((worker.wires.open(), worker.pool.stats().count()), (1, 0));
    worker.give(used, now);
    assert_eq!((worker.wires.open(), worker.backend.open()), (0, 0));
    assert_eq!(Arc::strong_count(&worker.backend), 1);
}

#[test]
fn a_request_waiting_at_a_forgotten_backend_is_still_served() {
    let (worker, now) = worker(limits(1));
    let conn = worker.get(now).unwrap();
    let waiting = worker.queue(now);
    worker.pool.forget(&worker.backend);
    worker.give(conn, now);
    let conn = worker.finish(ready(waiting), now);
    worker.give(conn, now);
    assert_eq!(worker.backend.open(), 0);
}

#[test]
fn a_pool_that_ends_closes_its_connections() {
    let (worker, now) = worker(limits(3));
    let (idle, used) = (worker.get(now).unwrap(), worker.get(now).unwrap());
    worker.give(idle, now);
    let Worker { pool, backend, .. } = worker;
    drop(pool);
    assert_eq!(backend.open(), 1);
    drop(used);
    assert_eq!(backend.open(), 0);
}

#[test]
fn backends_do_not_share_connections_or_limits() {
    let wires = Arc::default();
    let a = Worker::new(&backend(limits(1)), &wires);
    let b = Worker {
        pool: a.pool,
        backend: backend(limits(1)),
        wires,
    };
    let now = start();
    let on_b = b.get(now).unwrap();
    let other = b.pool.checkout(&a.backend, now, |_| true);
    assert!(matches!(other, Ok(Checkout::Connect(_))));
    b.give(on_b, now);
    let again = b.pool.checkout(&a.backend, now, |_| true);
    assert!(again.is_err(), "the permit is held, and b's is b's");
    assert_eq!(b.pool.stats().count(), 2);
}

/// Says when it is closed.
struct Closing(usize, Rc<RefCell<Vec<usize>>>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.1.borrow_mut().push(self.0);
    }
}

#[test]
fn connections_close_in_the_order_of_their_backends() {
    let (now, closed) = (start(), Rc::default());
    let pool: Pool<_> = Pool::new();
    let backends: Vec<_> = (0..32).map(|_| backend(limits(1))).collect();
    for (number, backend) in backends.iter().enumerate() {
        let Ok(Checkout::Connect(permit)) = pool.checkout(backend, now, |_| true) else {
            panic!("{number} is new");
        };
        let conn = pool.opened(permit, Closing(number, Rc::clone(&closed)), now);
        pool.give_back(conn, now);
    }
    drop(pool);
    assert_eq!(*closed.borrow(), (0..32).collect::<Vec<_>>());
}

use super::*;

/// Two workers with one backend between them.
fn pair(options: PoolOptions) -> (Worker, Worker, Instant) {
    let backend = backend(options);
    let wires = Arc::default();
    let worker = || Worker::new(&backend, &wires);
    (worker(), worker(), start())
}

#[test]
fn the_limit_holds_over_both() {
    let (a, b, now) = pair(limits(3));
    let held = [a.get(now), b.get(now), a.get(now)];
    assert!(held.iter().all(Option::is_some));
    assert!(a.get(now).is_none() && b.get(now).is_none());
    assert_eq!(b.backend.open(), 3);
}

#[test]
fn the_bound_of_the_queue_holds_over_both() {
    let options = PoolOptions {
        max_waiting: 2,
        ..limits(1)
    };
    let (a, b, now) = pair(options);
    let _held = a.get(now);
    let _queued = (a.queue(now), b.queue(now));
    for worker in [&a, &b] {
        let mut third: Waiting<'_> = Box::pin(worker.pool.wait(&worker.backend, now));
        assert!(matches!(poll(&mut third), Poll::Ready(Err(QueueFull))));
    }
}

#[test]
fn the_bound_of_idle_connections_holds_over_both() {
    let options = PoolOptions {
        max_idle: 3,
        ..limits(8)
    };
    let (a, b, now) = pair(options);
    let give_all = |worker: &Worker| {
        let conns: Vec<_> = (0..4).filter_map(|_| worker.get(now)).collect();
        conns.into_iter().for_each(|conn| worker.give(conn, now));
    };
    give_all(&a);
    give_all(&b);
    assert_eq!((a.stats().idle, b.stats().idle), (3, 0));
    let used: Vec<_> = (0..3).filter_map(|_| a.get(now)).collect();
    a.pool.sweep(now, |_| true);
    give_all(&b);
    assert_eq!(b.stats().idle, 3, "what is in use is not idle");
    used.into_iter().for_each(|conn| a.give(conn, now));
    assert_eq!((a.stats().idle, b.stats().idle), (0, 3));
}

#[test]
fn a_forgotten_backend_leaves_its_share_of_idle_connections() {
    let options = PoolOptions {
        max_idle: 1,
        ..limits(2)
    };
    let (a, b, now) = pair(options);
    a.give(a.get(now).unwrap(), now);
    a.pool.forget(&a.backend);
    b.give(b.get(now).unwrap(), now);
    assert_eq!(b.stats().idle, 1);
}

#[test]
fn a_freed_permit_goes_to_the_oldest_request_anywhere() {
    let (a, b, now) = pair(limits(1));
    let conn = a.get(now).unwrap();
    let on_b = b.queue(now);
    let on_a = a.queue(now);
    drop(conn);
    let conn = b.finish(ready(on_b), now);
    drop(conn);
    assert!(matches!(ready(on_a), Checkout::Connect(_)));
}

#[test]
fn idle_connections_are_given_up_for_the_other_worker() {
    let (a, b, now) = pair(limits(2));
    let conns = [a.get(now).unwrap(), a.get(now).unwrap()];
    conns.into_iter().for_each(|conn| a.give(conn, now));
    let waiting = b.queue(now);
    a.serve_requests();
    assert_eq!(a.stats().idle, 1, "one is enough");
    let conn = b.finish(ready(waiting), now);
    assert_eq!((b.wires.open(), b.wires.most()), (2, 2));
    // The slots went with it: nobody holds more than it has.
    drop(conn);
    assert_eq!(a.get(now).unwrap().number, 1);
}

#[test]
fn a_sweep_gives_up_too() {
    let (a, b, now) = pair(limits(1));
    a.give(a.get(now).unwrap(), now);
    let waiting = b.queue(now);
    a.pool.sweep(now, |_| true);
    assert!(matches!(ready(waiting), Checkout::Connect(_)));
}

#[test]
fn nothing_is_given_up_for_a_request_that_has_gone() {
    let (a, b, now) = pair(limits(1));
    a.give(a.get(now).unwrap(), now);
    drop(b.queue(now));
    a.serve_requests();
    assert_eq!(a.stats().idle, 1);
}

#[test]
fn a_returned_connection_goes_to_the_other_worker_if_only_it_waits() {
    let (a, b, now) = pair(limits(1));
    let conn = a.get(now).unwrap();
    let waiting = b.queue(now);
    a.give(conn, now);
    assert_eq!((a.stats().idle, a.stats().open), (0, 0));
    assert!(matches!(ready(waiting), Checkout::Connect(_)));
}

#[test]
fn a_local_request_goes_first_only_if_it_came_within_ten_milliseconds() {
    for (later, local_first) in [(0, true), (10, true), (11, false)] {
        let (a, b, now) = pair(limits(1));
        let conn = a.get(now).unwrap();
        let mut on_b = b.queue(now);
        let mut on_a = a.queue(now + ms(later));
        a.give(conn, now + ms(later));
        let (got_a, got_b) = (poll(&mut on_a), poll(&mut on_b));
        assert_eq!(got_a.is_ready(), local_first, "{later}");
        assert_eq!(got_b.is_ready(), !local_first, "{later}");
    }
}

#[test]
fn the_oldest_request_is_passed_over_once_per_connection_at_most() {
    let (a, b, now) = pair(limits(3));
    let mut held: Vec<_> = (0..3).filter_map(|_| a.get(now)).collect();
    let mut on_b = b.queue(now);
    let mut on_a: Vec<_> = (0..4).map(|_| a.queue(now)).collect();
    for _ in 0..3 {
        a.give(held.pop().unwrap(), now);
        held.insert(0, a.finish(ready(on_a.remove(0)), now));
        assert!(poll(&mut on_b).is_pending());
    }
    a.give(held.pop().unwrap(), now);
    assert!(poll(&mut on_b).is_ready(), "a whole round has passed");
}

#[test]
fn only_so_many_connections_change_workers_in_a_while() {
    let (a, b, now) = pair(limits(30));
    let held: Vec<_> = (0..30).filter_map(|_| a.get(now)).collect();
    let mut on_b: Vec<_> = (0..30).map(|_| b.queue(now)).collect();
    let mut conns = Vec::new();
    let mut served = |on_b: &mut Vec<Waiting<'_>>| {
        let before = on_b.len();
        on_b.retain_mut(|waiting| match poll(waiting) {
            Poll::Ready(checkout) => {
                conns.push(b.finish(checkout.unwrap(), now));
                false
            }
            Poll::Pending => true,
        });
        before - on_b.len()
    };
    for conn in held {
        a.give(conn, now);
    }
    assert_eq!((served(&mut on_b), a.stats().idle), (16, 14));
    a.pool.tick(now + ms(49));
    assert_eq!(served(&mut on_b), 0);
    a.pool.tick(now + ms(50));
    assert_eq!((served(&mut on_b), a.stats().idle), (14, 0));
}

#[test]
fn a_worker_that_ends_leaves_its_permits_to_the_other() {
    let (a, b, now) = pair(limits(2));
    a.give(a.get(now).unwrap(), now);
    let used = a.get(now).unwrap();
    let handed_over = [b.get(now)];
    let (first, second) = (b.queue(now), b.queue(now));
    a.give(used, now);
    drop(a);
    let first = b.finish(ready(first), now);
    drop(handed_over);
    let _second = b.finish(ready(second), now);
    assert_eq!((b.wires.open(), b.wires.most()), (2, 2));
    drop(first);
}

//! Connections that several requests share.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use super::*;
use upstream::{Hold, Multiplexed, Protocol, Stream};

/// A connection of which the other end takes so many requests at a time. It keeps
/// its permit until it is told that its socket is closed.
struct Link {
    most: Rc<Cell<usize>>,
    _hold: Rc<Hold>,
}

impl Multiplexed for Link {
    fn most(&self) -> usize {
        self.most.get()
    }
}

type Shared = Pool<(), Link>;

fn options(max_connections: usize, max_streams: usize) -> PoolOptions {
    PoolOptions {
        max_connections,
        max_streams,
        protocol: Protocol::Http2,
        ..PoolOptions::default()
    }
}

fn take(pool: &Shared, backend: &Arc<Backend>) -> Option<Checkout<(), Link>> {
    pool.checkout(backend, start(), |()| true).ok()
}

fn open(pool: &Shared, backend: &Arc<Backend>, most: &Rc<Cell<usize>>) -> Stream<(), Link> {
    let Some(Checkout::Connect(permit)) = take(pool, backend) else {
        panic!("there is no room");
    };
    let most = Rc::clone(most);
    let link = |hold| Link { most, _hold: hold };
    let Some(first) = pool.share(permit, start(), link) else {
        panic!("it takes no request");
    };
    first
}

fn stream(pool: &Shared, backend: &Arc<Backend>) -> Option<Stream<(), Link>> {
    match take(pool, backend) {
        Some(Checkout::Stream(stream)) => Some(stream),
        _ => None,
    }
}

#[test]
fn streams_are_given_out_up_to_the_lower_limit() {
    for (ours, theirs, expected) in [(3, 100, 3), (100, 2, 2)] {
        let backend = backend(options(1, ours));
        let pool = Shared::new();
        let most = Rc::new(Cell::new(theirs));
        let mut streams = vec![open(&pool, &backend, &most)];
        streams.extend(std::iter::from_fn(|| stream(&pool, &backend)));
        assert_eq!(streams.len(), expected);
        assert!(take(&pool, &backend).is_none(), "no second connection");
        streams.pop();
        assert!(stream(&pool, &backend).is_some());
        assert_eq!(backend.open(), 1);
    }
}

#[test]
fn a_stream_that_ends_goes_to_the_request_that_waits() {
    let backend = backend(options(1, 1));
    let pool = Shared::new();
    let only = open(&pool, &backend, &Rc::new(Cell::new(9)));
    let mut first = Box::pin(pool.wait(&backend, start()));
    let mut second = Box::pin(pool.wait(&backend, start()));
    assert!(poll(&mut first).is_pending() && poll(&mut second).is_pending());
    drop(only);
    let std::task::Poll::Ready(Ok(Checkout::Stream(handed))) = poll(&mut first) else {
        panic!("the first gets it");
    };
    assert!(poll(&mut second).is_pending());
    drop(handed);
    // One that leaves before it has looked passes it on.
    drop(second);
    assert!(stream(&pool, &backend).is_some());
    assert_eq!(backend.waiting(), 0);
}

#[test]
fn who_needs_one_for_himself_waits_until_it_is_idle() {
    let backend = backend(options(1, 2));
    let pool = Shared::new();
    let streams = open(&pool, &backend, &Rc::new(Cell::new(9)));
    let mut alone = Box::pin(pool.wait_permit(&backend, start()));
    assert!(poll(&mut alone).is_pending());
    // There is room for a stream, and one ends: neither is of use here.
    let other = stream(&pool, &backend).expect("room");
    drop(other);
    pool.tick(start());
    assert!(poll(&mut alone).is_pending());
    // After a while it is given no further requests, so that it does become idle.
    pool.tick(start() + Duration::from_millis(50));
    assert!(stream(&pool, &backend).is_none());
    let mut next = Box::pin(pool.wait(&backend, start()));
    assert!(poll(&mut next).is_pending());
    drop(streams);
    let Poll::Ready(Ok(permit)) = poll(&mut alone) else {
        panic!("it is idle");
    };
    assert!(poll(&mut next).is_pending());
    drop(permit);
    assert!(poll(&mut next).is_ready());
}

#[test]
fn one_that_takes_no_more_is_left_alone_and_its_permit_comes_free() {
    let backend = backend(options(1, 9));
    let pool = Shared::new();
    let most = Rc::new(Cell::new(9));
    let last = open(&pool, &backend, &most);
    most.set(0);
    assert!(stream(&pool, &backend).is_none());
    pool.sweep(start(), |()| true);
    assert_eq!(backend.open(), 1, "its last request has it still");
    drop(last);
    assert_eq!(backend.open(), 0);
}

#[test]
fn idle_and_old_ones_are_closed() {
    for (idle, age) in [(50, 100_000), (100_000, 50)] {
        let mut options = options(1, 9);
        (options.idle_timeout, options.max_age) = (ms(idle), ms(age));
        let backend = backend(options);
        let pool = Shared::new();
        drop(open(&pool, &backend, &Rc::new(Cell::new(9))));
        pool.sweep(start(), |()| true);
        assert_eq!(backend.open(), 1);
        pool.sweep(start() + ms(51), |()| true);
        assert_eq!(backend.open(), 0, "{idle} {age}");
    }
}

#[test]
fn a_worker_gives_one_up_for_another_that_has_waited() {
    let backend = backend(options(1, 9));
    let (rich, poor) = (Shared::new(), Shared::new());
    let busy = open(&rich, &backend, &Rc::new(Cell::new(9)));
    let mut waiting = Box::pin(poor.wait(&backend, start()));
    assert!(poll(&mut waiting).is_pending());
    rich.tick(start());
    assert!(stream(&rich, &backend).is_some(), "not at once");
    rich.tick(start() + ms(100));
    assert!(stream(&rich, &backend).is_none());
    assert!(poll(&mut waiting).is_pending());
    drop(busy);
    assert!(poll(&mut waiting).is_ready());
}

/// A stream that does not end keeps the connection, but no other requests from it.
#[test]
fn one_that_does_not_become_idle_is_taken_back_into_use() {
    let backend = backend(options(1, 9));
    let (rich, poor) = (Shared::new(), Shared::new());
    let _endless = open(&rich, &backend, &Rc::new(Cell::new(9)));
    let mut waiting = Box::pin(poor.wait(&backend, start()));
    assert!(poll(&mut waiting).is_pending());
    let is_given_out = |after: u64| {
        rich.tick(start() + ms(after));
        stream(&rich, &backend).is_some()
    };
    let seen = [50, 100, 150, 400, 500, 600, 700, 1_300].map(is_given_out);
    let expected = [false, false, true, true, true, false, false, true];
    assert_eq!(seen, expected);
    // Nobody waits any more.
    rich.tick(start() + ms(2_150));
    assert!(stream(&rich, &backend).is_none());
    drop(waiting);
    assert!(is_given_out(2_200));
}

#[test]
fn one_with_streams_that_last_is_not_kept_from_requests() {
    let backend = backend(options(2, 9));
    let (rich, poor) = (Shared::new(), Shared::new());
    let most = Rc::new(Cell::new(9));
    let conn = |stream| upstream::Conn::of_stream(stream, (), start());
    let tunnel = conn(open(&rich, &backend, &most));
    let lasting = tunnel.lasting();
    let Ok(other) = poor.permit(&backend) else {
        panic!("there is room for two");
    };
    let mut waiting = Box::pin(poor.wait_permit(&backend, start()));
    assert!(poll(&mut waiting).is_pending());
    rich.tick(start() + ms(100));
    assert!(
        stream(&rich, &backend).is_some(),
        "nobody knows when it ends"
    );
    drop((tunnel, lasting));
    rich.tick(start() + ms(150));
    assert!(poll(&mut waiting).is_ready(), "it has run out");
    drop(other);
}

#[test]
fn requests_wait_for_a_connection_that_is_being_opened() {
    let backend = backend(options(5, 9));
    let pool = Shared::new();
    let Some(Checkout::Connect(permit)) = take(&pool, &backend) else {
        panic!("there is room");
    };
    let opening = pool.opening(&backend);
    assert!(pool.is_opening(&backend));
    let mut other = Box::pin(pool.wait_opened(&backend));
    assert!(poll(&mut other).is_pending());
    // A failure wakes them as well.
    drop((permit, opening));
    assert!(poll(&mut other).is_ready());
    assert!(!pool.is_opening(&backend));
}

//! The pool from outside: one worker, two workers side by side on one thread
//! (every interleaving chosen by the test), random histories, and real threads.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "in a test these are how it fails"
)]

mod many_histories;
mod one_worker;
mod shared;
mod threads;
mod two_workers;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use upstream::{Address, Backend, Checkout, Conn, Permit, Pool, PoolOptions, QueueFull};

use forebay_upstream as upstream;

/// What the backend sees: its open connections, and the most there ever were.
#[derive(Debug, Default)]
pub struct Wires {
    open: AtomicUsize,
    most: AtomicUsize,
    total: AtomicUsize,
}

/// A connection in the eyes of the backend.
#[derive(Debug)]
pub struct Wire {
    pub number: usize,
    pub dead: bool,
    wires: Arc<Wires>,
}

impl Wires {
    pub fn connect(self: &Arc<Self>) -> Wire {
        let open = self.open.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(open, Ordering::SeqCst);
        Wire {
            number: self.total.fetch_add(1, Ordering::SeqCst),
            dead: false,
            wires: Arc::clone(self),
        }
    }

    pub fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    pub fn most(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }

    pub fn total(&self) -> usize {
        self.total.load(Ordering::SeqCst)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.wires.open.fetch_sub(1, Ordering::SeqCst);
    }
}

/// One worker's pool with the usual steps of an exchange in short.
pub struct Worker {
    pub pool: Pool<Wire>,
    pub backend: Arc<Backend>,
    pub wires: Arc<Wires>,
}

impl Worker {
    pub fn new(backend: &Arc<Backend>, wires: &Arc<Wires>) -> Self {
        Self {
            pool: Pool::new(),
            backend: Arc::clone(backend),
            wires: Arc::clone(wires),
        }
    }

    /// A connection at once, or none because the backend is full.
    pub fn get(&self, now: Instant) -> Option<Conn<Wire>> {
        let checkout = self.pool.checkout(&self.backend, now, |wire| !wire.dead);
        checkout.ok().map(|checkout| self.finish(checkout, now))
    }

    pub fn open(&self, permit: Permit, now: Instant) -> Conn<Wire> {
        self.pool.opened(permit, self.wires.connect(), now)
    }

    pub fn finish(&self, checkout: Checkout<Wire>, now: Instant) -> Conn<Wire> {
        match checkout {
            Checkout::Reused(conn) => conn,
            Checkout::Stream(never) => match *never {},
            Checkout::Connect(permit) => self.open(permit, now),
        }
    }

    pub fn give(&self, conn: Conn<Wire>, now: Instant) {
        self.pool.give_back(conn, now);
    }

    /// A request that has taken its place in the queue.
    pub fn queue(&self, now: Instant) -> Waiting<'_> {
        let mut future: Waiting<'_> = Box::pin(self.pool.wait(&self.backend, now));
        assert!(poll(&mut future).is_pending(), "should have to wait");
        future
    }

    /// Runs what the worker's task would run now.
    pub fn serve_requests(&self) {
        let mut task = Box::pin(self.pool.serve_requests());
        assert!(poll(&mut task).is_pending());
    }

    pub fn stats(&self) -> upstream::PoolStats {
        self.pool.stats().map(|(_, stats)| stats).next().unwrap()
    }
}

pub type Waited = Result<Checkout<Wire>, QueueFull>;
pub type Waiting<'a> = Pin<Box<dyn Future<Output = Waited> + 'a>>;

pub fn poll<F: Future + ?Sized>(future: &mut Pin<Box<F>>) -> Poll<F::Output> {
    future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
}

/// The outcome of a wait that must have ended.
pub fn ready(mut waiting: Waiting<'_>) -> Checkout<Wire> {
    match poll(&mut waiting) {
        Poll::Ready(outcome) => outcome.unwrap(),
        Poll::Pending => panic!("still waiting"),
    }
}

pub fn limits(max_connections: usize) -> PoolOptions {
    PoolOptions {
        max_connections,
        ..PoolOptions::default()
    }
}

pub fn backend(options: PoolOptions) -> Arc<Backend> {
    let address = Address::Unix("/run/app.sock".into());
    Arc::new(Backend::new("unix:/run/app.sock", address, "app", options))
}

#[expect(clippy::disallowed_methods, reason = "a test has to begin somewhere")]
pub fn start() -> Instant {
    Instant::now()
}

pub fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

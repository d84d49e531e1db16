//! Workers in short: each with a pool of its own, as the proxy runs them.

use std::future::Future;
use std::task::{Context, Poll, Waker};

use loom::future::block_on;
use tokio::sync::Notify;
use upstream::{Checkout, Conn, Pool, QueueFull};

use super::*;

/// What the backend sees: its open connections, and the most there ever were.
#[derive(Debug, Default)]
pub(crate) struct Wires {
    open: AtomicUsize,
    most: AtomicUsize,
}

/// A connection in the eyes of the backend.
#[derive(Debug)]
pub(crate) struct Wire(Arc<Wires>);

impl Wires {
    fn connect(self: &Arc<Self>) -> Wire {
        let open = self.open.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(open, Ordering::SeqCst);
        Wire(Arc::clone(self))
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

pub(crate) struct Worker {
    pool: Pool<Wire>,
    backend: Arc<Backend>,
    wires: Arc<Wires>,
    now: Instant,
}

impl Worker {
    /// A connection, for which the request waits if it must.
    pub(crate) async fn get(&self) -> Result<Conn<Wire>, QueueFull> {
        let checkout = match self.pool.checkout(&self.backend, self.now, |_| true) {
            Ok(checkout) => checkout,
            Err(_) => self.pool.wait(&self.backend, self.now).await?,
        };
        Ok(match checkout {
            Checkout::Reused(conn) => conn,
            Checkout::Stream(never) => match *never {},
            Checkout::Connect(permit) => self.pool.opened(permit, self.wires.connect(), self.now),
        })
    }

    /// An exchange that ends well; its connection can be used again.
    pub(crate) async fn exchange(&self) {
        let conn = self.get().await.unwrap();
        self.pool.give_back(conn, self.now);
    }

    /// An exchange that breaks its connection.
    pub(crate) async fn failure(&self) {
        drop(self.get().await.unwrap());
    }

    /// Closes its idle connections, as after a change of the configuration.
    pub(crate) fn forget(&self) {
        self.pool.forget(&self.backend);
    }

    pub(crate) fn waiting(&self) -> usize {
        self.backend.waiting()
    }

    fn idle(&self) -> usize {
        self.pool.stats().map(|(_, stats)| stats.idle).sum()
    }

    /// A request that looks once and leaves, whatever it may just have got.
    pub(crate) fn leave_early(&self) {
        let mut request = Box::pin(self.get());
        let polled = request
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        match polled {
            Poll::Ready(conn) => drop(conn),
            Poll::Pending => drop(request),
        }
    }
}

/// Runs workers, each on its thread with what it has to do, until all are done.
/// A request that is never served stops the model.
///
/// Afterwards the limit has held, and nothing is open, waiting or counted.
pub(crate) fn run(
    options: PoolOptions,
    workers: usize,
    requests: impl AsyncFn(&Worker, usize) + Clone + 'static,
) {
    let backend = backend(options);
    let wires = Arc::new(Wires::default());
    let all_done = Arc::new(AllDone::new(workers));
    let now = start();
    let (theirs, counted) = (Arc::clone(&backend), Arc::clone(&wires));
    let idle = threads(workers, move |number| {
        let worker = Worker {
            pool: Pool::new(),
            backend: Arc::clone(&theirs),
            wires: Arc::clone(&counted),
            now,
        };
        let served = async {
            requests(&worker, number).await;
            all_done.wait().await;
        };
        block_on(async {
            tokio::select! {
                biased;
                never = worker.pool.serve_requests() => match never {},
                () = served => {}
            }
        });
        worker.idle()
    });
    let idle: usize = idle.into_iter().sum();
    assert!(idle <= options.max_idle, "{idle} idle");
    let most = wires.most.load(Ordering::SeqCst);
    assert!(most <= options.max_connections, "{most} connections");
    assert_eq!(wires.open.load(Ordering::SeqCst), 0);
    assert_eq!((backend.open(), backend.waiting()), (0, 0));
}

/// A worker that has nothing left to do goes on serving the others, as in the
/// proxy, where its idle connections may be what they wait for.
struct AllDone {
    left: AtomicUsize,
    bell: Notify,
}

impl AllDone {
    fn new(workers: usize) -> Self {
        Self {
            left: AtomicUsize::new(workers),
            bell: Notify::new(),
        }
    }

    async fn wait(&self) {
        let others = self.bell.notified();
        if self.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.bell.notify_waiters();
        } else {
            others.await;
        }
    }
}

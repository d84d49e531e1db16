//! One worker: a thread, an event loop, and everything that only it touches.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use plan::Plan;
use telemetry::{LogSink, Metrics};
use tokio::sync::Notify;
use upstream::Pool;
use wire::blocks::Blocks;

use crate::allowance::Allowance;
use crate::backend_conn::BackendConn;
use crate::clock::Clock;
use crate::heads;
use crate::names::Resolver;
use crate::request_id::RequestId;
use crate::timers::Timers;

/// Requests a second of which it is said why no route took them.
const EXPLANATIONS: u32 = 20;

pub(crate) struct Worker {
    /// The plan new exchanges begin with.
    plan: RefCell<Rc<Current>>,
    pub(crate) clock: Clock,
    pub(crate) timers: Rc<Timers>,
    pub(crate) blocks: Blocks,
    pub(crate) heads: heads::Stock,
    pub(crate) pool: Pool<Box<BackendConn>>,
    pub(crate) resolver: Arc<Resolver>,
    pub(crate) metrics: RefCell<Metrics>,
    pub(crate) access_log: RefCell<Option<LogSink>>,
    /// How often it may be said which routes almost matched.
    pub(crate) explanations: Allowance,
    random: RefCell<fastrand::Rng>,
    draining: Cell<bool>,
    /// Client connections that this worker serves.
    clients: Cell<usize>,
    /// Clients that are just being told that there is no room for them.
    turned_away: Cell<usize>,
    pub(crate) all_gone: Notify,
    /// What takes the network's place in a simulation.
    #[cfg(feature = "sim")]
    pub(crate) world: std::cell::OnceCell<Rc<dyn crate::sim::World>>,
}

/// A plan as one worker holds it: counted without atomics.
pub(crate) struct Current {
    pub(crate) plan: Arc<Plan>,
    /// Client connections per listener, over all workers.
    pub(crate) connections: Arc<[AtomicUsize]>,
}

impl Worker {
    pub(crate) fn new(
        current: Current,
        resolver: Arc<Resolver>,
        access_log: Option<LogSink>,
    ) -> Rc<Self> {
        let metrics = Metrics::new(Arc::clone(&current.plan.names));
        Rc::new(Self {
            plan: RefCell::new(Rc::new(current)),
            clock: Clock::new(),
            timers: Timers::new(),
            blocks: Blocks::default(),
            heads: heads::Stock::default(),
            pool: Pool::new(),
            resolver,
            metrics: RefCell::new(metrics),
            access_log: RefCell::new(access_log),
            explanations: Allowance::new(EXPLANATIONS),
            random: RefCell::new(fastrand::Rng::new()),
            draining: Cell::new(false),
            clients: Cell::new(0),
            turned_away: Cell::new(0),
            all_gone: Notify::new(),
            #[cfg(feature = "sim")]
            world: std::cell::OnceCell::new(),
        })
    }

    pub(crate) fn current(&self) -> Rc<Current> {
        Rc::clone(&self.plan.borrow())
    }

    pub(crate) fn random(&self) -> u64 {
        self.random.borrow_mut().u64(..)
    }

    /// From now on the random numbers are always the same.
    #[cfg(feature = "sim")]
    pub(crate) fn seed(&self, seed: u64) {
        self.random.replace(fastrand::Rng::with_seed(seed));
    }

    pub(crate) fn new_request_id(&self, unix_micros: u64) -> RequestId {
        RequestId::new(unix_micros, (self.random(), self.random()))
    }

    pub(crate) fn flush_log(&self) {
        if let Some(log) = self.access_log.borrow_mut().as_mut() {
            log.flush();
        }
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.get()
    }

    /// From now on every answer is the last on its connection.
    pub(crate) fn begin_drain(&self) {
        self.draining.set(true);
        self.note_if_all_gone();
    }

    pub(crate) fn clients(&self) -> usize {
        self.clients.get()
    }

    fn note_if_all_gone(&self) {
        if self.clients.get() == 0 {
            self.all_gone.notify_waiters();
        }
    }
}

/// One client connection for as long as it is open: counted in the worker, in
/// its listener's limit, and in the metrics.
pub(crate) struct Held {
    worker: Rc<Worker>,
    current: Rc<Current>,
    listener: usize,
}

/// One of the few clients of a full listener that are told so.
pub(crate) struct TurnedAway(Rc<Worker>);

impl TurnedAway {
    /// Beyond this many at a time, clients are cut off without a word: each
    /// holds a descriptor for as long as it takes to tell it.
    const MOST: usize = 64;

    pub(crate) fn new(worker: &Rc<Worker>) -> Option<Self> {
        let count = worker.turned_away.get();
        (count < Self::MOST).then(|| {
            worker.turned_away.set(count + 1);
            Self(Rc::clone(worker))
        })
    }
}

impl Drop for TurnedAway {
    fn drop(&mut self) {
        self.0.turned_away.set(self.0.turned_away.get() - 1);
    }
}

impl Held {
    /// None when the listener holds as many as it may.
    pub(crate) fn new(worker: &Rc<Worker>, current: &Rc<Current>, listener: usize) -> Option<Self> {
        let limit = current.plan.listeners.get(listener)?.max_connections;
        let count = current.connections.get(listener)?;
        let room = count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| {
            (n < limit).then_some(n + 1)
        });
        room.ok()?;
        worker.clients.set(worker.clients.get() + 1);
        worker.metrics.borrow_mut().client_opened(listener as u32);
        Some(Self {
            worker: Rc::clone(worker),
            current: Rc::clone(current),
            listener,
        })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(count) = self.current.connections.get(self.listener) {
            count.fetch_sub(1, Ordering::Relaxed);
        }
        self.worker.clients.set(self.worker.clients.get() - 1);
        self.worker
            .metrics
            .borrow_mut()
            .client_closed(self.listener as u32);
        if self.worker.is_draining() {
            self.worker.note_if_all_gone();
        }
    }
}

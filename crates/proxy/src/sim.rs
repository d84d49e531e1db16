//! A worker with somebody else's network, for the simulation in `tests/sim`.
//!
//! Only the sockets are replaced: connections, the request path, deadlines, the
//! pool and retries are those of every worker. Time is tokio's, which a
//! simulation pauses.

use std::io::{IoSlice, Result};
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::task::{Context, Poll};
use std::time::Duration;

use plan::Plan;
use telemetry::{Record, Snapshot};
use tokio::task::LocalSet;
use upstream::{Address, Backend, PoolStats};

use crate::listening::door::Door;
use crate::listening::draining::Draining;
use crate::path::accept::begin;
use crate::sockets::stream::Stream;
use crate::worker;
use crate::worker::run;

/// What stands in for a connected socket. Dropping it closes it.
pub trait Socket {
    /// Appends what has arrived to the spare capacity of `into`; 0 at the end.
    fn poll_read(&self, cx: &mut Context<'_>, into: &mut Vec<u8>) -> Poll<Result<usize>>;

    /// Sends a prefix of `pieces`; returns its length.
    fn poll_write(&self, cx: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<Result<usize>>;

    /// Nothing more will be sent.
    fn poll_shutdown(&self, cx: &mut Context<'_>) -> Poll<Result<()>>;

    /// When it is closed, the peer learns that it was cut.
    fn reset_on_close(&self);
}

/// A connection that is being opened.
pub type Connecting = Pin<Box<dyn Future<Output = Result<Rc<dyn Socket>>>>>;

/// What is around a worker.
pub trait World {
    /// Opens a connection to a backend.
    fn connect(&self, address: &Address) -> Connecting;

    /// Hears of every exchange when it settles.
    fn settled(&self, record: &Record<'_>);
}

/// What all workers of one simulation share, as those of one process do.
pub struct Shared {
    plan: Arc<Plan>,
    connections: Vec<Arc<AtomicUsize>>,
}

impl Shared {
    pub fn new(plan: Arc<Plan>) -> Self {
        let connections = plan.listeners.iter().map(|_| Arc::default()).collect();
        Self { plan, connections }
    }
}

/// A worker, with its tasks. They run while `run` is awaited; dropping the
/// worker drops them, as the end of its thread would.
pub struct Worker {
    tasks: LocalSet,
    worker: Rc<worker::Worker>,
}

impl Worker {
    /// Everything random about it comes from the seed.
    pub fn new(shared: &Shared, world: Rc<dyn World>, seed: u64) -> Self {
        let worker = worker::Worker::new(Arc::clone(&shared.plan), Arc::default());
        let doors = shared.connections.iter().zip(0..);
        let doors = doors.map(|(open, id)| Door::new(id, Arc::clone(open)));
        worker.adopt(Arc::clone(&shared.plan), doors.collect(), &[]);
        worker.seed(seed);
        // There is none yet.
        let _ = worker.world.set(world);
        let tasks = LocalSet::new();
        let entered = tasks.enter();
        run::begin_chores(&worker);
        drop(entered);
        Self { tasks, worker }
    }

    /// Takes a client's connection, as from the listener with this index.
    pub fn accept(&self, socket: Rc<dyn Socket>, peer: SocketAddr, listener: usize) {
        let _entered = self.tasks.enter();
        if let Some(door) = self.worker.door(listener as u64) {
            begin(&self.worker, Stream::Sim(socket), peer, &door);
        }
    }

    /// Runs its tasks for as long as the future takes.
    pub async fn run<T>(&self, until: impl Future<Output = T>) -> T {
        self.tasks.run_until(until).await
    }

    /// Finishes what is in flight, within the times for streams and for all else.
    pub async fn drain(&self, shutdown: Duration, drain: Duration) {
        self.worker.close_doors(false);
        let draining = Draining::within(shutdown, drain, "the end was asked for");
        run::drain(&self.worker, draining).await;
    }

    /// Client connections that it serves.
    pub fn clients(&self) -> usize {
        let doors = self.worker.all_doors();
        doors.iter().map(|door| door.connections()).sum()
    }

    pub fn snapshot(&self) -> Snapshot {
        run::snapshot(&self.worker)
    }

    /// What its pool says of each backend.
    pub fn pool(&self) -> impl Iterator<Item = (Arc<Backend>, PoolStats)> + use<> {
        self.worker.pool.stats()
    }
}

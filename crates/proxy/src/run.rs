//! A worker's life: its tasks, the commands it takes, and its end.

use std::io;
use std::net::TcpListener;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use telemetry::{LogSink, Snapshot, UpstreamFigures};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::spawn_local;
use tracing::warn;

use crate::event_loop;
use crate::names::Resolver;
use crate::path::accept::accept;
use crate::timers::TICK;
use crate::worker::{Current, Worker};

/// What a worker is asked to do from outside.
pub(crate) enum Command {
    /// Send the numbers gathered so far.
    Snapshot(oneshot::Sender<Snapshot>),
    /// Take nothing new, finish what is in flight, end within the time.
    Drain(Duration),
}

/// What a worker starts with.
pub(crate) struct Start {
    pub(crate) current: Current,
    /// In the order of the plan's listeners.
    pub(crate) sockets: Vec<TcpListener>,
    pub(crate) resolver: Arc<Resolver>,
    pub(crate) access_log: Option<LogSink>,
    pub(crate) commands: mpsc::UnboundedReceiver<Command>,
}

/// Starts a worker on a thread of its own. The sockets listen already; the
/// worker serves from the moment its event loop runs.
pub(crate) fn start(index: usize, start: Start) -> io::Result<std::thread::JoinHandle<()>> {
    event_loop::spawn(format!("forebay-{index}"), move |runtime| {
        runtime.block_on(serve(start));
    })
}

async fn serve(start: Start) {
    let worker = Worker::new(start.current, start.resolver, start.access_log);
    let stop = Rc::new(Notify::new());
    let mut accepting = Vec::new();
    for (listener, socket) in start.sockets.into_iter().enumerate() {
        match tokio::net::TcpListener::from_std(socket) {
            Ok(socket) => accepting.push(spawn_local(accept(
                Rc::clone(&worker),
                socket,
                listener,
                Rc::clone(&stop),
            ))),
            Err(error) => warn!(listener, %error, "listener could not be watched"),
        }
    }
    begin_chores(&worker);

    let within = obey(&worker, start.commands).await;
    stop.notify_waiters();
    for task in accepting {
        // A task that accepts only ends; it neither fails nor panics.
        let _ = task.await;
    }
    drain(&worker, within).await;
    worker.flush_log();
}

/// What a worker does besides serving connections.
pub(crate) fn begin_chores(worker: &Rc<Worker>) {
    spawn_local(tick(Rc::clone(worker)));
    let pooling = Rc::clone(worker);
    spawn_local(async move { pooling.pool.serve_requests().await });
}

/// Does as told until told to drain. Whoever gives the commands going away
/// means the same, at once.
async fn obey(worker: &Worker, mut commands: mpsc::UnboundedReceiver<Command>) -> Duration {
    while let Some(command) = commands.recv().await {
        match command {
            // Who asked may have stopped waiting.
            Command::Snapshot(answer) => drop(answer.send(snapshot(worker))),
            Command::Drain(within) => return within,
        }
    }
    Duration::ZERO
}

/// Finishes what is in flight. Connections without a request get a moment in
/// which one that is already on its way is still answered.
pub(crate) async fn drain(worker: &Worker, within: Duration) {
    worker.begin_drain();
    worker.timers.wake_all();
    let all_gone = async {
        loop {
            let gone = worker.all_gone.notified();
            if worker.clients() == 0 {
                break;
            }
            gone.await;
        }
    };
    if tokio::time::timeout(within, all_gone).await.is_err() {
        warn!(
            connections = worker.clients(),
            "shutdown_timeout has passed; connections are cut"
        );
    }
}

/// The worker's heartbeat: the coarse clock, deadlines, logs, idle connections.
async fn tick(worker: Rc<Worker>) {
    const TICKS_PER_SWEEP: u32 = (1000 / TICK.as_millis()) as u32;
    let mut ticks = 0u32;
    loop {
        tokio::time::sleep(TICK).await;
        worker.clock.tick();
        worker.timers.tick().await;
        worker.flush_log();
        worker.pool.tick(worker.clock.coarse().into_std());
        ticks = ticks.wrapping_add(1);
        if ticks.is_multiple_of(TICKS_PER_SWEEP) {
            let now = worker.clock.now().into_std();
            worker.pool.sweep(now, |conn| conn.is_alive());
        }
    }
}

pub(crate) fn snapshot(worker: &Worker) -> Snapshot {
    let mut snapshot = worker.metrics.borrow().snapshot();
    let current = worker.current();
    for (backend, stats) in worker.pool.stats() {
        let number = current.plan.groups.iter().find_map(|group| {
            let backends = &group.balance.backends;
            let index = backends.iter().position(|b| Arc::ptr_eq(b, &backend))?;
            group.numbers.get(index).copied()
        });
        if let Some(number) = number {
            snapshot.add_upstream(
                number,
                UpstreamFigures {
                    idle: stats.idle as u64,
                    active: stats.open.saturating_sub(stats.idle) as u64,
                    created: stats.created,
                    reused: stats.reused,
                    waits: stats.waited,
                    queue_full: stats.queue_full,
                    stale: stats.stale_closed,
                },
            );
        }
    }
    snapshot
}

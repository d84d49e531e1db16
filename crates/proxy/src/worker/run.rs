//! A worker's life: its tasks, the commands it takes, and its end.

use std::collections::HashSet;
use std::io;
use std::net::TcpListener;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use plan::Plan;
use telemetry::{LogSink, Snapshot, UpstreamFigures};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinSet, spawn_local};
use tracing::warn;
use upstream::Backend;

use crate::backend::names::Resolver;
use crate::health;
use crate::health::overload;
use crate::listening::door::{Door, DoorId};
use crate::listening::draining::Draining;
use crate::path::accept::accept;
use crate::report::notable::Notables;
use crate::sockets::timers::TICK;
use crate::worker::Worker;
use crate::worker::event_loop;

/// What a worker is asked to do from outside.
pub(crate) enum Command {
    /// Send the numbers gathered so far.
    Snapshot(oneshot::Sender<Snapshot>),
    /// Send the exchanges worth a look.
    Notables(oneshot::Sender<Notables>),
    /// Go on by another plan.
    Adopt(Box<Adoption>),
    /// Take nothing new, finish what is in flight, end.
    Drain(Ending),
}

/// How a worker is to end.
#[derive(Clone)]
pub(crate) struct Ending {
    pub(crate) draining: Draining,
    /// Somebody else accepts from its sockets: whoever waits there is theirs.
    pub(crate) leaves_queue: bool,
}

/// A plan, and what a worker needs to go by it.
pub(crate) struct Adoption {
    pub(crate) plan: Arc<Plan>,
    /// In the order of the plan's listeners.
    pub(crate) entrances: Vec<Entrance>,
    /// Doors that close and whose sockets new connections do not find any more.
    pub(crate) moved: Arc<[DoorId]>,
    /// How doors that close end.
    pub(crate) draining: Draining,
    /// Where the access log goes from now on; absent: where it went.
    pub(crate) access_log: Option<Option<LogSink>>,
    /// Dropped when it is done.
    pub(crate) done: Option<std::sync::mpsc::Sender<()>>,
}

/// The sockets of a listener, as far as one worker has to do with them.
pub(crate) struct Entrance {
    pub(crate) id: DoorId,
    /// Client connections, over all workers.
    pub(crate) open: Arc<AtomicUsize>,
    /// The worker's own, if it has not got them yet.
    pub(crate) sockets: Vec<TcpListener>,
}

/// What a worker starts with.
pub(crate) struct Start {
    pub(crate) first: Adoption,
    pub(crate) resolver: Arc<Resolver>,
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
    let worker = Worker::new(Arc::clone(&start.first.plan), start.resolver);
    let mut accepting = JoinSet::new();
    adopt(&worker, start.first, &mut accepting);
    begin_chores(&worker);

    let ending = obey(&worker, start.commands, &mut accepting).await;
    worker.close_doors(ending.leaves_queue);
    // Tasks that accept only end; they neither fail nor panic.
    while accepting.join_next().await.is_some() {}
    drain(&worker, ending.draining).await;
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
async fn obey(
    worker: &Rc<Worker>,
    mut commands: mpsc::UnboundedReceiver<Command>,
    accepting: &mut JoinSet<()>,
) -> Ending {
    while let Some(command) = commands.recv().await {
        match command {
            // Who asked may have stopped waiting.
            Command::Snapshot(answer) => drop(answer.send(snapshot(worker))),
            Command::Notables(answer) => drop(answer.send(notables(worker))),
            Command::Adopt(adoption) => {
                adopt(worker, *adoption, accepting);
                while accepting.try_join_next().is_some() {}
            }
            Command::Drain(ending) => return ending,
        }
    }
    Ending {
        draining: Draining::within(Duration::ZERO, Duration::ZERO, "the end"),
        leaves_queue: false,
    }
}

/// Goes on by another plan: takes its new doors, closes those it no longer has,
/// and lets go of connections to backends that are in none of its groups.
/// Everything else stays as it is.
fn adopt(worker: &Rc<Worker>, adoption: Adoption, accepting: &mut JoinSet<()>) {
    let Adoption {
        plan,
        entrances,
        moved,
        draining,
        access_log,
        done: _done,
    } = adoption;
    let old = worker.current();
    let mut doors = Vec::new();
    for Entrance { id, open, sockets } in entrances {
        let door = worker.door(id).unwrap_or_else(|| Door::new(id, open));
        for socket in sockets {
            match tokio::net::TcpListener::from_std(socket) {
                Ok(socket) => {
                    door.begin_accepting();
                    accepting.spawn_local(accept(Rc::clone(worker), socket, Rc::clone(&door)));
                }
                Err(error) => warn!(%error, "a listener could not be watched"),
            }
        }
        doors.push(door);
    }
    if let Some(access_log) = access_log {
        worker.log_access_to(access_log);
    }
    let gone = worker.adopt(plan, doors, &moved);
    for door in gone {
        spawn_local(draining.clone().finish(door));
        // Whoever is idle there learns that nothing more is wanted.
        worker.timers.wake_all();
    }
    forget_backends(worker, &old.plan);
}

/// Idle connections to backends that are gone serve nobody any more.
fn forget_backends(worker: &Worker, old: &Plan) {
    let current = worker.current();
    let all = |plan: &Plan| {
        let groups = plan.groups.iter();
        groups
            .flat_map(|group| group.balance.backends.iter().cloned())
            .collect::<Vec<_>>()
    };
    let kept: HashSet<*const Backend> = all(&current.plan).iter().map(Arc::as_ptr).collect();
    for backend in all(old) {
        if !kept.contains(&Arc::as_ptr(&backend)) {
            worker.pool.forget(&backend);
        }
    }
}

/// Finishes what is in flight, now that all doors are closed. Connections without
/// a request get a moment in which one that is already on its way is still
/// answered.
pub(crate) async fn drain(worker: &Worker, draining: Draining) {
    worker.timers.wake_all();
    let mut ending = JoinSet::new();
    for door in worker.all_doors() {
        ending.spawn_local(draining.clone().finish(door));
    }
    // The last of those that finish says what has been cut.
    drop(draining);
    while ending.join_next().await.is_some() {}
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
            health::tick(&worker, now);
        }
    }
}

fn notables(worker: &Worker) -> Notables {
    let now = worker.clock.unix_micros(worker.clock.coarse());
    worker.recent.borrow().list(now)
}

pub(crate) fn snapshot(worker: &Worker) -> Snapshot {
    let mut snapshot = worker.metrics.borrow().snapshot();
    let current = worker.current();
    health::count(worker, &mut snapshot);
    overload::count(worker, &mut snapshot);
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
                    shared: stats.shared as u64,
                    streams: stats.streams as u64,
                    created: stats.created,
                    reused: stats.reused,
                    waits: stats.waited,
                    queue_full: stats.queue_full,
                    stale: stats.stale_closed,
                    refused: stats.refused,
                },
            );
        }
    }
    snapshot
}

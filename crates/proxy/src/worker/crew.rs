//! All workers, from outside: starting them, and telling and asking them things.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use plan::Plan;
use telemetry::Snapshot;
use tokio::sync::{mpsc, oneshot};
use tracing::warn;

use crate::StartFault;
use crate::backend::names::Resolver;
use crate::listening::Opened;
use crate::listening::door::DoorId;
use crate::listening::draining::Draining;
use crate::worker::run::{self, Adoption, Command, Entrance, Start};

/// How long a worker may take to go over to another plan. One that is busier
/// does so later.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) struct Worker {
    pub(crate) commands: mpsc::UnboundedSender<Command>,
    pub(crate) thread: JoinHandle<()>,
}

/// What each worker is to do to go by a plan.
pub(crate) fn adoptions(
    plan: &Arc<Plan>,
    opened: Opened,
    count: usize,
    mut access_log: impl FnMut(usize) -> Option<Option<telemetry::LogSink>>,
) -> Vec<Adoption> {
    let Opened {
        listening,
        sockets,
        moved,
    } = opened;
    let draining = Draining::by(plan, "their listener was removed");
    let moved: Arc<[DoorId]> = moved.iter().map(|listening| listening.id).collect();
    let mut sockets: Vec<_> = sockets.into_iter().map(Vec::into_iter).collect();
    let mut of_worker = |worker| {
        let entrances = listening.iter().zip(&mut sockets);
        let entrances = entrances.map(|(listening, sockets)| Entrance {
            id: listening.id,
            open: Arc::clone(&listening.open),
            sockets: sockets.next().unwrap_or_default(),
        });
        Adoption {
            plan: Arc::clone(plan),
            entrances: entrances.collect(),
            moved: Arc::clone(&moved),
            draining: draining.clone(),
            access_log: access_log(worker),
            done: None,
        }
    };
    (0..count).map(&mut of_worker).collect()
}

pub(crate) fn start_workers(
    adoptions: Vec<Adoption>,
    resolver: &Arc<Resolver>,
) -> Result<Vec<Worker>, StartFault> {
    let mut workers = Vec::new();
    for (index, first) in adoptions.into_iter().enumerate() {
        let (commands, receiver) = mpsc::unbounded_channel();
        let start = Start {
            first,
            resolver: Arc::clone(resolver),
            commands: receiver,
        };
        let thread = run::start(index, start).map_err(StartFault::Worker)?;
        workers.push(Worker { commands, thread });
    }
    Ok(workers)
}

/// The numbers of all workers together. A worker that does not answer within
/// the time is left out.
pub(crate) async fn gather(workers: &[mpsc::UnboundedSender<Command>]) -> Option<Snapshot> {
    let snapshots = ask_all(workers, Command::Snapshot).await;
    snapshots.into_iter().reduce(|mut merged, other| {
        merged.merge(&other);
        merged
    })
}

/// What each worker answers, as far as they do so in time.
pub(crate) async fn ask_all<T>(
    workers: &[mpsc::UnboundedSender<Command>],
    question: fn(oneshot::Sender<T>) -> Command,
) -> Vec<T> {
    const PATIENCE: Duration = Duration::from_secs(2);
    let mut answers = Vec::new();
    for commands in workers {
        let (sender, receiver) = oneshot::channel();
        if commands.send(question(sender)).is_ok() {
            answers.push(receiver);
        }
    }
    let mut all = Vec::new();
    for answer in answers {
        if let Ok(Ok(answer)) = tokio::time::timeout(PATIENCE, answer).await {
            all.push(answer);
        }
    }
    all
}

/// Workers that have been told what to do.
#[must_use]
pub(crate) struct Told(Vec<std::sync::mpsc::Receiver<()>>);

/// Tells every worker what it is to do.
pub(crate) fn tell(workers: &[Worker], adoptions: Vec<Adoption>) -> Told {
    let mut all_done = Vec::new();
    for (worker, mut adoption) in workers.iter().zip(adoptions) {
        let (done, is_done) = std::sync::mpsc::channel();
        adoption.done = Some(done);
        // A worker that has ended needs no plan.
        if worker
            .commands
            .send(Command::Adopt(Box::new(adoption)))
            .is_ok()
        {
            all_done.push(is_done);
        }
    }
    Told(all_done)
}

impl Told {
    /// Waits until all have done it.
    pub(crate) fn wait(self) {
        for is_done in self.0 {
            // It is done when the sender is dropped.
            if let Err(std::sync::mpsc::RecvTimeoutError::Timeout) = is_done.recv_timeout(PATIENCE)
            {
                warn!("a worker is busy and takes the new configuration later");
            }
        }
    }
}

//! A running Forebay, from outside its workers.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::thread::JoinHandle;
use std::time::Duration;

use plan::Plan;
use telemetry::{Drops, LogWriter, OpenFault, Snapshot, Trouble};
use tokio::sync::{mpsc, oneshot};
use tracing::{error, warn};

use crate::descriptors::make_room;
use crate::listen::{check_free, listen};
use crate::metrics_page::MetricsPage;
use crate::names::Resolver;
use crate::run::{self, Command, Start};
use crate::worker::Current;

/// Why a Forebay could not start.
#[derive(Debug)]
pub enum StartFault {
    /// An address that cannot be listened on.
    Listen {
        what: Box<str>,
        address: SocketAddr,
        error: io::Error,
    },
    /// The access log cannot be opened.
    AccessLog(OpenFault),
    /// No thread or event loop could be had.
    Worker(io::Error),
}

impl fmt::Display for StartFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartFault::Listen {
                what,
                address,
                error,
            } => {
                write!(f, "{what} cannot listen on {address}: {error}")?;
                match error.kind() {
                    io::ErrorKind::AddrInUse => {
                        f.write_str(" (does another program, or another Forebay, listen there?)")
                    }
                    io::ErrorKind::PermissionDenied => f.write_str(
                        " (ports below 1024 need root or the capability CAP_NET_BIND_SERVICE)",
                    ),
                    io::ErrorKind::AddrNotAvailable => {
                        f.write_str(" (this machine has no such address)")
                    }
                    _ => Ok(()),
                }
            }
            StartFault::AccessLog(fault) => write!(f, "the access log cannot be opened: {fault}"),
            StartFault::Worker(error) => write!(f, "a worker cannot start: {error}"),
        }
    }
}

impl std::error::Error for StartFault {}

/// A Forebay that serves. Dropping it ends it at once; `drain` ends it well.
pub struct Running {
    workers: Vec<Worker>,
    addresses: Vec<(Box<str>, SocketAddr)>,
    metrics: Option<MetricsPage>,
    access_log: Option<LogWriter>,
}

struct Worker {
    commands: mpsc::UnboundedSender<Command>,
    thread: JoinHandle<()>,
}

/// Opens every listener of the plan and starts its workers.
///
/// # Errors
///
/// When an address cannot be listened on, the access log cannot be opened, or
/// no thread can be had. Nothing is left running then.
pub fn start(plan: Arc<Plan>) -> Result<Running, StartFault> {
    let count = plan.workers.unwrap_or_else(cores);
    let mut sockets: Vec<Vec<std::net::TcpListener>> = (0..count).map(|_| Vec::new()).collect();
    let mut addresses = Vec::new();
    for listener in &plan.listeners {
        let fault = |error| StartFault::Listen {
            what: format!("listener \"{}\"", listener.id).into(),
            address: listener.address,
            error,
        };
        check_free(listener.address).map_err(fault)?;
        let opened = listen(listener.address, count).map_err(fault)?;
        if let Some(Ok(address)) = opened.first().map(|s| s.local_addr()) {
            addresses.push((listener.id.clone(), address));
        }
        for (worker, socket) in sockets.iter_mut().zip(opened) {
            worker.push(socket);
        }
    }
    if let Some(any) = sockets.first().and_then(|opened| opened.first()) {
        make_room(&plan, any);
    }
    let access_log = open_access_log(&plan)?;
    let workers = start_workers(&plan, sockets, access_log.as_ref())?;
    let commands = workers.iter().map(|w| w.commands.clone()).collect();
    let drops = access_log.as_ref().map(LogWriter::drops);
    let metrics = start_metrics(&plan, commands, drops)?;
    Ok(Running {
        workers,
        addresses,
        metrics,
        access_log,
    })
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn open_access_log(plan: &Plan) -> Result<Option<LogWriter>, StartFault> {
    let Some(log) = &plan.access_log else {
        return Ok(None);
    };
    LogWriter::open(log.output.clone(), |trouble| match trouble {
        Trouble::Recovered { .. } => warn!("access log: {trouble}"),
        _ => error!("access log: {trouble}"),
    })
    .map(Some)
    .map_err(StartFault::AccessLog)
}

fn start_workers(
    plan: &Arc<Plan>,
    sockets: Vec<Vec<std::net::TcpListener>>,
    access_log: Option<&LogWriter>,
) -> Result<Vec<Worker>, StartFault> {
    let connections: Arc<[AtomicUsize]> =
        plan.listeners.iter().map(|_| AtomicUsize::new(0)).collect();
    let resolver = Arc::new(Resolver::default());
    let mut workers = Vec::new();
    for (index, sockets) in sockets.into_iter().enumerate() {
        let (commands, receiver) = mpsc::unbounded_channel();
        let start = Start {
            current: Current {
                plan: Arc::clone(plan),
                connections: Arc::clone(&connections),
            },
            sockets,
            resolver: Arc::clone(&resolver),
            access_log: access_log.map(LogWriter::sink),
            commands: receiver,
        };
        let thread = run::start(index, start).map_err(StartFault::Worker)?;
        workers.push(Worker { commands, thread });
    }
    Ok(workers)
}

fn start_metrics(
    plan: &Plan,
    workers: Vec<mpsc::UnboundedSender<Command>>,
    drops: Option<Drops>,
) -> Result<Option<MetricsPage>, StartFault> {
    let Some(endpoint) = &plan.metrics else {
        return Ok(None);
    };
    MetricsPage::start(endpoint, workers, drops)
        .map(Some)
        .map_err(|error| StartFault::Listen {
            what: "the metrics endpoint".into(),
            address: endpoint.address,
            error,
        })
}

/// The numbers of all workers together. A worker that does not answer within
/// the time is left out.
pub(crate) async fn gather(workers: &[mpsc::UnboundedSender<Command>]) -> Option<Snapshot> {
    const PATIENCE: Duration = Duration::from_secs(2);
    let mut answers = Vec::new();
    for commands in workers {
        let (sender, receiver) = oneshot::channel();
        if commands.send(Command::Snapshot(sender)).is_ok() {
            answers.push(receiver);
        }
    }
    let mut merged: Option<Snapshot> = None;
    for answer in answers {
        if let Ok(Ok(snapshot)) = tokio::time::timeout(PATIENCE, answer).await {
            match &mut merged {
                Some(merged) => merged.merge(&snapshot),
                None => merged = Some(snapshot),
            }
        }
    }
    merged
}

impl Running {
    /// Each listener's id with the address it is bound to, in the plan's order.
    pub fn addresses(&self) -> &[(Box<str>, SocketAddr)] {
        &self.addresses
    }

    /// Where the metrics are, if they are served.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics.as_ref().map(MetricsPage::address)
    }

    pub fn workers(&self) -> usize {
        self.workers.len()
    }

    /// Opens the access log anew, after it has been moved away.
    pub fn reopen_logs(&self) {
        if let Some(log) = &self.access_log {
            log.reopen();
        }
    }

    /// Takes no new connections, finishes what is in flight within the time,
    /// writes the logs out and ends. Blocks until then.
    pub fn drain(self, within: Duration) {
        for worker in &self.workers {
            // A worker that has ended already needs no telling.
            let _ = worker.commands.send(Command::Drain(within));
        }
        for worker in self.workers {
            if worker.thread.join().is_err() {
                error!("a worker ended with a panic");
            }
        }
        drop(self.metrics);
        if let Some(log) = self.access_log
            && !log.close(Duration::from_secs(5))
        {
            warn!("the access log takes nothing any more; its last lines are lost");
        }
    }
}

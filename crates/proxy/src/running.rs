//! A running Forebay, from outside its workers.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use plan::Plan;
use telemetry::{ConfigurationFigures, LogWriter, Snapshot, Trouble};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tracing::{error, warn};

use crate::StartFault;
use crate::checker::{Checked, Checker, await_first_checks, wait_for_first_checks};
use crate::descriptors::make_room;
use crate::door::DoorId;
use crate::given::{Given, Sockets, spread};
use crate::listen::{check_free, listen};
use crate::metrics_page::{MetricsPage, SourcesAsked, Told};
use crate::names::Resolver;
use crate::notable::Notables;
use crate::run::{self, Adoption, Command, Ending, Entrance, Start};

/// How long a worker may take to go over to another plan. One that is busier
/// does so later.
const PATIENCE: Duration = Duration::from_secs(5);

/// A Forebay that serves. Dropping it ends it at once; `drain` ends it well.
pub struct Running {
    state: Mutex<State>,
}

struct State {
    plan: Arc<Plan>,
    workers: Vec<Worker>,
    /// In the order of the plan's listeners.
    listening: Vec<Bound>,
    metrics: Option<MetricsPage>,
    access_log: Option<LogWriter>,
    told: Arc<Mutex<Told>>,
    checker: Checker,
}

struct Worker {
    commands: mpsc::UnboundedSender<Command>,
    thread: JoinHandle<()>,
}

/// The sockets of one listener.
#[derive(Clone)]
struct Bound {
    id: DoorId,
    listener: Box<str>,
    /// As the plan has it, and as the kernel does.
    address: SocketAddr,
    bound: SocketAddr,
    open: Arc<AtomicUsize>,
    /// All of its sockets, for whoever takes over one day. Connections wait at
    /// them for as long as they are open, so they go when the workers' own do.
    sockets: Arc<[TcpListener]>,
}

/// A listener as it is now.
#[derive(Debug, Clone)]
pub struct Listening {
    pub id: Box<str>,
    /// As the kernel has it.
    pub address: SocketAddr,
    /// Connections of clients that are open.
    pub connections: usize,
}

/// Opens every listener of the plan and starts its workers.
///
/// # Errors
///
/// When an address cannot be listened on, the access log cannot be opened, or
/// no thread can be had. Nothing is left running then.
pub fn start(plan: Arc<Plan>) -> Result<Running, StartFault> {
    start_with(plan, Given::default())
}

/// The same, with sockets that are there already for some of the addresses.
/// Those that the plan has no use for are closed.
///
/// # Errors
///
/// As for [`start`].
pub fn start_with(plan: Arc<Plan>, mut given: Given) -> Result<Running, StartFault> {
    let count = plan.workers.unwrap_or_else(cores);
    let opened = open_listeners(&plan, &[], count, &mut given)?;
    if let Some(any) = opened.listening.iter().flat_map(|l| &*l.sockets).next() {
        make_room(&plan, any);
    }
    let access_log = open_access_log(&plan)?;
    let page = open_metrics(&plan, &mut given)?;
    let listening = opened.listening.clone();
    let adoptions = adoptions(&plan, opened, count, |_| {
        Some(access_log.as_ref().map(LogWriter::sink))
    });
    let resolver = Arc::new(Resolver::default());
    await_first_checks(&plan, Instant::now().into_std());
    let checker = Checker::start(Arc::clone(&plan), Arc::clone(&resolver));
    let checker = checker.map_err(StartFault::Worker)?;
    if given.must_agree() {
        wait_for_first_checks(&plan);
    }
    given.agree().map_err(StartFault::NotAgreed)?;
    let workers = start_workers(adoptions, &resolver)?;
    let commands = workers.iter().map(|w| w.commands.clone()).collect();
    let drops = access_log.as_ref().map(LogWriter::drops);
    let told = Arc::default();
    let metrics = start_metrics(&plan, page, commands, drops, &told)?;
    given.close();
    Ok(Running {
        state: Mutex::new(State {
            plan,
            workers,
            listening,
            metrics,
            access_log,
            told,
            checker,
        }),
    })
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The sockets of a plan's listeners.
struct Opened {
    /// In the order of the plan.
    listening: Vec<Bound>,
    /// For each of them, the sockets of each worker; none where they have them.
    sockets: Vec<Vec<Vec<TcpListener>>>,
}

/// Opens what a plan's listeners need beyond what is open. Who listens at the
/// same address is the same, whatever it is called.
fn open_listeners(
    plan: &Plan,
    now: &[Bound],
    count: usize,
    given: &mut Given,
) -> Result<Opened, StartFault> {
    let mut opened = Opened {
        listening: Vec::new(),
        sockets: Vec::new(),
    };
    for listener in &plan.listeners {
        let is_same = |known: &&Bound| {
            known.address == listener.address
                && (known.address.port() != 0 || known.listener == listener.id)
        };
        let (listening, sockets) = match now.iter().find(is_same) {
            Some(known) => (known.clone(), Vec::new()),
            None => open_listener(listener, now, count, given)?,
        };
        opened.listening.push(Bound {
            listener: listener.id.clone(),
            ..listening
        });
        opened.sockets.push(sockets);
    }
    Ok(opened)
}

fn open_listener(
    listener: &plan::Listener,
    now: &[Bound],
    count: usize,
    given: &mut Given,
) -> Result<(Bound, Vec<Vec<TcpListener>>), StartFault> {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let address = listener.address;
    let fault = |error| StartFault::Listen {
        what: format!("listener \"{}\"", listener.id).into(),
        address,
        error,
    };
    let mut sockets = given.take(Sockets::LISTENER, &listener.id, address);
    if sockets.is_empty() {
        // One of ours that is about to go, such as 127.0.0.1:80 for 0.0.0.0:80,
        // is in nobody's way.
        let is_ours = now.iter().any(|known| known.bound.port() == address.port());
        if !is_ours && !given.has_port(address.port()) {
            check_free(address).map_err(fault)?;
        }
        sockets = listen(address, count).map_err(fault)?;
    }
    let of_workers = share(&sockets, count).map_err(fault)?;
    let bound = sockets.first().and_then(|socket| socket.local_addr().ok());
    let listening = Bound {
        id: NEXT.fetch_add(1, Ordering::Relaxed),
        listener: listener.id.clone(),
        address,
        bound: bound.unwrap_or(address),
        open: Arc::default(),
        sockets: sockets.into(),
    };
    Ok((listening, of_workers))
}

/// The workers' own descriptors of these sockets. Workers that outnumber the
/// sockets share them: further ones of the same address would lose whoever
/// waits at them should this start fail and the Forebay before it go on.
fn share(sockets: &[TcpListener], count: usize) -> io::Result<Vec<Vec<TcpListener>>> {
    for socket in sockets {
        socket.set_nonblocking(true)?;
    }
    spread(sockets, count)
}

/// What each worker is to do to go by a plan.
fn adoptions(
    plan: &Arc<Plan>,
    opened: Opened,
    count: usize,
    mut access_log: impl FnMut(usize) -> Option<Option<telemetry::LogSink>>,
) -> Vec<Adoption> {
    let Opened { listening, sockets } = opened;
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
            access_log: access_log(worker),
            done: None,
        }
    };
    (0..count).map(&mut of_worker).collect()
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

/// The socket of the metrics page, if there is to be one.
fn open_metrics(plan: &Plan, given: &mut Given) -> Result<Option<TcpListener>, StartFault> {
    let Some(endpoint) = &plan.metrics else {
        return Ok(None);
    };
    let given = given.take(Sockets::METRICS, "", endpoint.address);
    match given.into_iter().next() {
        Some(given) => Ok(Some(given)),
        None => TcpListener::bind(endpoint.address)
            .map(Some)
            .map_err(|error| no_metrics(endpoint, error)),
    }
}

fn start_metrics(
    plan: &Plan,
    socket: Option<TcpListener>,
    workers: Vec<mpsc::UnboundedSender<Command>>,
    drops: Option<telemetry::Drops>,
    told: &Arc<Mutex<Told>>,
) -> Result<Option<MetricsPage>, StartFault> {
    let (Some(endpoint), Some(socket)) = (&plan.metrics, socket) else {
        return Ok(None);
    };
    MetricsPage::start(endpoint, socket, workers, drops, Arc::clone(told))
        .map(Some)
        .map_err(|error| no_metrics(endpoint, error))
}

fn no_metrics(endpoint: &plan::MetricsEndpoint, error: io::Error) -> StartFault {
    StartFault::Listen {
        what: "the metrics endpoint".into(),
        address: endpoint.address,
        error,
    }
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
async fn ask_all<T>(
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

impl Running {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Goes on by another plan. Connections and exchanges go on; listeners that
    /// are gone take nothing new and finish what they have within
    /// `shutdown_timeout`. Blocks until every worker goes by the plan.
    ///
    /// # Errors
    ///
    /// As for [`start`]; everything goes on as it was then.
    pub fn adopt(&self, plan: Arc<Plan>) -> Result<(), StartFault> {
        self.state().adopt(plan)
    }

    /// The plan that new requests go by.
    pub fn plan(&self) -> Arc<Plan> {
        Arc::clone(&self.state().plan)
    }

    /// Each listener's id with the address it is bound to, in the plan's order.
    pub fn addresses(&self) -> Vec<(Box<str>, SocketAddr)> {
        let state = self.state();
        let listening = state.listening.iter();
        listening.map(|l| (l.listener.clone(), l.bound)).collect()
    }

    /// Each listener as it is now, in the plan's order.
    pub fn listening(&self) -> Vec<Listening> {
        let state = self.state();
        let listening = state.listening.iter();
        listening
            .map(|sockets| Listening {
                id: sockets.listener.clone(),
                address: sockets.bound,
                connections: sockets.open.load(Ordering::Relaxed),
            })
            .collect()
    }

    /// It takes nothing new any more.
    pub fn is_draining(&self) -> bool {
        self.state().workers.is_empty()
    }

    /// The counters of all workers together; none where no worker answers.
    pub fn snapshot(&self) -> impl Future<Output = Option<Snapshot>> + Send + use<> {
        let workers = self.commands();
        async move { gather(&workers).await }
    }

    /// The slowest and the failed exchanges of the last five minutes.
    pub fn notables(&self) -> impl Future<Output = Notables> + Send + use<> {
        let workers = self.commands();
        async move {
            let all = ask_all(&workers, Command::Notables).await;
            all.into_iter().fold(Notables::default(), |mut all, more| {
                all.merge(more);
                all
            })
        }
    }

    fn commands(&self) -> Vec<mpsc::UnboundedSender<Command>> {
        let state = self.state();
        state.workers.iter().map(|w| w.commands.clone()).collect()
    }

    /// Where the metrics are, if they are served.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.state().metrics.as_ref().map(MetricsPage::address)
    }

    pub fn workers(&self) -> usize {
        self.state().workers.len()
    }

    /// What the metrics say of the configuration.
    pub fn tell_of_configuration(&self, figures: ConfigurationFigures) {
        let told = Arc::clone(&self.state().told);
        told.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .configuration = figures;
    }

    /// What the metrics say of the places where backends are found; asked for
    /// every page.
    pub fn tell_of_sources(&self, ask: SourcesAsked) {
        let told = Arc::clone(&self.state().told);
        told.lock().unwrap_or_else(PoisonError::into_inner).sources = Some(ask);
    }

    /// Checks a backend now; the result comes once it is there. None where there
    /// is no such backend, or its group has no checks.
    pub async fn check(&self, group: &str, url: &str) -> Option<Checked> {
        let checked = self.state().checker.check(group, url);
        checked.await.ok().flatten()
    }

    /// Opens the access log anew, after it has been moved away.
    pub fn reopen_logs(&self) {
        if let Some(log) = &self.state().access_log {
            log.reopen();
        }
    }

    /// Takes no new connections, finishes what is in flight within the time,
    /// writes the logs out and ends. Blocks until then.
    pub fn drain(&self, within: Duration) {
        let metrics = self.state().metrics.take();
        self.end(Ending {
            within,
            leaves_queue: false,
        });
        drop(metrics);
    }

    /// The same after somebody else has taken over all [sockets](Self::sockets):
    /// whoever waits at them is left to that one.
    pub fn hand_over(&self, within: Duration) {
        let metrics = self.state().metrics.take();
        // Scrapes under way need the workers' numbers.
        if let Some(metrics) = metrics {
            metrics.close();
        }
        self.end(Ending {
            within,
            leaves_queue: true,
        });
    }

    /// Everything that listens, for whoever takes over.
    ///
    /// # Errors
    ///
    /// When there is no room for the descriptors.
    pub fn sockets(&self) -> io::Result<Vec<Sockets>> {
        let state = self.state();
        let mut all = Vec::new();
        for listening in &state.listening {
            let sockets = listening.sockets.iter().map(TcpListener::try_clone);
            all.push(Sockets {
                kind: Sockets::LISTENER.into(),
                name: listening.listener.clone(),
                address: listening.address,
                sockets: sockets.collect::<io::Result<_>>()?,
            });
        }
        if let (Some(page), Some(endpoint)) = (&state.metrics, &state.plan.metrics) {
            all.push(Sockets {
                kind: Sockets::METRICS.into(),
                name: "".into(),
                address: endpoint.address,
                sockets: vec![page.socket()?],
            });
        }
        Ok(all)
    }

    fn end(&self, ending: Ending) {
        let mut state = self.state();
        // Nobody may wait at a socket from which no worker accepts.
        state.listening.iter_mut().for_each(Bound::let_go);
        let workers = std::mem::take(&mut state.workers);
        for worker in &workers {
            // A worker that has ended already needs no telling.
            let _ = worker.commands.send(Command::Drain(ending));
        }
        let access_log = state.access_log.take();
        drop(state);
        for worker in workers {
            if worker.thread.join().is_err() {
                error!("a worker ended with a panic");
            }
        }
        if let Some(log) = access_log {
            close_access_log(log);
        }
    }
}

impl Bound {
    fn let_go(&mut self) {
        self.sockets = Arc::default();
    }
}

fn close_access_log(log: LogWriter) {
    if !log.close(Duration::from_secs(5)) {
        warn!("the access log takes nothing any more; its last lines are lost");
    }
}

impl State {
    fn adopt(&mut self, plan: Arc<Plan>) -> Result<(), StartFault> {
        // Whatever can go wrong comes first, while nothing has changed.
        let count = self.workers.len();
        let opened = open_listeners(&plan, &self.listening, count, &mut Given::default())?;
        let access_log = match self.output() == output(&plan) {
            true => None,
            false => Some(open_access_log(&plan)?),
        };
        self.move_metrics(&plan, access_log.as_ref())?;

        await_first_checks(&plan, Instant::now().into_std());
        self.checker.adopt(Arc::clone(&plan));
        self.listening = opened.listening.clone();
        let sink = |_| {
            let log = access_log.as_ref()?;
            Some(log.as_ref().map(LogWriter::sink))
        };
        self.tell(adoptions(&plan, opened, self.workers.len(), sink));
        if let Some(new) = access_log
            && let Some(old) = std::mem::replace(&mut self.access_log, new)
        {
            close_access_log(old);
        }
        self.plan = plan;
        Ok(())
    }

    /// Serves the metrics where the plan says.
    fn move_metrics(
        &mut self,
        plan: &Plan,
        access_log: Option<&Option<LogWriter>>,
    ) -> Result<(), StartFault> {
        let log = access_log.unwrap_or(&self.access_log);
        let drops = log.as_ref().map(LogWriter::drops);
        match (&self.metrics, &plan.metrics, &self.plan.metrics) {
            (Some(page), Some(new), Some(old)) if new.address == old.address => {
                page.move_to(&new.path);
                page.count_drops(drops);
            }
            _ => {
                let commands = self.workers.iter().map(|w| w.commands.clone()).collect();
                let socket = open_metrics(plan, &mut Given::default())?;
                self.metrics = start_metrics(plan, socket, commands, drops, &self.told)?;
            }
        }
        Ok(())
    }

    fn output(&self) -> Option<&telemetry::Output> {
        output(&self.plan)
    }

    /// Tells every worker what it is to do, and waits until it is done.
    fn tell(&self, adoptions: Vec<Adoption>) {
        let mut all_done = Vec::new();
        for (worker, mut adoption) in self.workers.iter().zip(adoptions) {
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
        for is_done in all_done {
            // It is done when the sender is dropped.
            if let Err(std::sync::mpsc::RecvTimeoutError::Timeout) = is_done.recv_timeout(PATIENCE)
            {
                warn!("a worker is busy and takes the new configuration later");
            }
        }
    }
}

fn output(plan: &Plan) -> Option<&telemetry::Output> {
    plan.access_log.as_ref().map(|log| &log.output)
}

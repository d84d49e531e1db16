//! A running Forebay, from outside its workers.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;

use plan::Plan;
use telemetry::{CertificateFigures, ConfigurationFigures, LogWriter, Snapshot};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::error;

use crate::StartFault;
use crate::backend::names::Resolver;
use crate::health::checker::{Checked, Checker, await_first_checks, wait_for_first_checks};
use crate::listening::descriptors::make_room;
use crate::listening::draining::Draining;
use crate::listening::given::{Given, Sockets};
use crate::listening::{Bound, Listening, no_metrics, open_listeners, open_metrics};
use crate::report::access_log;
use crate::report::metrics_page::{MetricsPage, SourcesAsked, Told};
use crate::report::notable::Notables;
use crate::worker::crew::{
    Told as ToldWorkers, Worker, adoptions, ask_all, gather, start_workers, tell,
};
use crate::worker::run::{Command, Ending};

/// A Forebay that serves. Dropping it ends it at once; `drain` ends it well.
pub struct Running {
    /// Held by whoever goes over to another plan, for as long as that takes.
    turn: Mutex<()>,
    /// Held only for moments.
    state: Mutex<State>,
}

struct State {
    plan: Arc<Plan>,
    workers: Vec<Worker>,
    /// In the order of the plan's listeners.
    listening: Vec<Bound>,
    /// Ports that listeners have moved away from, for as long as these have
    /// connections.
    moved: Vec<(u16, Weak<AtomicUsize>)>,
    metrics: Option<MetricsPage>,
    access_log: Option<LogWriter>,
    /// Ends when the last lines of the log before are written, or given up.
    closing_log: Option<JoinHandle<()>>,
    told: Arc<Mutex<Told>>,
    checker: Checker,
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
    let opened = open_listeners(&plan, &[], &[], count, &mut given)?;
    if let Some(any) = opened.listening.iter().flat_map(|l| &*l.sockets).next() {
        make_room(&plan, any);
    }
    let access_log = access_log::open(&plan)?;
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
        turn: Mutex::default(),
        state: Mutex::new(State {
            plan,
            workers,
            listening,
            moved: Vec::new(),
            metrics,
            access_log,
            closing_log: None,
            told,
            checker,
        }),
    })
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

impl Running {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Goes on by another plan. Connections and exchanges go on; listeners that
    /// are gone take nothing new and finish what they have within
    /// `shutdown_timeout`, streams within `drain_timeout`. Blocks until every
    /// worker goes by the plan.
    ///
    /// # Errors
    ///
    /// As for [`start`]; everything goes on as it was then.
    pub fn adopt(&self, plan: Arc<Plan>) -> Result<(), StartFault> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        // A slow disk and a busy worker are waited for without the state, so that
        // whoever only looks at it does not wait with them.
        let is_same = access_log::output(&self.plan()) == access_log::output(&plan);
        let access_log = match is_same {
            true => None,
            false => Some(access_log::open(&plan)?),
        };
        let is_log_moved = access_log.is_some();
        let (told, old_log) = self.state().adopt(plan, access_log)?;
        told.wait();
        if is_log_moved {
            self.close_log(old_log);
        }
        Ok(())
    }

    /// Lets the last lines of a log be written, of one log at a time.
    fn close_log(&self, log: Option<LogWriter>) {
        let before = self.state().closing_log.take();
        access_log::wait_until_closed(before);
        self.state().closing_log = log.and_then(access_log::close);
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
        let listening = state.listening.iter().zip(&state.plan.listeners);
        listening
            .map(|(sockets, listener)| Listening {
                id: sockets.listener.clone(),
                address: sockets.bound,
                protocol: listener.scheme(),
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

    /// What the metrics say of certificates.
    pub fn tell_of_certificates(&self, figures: CertificateFigures) {
        let told = Arc::clone(&self.state().told);
        told.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .certificates = figures;
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

    /// Takes no new connections, finishes what is in flight within the plan's
    /// `shutdown_timeout`, streams within its `drain_timeout`, writes the logs out
    /// and ends. Blocks until then.
    pub fn drain(&self) {
        let metrics = self.state().metrics.take();
        self.end(false);
        drop(metrics);
    }

    /// The same after somebody else has taken over all [sockets](Self::sockets):
    /// whoever waits at them is left to that one.
    pub fn hand_over(&self) {
        let metrics = self.state().metrics.take();
        // Scrapes under way need the workers' numbers.
        if let Some(metrics) = metrics {
            metrics.close();
        }
        self.end(true);
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
            all.push(listening.handed()?);
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

    fn end(&self, leaves_queue: bool) {
        let mut state = self.state();
        let ending = Ending {
            draining: Draining::by(&state.plan, "the end was asked for"),
            leaves_queue,
        };
        // Nobody may wait at a socket from which no worker accepts.
        state.listening.iter_mut().for_each(Bound::let_go);
        let workers = std::mem::take(&mut state.workers);
        for worker in &workers {
            // A worker that has ended already needs no telling.
            let _ = worker.commands.send(Command::Drain(ending.clone()));
        }
        drop(ending);
        let (access_log, closing_log) = (state.access_log.take(), state.closing_log.take());
        drop(state);
        for worker in workers {
            if worker.thread.join().is_err() {
                error!("a worker ended with a panic");
            }
        }
        let closing = [closing_log, access_log.and_then(access_log::close)];
        closing.into_iter().for_each(access_log::wait_until_closed);
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

impl State {
    /// Returns who has been told, and the access log before where there is another.
    fn adopt(
        &mut self,
        plan: Arc<Plan>,
        access_log: Option<Option<LogWriter>>,
    ) -> Result<(ToldWorkers, Option<LogWriter>), StartFault> {
        // Whatever can go wrong comes first, while nothing has changed.
        let count = self.workers.len();
        self.moved.retain(|(_, open)| open.strong_count() > 0);
        let closing: Vec<u16> = self.moved.iter().map(|(port, _)| *port).collect();
        let none = &mut Given::default();
        let opened = open_listeners(&plan, &self.listening, &closing, count, none)?;
        self.move_metrics(&plan, access_log.as_ref())?;

        await_first_checks(&plan, Instant::now().into_std());
        self.checker.adopt(Arc::clone(&plan));
        self.listening = opened.listening.clone();
        opened.moved.iter().for_each(Bound::hide);
        let moved = opened.moved.iter();
        self.moved
            .extend(moved.map(|l| (l.bound.port(), Arc::downgrade(&l.open))));
        let sink = |_| {
            let log = access_log.as_ref()?;
            Some(log.as_ref().map(LogWriter::sink))
        };
        let told = tell(&self.workers, adoptions(&plan, opened, count, sink));
        let old_log = access_log.and_then(|new| std::mem::replace(&mut self.access_log, new));
        self.plan = plan;
        Ok((told, old_log))
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
}

//! A running Forebay, from outside its workers.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use plan::Plan;
use telemetry::{CertificateFigures, ConfigurationFigures, LogWriter, Snapshot, Trouble};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::{error, warn};

use crate::StartFault;
use crate::checker::{Checked, Checker, await_first_checks, wait_for_first_checks};
use crate::crew::{Worker, adoptions, ask_all, gather, start_workers, tell};
use crate::descriptors::make_room;
use crate::draining::Draining;
use crate::given::{Given, Sockets};
use crate::listening::{Bound, Listening, no_metrics, open_listeners, open_metrics};
use crate::metrics_page::{MetricsPage, SourcesAsked, Told};
use crate::names::Resolver;
use crate::notable::Notables;
use crate::run::{Command, Ending};

/// A Forebay that serves. Dropping it ends it at once; `drain` ends it well.
pub struct Running {
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
            moved: Vec::new(),
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

fn close_access_log(log: LogWriter) {
    if !log.close(Duration::from_secs(5)) {
        warn!("the access log takes nothing any more; its last lines are lost");
    }
}

impl State {
    fn adopt(&mut self, plan: Arc<Plan>) -> Result<(), StartFault> {
        // Whatever can go wrong comes first, while nothing has changed.
        let count = self.workers.len();
        self.moved.retain(|(_, open)| open.strong_count() > 0);
        let closing: Vec<u16> = self.moved.iter().map(|(port, _)| *port).collect();
        let none = &mut Given::default();
        let opened = open_listeners(&plan, &self.listening, &closing, count, none)?;
        let access_log = match self.output() == output(&plan) {
            true => None,
            false => Some(open_access_log(&plan)?),
        };
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
        tell(&self.workers, adoptions(&plan, opened, count, sink));
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
}

fn output(plan: &Plan) -> Option<&telemetry::Output> {
    plan.access_log.as_ref().map(|log| &log.output)
}

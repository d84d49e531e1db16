//! A Forebay whose configuration may change while it runs.

use std::fmt;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant, SystemTime};

use admin::{Control, Events, Server};
use plan::{AdminEndpoint, Changes, Differences, Heritage, Plan};
use proxy::{Given, Running, Sockets, StartFault};
use registry::Shared as Registry;
use serde_json::json;
use telemetry::ConfigurationFigures;

use crate::kept_state::{self, KeptState};
use crate::sources::Sources;
use crate::{Handover, Hooks, Kept, Predecessor, Read, Reloads, lines};

type ReadAnew = dyn Fn(&Heritage) -> Result<Read, String> + Send + Sync;

/// Where the configuration comes from.
pub struct Source {
    /// Reads it anew, from wherever it is; or says why that cannot be.
    pub read: Box<ReadAnew>,
    /// What has the last word over it, such as a command line.
    pub adjust: Box<dyn Fn(&mut Plan) + Send + Sync>,
}

impl Source {
    /// Reads it from its beginning.
    ///
    /// # Errors
    ///
    /// When there is nothing to read.
    pub fn read(&self, heritage: &Heritage) -> Result<Read, String> {
        (self.read)(heritage).map(|read| self.adjusted(read))
    }

    fn again(&self, kept: &Kept, heritage: &Heritage) -> Read {
        self.adjusted(kept.again(heritage))
    }

    fn adjusted(&self, mut read: Read) -> Read {
        if let Some(plan) = &mut read.plan {
            (self.adjust)(plan);
        }
        read
    }
}

/// A Forebay that serves and takes its configuration anew when told to.
pub struct Live {
    running: Running,
    heritage: Heritage,
    source: Source,
    pub(crate) hooks: Hooks,
    registry: Registry,
    sources: Sources,
    events: Events,
    state: Mutex<State>,
    admin: Mutex<Option<Server>>,
    /// For the admin API, which must not keep alive what it is part of.
    itself: Weak<Self>,
}

struct State {
    last: Last,
    /// What the running plan was made of.
    kept: Kept,
}

/// What became of the latest configuration.
#[derive(Debug, Clone)]
pub struct Last {
    /// What the running configuration is, in sixteen hexadecimal digits; other
    /// text, other digits.
    pub hash: String,
    /// Since when it is the one.
    pub since: SystemTime,
    /// When one was last read, and why that is not the running one.
    pub tried: SystemTime,
    pub failure: Option<String>,
    /// How often another one was taken up, and refused.
    pub taken: u64,
    pub refused: u64,
}

/// Why there is no running Forebay.
pub enum LiveFault {
    /// The configuration cannot be read.
    Unreadable(String),
    /// The configuration has mistakes.
    Mistakes(Box<Read>),
    Start(StartFault),
}

/// What came of reading the configuration anew.
pub struct Reloaded {
    pub plan: Arc<Plan>,
    /// Nothing where it says the same as before.
    pub differences: Differences,
    pub hash: String,
    /// What was read, for its warnings and the files that are left out.
    pub read: Read,
    /// The number of workers would be another, which takes a restart.
    pub workers_differ: bool,
}

impl Live {
    /// Serves by the plan of `first`, which `source` has read after nothing but
    /// `heritage`.
    ///
    /// # Errors
    ///
    /// When it has mistakes, or cannot be served: see [`proxy::start`].
    pub fn start(
        source: Source,
        heritage: Heritage,
        first: Read,
        hooks: Hooks,
        now: SystemTime,
    ) -> Result<Arc<Self>, LiveFault> {
        Self::start_after(Predecessor::default(), source, heritage, first, hooks, now)
    }

    /// The same, taking over from another process. What it has handed over for
    /// the reading must be in `heritage` already: [`Handover::prepare`].
    ///
    /// # Errors
    ///
    /// As for [`Live::start`].
    pub fn start_after(
        mut predecessor: Predecessor,
        source: Source,
        heritage: Heritage,
        mut first: Read,
        hooks: Hooks,
        now: SystemTime,
    ) -> Result<Arc<Self>, LiveFault> {
        let mut downtime = Duration::ZERO;
        if let Some(kept) = state_kept(&first).filter(|_| !predecessor.handover.has_come()) {
            downtime = kept.downtime(now);
            kept.state.prepare(&heritage);
            first = with_changes(&source, &heritage, first);
            predecessor.handover = kept.state;
        }
        let registry = Registry::new(registry::Registry::new(
            registry::Limits::default(),
            fastrand::u64(..),
        ));
        if let Some(services) = predecessor.handover.services.take() {
            // Before anybody looks for them.
            registry.lock().restore(services, instant(), downtime);
        }
        let sources = Sources::new(registry.clone());
        let mut first = with_finds(&sources, &source, &heritage, first);
        let Some(plan) = first.plan.take() else {
            return Err(LiveFault::Mistakes(Box::new(first)));
        };
        heritage.living.on_change(Arc::new(proxy::log_change));
        let events = Events::new(fastrand::u64(..));
        tell_of_backends(&heritage, &events);
        let plan = Arc::new(plan);
        let Predecessor {
            mut sockets,
            handover,
            agree,
        } = predecessor;
        handover.bring_back(&plan, instant());
        let given = take_admin(&plan, &mut sockets);
        let running = proxy::start_with(Arc::clone(&plan), Given::new(sockets, agree))
            .map_err(LiveFault::Start)?;
        let last = Last {
            hash: first.hash,
            since: now,
            tried: now,
            failure: None,
            taken: handover.reloads.taken,
            refused: handover.reloads.refused,
        };
        running.tell_of_configuration(last.figures());
        running.tell_of_sources(sources.figures());
        let live = Arc::new_cyclic(|itself| Self {
            running,
            heritage,
            source,
            hooks,
            registry,
            sources,
            events,
            state: Mutex::new(State {
                last,
                kept: first.kept,
            }),
            admin: Mutex::default(),
            itself: Weak::clone(itself),
        });
        let itself = Arc::downgrade(&live);
        live.sources
            .when_changed(move || itself.upgrade().is_none_or(|live| live.take_up_finds()));
        live.move_admin(&plan, given)?.settle();
        if plan.state_file().is_some() {
            let kept = kept_state::keep(Arc::downgrade(&live));
            kept.map_err(|error| LiveFault::Start(StartFault::Worker(error)))?;
        }
        Ok(live)
    }

    /// Keeps what was changed for the next start, if there is a file for it. It
    /// is done every second as well.
    pub fn save_state(&self) {
        kept_state::save(self);
    }

    /// Where the admin API is, if it is served.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        lock(&self.admin).as_ref().map(Server::address)
    }

    /// The services that have registered themselves.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// What happens, for those who watch.
    pub fn events(&self) -> &Events {
        &self.events
    }

    pub(crate) fn kept(&self) -> Kept {
        self.lock().kept.clone()
    }

    pub fn running(&self) -> &Running {
        &self.running
    }

    pub fn last(&self) -> Last {
        self.lock().last.clone()
    }

    /// Every socket that listens, for a process that takes over.
    ///
    /// # Errors
    ///
    /// When there is no room for the descriptors.
    pub fn sockets(&self) -> std::io::Result<Vec<Sockets>> {
        let mut all = self.running.sockets()?;
        let endpoint = self.running.plan().admin.clone();
        if let (Some(server), Some(endpoint)) = (&*lock(&self.admin), endpoint) {
            all.push(Sockets {
                kind: Sockets::ADMIN.into(),
                name: "".into(),
                address: endpoint.address,
                sockets: vec![server.socket()?],
            });
        }
        Ok(all)
    }

    /// Leaves the admin API to another process.
    pub fn leave_admin(&self) {
        *lock(&self.admin) = None;
    }

    /// What a process that takes over should know.
    pub fn handover(&self) -> Handover {
        let last = self.last();
        let reloads = Reloads {
            taken: last.taken,
            refused: last.refused,
        };
        let now = instant();
        let services = self.registry.snapshot(now);
        Handover::of(&self.heritage, &self.running.plan(), reloads, services, now)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// What has been changed since the configuration was written.
    pub fn changes(&self) -> Arc<Changes> {
        self.heritage.changes()
    }

    /// Changes what the configuration says and goes by the result, without
    /// looking at its files. Blocks until every worker does.
    ///
    /// # Errors
    ///
    /// When the result has mistakes or cannot be served. Nothing is changed then.
    pub fn change(&self, make: impl FnOnce(&mut Changes)) -> Result<Reloaded, LiveFault> {
        let state = self.lock();
        let before = self.heritage.changes();
        let mut changes = Changes::clone(&before);
        make(&mut changes);
        self.heritage.set_changes(Arc::new(changes));
        let result = self.take_up(self.source.again(&state.kept, &self.heritage));
        if result.is_err() {
            self.heritage.set_changes(before);
        }
        drop(state);
        self.tell("change", &result);
        result
    }

    /// Reads the configuration anew and goes by it. One with mistakes, or that
    /// cannot be served, changes nothing. Blocks until every worker goes by it.
    ///
    /// # Errors
    ///
    /// When it has mistakes, or cannot be served.
    pub fn reload(&self, now: SystemTime) -> Result<Reloaded, LiveFault> {
        // One at a time: whoever comes later reads what is there then.
        let mut state = self.lock();
        let before = self.heritage.changes();
        let read = self.source.read(&self.heritage);
        let result = read.map_err(LiveFault::Unreadable).and_then(|read| {
            let Self {
                sources,
                source,
                heritage,
                ..
            } = self;
            self.take_up(with_finds(sources, source, heritage, read))
        });
        if result.is_err() {
            self.heritage.set_changes(before);
        }
        let State { last, kept } = &mut *state;
        last.tried = now;
        match &result {
            Ok(reloaded) => {
                kept.clone_from(&reloaded.read.kept);
                last.failure = None;
                if last.hash != reloaded.hash {
                    last.hash.clone_from(&reloaded.hash);
                    last.since = now;
                }
                last.taken += 1;
            }
            Err(fault) => {
                last.failure = Some(fault.to_string());
                last.refused += 1;
            }
        }
        self.running.tell_of_configuration(last.figures());
        drop(state);
        self.tell("reload", &result);
        result
    }

    /// Goes by what the sources of backends have found; false if that cannot be.
    fn take_up_finds(&self) -> bool {
        let finds = self.sources.finds(&self.running.plan());
        let before = self.changes();
        if finds.are_in(&before) {
            return true;
        }
        match self.change(|changes| finds.put_into(changes)) {
            Ok(_) => finds.tell_since(&before),
            Err(fault) => {
                tracing::error!("what was found cannot be taken up: {fault}");
                return false;
            }
        }
        true
    }

    fn tell(&self, kind: &'static str, result: &Result<Reloaded, LiveFault>) {
        (self.hooks.told)(result);
        let about = match result {
            Ok(reloaded) => json!({
                "outcome": "taken",
                "hash": reloaded.hash,
                "changes": lines(&reloaded.differences),
            }),
            Err(fault) => json!({"outcome": "refused", "why": fault.to_string()}),
        };
        self.events.publish(kind, about);
    }

    /// Serves the admin API where the plan says. What is open already stays open
    /// until the move is settled, so that nothing has changed if it cannot be.
    /// It may have been `given` by another process.
    fn move_admin(&self, plan: &Plan, given: Option<TcpListener>) -> Result<Move<'_>, LiveFault> {
        let slot = &self.admin;
        let Some(endpoint) = &plan.admin else {
            return Ok(Move::To(slot, None));
        };
        let old = lock(slot);
        let before = old.as_ref().and(self.running.plan().admin.clone());
        if before.is_some_and(|before| before.address == endpoint.address) {
            return Ok(Move::Stays(slot, endpoint.clone()));
        }
        let control: Weak<dyn Control> = self.itself.clone();
        let server = Server::start(endpoint, given, control).map_err(|error| {
            LiveFault::Start(StartFault::Listen {
                what: "the admin API".into(),
                address: endpoint.address,
                error,
            })
        })?;
        Ok(Move::To(slot, Some(server)))
    }

    fn take_up(&self, read: Read) -> Result<Reloaded, LiveFault> {
        let result = self.adopt(read);
        self.sources.keep_only(&self.running.plan());
        result
    }

    fn adopt(&self, mut read: Read) -> Result<Reloaded, LiveFault> {
        let Some(plan) = read.plan.take() else {
            return Err(LiveFault::Mistakes(Box::new(read)));
        };
        let (old, plan) = (self.running.plan(), Arc::new(plan));
        let differences = plan::diff(&old, &plan);
        let admin = self.move_admin(&plan, None)?;
        self.running
            .adopt(Arc::clone(&plan))
            .map_err(LiveFault::Start)?;
        admin.settle();
        Ok(Reloaded {
            hash: read.hash.clone(),
            workers_differ: plan
                .workers
                .is_some_and(|wanted| wanted != self.running.workers()),
            plan,
            differences,
            read,
        })
    }
}

/// The same with the backends that are found, if it has sources.
fn with_finds(sources: &Sources, source: &Source, heritage: &Heritage, read: Read) -> Read {
    let finds = read
        .plan
        .as_ref()
        .and_then(|plan| sources.finds_for(plan, read.kept.directory()));
    let before = heritage.changes();
    let Some(finds) = finds.filter(|finds| !finds.are_in(&before)) else {
        return read;
    };
    let mut changes = Changes::clone(&before);
    finds.put_into(&mut changes);
    heritage.set_changes(Arc::new(changes));
    finds.tell_since(&before);
    let again = source.again(&read.kept, heritage);
    Read {
        kept: read.kept,
        ..again
    }
}

/// Where the admin API is to be from now on.
enum Move<'a> {
    To(&'a Mutex<Option<Server>>, Option<Server>),
    Stays(&'a Mutex<Option<Server>>, AdminEndpoint),
}

impl Move<'_> {
    fn settle(self) {
        match self {
            Move::To(slot, server) => {
                if let Some(server) = &server {
                    let address = server.address();
                    tracing::info!(%address, "admin API on http://{address}");
                }
                *lock(slot) = server;
            }
            Move::Stays(slot, endpoint) => {
                if let Some(server) = &*lock(slot) {
                    server.adopt(&endpoint);
                }
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The socket of the admin API, if another process has left it.
fn take_admin(plan: &Plan, sockets: &mut Vec<Sockets>) -> Option<TcpListener> {
    let endpoint = plan.admin.as_ref()?;
    let is_it =
        |given: &mut Sockets| &*given.kind == Sockets::ADMIN && given.address == endpoint.address;
    let mut found = sockets.extract_if(.., is_it);
    found.find_map(|mut given| given.sockets.pop())
}

#[expect(clippy::disallowed_methods, reason = "leases end with time")]
pub(crate) fn instant() -> Instant {
    Instant::now()
}

/// What was changed before this start, if it was kept.
fn state_kept(first: &Read) -> Option<KeptState> {
    let path = first.plan.as_ref()?.state_file()?;
    KeptState::read(Path::new(path)).unwrap_or_else(|why| {
        tracing::error!("what was changed before is lost: {why}");
        None
    })
}

/// The configuration with what was changed before. Changes that it does not go
/// with any more are left out.
fn with_changes(source: &Source, heritage: &Heritage, first: Read) -> Read {
    let again = source.again(&first.kept, heritage);
    if again.plan.is_some() {
        return again;
    }
    let problems = again.problems.render(false);
    tracing::error!("what was changed before does not go with the configuration:\n{problems}");
    heritage.set_changes(Arc::default());
    first
}

/// Changes of backends are events.
fn tell_of_backends(heritage: &Heritage, events: &Events) {
    let events = events.clone();
    heritage.living.on_change(Arc::new(move |change| {
        let about = json!({
            "group": &*change.group,
            "url": &*change.url,
            "from": change.from.label(),
            "to": change.to.label(),
            "why": &*change.why,
        });
        events.publish("backend", about);
    }));
}

impl Last {
    fn figures(&self) -> ConfigurationFigures {
        let since = self.since.duration_since(SystemTime::UNIX_EPOCH);
        ConfigurationFigures {
            hash: self.hash.clone(),
            is_latest: self.failure.is_none(),
            since_unix_seconds: since.unwrap_or_default().as_secs_f64(),
            taken: self.taken,
            refused: self.refused,
        }
    }
}

impl fmt::Display for LiveFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LiveFault::Unreadable(why) => f.write_str(why),
            LiveFault::Mistakes(read) => f.write_str(read.problems.render(false).trim_end()),
            LiveFault::Start(fault) => fault.fmt(f),
        }
    }
}

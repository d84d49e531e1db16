//! One worker: a thread, an event loop, and everything that only it touches.

pub(crate) mod clock;
pub(crate) mod crew;
pub(crate) mod event_loop;
pub(crate) mod guard;
pub(crate) mod run;

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use plan::Plan;
use telemetry::{LogSink, Metrics};
use upstream::{Pool, Refusals};
use wire::blocks::Blocks;

use crate::backend::backend_conn::BackendConn;
use crate::backend::h2_backend::Link;
use crate::backend::names::Resolver;
use crate::exchange::heads;
use crate::exchange::request_id::RequestId;
use crate::listening::door::{Door, DoorId, Queue};
use crate::report::allowance::Allowance;
use crate::report::notable::Recent;
use crate::sockets::pipes::Pipes;
use crate::sockets::timers::Timers;
use crate::worker::clock::Clock;

/// Requests a second of which it is said why no route took them.
const EXPLANATIONS: u32 = 20;

/// Connections a second of which it is said why they were refused.
const COMPLAINTS: u32 = 5;

pub(crate) struct Worker {
    /// The plan new exchanges begin with.
    plan: RefCell<Rc<Current>>,
    /// Where its clients come in.
    doors: RefCell<Vec<Rc<Door>>>,
    /// Doors that were closed before and may still have connections.
    closed: RefCell<Vec<Weak<Door>>>,
    pub(crate) clock: Clock,
    pub(crate) timers: Rc<Timers>,
    pub(crate) blocks: Blocks,
    pub(crate) heads: heads::Stock,
    pub(crate) pool: Pool<Box<BackendConn>, Link>,
    pub(crate) resolver: Arc<Resolver>,
    pub(crate) metrics: RefCell<Metrics>,
    pub(crate) access_log: RefCell<Option<LogSink>>,
    /// Exchanges worth a look.
    pub(crate) recent: RefCell<Recent>,
    /// Of connections, for which there is no group.
    pub(crate) refusals: Refusals,
    /// What bytes lie in between two sockets.
    pub(crate) pipes: Pipes,
    /// How often it may be said what is wrong with somebody's connection.
    pub(crate) complaints: Allowance,
    /// How often it may be said which routes almost matched.
    pub(crate) explanations: Allowance,
    random: RefCell<fastrand::Rng>,
    /// Clients that are just being told that there is no room for them.
    turned_away: Cell<usize>,
    /// What takes the network's place in a simulation.
    #[cfg(feature = "sim")]
    pub(crate) world: std::cell::OnceCell<Rc<dyn crate::sim::World>>,
}

/// A plan as one worker holds it: counted without atomics.
pub(crate) struct Current {
    pub(crate) plan: Arc<Plan>,
}

impl Worker {
    pub(crate) fn new(plan: Arc<Plan>, resolver: Arc<Resolver>) -> Rc<Self> {
        let metrics = Metrics::new(Arc::clone(&plan.names));
        Rc::new(Self {
            plan: RefCell::new(Rc::new(Current { plan })),
            doors: RefCell::default(),
            closed: RefCell::default(),
            clock: Clock::new(),
            timers: Timers::new(),
            blocks: Blocks::default(),
            heads: heads::Stock::default(),
            pool: Pool::new(),
            resolver,
            metrics: RefCell::new(metrics),
            access_log: RefCell::default(),
            recent: RefCell::default(),
            refusals: Refusals::default(),
            pipes: Pipes::default(),
            complaints: Allowance::new(COMPLAINTS),
            explanations: Allowance::new(EXPLANATIONS),
            random: RefCell::new(fastrand::Rng::new()),
            turned_away: Cell::new(0),
            #[cfg(feature = "sim")]
            world: std::cell::OnceCell::new(),
        })
    }

    pub(crate) fn current(&self) -> Rc<Current> {
        Rc::clone(&self.plan.borrow())
    }

    /// New exchanges begin with this plan from now on, and its listeners are
    /// behind these doors, in its order. Doors that are not among them close;
    /// these are returned. New connections do not find the sockets of those that
    /// have moved.
    pub(crate) fn adopt(
        &self,
        plan: Arc<Plan>,
        doors: Vec<Rc<Door>>,
        moved: &[DoorId],
    ) -> Vec<Rc<Door>> {
        self.metrics.borrow_mut().adopt(Arc::clone(&plan.names));
        for (index, door) in doors.iter().enumerate() {
            door.lead_to(index);
        }
        let mut gone = self.doors.replace(doors);
        let doors = self.doors.borrow();
        gone.retain(|old| !doors.iter().any(|door| Rc::ptr_eq(old, door)));
        let old = self.plan.replace(Rc::new(Current { plan }));
        for door in &gone {
            let queue = match moved.contains(&door.id) {
                true => Queue::Await,
                false => Queue::Take,
            };
            door.close(Rc::clone(&old), queue);
        }
        let mut closed = self.closed.borrow_mut();
        closed.retain(|door| door.strong_count() > 0);
        closed.extend(gone.iter().map(Rc::downgrade));
        gone
    }

    pub(crate) fn door(&self, id: DoorId) -> Option<Rc<Door>> {
        let doors = self.doors.borrow();
        doors.iter().find(|door| door.id == id).map(Rc::clone)
    }

    /// Takes no new connections any more. Those that wait at its sockets are
    /// left to somebody else who accepts from these, if there is one.
    pub(crate) fn close_doors(&self, leaves_queue: bool) {
        let queue = match leaves_queue {
            true => Queue::Leave,
            false => Queue::Take,
        };
        for door in self.doors.borrow().iter() {
            door.close(self.current(), queue);
        }
    }

    /// All doors, also those that were closed before.
    pub(crate) fn all_doors(&self) -> Vec<Rc<Door>> {
        let closed = self.closed.borrow();
        let doors = self.doors.borrow();
        let before = closed.iter().filter_map(Weak::upgrade);
        doors.iter().cloned().chain(before).collect()
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

    pub(crate) fn log_access_to(&self, sink: Option<LogSink>) {
        self.flush_log();
        self.access_log.replace(sink);
    }

    pub(crate) fn flush_log(&self) {
        if let Some(log) = self.access_log.borrow_mut().as_mut() {
            log.flush();
        }
    }
}

/// One client connection for as long as it is open: counted in the worker, in
/// its listener's limit, and in the metrics.
pub(crate) struct Held {
    worker: Rc<Worker>,
    pub(crate) door: Rc<Door>,
    /// The listener's number in the metrics.
    pub(crate) number: u32,
    /// Of its task, at the door.
    pub(crate) place: u32,
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
    /// None when the listener holds as many as it may, or is no more.
    pub(crate) fn new(worker: &Rc<Worker>, door: &Rc<Door>) -> Option<Self> {
        let current = door.plan(worker);
        let listener = door.listener(&current)?;
        let (limit, number) = (listener.max_connections, listener.number);
        let room = door
            .open
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| {
                (n < limit).then_some(n + 1)
            });
        room.ok()?;
        worker.metrics.borrow_mut().client_opened(number);
        Some(Self {
            worker: Rc::clone(worker),
            door: Rc::clone(door),
            number,
            place: door.place(),
        })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.door.leave(self.place);
        self.door.open.fetch_sub(1, Ordering::Relaxed);
        self.worker.metrics.borrow_mut().client_closed(self.number);
    }
}

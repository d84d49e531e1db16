//! A listener as one worker knows it, whatever plan is the current one.
//!
//! Plans come and go, sockets and connections stay: a door stands for the
//! sockets of one address, and knows which listener of the current plan they
//! belong to, if any does any more.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use plan::Listener;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use crate::worker::{Current, Worker};

/// Which sockets a door belongs to; never used twice in a process.
pub(crate) type DoorId = u64;

/// What becomes of those who wait at a door's sockets when it closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Queue {
    /// Who is there by then still comes in.
    Take,
    /// So does who is in the middle of connecting.
    Await,
    /// Somebody else accepts from the same sockets.
    Leave,
}

pub(crate) struct Door {
    pub(crate) id: DoorId,
    /// In the listeners of the worker's current plan, or of the last one that
    /// had it.
    index: Cell<usize>,
    /// The last plan that had it, once the door is closed: what has come in
    /// still goes by it.
    last: RefCell<Option<Rc<Current>>>,
    /// Client connections, over all workers.
    pub(crate) open: Arc<AtomicUsize>,
    closing: Notify,
    queue: Cell<Queue>,
    /// Tasks that still take connections in.
    accepting: Cell<usize>,
    /// Somebody has left a closed door.
    left: Notify,
    connections: RefCell<Connections>,
    /// Tunnels under way, and whether they are to end.
    tunnels: Cell<usize>,
    has_parted: Cell<bool>,
    parting: Notify,
}

/// A tunnel for as long as it lasts.
pub(crate) struct TunnelAt(Rc<Door>);

impl TunnelAt {
    pub(crate) fn new(door: &Rc<Door>) -> Self {
        door.tunnels.set(door.tunnels.get() + 1);
        Self(Rc::clone(door))
    }
}

impl Drop for TunnelAt {
    fn drop(&mut self) {
        self.0.tunnels.set(self.0.tunnels.get() - 1);
        self.0.left.notify_waiters();
    }
}

/// Which of those who are left at a closed door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Left {
    /// Whose body is on its way: see [`Door::mark`].
    Streams,
    Others,
    All,
}

/// The tasks of a door's connections, by place.
#[derive(Default)]
struct Connections {
    tasks: Vec<Option<AbortHandle>>,
    /// How many streams each of them has now.
    streams: Vec<u32>,
    free: Vec<u32>,
}

impl Door {
    pub(crate) fn new(id: DoorId, open: Arc<AtomicUsize>) -> Rc<Self> {
        Rc::new(Self {
            id,
            index: Cell::new(0),
            last: RefCell::default(),
            open,
            closing: Notify::new(),
            queue: Cell::new(Queue::Take),
            accepting: Cell::new(0),
            left: Notify::new(),
            connections: RefCell::default(),
            tunnels: Cell::new(0),
            has_parted: Cell::new(false),
            parting: Notify::new(),
        })
    }

    /// The worker's current plan has the listener at this place.
    pub(crate) fn lead_to(&self, index: usize) {
        self.index.set(index);
    }

    /// The plan by which its connections go now.
    pub(crate) fn plan(&self, worker: &Worker) -> Rc<Current> {
        let last = self.last.borrow();
        last.as_ref().map_or_else(|| worker.current(), Rc::clone)
    }

    /// The listener in that plan.
    pub(crate) fn listener<'a>(&self, plan: &'a Current) -> Option<&'a Listener> {
        plan.plan.listeners.get(self.index.get())
    }

    /// What the listener is called, for the log.
    pub(crate) fn name(&self, worker: &Worker) -> Box<str> {
        let current = self.plan(worker);
        self.listener(&current)
            .map_or_else(Box::default, |listener| listener.id.clone())
    }

    /// Takes nothing new any more; every answer is the last of its connection.
    pub(crate) fn close(&self, plan: Rc<Current>, queue: Queue) {
        self.queue.set(queue);
        self.last.replace(Some(plan));
        self.closing.notify_waiters();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.last.borrow().is_some()
    }

    /// Resolves when the door is closed.
    pub(crate) async fn closed(&self) -> Queue {
        if !self.is_closed() {
            self.closing.notified().await;
        }
        self.queue.get()
    }

    /// A place for the task of a connection.
    pub(crate) fn place(&self) -> u32 {
        let mut connections = self.connections.borrow_mut();
        connections.free.pop().unwrap_or_else(|| {
            connections.tasks.push(None);
            connections.streams.push(0);
            connections.tasks.len() as u32 - 1
        })
    }

    pub(crate) fn occupy(&self, place: u32, task: AbortHandle) {
        if let Some(at) = self.connections.borrow_mut().tasks.get_mut(place as usize) {
            *at = Some(task);
        }
    }

    /// Whether the connection at this place is a stream now: a body is on its
    /// way that did not come all at once. Once the door is closed, streams have
    /// `drain_timeout`, all others `shutdown_timeout`. A connection that becomes
    /// a tunnel is one from then on.
    pub(crate) fn mark(&self, place: u32, is_stream: bool) {
        let mut connections = self.connections.borrow_mut();
        if let Some(at) = connections.streams.get_mut(place as usize) {
            // With HTTP/2 a connection has several.
            *at = match is_stream {
                true => at.saturating_add(1),
                false => at.saturating_sub(1),
            };
        }
    }

    pub(crate) fn leave(&self, place: u32) {
        let mut connections = self.connections.borrow_mut();
        if let Some(at) = connections.tasks.get_mut(place as usize) {
            *at = None;
            connections.free.push(place);
        }
        if let Some(at) = connections.streams.get_mut(place as usize) {
            *at = 0;
        }
        drop(connections);
        if self.is_closed() {
            self.left.notify_waiters();
        }
    }

    /// A task takes connections in from now on.
    pub(crate) fn begin_accepting(&self) {
        self.accepting.set(self.accepting.get() + 1);
    }

    /// A task takes no more in.
    pub(crate) fn end_accepting(&self) {
        self.accepting.set(self.accepting.get().saturating_sub(1));
        self.left.notify_waiters();
    }

    fn is_empty(&self) -> bool {
        self.accepting.get() == 0 && self.connections() == 0
    }

    pub(crate) fn connections(&self) -> usize {
        let connections = self.connections.borrow();
        connections.tasks.len() - connections.free.len()
    }

    /// Resolves when all have left a closed door and nobody comes any more.
    pub(crate) async fn empty(&self) {
        while !self.is_empty() {
            self.left.notified().await;
        }
    }

    /// Resolves when nobody comes in at a closed door any more.
    pub(crate) async fn shut(&self) {
        while self.accepting.get() > 0 {
            self.left.notified().await;
        }
    }

    /// Resolves when tunnels have to end.
    pub(crate) async fn parting(&self) {
        if !self.has_parted.get() {
            self.parting.notified().await;
        }
    }

    /// Tells tunnels to end, and says how many there are.
    pub(crate) fn part(&self) -> usize {
        self.has_parted.set(true);
        self.parting.notify_waiters();
        self.tunnels.get()
    }

    /// Resolves when no tunnel is left at a closed door.
    pub(crate) async fn without_tunnels(&self) {
        while self.tunnels.get() > 0 {
            self.left.notified().await;
        }
    }

    /// Ends the connections of those, and says how many these were.
    pub(crate) fn cut(&self, left: Left) -> usize {
        let connections = self.connections.borrow();
        let all = connections.tasks.iter().zip(&connections.streams);
        let is_one = |streams: u32| match left {
            Left::Streams => streams > 0,
            Left::Others => streams == 0,
            Left::All => true,
        };
        let tasks: Vec<AbortHandle> = all
            .filter(|(_, streams)| is_one(**streams))
            .filter_map(|(task, _)| task.clone())
            .collect();
        drop(connections);
        tasks.iter().for_each(AbortHandle::abort);
        tasks.len()
    }
}

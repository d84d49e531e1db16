//! The worker's connections to backends.
//!
//! One [`Pool`] belongs to one worker: it needs no lock, and its connections
//! never change threads. What the workers must agree on is in the backend's
//! `permits`. Each backend has a *shelf* here: its idle connections, the one
//! used last on top, since that one is the least likely to be closed by now.

mod conn;
mod mailbox;
mod options;
mod shared;
mod shelf;
mod stats;
mod turns;
mod wait;

use std::cell::RefCell;
use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use message::{Failure, Kind};

use crate::{Backend, Permit};
pub use conn::{Conn, HeldOpen};
pub(crate) use mailbox::Mailbox;
pub use options::{Keepalive, PoolOptions, Protocol};
pub use shared::{Hold, Lasting, Multiplexed, Never, Opening, Stream};
use shelf::Shelf;
pub use stats::PoolStats;

type Shelves<C, S> = HashMap<u64, Rc<Shelf<C, S>>, BuildHasherDefault<IdHasher>>;

/// One worker's connections of type `C`, and those of type `S` that carry several
/// requests at a time.
pub struct Pool<C, S: Multiplexed = Never> {
    shelves: RefCell<Shelves<C, S>>,
    mailbox: Arc<Mailbox>,
}

/// What a request gets to talk to its backend.
#[derive(Debug)]
pub enum Checkout<C, S: Multiplexed = Never> {
    Reused(Conn<C, S>),
    /// Part in a connection that others use as well.
    Stream(Stream<C, S>),
    /// There is room: open a connection and hand it to [`Pool::opened`] or [`Pool::share`].
    Connect(Permit),
}

/// All connections that the backend may have are in use: [`Pool::wait`], or try
/// another backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// As many requests wait for the backend as may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueFull;

impl<C, S: Multiplexed> Pool<C, S> {
    pub fn new() -> Self {
        Self {
            shelves: RefCell::default(),
            mailbox: Arc::default(),
        }
    }

    /// The connection that was used last, if it is not too old and `alive`
    /// finds nothing wrong with it; else a permit for a new one.
    ///
    /// Connections that fail the test are closed on the way.
    pub fn checkout(
        &self,
        backend: &Arc<Backend>,
        now: Instant,
        alive: impl FnMut(&mut C) -> bool,
    ) -> Result<Checkout<C, S>, Full> {
        let shelf = self.shelf(backend);
        if let Some(conn) = shelf.take(now, alive) {
            return Ok(Checkout::Reused(conn));
        }
        if backend.options.protocol.may_share()
            && let Some(stream) = shelf.stream()
        {
            return Ok(Checkout::Stream(stream));
        }
        Permit::take(backend).map(Checkout::Connect).ok_or(Full)
    }

    /// A permit for a connection of which the pool is to see nothing more.
    pub fn permit(&self, backend: &Arc<Backend>) -> Result<Permit, Full> {
        // It is counted there.
        let _ = self.shelf(backend);
        Permit::take(backend).ok_or(Full)
    }

    /// Waits for a connection or a permit; to be called when
    /// [`checkout`](Self::checkout) has just found the backend full. Whether
    /// the connection is alive, nobody has looked.
    ///
    /// May wait for ever: the caller bounds the time and drops the future,
    /// which loses nothing. Requests of one worker are served in their order;
    /// between workers a later request goes first only if that spares a new
    /// connection, and within bounds (see `permits::ledger`).
    pub async fn wait(
        &self,
        backend: &Arc<Backend>,
        now: Instant,
    ) -> Result<Checkout<C, S>, QueueFull> {
        wait::wait(self.shelf(backend), now, true).await
    }

    /// Waits for the right to a connection of one's own, as [`wait`](Self::wait)
    /// does, after [`permit`](Self::permit) has found the backend full.
    pub async fn wait_permit(
        &self,
        backend: &Arc<Backend>,
        now: Instant,
    ) -> Result<Permit, QueueFull> {
        match wait::wait(self.shelf(backend), now, false).await? {
            Checkout::Connect(permit) => Ok(permit),
            // Somebody's request is done with it.
            Checkout::Reused(conn) => conn.close().ok_or(QueueFull),
            Checkout::Stream(_) => Err(QueueFull),
        }
    }

    /// A connection just opened with a permit.
    pub fn opened(&self, permit: Permit, transport: C, now: Instant) -> Conn<C, S> {
        // Without a shelf the backend has been forgotten while we connected.
        let shelf = self.known(permit.backend().id());
        if let Some(shelf) = &shelf {
            shelf.openings.are_alone.set(true);
        }
        let tally = shelf.map(|shelf| shelf.count_opened()).unwrap_or_default();
        Conn::new(transport, permit, &tally, now)
    }

    /// A connection just opened with a permit, of which the pool sees nothing
    /// more: it counts as open for as long as what is returned exists.
    pub fn opened_for_one(&self, permit: Permit) -> HeldOpen {
        let shelf = self.known(permit.backend().id());
        let tally = shelf.map(|shelf| shelf.count_opened()).unwrap_or_default();
        HeldOpen::new(permit, &tally)
    }

    /// A connection just opened with a permit that carries several requests at a
    /// time: the first stream of it. Whoever drives it keeps the hold. None if it
    /// takes no request.
    pub fn share(
        &self,
        permit: Permit,
        now: Instant,
        carrier: impl FnOnce(Rc<Hold>) -> S,
    ) -> Option<Stream<C, S>> {
        let shelf = self.shelf(permit.backend());
        shelf.share(permit, now, carrier)
    }

    /// To be kept while a connection is being opened that may turn out to be
    /// shared: other requests wait for it instead of opening their own.
    pub fn opening(&self, backend: &Arc<Backend>) -> Option<Opening> {
        let may_share = backend.options.protocol.may_share();
        may_share.then(|| Opening::new(&self.shelf(backend).openings))
    }

    /// Waits while another request opens a connection that may be shared; at once
    /// where none does. The caller bounds the time.
    pub async fn wait_opened(&self, backend: &Arc<Backend>) -> Result<(), QueueFull> {
        let shelf = self.shelf(backend);
        if shelf.openings.are_under_way() {
            let told = shelf.openings.wait(backend.options.max_waiting);
            let told = told.ok_or(QueueFull)?;
            // Told or left alone: it is time to look.
            let _ = told.await;
        }
        Ok(())
    }

    /// Another request is opening a connection that may be shared.
    pub fn is_opening(&self, backend: &Arc<Backend>) -> bool {
        backend.options.protocol.may_share() && self.shelf(backend).openings.are_under_way()
    }

    /// Takes back a connection that may be used again: an exchange on it has
    /// ended cleanly and nothing is left in either direction. Any other is
    /// dropped instead.
    pub fn give_back(&self, mut conn: Conn<C, S>, now: Instant) {
        conn.since = now;
        if let Some(shelf) = self.known(conn.backend().id()) {
            shelf.put(conn);
        }
    }

    /// Closes what has been idle for too long, has become too old, or is no
    /// longer `alive`. To be called about once a second.
    pub fn sweep(&self, now: Instant, mut alive: impl FnMut(&mut C) -> bool) {
        for shelf in self.in_order() {
            shelf.sweep(now, &mut alive);
        }
    }

    /// Gives up idle connections for which other workers' requests still wait.
    /// To be called about twenty times a second.
    pub fn tick(&self, now: Instant) {
        for shelf in self.in_order() {
            shelf.tick(now);
        }
    }

    /// All shelves, in an order that a simulation can repeat.
    fn in_order(&self) -> Vec<Rc<Shelf<C, S>>> {
        let mut shelves: Vec<_> = self.shelves.borrow().values().cloned().collect();
        shelves.sort_unstable_by_key(|shelf| shelf.backend.id());
        shelves
    }

    /// Gives up idle connections for which other workers' requests wait. The
    /// worker runs this as a task for as long as it lives.
    pub async fn serve_requests(&self) -> Infallible {
        loop {
            for backend in self.mailbox.collect().await {
                if let Some(shelf) = self.known(backend) {
                    shelf.give_up();
                }
            }
        }
    }

    /// Closes the idle connections of a backend that is no longer in the plan,
    /// and those in use when they are given back. To be called when no exchange
    /// of the old plan can ask for it any more; one that does begins anew.
    pub fn forget(&self, backend: &Backend) {
        let shelf = self.shelves.borrow_mut().remove(&backend.id());
        drop(shelf);
    }

    /// This worker's numbers for every backend it has used.
    pub fn stats(&self) -> impl Iterator<Item = (Arc<Backend>, PoolStats)> + use<C, S> {
        let stats: Vec<_> = self.shelves.borrow().values().map(|s| s.stats()).collect();
        stats.into_iter()
    }

    fn shelf(&self, backend: &Arc<Backend>) -> Rc<Shelf<C, S>> {
        if let Some(shelf) = self.known(backend.id()) {
            return shelf;
        }
        let shelf = Rc::new(Shelf::new(backend, &self.mailbox));
        let kept = Rc::clone(&shelf);
        self.shelves.borrow_mut().insert(backend.id(), kept);
        shelf
    }

    fn known(&self, backend: u64) -> Option<Rc<Shelf<C, S>>> {
        self.shelves.borrow().get(&backend).cloned()
    }
}

impl<C, S: Multiplexed> Default for Pool<C, S> {
    fn default() -> Self {
        Self::new()
    }
}

/// One after another, as every other look at all of them is: what peers see in
/// which order is no matter of chance.
impl<C, S: Multiplexed> Drop for Pool<C, S> {
    fn drop(&mut self) {
        let shelves = self.in_order();
        self.shelves.borrow_mut().clear();
        shelves.into_iter().for_each(drop);
    }
}

impl From<QueueFull> for Failure {
    fn from(_: QueueFull) -> Self {
        Failure::new(Kind::QueueFull, "")
    }
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("all connections to the backend are in use")
    }
}

impl fmt::Display for QueueFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("too many requests wait for the backend")
    }
}

impl std::error::Error for Full {}
impl std::error::Error for QueueFull {}

/// For keys that we number ourselves: spreads them over all bits, no more.
#[derive(Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(self.0 ^ u64::from(byte));
        }
    }

    fn write_u64(&mut self, id: u64) {
        self.0 = id.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32);
    }
}

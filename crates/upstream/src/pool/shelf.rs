use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use super::shared::{Hold, Multiplexed, Openings, Shared, Stream};
use super::stats::Tally;
use super::turns::Turns;
use super::{Conn, Mailbox, PoolStats};
use crate::permits::{Grant, Place};
use crate::{Backend, Permit};

/// One worker's idle connections to one backend.
pub(super) struct Shelf<C, S: Multiplexed> {
    pub(super) backend: Arc<Backend>,
    /// Our seat at the backend's permits.
    pub(super) seat: u64,
    pub(super) tally: Rc<Tally>,
    /// The one used last is at the end.
    idle: RefCell<Vec<Conn<C, S>>>,
    /// How many may be idle here, as reserved at the permits. Kept while the
    /// connections are in use, so that reuse needs no lock.
    slots: Cell<usize>,
    /// Connections for requests that have been woken but have not run yet.
    handed: RefCell<Vec<(u64, Handed<C, S>)>>,
    /// Connections that carry several requests at a time and may be given more.
    shared: RefCell<Vec<Rc<Shared<C, S>>>>,
    /// When one of them is to make room for others.
    turns: RefCell<Turns<Shared<C, S>>>,
    pub(super) openings: Rc<Openings>,
}

/// What a request that waited gets.
pub(super) enum Handed<C, S: Multiplexed> {
    Conn(Conn<C, S>),
    Stream(Stream<C, S>),
}

impl<C, S: Multiplexed> Shelf<C, S> {
    pub(super) fn new(backend: &Arc<Backend>, mailbox: &Arc<Mailbox>) -> Self {
        Self {
            backend: Arc::clone(backend),
            seat: backend.permits.join(mailbox),
            tally: Rc::default(),
            idle: RefCell::default(),
            slots: Cell::new(0),
            handed: RefCell::default(),
            shared: RefCell::default(),
            turns: RefCell::default(),
            openings: Rc::default(),
        }
    }

    /// Counts a new connection, and says where to count that it is open.
    pub(super) fn count_opened(&self) -> Rc<Tally> {
        self.tally.created.add(1);
        Rc::clone(&self.tally)
    }

    /// The last used connection that can still be used.
    pub(super) fn take(
        &self,
        now: Instant,
        mut alive: impl FnMut(&mut C) -> bool,
    ) -> Option<Conn<C, S>> {
        loop {
            let mut conn = self.idle.borrow_mut().pop()?;
            if self.fresh(&conn, now) && alive(&mut conn) {
                self.tally.reused.add(1);
                return Some(conn);
            }
            self.tally.stale_closed.add(1);
        }
    }

    /// A returned connection: to a waiting request, to the idle ones, or closed.
    pub(super) fn put(&self, conn: Conn<C, S>) {
        let has_slot = self.idle.borrow().len() < self.slots.get();
        if conn.aged(conn.since) {
            self.tally.stale_closed.add(1);
        } else if has_slot && self.backend.permits.waiting() == 0 {
            self.idle.borrow_mut().push(conn);
        } else {
            self.place(conn, !has_slot);
        }
    }

    fn place(&self, conn: Conn<C, S>, needs_slot: bool) {
        match self
            .backend
            .permits
            .place(self.seat, needs_slot, conn.since)
        {
            Place::Idle => {
                self.slots.set(self.slots.get() + usize::from(needs_slot));
                self.idle.borrow_mut().push(conn);
            }
            Place::Waiter(waiter) => {
                // It runs on this thread, so it cannot look before we are done.
                if waiter.grant.send(Grant::Handed).is_ok() {
                    self.handed
                        .borrow_mut()
                        .push((waiter.ticket, Handed::Conn(conn)));
                }
            }
            Place::Closed => drop(conn),
        }
    }

    /// A stream of a shared connection that has room.
    pub(super) fn stream(&self) -> Option<Stream<C, S>> {
        let found = self.shared.borrow().iter().find_map(Shared::stream);
        self.tally.reused.add(usize::from(found.is_some()));
        found
    }

    /// A connection just opened that carries several requests at a time: the
    /// first stream of it. Those that wait get the others.
    pub(super) fn share(
        self: &Rc<Self>,
        permit: Permit,
        now: Instant,
        carrier: impl FnOnce(Rc<Hold>) -> S,
    ) -> Option<Stream<C, S>> {
        self.openings.are_alone.set(false);
        let hold = Hold::new(permit, &self.count_opened());
        let carrier = carrier(Rc::clone(&hold));
        let shared = Shared::new(carrier, hold, self, now);
        let stream = shared.stream();
        self.shared.borrow_mut().push(shared);
        self.freed();
        stream
    }

    /// There may be room for streams: requests of this worker that wait get them.
    pub(super) fn freed(&self) {
        while self.backend.permits.waiting() > 0 {
            let has_room = self.shared.borrow().iter().any(|shared| shared.has_room());
            if !has_room {
                return;
            }
            let Some(waiter) = self.backend.permits.own(self.seat) else {
                return;
            };
            if waiter.grant.send(Grant::Handed).is_ok()
                && let Some(stream) = self.shared.borrow().iter().find_map(Shared::stream)
            {
                let mut handed = self.handed.borrow_mut();
                handed.push((waiter.ticket, Handed::Stream(stream)));
            }
        }
    }

    /// Gives a shared connection no further requests for a while where another
    /// worker's have waited for long, so that its permit becomes free once it has no
    /// streams. Not one with streams that last.
    fn take_turns(&self, now: Instant) {
        let is_behind = self.backend.permits.is_behind(self.seat, now);
        let mut turns = self.turns.borrow_mut();
        let mut shared = self.shared.borrow_mut();
        shared.extend(turns.back(now, is_behind));
        if !is_behind || !turns.may_begin(now) {
            return;
        }
        let may_end = |i: &usize| shared.get(*i).is_some_and(|one| !one.lasts());
        let all = (0..shared.len()).filter(may_end);
        if let Some(least) = all.min_by_key(|&i| shared.get(i).map(|one| one.streams())) {
            let one = shared.swap_remove(least);
            turns.begin(&one, now);
            drop((turns, shared));
            drop(one);
        }
    }

    /// The connection that was handed to the request with this ticket.
    pub(super) fn handed(&self, ticket: u64) -> Option<Handed<C, S>> {
        let mut handed = self.handed.borrow_mut();
        let at = handed.iter().position(|&(owner, _)| owner == ticket)?;
        Some(handed.swap_remove(at).1)
    }

    pub(super) fn sweep(&self, now: Instant, alive: &mut impl FnMut(&mut C) -> bool) {
        let mut idle = self.idle.borrow_mut();
        let stale: Vec<_> = idle
            .extract_if(.., |conn| !(self.fresh(conn, now) && alive(conn)))
            .collect();
        drop(idle);
        self.tally.stale_closed.add(stale.len());
        drop(stale);
        let mut shared = self.shared.borrow_mut();
        let stale: Vec<_> = shared.extract_if(.., |one| !one.is_fresh(now)).collect();
        drop(shared);
        self.tally.stale_closed.add(stale.len());
        drop(stale);
        self.freed();
        self.give_up();
    }

    /// Gives up idle connections for requests that have waited since before.
    pub(super) fn tick(&self, now: Instant) {
        if self.backend.permits.waiting() > 0 || self.turns.borrow().is_one_out() {
            self.backend.permits.tick(now);
            self.take_turns(now);
            // The other end may take more at a time than it did.
            self.freed();
            self.give_up();
        }
    }

    /// Closes idle connections, oldest use first, while requests wait that
    /// cannot have them otherwise; then returns the slots not needed.
    pub(super) fn give_up(&self) {
        while !self.idle.borrow().is_empty() && self.backend.permits.wants_idle() {
            let conn = self.idle.borrow_mut().remove(0);
            drop(conn);
        }
        while let Some(at) = self.resting() {
            if !self.backend.permits.wants_idle() {
                break;
            }
            let shared = self.shared.borrow_mut().swap_remove(at);
            drop(shared);
        }
        let unused = self.slots.get().saturating_sub(self.idle.borrow().len());
        if unused > 0 {
            self.slots.set(self.slots.get() - unused);
            self.backend.permits.return_slots(self.seat, unused);
        }
    }

    /// A shared connection without streams.
    fn resting(&self) -> Option<usize> {
        self.shared.borrow().iter().position(|one| one.is_idle())
    }

    pub(super) fn stats(&self) -> (Arc<Backend>, PoolStats) {
        let shared = self.shared.borrow();
        let resting = shared.iter().filter(|shared| shared.is_idle()).count();
        let idle = self.idle.borrow().len() + resting;
        let stats = PoolStats {
            shared: shared.len(),
            streams: shared.iter().map(|one| one.streams()).sum(),
            ..self.tally.stats(idle)
        };
        (Arc::clone(&self.backend), stats)
    }

    fn fresh(&self, conn: &Conn<C, S>, now: Instant) -> bool {
        let idle = now.saturating_duration_since(conn.since);
        idle < self.backend.options.idle_timeout && !conn.aged(now)
    }
}

impl<C, S: Multiplexed> Drop for Shelf<C, S> {
    fn drop(&mut self) {
        // The idle ones go before their slots do.
        self.idle.get_mut().clear();
        self.shared.get_mut().clear();
        self.backend.permits.leave(self.seat);
    }
}

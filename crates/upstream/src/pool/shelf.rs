use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use super::stats::Tally;
use super::{Conn, Mailbox, PoolStats};
use crate::Backend;
use crate::permits::{Grant, Place};

/// One worker's idle connections to one backend.
pub(super) struct Shelf<C> {
    pub(super) backend: Arc<Backend>,
    /// Our seat at the backend's permits.
    pub(super) seat: u64,
    pub(super) tally: Rc<Tally>,
    /// The one used last is at the end.
    idle: RefCell<Vec<Conn<C>>>,
    /// How many may be idle here, as reserved at the permits. Kept while the
    /// connections are in use, so that reuse needs no lock.
    slots: Cell<usize>,
    /// Connections for requests that have been woken but have not run yet.
    handed: RefCell<Vec<(u64, Conn<C>)>>,
}

impl<C> Shelf<C> {
    pub(super) fn new(backend: &Arc<Backend>, mailbox: &Arc<Mailbox>) -> Self {
        Self {
            backend: Arc::clone(backend),
            seat: backend.permits.join(mailbox),
            tally: Rc::default(),
            idle: RefCell::default(),
            slots: Cell::new(0),
            handed: RefCell::default(),
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
    ) -> Option<Conn<C>> {
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
    pub(super) fn put(&self, conn: Conn<C>) {
        let has_slot = self.idle.borrow().len() < self.slots.get();
        if conn.aged(conn.since) {
            self.tally.stale_closed.add(1);
        } else if has_slot && self.backend.permits.waiting() == 0 {
            self.idle.borrow_mut().push(conn);
        } else {
            self.place(conn, !has_slot);
        }
    }

    fn place(&self, conn: Conn<C>, needs_slot: bool) {
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
                    self.handed.borrow_mut().push((waiter.ticket, conn));
                }
            }
            Place::Closed => drop(conn),
        }
    }

    /// The connection that was handed to the request with this ticket.
    pub(super) fn handed(&self, ticket: u64) -> Option<Conn<C>> {
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
        self.give_up();
    }

    /// Gives up idle connections for requests that have waited since before.
    pub(super) fn tick(&self, now: Instant) {
        if self.backend.permits.waiting() > 0 {
            self.backend.permits.tick(now);
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
        let unused = self.slots.get().saturating_sub(self.idle.borrow().len());
        if unused > 0 {
            self.slots.set(self.slots.get() - unused);
            self.backend.permits.return_slots(self.seat, unused);
        }
    }

    pub(super) fn stats(&self) -> (Arc<Backend>, PoolStats) {
        let idle = self.idle.borrow().len();
        (Arc::clone(&self.backend), self.tally.stats(idle))
    }

    fn fresh(&self, conn: &Conn<C>, now: Instant) -> bool {
        let idle = now.saturating_duration_since(conn.since);
        idle < self.backend.options.idle_timeout && !conn.aged(now)
    }
}

impl<C> Drop for Shelf<C> {
    fn drop(&mut self) {
        // The idle ones go before their slots do.
        self.idle.get_mut().clear();
        self.backend.permits.leave(self.seat);
    }
}

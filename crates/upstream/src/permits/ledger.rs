//! What lies under the lock of the permits: the numbers, the queue, the seats.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Grant;
use crate::pool::Mailbox;
use crate::sync::oneshot;

/// A returned connection may go to a request of the same worker, which saves a
/// new connection, if that request came at most this much later than the one
/// that has waited longest. And only as long as that one has not been passed
/// over as often as there are connections.
const HEAD_START: Duration = Duration::from_millis(10);

/// So many connections of a backend may change workers in this time; those
/// that may not stay where they are, busy or idle. Each change costs a new
/// connection, and workers that take turns on the processor seem to be in need
/// in turn.
const CHANGES: usize = 16;
const CHANGES_TIME: Duration = Duration::from_millis(50);

pub(super) struct Ledger {
    max_open: usize,
    pub(super) open: usize,
    /// The number that the last ticket or seat got.
    last: u64,
    pub(super) queue: VecDeque<Waiter>,
    seats: Vec<Seat>,
    /// Connections that may still change workers, and since when they are counted.
    changes: usize,
    changes_since: Option<Instant>,
}

/// A request in the queue.
pub(crate) struct Waiter {
    pub(crate) ticket: u64,
    pub(crate) grant: oneshot::Sender<Grant>,
    seat: u64,
    since: Instant,
    passed_over: usize,
    /// A stream of a connection that others share is as good as one of its own.
    takes_stream: bool,
}

/// Who gets a returned connection.
pub(super) enum Next {
    /// A request of the same seat.
    Own(Waiter),
    /// One of another seat, which gets the permit.
    Other,
    /// Nobody, or nobody who may have it now.
    Nobody,
}

/// One worker's pool, as far as it uses this backend.
struct Seat {
    number: u64,
    /// Idle connections it may keep without asking.
    slots: usize,
    mailbox: Arc<Mailbox>,
}

impl Ledger {
    pub(super) fn new(max_open: usize) -> Self {
        Self {
            max_open,
            open: 0,
            last: 0,
            queue: VecDeque::new(),
            seats: Vec::new(),
            changes: CHANGES,
            changes_since: None,
        }
    }

    /// Counts one more as open, if there is room.
    pub(super) fn take(&mut self) -> bool {
        let room = self.open < self.max_open;
        self.open += usize::from(room);
        room
    }

    /// The request that gets a freed permit; without one, one less is open.
    pub(super) fn release(&mut self) -> Option<Waiter> {
        let next = self.queue.pop_front();
        if next.is_none() {
            self.open -= 1;
        }
        next
    }

    pub(super) fn join(&mut self, mailbox: &Arc<Mailbox>) -> u64 {
        let number = self.number();
        self.seats.push(Seat {
            number,
            slots: 0,
            mailbox: Arc::clone(mailbox),
        });
        number
    }

    pub(super) fn leave(&mut self, seat: u64) {
        self.seats.retain(|other| other.number != seat);
    }

    /// A slot for one more idle connection, unless all are given out.
    pub(super) fn reserve(&mut self, seat: u64, max_idle: usize) -> bool {
        let reserved: usize = self.seats.iter().map(|seat| seat.slots).sum();
        match self.seat(seat) {
            Some(seat) if reserved < max_idle => {
                seat.slots += 1;
                true
            }
            _ => false,
        }
    }

    pub(super) fn return_slots(&mut self, seat: u64, slots: usize) {
        if let Some(seat) = self.seat(seat) {
            seat.slots = seat.slots.saturating_sub(slots);
        }
    }

    /// The pools that may hold idle connections.
    pub(super) fn holders(&self) -> Vec<Arc<Mailbox>> {
        let holders = self.seats.iter().filter(|seat| seat.slots > 0);
        holders.map(|seat| Arc::clone(&seat.mailbox)).collect()
    }

    /// Puts a request at the end of the queue; returns its ticket and where
    /// its turn will be announced.
    pub(super) fn queue_up(
        &mut self,
        seat: u64,
        now: Instant,
        takes_stream: bool,
    ) -> (u64, oneshot::Receiver<Grant>) {
        let (sender, receiver) = oneshot::channel();
        let ticket = self.number();
        self.queue.push_back(Waiter {
            ticket,
            grant: sender,
            seat,
            since: now,
            passed_over: 0,
            takes_stream,
        });
        (ticket, receiver)
    }

    pub(super) fn abandon(&mut self, ticket: u64) {
        if let Some(at) = self.queue.iter().position(|w| w.ticket == ticket) {
            self.queue.remove(at);
        }
    }

    /// The time goes on, and more connections may change workers.
    pub(super) fn tick(&mut self, now: Instant) {
        let passed = |since| now.saturating_duration_since(since) >= CHANGES_TIME;
        if self.changes_since.is_none_or(passed) {
            self.changes_since = Some(now);
            self.changes = CHANGES;
        }
    }

    /// True if one more connection may change workers, which it then does.
    pub(super) fn change(&mut self) -> bool {
        let may = self.changes > 0;
        self.changes -= usize::from(may);
        may
    }

    /// Who gets a connection that this seat has returned.
    pub(super) fn next_at(&mut self, seat: u64) -> Next {
        let at = self.queue.iter().position(|w| w.seat == seat);
        let own = at.and_then(|at| self.queue.get(at)).map(|w| w.since);
        let Some(oldest) = self.queue.front_mut() else {
            return Next::Nobody;
        };
        if oldest.seat != seat {
            let is_due = oldest.passed_over >= self.max_open
                || own.is_none_or(|own| own > oldest.since + HEAD_START);
            oldest.passed_over += 1;
            if is_due && self.change() {
                return Next::Other;
            }
        }
        let waiter = at.and_then(|at| self.queue.remove(at));
        waiter.map_or(Next::Nobody, Next::Own)
    }

    /// The first request of this seat that a stream is worth something to.
    pub(super) fn own(&mut self, seat: u64) -> Option<Waiter> {
        let is_it = |waiter: &Waiter| waiter.seat == seat && waiter.takes_stream;
        let at = self.queue.iter().position(is_it)?;
        self.queue.remove(at)
    }

    /// Streams of this seat are worth nothing to the request that has waited longest,
    /// and later ones have had more than their head start.
    pub(super) fn is_behind(&self, seat: u64, now: Instant) -> bool {
        self.queue.front().is_some_and(|oldest| {
            let is_others = oldest.seat != seat || !oldest.takes_stream;
            is_others && now.saturating_duration_since(oldest.since) > HEAD_START
        })
    }

    fn seat(&mut self, number: u64) -> Option<&mut Seat> {
        self.seats.iter_mut().find(|seat| seat.number == number)
    }

    fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }
}

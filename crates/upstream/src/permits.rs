//! How many connections a backend may have, over all workers, and who is next.
//!
//! Every open connection owns a [`Permit`]. When there are none left, requests
//! of all workers wait in one queue. Everything that must agree lies under one
//! lock, which is touched when a connection is opened or closed and when
//! someone waits, but not when a connection is reused.
//!
//! A worker keeps permits with its idle connections, so the others must be able
//! to ask for them. Each pool has a *seat* here: it counts the idle connections
//! it may keep (its *slots*), and knows the mailbox in which the pool is asked
//! to give some up. A pool without slots holds nothing idle and is not asked.

mod ledger;

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use crate::Backend;
use crate::padded::Padded;
use crate::pool::{Mailbox, PoolOptions};
use crate::sync::{AtomicUsize, Mutex, MutexGuard, oneshot};
pub(crate) use ledger::Waiter;
use ledger::{Ledger, Next};

/// The right to hold one connection to a backend. Dropping it lets the next
/// waiting request, of any worker, have it.
#[derive(Debug)]
pub struct Permit {
    backend: Arc<Backend>,
}

impl Permit {
    /// One at once, if there is room.
    pub(crate) fn take(backend: &Arc<Backend>) -> Option<Self> {
        let taken = backend.permits.lock().take();
        taken.then(|| Self::of(backend))
    }

    /// A permit that is already counted.
    fn of(backend: &Arc<Backend>) -> Self {
        Self {
            backend: Arc::clone(backend),
        }
    }

    pub fn backend(&self) -> &Arc<Backend> {
        &self.backend
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(next) = self.backend.permits.release() {
            // A request that has just given up refuses the grant; the permit
            // in it then drops, and comes by here again for the next one.
            let _ = next.grant.send(Grant::Permit(Self::of(&self.backend)));
        }
    }
}

/// What ends a wait.
pub(crate) enum Grant {
    /// Open a connection of your own.
    Permit(Permit),
    /// A connection lies ready on your worker's shelf.
    Handed,
}

/// How a request fares that wants to wait.
pub(crate) enum Queued {
    /// It need not: here is a permit.
    Permit(Permit),
    Waiting {
        ticket: u64,
        grant: oneshot::Receiver<Grant>,
    },
    Full,
}

/// Where a returned connection goes.
pub(crate) enum Place {
    Idle,
    /// To this request of the same seat.
    Waiter(Waiter),
    /// Nowhere: close it, so that its permit can go to another worker, or
    /// because enough are idle.
    Closed,
}

/// All permits of one backend.
pub(crate) struct Permits {
    backend: u64,
    options: PoolOptions,
    /// The length of the queue, readable without the lock.
    waiting: Padded<AtomicUsize>,
    ledger: Mutex<Ledger>,
}

impl Permits {
    pub(crate) fn new(backend: u64, options: PoolOptions) -> Self {
        Self {
            backend,
            options,
            waiting: Padded::default(),
            ledger: Mutex::new(Ledger::new(options.max_connections)),
        }
    }

    pub(crate) fn open(&self) -> usize {
        self.lock().open
    }

    /// How many requests wait.
    ///
    /// May still read 0 when the first one has just come. That one then asks
    /// every pool that holds idle connections, and by the time a pool opens its
    /// mail it reads the truth.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// A seat for a pool that will use this backend.
    pub(crate) fn join(&self, mailbox: &Arc<Mailbox>) -> u64 {
        self.lock().join(mailbox)
    }

    pub(crate) fn leave(&self, seat: u64) {
        self.lock().leave(seat);
    }

    /// A place in the queue for a request of this seat.
    pub(crate) fn queue_up(
        backend: &Arc<Backend>,
        seat: u64,
        now: Instant,
        takes_stream: bool,
    ) -> Queued {
        let permits = &backend.permits;
        let mut ledger = permits.lock();
        if ledger.take() {
            return Queued::Permit(Permit::of(backend));
        }
        if ledger.queue.len() >= permits.options.max_waiting {
            return Queued::Full;
        }
        let (ticket, grant) = ledger.queue_up(seat, now, takes_stream);
        permits.publish(&ledger);
        permits.ask_holders(ledger);
        Queued::Waiting { ticket, grant }
    }

    /// Asks for idle connections, if the queue has just begun. While it lasts,
    /// pools look for themselves at what they have idle, if only at every tick.
    fn ask_holders(&self, ledger: MutexGuard<'_, Ledger>) {
        if ledger.queue.len() != 1 {
            return;
        }
        let holders = ledger.holders();
        drop(ledger);
        for mailbox in holders {
            mailbox.post(self.backend);
        }
    }

    /// Takes a request out of the queue that no longer waits.
    pub(crate) fn abandon(&self, ticket: u64) {
        let mut ledger = self.lock();
        ledger.abandon(ticket);
        self.publish(&ledger);
    }

    /// Decides about a connection that a request of this seat has returned.
    /// `Idle` comes with a slot for it if it `needs_slot`.
    pub(crate) fn place(&self, seat: u64, needs_slot: bool, now: Instant) -> Place {
        let mut ledger = self.lock();
        ledger.tick(now);
        let next = ledger.next_at(seat);
        self.publish(&ledger);
        match next {
            Next::Own(waiter) => Place::Waiter(waiter),
            Next::Other => Place::Closed,
            Next::Nobody if !needs_slot || ledger.reserve(seat, self.options.max_idle) => {
                Place::Idle
            }
            Next::Nobody => Place::Closed,
        }
    }

    /// The first request of this seat that waits for a stream or more: it gets
    /// something that is worth nothing to another worker.
    pub(crate) fn own(&self, seat: u64) -> Option<Waiter> {
        let mut ledger = self.lock();
        let next = ledger.own(seat);
        self.publish(&ledger);
        next
    }

    /// A request to which streams of this seat are worth nothing has waited longer
    /// than any, and for long.
    pub(crate) fn is_behind(&self, seat: u64, now: Instant) -> bool {
        self.lock().is_behind(seat, now)
    }

    /// The time goes on, and more connections may change workers.
    pub(crate) fn tick(&self, now: Instant) {
        self.lock().tick(now);
    }

    /// Whether an idle connection is to be closed now, so that its permit can
    /// go to another worker.
    pub(crate) fn wants_idle(&self) -> bool {
        let mut ledger = self.lock();
        !ledger.queue.is_empty() && ledger.change()
    }

    /// Gives back slots for idle connections that this seat does not use.
    pub(crate) fn return_slots(&self, seat: u64, slots: usize) {
        self.lock().return_slots(seat, slots);
    }

    /// A permit has become free: the request that gets it, if one waits.
    fn release(&self) -> Option<Waiter> {
        let mut ledger = self.lock();
        let next = ledger.release();
        self.publish(&ledger);
        next
    }

    fn publish(&self, ledger: &Ledger) {
        self.waiting.store(ledger.queue.len(), Ordering::Relaxed);
    }

    /// Nothing under this lock can panic half way, so poison means nothing.
    fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

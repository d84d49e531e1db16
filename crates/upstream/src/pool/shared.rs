//! Connections that carry several requests at a time: each request has a stream.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::ops::Deref;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Instant;

use super::shelf::Shelf;
use super::stats::{Open, Tally};
use crate::sync::oneshot;
use crate::{Backend, Permit};

/// What streams are begun on.
pub trait Multiplexed {
    /// Requests that the other end takes at a time; 0 once it takes no more.
    fn most(&self) -> usize;
}

/// Of a pool in which nothing is shared.
#[derive(Debug, Clone, Copy)]
pub enum Never {}

impl Multiplexed for Never {
    fn most(&self) -> usize {
        match *self {}
    }
}

/// The permit of a shared connection. Whoever drives it keeps one of these for
/// as long as its socket is open.
pub struct Hold {
    open: Open,
    permit: Permit,
}

impl Hold {
    pub(super) fn new(permit: Permit, tally: &Rc<Tally>) -> Rc<Self> {
        Rc::new(Self {
            open: Open::new(tally),
            permit,
        })
    }
}

/// A shared connection.
pub(super) struct Shared<C, S: Multiplexed> {
    carrier: S,
    hold: Rc<Hold>,
    streams: Cell<usize>,
    /// Those that nobody knows when they end.
    lasting: Cell<usize>,
    /// When it is too old for another request.
    dies: Option<Instant>,
    /// Since when it has no streams, as far as anybody has looked.
    idle_since: Cell<Option<Instant>>,
    shelf: Weak<Shelf<C, S>>,
}

impl<C, S: Multiplexed> Shared<C, S> {
    pub(super) fn new(
        carrier: S,
        hold: Rc<Hold>,
        shelf: &Rc<Shelf<C, S>>,
        now: Instant,
    ) -> Rc<Self> {
        let max_age = hold.permit.backend().options.max_age;
        Rc::new(Self {
            carrier,
            hold,
            streams: Cell::new(0),
            lasting: Cell::new(0),
            dies: now.checked_add(max_age),
            idle_since: Cell::new(None),
            shelf: Rc::downgrade(shelf),
        })
    }

    pub(super) fn has_room(&self) -> bool {
        let most = self.hold.permit.backend().options.max_streams;
        self.streams.get() < most.min(self.carrier.most())
    }

    /// A stream, if there is room for one more.
    pub(super) fn stream(self: &Rc<Self>) -> Option<Stream<C, S>> {
        self.has_room().then(|| {
            self.streams.set(self.streams.get() + 1);
            Stream(Rc::clone(self))
        })
    }

    pub(super) fn streams(&self) -> usize {
        self.streams.get()
    }

    /// It has streams of which nobody knows when they end.
    pub(super) fn lasts(&self) -> bool {
        self.lasting.get() > 0
    }

    pub(super) fn is_idle(&self) -> bool {
        self.streams.get() == 0
    }

    /// Whether it may be given further requests. To be asked now and then: how
    /// long it has been idle is known no better than that.
    pub(super) fn is_fresh(&self, now: Instant) -> bool {
        if !self.is_idle() {
            self.idle_since.set(None);
        } else if self.idle_since.get().is_none() {
            self.idle_since.set(Some(now));
        }
        let idle_timeout = self.hold.permit.backend().options.idle_timeout;
        let since = self.idle_since.get();
        let is_old = self.dies.is_some_and(|dies| now >= dies);
        let has_idled =
            since.is_some_and(|since| now.saturating_duration_since(since) >= idle_timeout);
        self.carrier.most() > 0 && !is_old && !has_idled
    }
}

/// One request's part in a shared connection. Dropping it makes room for another.
pub struct Stream<C, S: Multiplexed>(Rc<Shared<C, S>>);

/// As long as this is kept, nobody knows when a stream ends.
pub struct Lasting<C, S: Multiplexed>(Rc<Shared<C, S>>);

impl<C, S: Multiplexed> Drop for Lasting<C, S> {
    fn drop(&mut self) {
        self.0.lasting.set(self.0.lasting.get().saturating_sub(1));
    }
}

impl<C, S: Multiplexed> Stream<C, S> {
    pub fn backend(&self) -> &Arc<Backend> {
        self.0.hold.permit.backend()
    }

    pub(super) fn was_refused(&self) {
        self.0.hold.open.refused();
    }

    pub(super) fn lasting(&self) -> Lasting<C, S> {
        self.0.lasting.set(self.0.lasting.get() + 1);
        Lasting(Rc::clone(&self.0))
    }
}

impl<C, S: Multiplexed> Deref for Stream<C, S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.0.carrier
    }
}

impl<C, S: Multiplexed> fmt::Debug for Stream<C, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("backend", &self.backend().url)
            .finish_non_exhaustive()
    }
}

impl<C, S: Multiplexed> Drop for Stream<C, S> {
    fn drop(&mut self) {
        self.0.streams.set(self.0.streams.get().saturating_sub(1));
        if let Some(shelf) = self.0.shelf.upgrade() {
            shelf.freed();
        }
    }
}

/// Requests that wait for a connection which another one is opening, as they
/// would wait for their own.
#[derive(Default)]
pub(super) struct Openings {
    /// The last connection carries one request at a time: so will others, and
    /// there is nothing to wait for.
    pub(super) are_alone: Cell<bool>,
    under_way: Cell<usize>,
    waiting: RefCell<Vec<oneshot::Sender<()>>>,
}

impl Openings {
    pub(super) fn are_under_way(&self) -> bool {
        !self.are_alone.get() && self.under_way.get() > 0
    }

    /// Resolves when it is worth another look; None where too many wait already,
    /// those counted that have left meanwhile.
    pub(super) fn wait(&self, most: usize) -> Option<oneshot::Receiver<()>> {
        let mut waiting = self.waiting.borrow_mut();
        if waiting.len() >= most {
            return None;
        }
        let (tell, told) = oneshot::channel();
        waiting.push(tell);
        Some(told)
    }
}

/// A connection that may be shared is being opened; others wait for it.
pub struct Opening(Rc<Openings>);

impl Opening {
    pub(super) fn new(openings: &Rc<Openings>) -> Self {
        openings.under_way.set(openings.under_way.get() + 1);
        Self(Rc::clone(openings))
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        self.0.under_way.set(self.0.under_way.get() - 1);
        for one in self.0.waiting.take() {
            // Whoever has left needs nothing.
            let _ = one.send(());
        }
    }
}

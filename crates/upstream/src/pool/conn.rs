use std::fmt;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use super::shared::{Lasting, Multiplexed, Never, Stream};
use super::stats::{Open, Tally};
use crate::{Backend, Permit};

/// A connection to a backend, or one of the streams of a shared one. Dropping
/// it closes it and frees its permit, or the stream's place.
pub struct Conn<C, S: Multiplexed = Never> {
    // Fields drop in this order: the permit is free only after the transport
    // is closed, so the backend never sees one connection too many.
    transport: C,
    held: Held<C, S>,
    /// When it is too old to be used again; none if that is beyond all time.
    dies: Option<Instant>,
    /// When it was last given back.
    pub(super) since: Instant,
}

/// What a connection is held with.
enum Held<C, S: Multiplexed> {
    Alone { _open: Open, permit: Permit },
    Shared(Stream<C, S>),
}

impl<C, S: Multiplexed> Conn<C, S> {
    pub(super) fn new(transport: C, permit: Permit, tally: &Rc<Tally>, now: Instant) -> Self {
        let max_age = permit.backend().options.max_age;
        Self {
            transport,
            held: Held::Alone {
                _open: Open::new(tally),
                permit,
            },
            dies: now.checked_add(max_age),
            since: now,
        }
    }

    /// One request's part in a shared connection.
    pub fn of_stream(stream: Stream<C, S>, transport: C, now: Instant) -> Self {
        Self {
            transport,
            held: Held::Shared(stream),
            dies: None,
            since: now,
        }
    }

    pub fn backend(&self) -> &Arc<Backend> {
        match &self.held {
            Held::Alone { permit, .. } => permit.backend(),
            Held::Shared(stream) => stream.backend(),
        }
    }

    /// What it is a stream of, if others may have theirs beside it.
    pub fn link(&self) -> Option<&S> {
        match &self.held {
            Held::Alone { .. } => None,
            Held::Shared(stream) => Some(stream),
        }
    }

    /// The backend does not take the stream, and is counted to have refused it.
    pub fn was_refused(&self) {
        if let Held::Shared(stream) = &self.held {
            stream.was_refused();
        }
    }

    /// To be kept while nobody knows when what is on it ends, such as a tunnel.
    pub fn lasting(&self) -> Option<Lasting<C, S>> {
        match &self.held {
            Held::Alone { .. } => None,
            Held::Shared(stream) => Some(stream.lasting()),
        }
    }

    /// Closes it and keeps its permit, for another. A stream has none of its own.
    pub fn close(self) -> Option<Permit> {
        drop(self.transport);
        match self.held {
            Held::Alone { permit, .. } => Some(permit),
            Held::Shared(_) => None,
        }
    }

    pub(super) fn aged(&self, now: Instant) -> bool {
        self.dies.is_some_and(|dies| now >= dies)
    }
}

/// A connection to a backend that is used once and lies elsewhere. To be dropped
/// after it is closed; that frees its permit.
pub struct HeldOpen {
    _open: Open,
    _permit: Permit,
}

impl HeldOpen {
    pub(super) fn new(permit: Permit, tally: &Rc<Tally>) -> Self {
        Self {
            _open: Open::new(tally),
            _permit: permit,
        }
    }
}

impl<C, S: Multiplexed> Deref for Conn<C, S> {
    type Target = C;

    fn deref(&self) -> &C {
        &self.transport
    }
}

impl<C, S: Multiplexed> DerefMut for Conn<C, S> {
    fn deref_mut(&mut self) -> &mut C {
        &mut self.transport
    }
}

impl<C, S: Multiplexed> fmt::Debug for Conn<C, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conn")
            .field("backend", &self.backend().url)
            .field("since", &self.since)
            .finish_non_exhaustive()
    }
}

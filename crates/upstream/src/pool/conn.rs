use std::fmt;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use super::stats::{Open, Tally};
use crate::{Backend, Permit};

/// A connection to a backend. Dropping it closes it and frees its permit.
pub struct Conn<C> {
    // Fields drop in this order: the permit is free only after the transport
    // is closed, so the backend never sees one connection too many.
    transport: C,
    _open: Open,
    permit: Permit,
    /// When it is too old to be used again; none if that is beyond all time.
    dies: Option<Instant>,
    /// When it was last given back.
    pub(super) since: Instant,
}

impl<C> Conn<C> {
    pub(super) fn new(transport: C, permit: Permit, tally: &Rc<Tally>, now: Instant) -> Self {
        let max_age = permit.backend().options.max_age;
        Self {
            transport,
            _open: Open::new(tally),
            permit,
            dies: now.checked_add(max_age),
            since: now,
        }
    }

    pub fn backend(&self) -> &Arc<Backend> {
        self.permit.backend()
    }

    /// Closes it and keeps its permit, for another.
    pub fn close(self) -> Permit {
        drop(self.transport);
        self.permit
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

impl<C> Deref for Conn<C> {
    type Target = C;

    fn deref(&self) -> &C {
        &self.transport
    }
}

impl<C> DerefMut for Conn<C> {
    fn deref_mut(&mut self) -> &mut C {
        &mut self.transport
    }
}

impl<C> fmt::Debug for Conn<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conn")
            .field("backend", &self.backend().url)
            .field("since", &self.since)
            .finish_non_exhaustive()
    }
}

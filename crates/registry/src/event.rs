//! One change of who serves what.

use std::sync::Arc;

use crate::cursor::Cursor;
use crate::service::Service;

/// What happened to a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Registered,
    /// Something other than its lease is new.
    Updated,
    /// It said that it leaves.
    Deregistered,
    /// Its lease was over before it said anything.
    Expired,
}

impl Change {
    pub fn word(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::Updated => "updated",
            Self::Deregistered => "deregistered",
            Self::Expired => "expired",
        }
    }
}

/// One change, shared by the log and all who watch.
#[derive(Debug, PartialEq, Eq)]
pub struct Event {
    /// Where to go on from after this event.
    pub cursor: Cursor,
    pub change: Change,
    /// As it is now, or as it was when it went.
    pub service: Arc<Service>,
    /// As it was before it was updated.
    pub was: Option<Arc<Service>>,
}

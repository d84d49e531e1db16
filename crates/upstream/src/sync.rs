//! What the state that workers share is made of. `tests/interleavings` builds
//! this room with other types in their place, to check the orders in which
//! workers can meet.

pub(crate) use std::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicU64, AtomicUsize},
};

pub(crate) use tokio::sync::{Notify, oneshot};

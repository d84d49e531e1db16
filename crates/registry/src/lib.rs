//! Who serves what right now: services that register themselves on a lease.
//!
//! A service describes itself in a [`Registration`]; what passes
//! [`Service::check`] is given to the [`Registry`], which keeps it until its
//! lease is over or it leaves. Every change is an [`Event`] with a [`Cursor`]:
//! those who poll ask for the events since a cursor, those who wait hold a
//! [`Watcher`], and a proxy asks for the [`Serving`] of a name when its version
//! has changed.
//!
//! [`find`] is for those that do not register themselves and are looked up.
//!
//! This room opens nothing, reads no clock and draws no random number: time is
//! `now`, and randomness is an argument. Whatever clients can make grow has a
//! limit in [`Limits`] or in the checks of a registration.

mod address;
mod cursor;
mod event;
mod fault;
mod filter;
pub mod find;
mod leases;
mod limits;
mod log;
mod metadata;
mod names;
mod registry;
mod scheme;
mod service;
mod serving;
mod shared;
mod snapshot;
mod tags;
mod ttl;
mod watch;
mod wire;
mod word;

pub use address::{Address, Host};
pub use cursor::{Cursor, NoCursor};
pub use event::{Change, Event};
pub use fault::{Fault, Faults};
pub use filter::Filter;
pub use limits::Limits;
pub use log::{Gone, Page};
pub use registry::{Full, Outcome, Registry, Unknown};
pub use service::Service;
pub use serving::Serving;
pub use shared::Shared;
pub use snapshot::{Left, Restored, Saved, Snapshot};
pub use watch::{Ended, NoWatch, Watcher};
pub use wire::{Leased, Parts, Registration, WrittenAddress, WrittenTtl};

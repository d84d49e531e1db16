//! The admin API: what runs and why, and changing it, as HTTP and JSON.
//!
//! [`Server`] serves it on a thread of its own, away from the workers. What it
//! shows and changes it asks of a [`Control`]. `table` lists every endpoint
//! once; the router, the document of OpenAPI and its test come from that list.
//! An endpoint that takes its time over something does so on a thread for that,
//! so that one slow request does not hold up the others.

mod api;
mod auth;
mod beside;
mod body;
mod clock;
mod connections;
mod control;
mod events;
mod mend;
mod openapi;
mod problem;
mod seats;
mod server;
mod services;
mod shared;
mod stream;
mod table;

pub use beside::listen_beside;
pub use clock::rfc3339;
pub use control::{Control, LastReload, Mistake, Mistakes, OrderedCertificate, Refused, Taken};
pub use events::Events;
pub use openapi::document;
pub use server::Server;

//! What the end-to-end tests are made of: the real program, backends that do
//! exactly as told, and clients that send exactly these bytes.
//!
//! Nothing here knows HTTP from Forebay's own code: the harness reads and
//! writes messages itself, so that a fault shared by both sides would show.
//! Every wait ends after [`PATIENCE`]; no test sleeps until something is ready.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a harness fails its test by panicking, shows why, and owns its clock"
)]

mod authority;
mod backend;
mod client;
mod config;
mod dead_address;
mod forebay;
pub mod frames;
mod gate;
mod generations;
mod link;
mod message;
mod metrics;
mod name_server;
mod pebble;
mod peers;
mod process;
mod recorder;
mod reply;
mod scratch;
mod stop_at_end;
mod tunnel;
mod watched;
pub mod websocket;
mod wire;

pub use authority::{Authority, Issued};
pub use backend::{Backend, Conn};
pub use client::{Client, curl, get};
pub use config::Config;
pub use dead_address::DeadAddress;
pub use forebay::Forebay;
pub use gate::Gate;
pub use generations::Generations;
pub use message::{Head, Request, Response, bytes};
pub use metrics::Metrics;
pub use name_server::NameServer;
pub use pebble::{Looks, Pebble};
pub use peers::{Nginx, PythonPeer, PythonServer, PythonWebSocket};
pub use process::{Finished, Process, command, forebay, forebay_with_closed_output};
pub use rcgen;
pub use recorder::{Extent, Recorder, Seen, unescape};
pub use reply::Reply;
pub use rustls;
pub use scratch::Scratch;
pub use stop_at_end::StopAtEnd;
pub use tunnel::Tunnel;
pub use watched::{PATIENCE, Watched, until};
pub use wire::Wire;

//! Bytes to messages and back.
//!
//! This room knows no sockets and no clocks: it reads and writes through the
//! two traits in `io`, and whoever supplies them decides about deadlines.

pub mod blocks;
pub mod grpc_web;
pub mod h1;
pub mod h2;
pub mod io;
pub mod proxy_protocol;
pub mod websocket;

//! HTTP/1.0 and HTTP/1.1 (RFC 9112), both sides.
//!
//! - `scan` finds lines and checks bytes; `head` turns the lines of a head into
//!   a request or a response; `framing` decides where its body ends.
//! - `body` takes a body apart and puts one together; `chunked` is the chunked
//!   coding alone.
//! - `inbound` and `outbound` are the two buffered halves of a connection.
//! - `connection` is what `Connection` says; `write` serialises heads.
//!
//! The codec is strict: whatever two implementations could read differently is
//! refused, because that difference is what request smuggling lives on.

mod body;
mod chunked;
mod connection;
mod framing;
mod head;
mod inbound;
mod outbound;
mod scan;
mod target;
mod write;

pub use body::{Body, Encoder, Incoming, Outgoing};
pub(crate) use chunked::may_be_trailer;
pub use connection::{Persistence, has_token, take_connection};
pub use framing::{Framing, request_framing, response_framing, say_length_once, tidy_idle_length};
pub use head::{HeadParser, Limits, ParsedHead};
pub(crate) use inbound::BlocksHandle;
pub use inbound::{HeadError, Inbound};
pub use outbound::Outbound;
pub(crate) use scan::{is_target, is_token, is_value};
pub use write::{Announce, write_request_head, write_response_head};

//! What a request, a response and a failure are while inside Forebay.
//!
//! Every protocol is converted to these types at the edge and back at the other
//! edge; nothing between the edges knows which protocol a message came from.
//! A head keeps its fields in one buffer, in the order, letter case and
//! repetition in which they were received.

mod body;
mod client_certificate;
mod cookie;
mod failure;
mod fields;
mod known;
mod method;
mod query;
mod request;
mod response;
mod secret;
mod span;

pub use body::{Relay, Sink, Source};
pub use client_certificate::ClientCertificate;
pub use cookie::cookies;
pub use failure::{Failure, Kind, Reset, Retry, Side};
pub use fields::{Field, Fields};
pub use known::{Known, KnownSet, reads_alike};
pub use method::Method;
pub use query::parameters;
pub use request::{Form, RequestHead, Version};
pub use response::{ResponseHead, reason_phrase};
pub use secret::{HIDDEN, is_secret, without_secrets};
pub use span::Span;

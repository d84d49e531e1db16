//! Sockets as all else sees them: plain, encrypted, or a stream of HTTP/2; when they
//! are late, and what the kernel moves between them by itself.

pub(crate) mod h2_stream;
pub(crate) mod passed_on;
pub(crate) mod peek;
pub(crate) mod pipes;
pub(crate) mod stream;
pub(crate) mod timers;
pub(crate) mod tls_stream;

//! TLS (RFC 8446, RFC 5246): certificates, who is shown which, and what of a
//! byte stream is encrypted.
//!
//! Handshakes are rustls', and none of its types leave this room. Once one is
//! done, `Records` does the rest: it decrypts into the buffer that a message is
//! read from, and encrypts in the one that is sent. Nothing here does I/O.

mod certificate;
mod fault;
mod handshake;
mod records;
mod server;

pub use certificate::{Certificate, CertificateFault};
pub use fault::Fault;
pub use handshake::{Agreed, Handshake};
pub use records::{RECORD, Records, Step};
pub use server::{Server, ServerOptions};

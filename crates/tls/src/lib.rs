//! TLS (RFC 8446, RFC 5246): certificates, who is shown which, and what of a
//! byte stream is encrypted.
//!
//! Handshakes are rustls', and none of its types leave this room. Once one is
//! done, `Records` does the rest: it decrypts into the buffer that a message is
//! read from, and encrypts in the one that is sent. Nothing here does I/O.

mod certificate;
mod challenges;
mod choice;
mod client;
mod clients;
mod facts;
mod fault;
mod handshake;
mod hello;
mod ocsp;
mod offer;
mod records;
mod refused;
mod server;
mod tickets;

pub use certificate::{Certificate, CertificateFault, Doubt, SOON, StapleFault, Viewers};
pub use challenges::{ACME_TLS, Challenges};
pub use client::{Client, ClientOptions, Peer, ServerAuthorities};
pub use clients::{ClientAuthorities, read_client_certificate};
pub use facts::{DistinguishedName, date};
pub use fault::{Fault, Reason};
pub use handshake::{Agreed, Handshake};
pub use hello::{Hello, LONGEST_HELLO, NoHello, UNRECOGNIZED_NAME, client_hello};
pub use message::ClientCertificate;
pub use offer::{
    UnknownName, Version, check_cipher_suites, check_groups, cipher_suites, key_exchange_groups,
    suites_fit,
};
pub use records::{RECORD, Records, Step};
pub use server::{Server, ServerOptions};
pub use tickets::Tickets;

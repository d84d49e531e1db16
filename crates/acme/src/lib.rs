//! ACME (RFC 8555): certificates from an authority that checks, all by itself,
//! whether the names in them lead here.
//!
//! One order at a time, from the first question to the certificate. When to
//! order, what is kept on disk and how the authority's checks are answered is
//! the business of whoever calls.

mod account;
mod challenge;
mod client;
mod fault;
mod order;

pub use account::{Account, Authority, ExternalAccount};
pub use challenge::{Answers, Challenge};
pub use fault::Fault;
pub use order::{Key, Wish};

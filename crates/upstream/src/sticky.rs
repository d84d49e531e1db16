//! What keeps a client at one backend: a token that it carries, or a table of
//! addresses.

mod clients;
mod tokens;

pub use clients::Clients;
pub use tokens::{Secret, Tokens};

//! The normal form of hosts and paths: two spellings of one thing become one.
//!
//! Pure functions for the step `admit`; what they refuse is answered with 400.

mod host;
mod path;

pub use host::{HostFault, host};
pub use path::{Path, PathFault, path};

/// The bytes whose escaped and plain forms mean the same (RFC 3986 section 2.3).
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

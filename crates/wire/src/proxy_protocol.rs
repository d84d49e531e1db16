//! The PROXY protocol, versions 1 and 2: a header in front of a connection
//! that says between which ends it was before a proxy took it.
//!
//! Source: "The PROXY protocol", Willy Tarreau, HAProxy Technologies, sections
//! 2.1 (version 1), 2.2 (version 2).

mod checksum;
mod read;
#[cfg(test)]
mod tests;
mod write;

use std::fmt;
use std::net::SocketAddr;

pub use read::read;
pub use write::{Said, SaidOfTls, write, write_local};

/// No header is longer; senders that say a lot need a few hundred bytes.
pub const LONGEST: usize = 4096;

/// Which form a header has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// A line of text.
    V1,
    /// Binary, with room for more than addresses.
    V2,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
        })
    }
}

/// The ends of the connection that is spoken of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ends {
    /// The client.
    pub source: SocketAddr,
    /// Where the client connected to.
    pub destination: SocketAddr,
}

/// What the first bytes of a connection are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beginning {
    /// A header of so many bytes. Without ends it speaks for its sender, or of
    /// a connection that had no addresses.
    Header { ends: Option<Ends>, length: usize },
    /// It may become a header.
    Unfinished,
    /// Something else.
    Other,
}

/// Why a header is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// What every header of version 2 begins with.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

const CHECKSUM: u8 = 0x03;

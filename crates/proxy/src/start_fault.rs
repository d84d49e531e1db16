use std::fmt;
use std::io;
use std::net::SocketAddr;

use telemetry::OpenFault;

/// Why a Forebay could not start, or not go by another plan.
#[derive(Debug)]
pub enum StartFault {
    /// An address that cannot be listened on.
    Listen {
        what: Box<str>,
        address: SocketAddr,
        error: io::Error,
    },
    /// The access log cannot be opened.
    AccessLog(OpenFault),
    /// Whoever has given the sockets does not let go of them.
    NotAgreed(String),
    /// No thread or event loop could be had.
    Worker(io::Error),
}

impl fmt::Display for StartFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartFault::Listen {
                what,
                address,
                error,
            } => {
                write!(f, "{what} cannot listen on {address}: {error}")?;
                match error.kind() {
                    io::ErrorKind::AddrInUse => {
                        f.write_str(" (does another program, or another Forebay, listen there?)")
                    }
                    io::ErrorKind::PermissionDenied => f.write_str(
                        " (ports below 1024 need root or the capability CAP_NET_BIND_SERVICE)",
                    ),
                    io::ErrorKind::AddrNotAvailable => {
                        f.write_str(" (this machine has no such address)")
                    }
                    _ => Ok(()),
                }
            }
            StartFault::AccessLog(fault) => write!(f, "the access log cannot be opened: {fault}"),
            StartFault::NotAgreed(why) => f.write_str(why),
            StartFault::Worker(error) => write!(f, "a worker cannot start: {error}"),
        }
    }
}

impl std::error::Error for StartFault {}

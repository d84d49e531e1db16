//! What the writing thread has to tell.

use std::fmt;
use std::io;

use super::OpenFault;

/// Something went wrong, or right again, with a log.
#[derive(Debug)]
pub enum Trouble {
    /// Writing fails. Said once; it is tried again with every further line.
    Failing(io::Error),
    /// Writing works again, after `lost` lines.
    Recovered { lost: u64 },
    /// The queue was full. `lost` counts the lines lost since the start; said
    /// again only when that has doubled.
    Overflowed { lost: u64 },
    /// The output could not be opened anew; the old one stays in use.
    NotReopened(OpenFault),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failing(error) => write!(f, "log lines are lost: {error}"),
            Self::Recovered { lost } => write!(f, "the log is written again; {lost} lines lost"),
            Self::Overflowed { lost } => write!(
                f,
                "the log is slower than the traffic: {lost} lines lost since the start"
            ),
            Self::NotReopened(fault) => write!(f, "{fault}; the old file stays in use"),
        }
    }
}

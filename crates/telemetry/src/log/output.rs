//! Where a log goes.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

/// Where a log goes. Two logs with equal outputs should share one
/// [`LogWriter`](crate::LogWriter), so that their lines do not interleave.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Output {
    Stdout,
    Stderr,
    /// Appended to; missing folders are made.
    File(PathBuf),
}

impl Output {
    /// Opens the output without any buffer in between, so that what was
    /// written and what was lost is known to the byte.
    pub(super) fn open(&self) -> Result<File, OpenFault> {
        self.try_open().map_err(|error| OpenFault {
            output: self.clone(),
            error,
        })
    }

    fn try_open(&self) -> io::Result<File> {
        match self {
            Self::Stdout => Ok(io::stdout().as_fd().try_clone_to_owned()?.into()),
            Self::Stderr => Ok(io::stderr().as_fd().try_clone_to_owned()?.into()),
            Self::File(path) => append_to(path),
        }
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    OpenOptions::new().append(true).create(true).open(path)
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdout => f.write_str("standard output"),
            Self::Stderr => f.write_str("standard error"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

/// An output could not be opened.
#[derive(Debug)]
pub struct OpenFault {
    pub output: Output,
    pub error: io::Error,
}

impl fmt::Display for OpenFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot open the log {}: {}", self.output, self.error)
    }
}

impl std::error::Error for OpenFault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

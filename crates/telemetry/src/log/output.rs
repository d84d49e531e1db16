//! Where a log goes.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
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
    let _reader = is_read(path)?;
    OpenOptions::new().append(true).create(true).open(path)
}

/// Opening a pipe that nobody reads would wait for somebody, and everything with
/// it. What is returned keeps the reader for as long as it lives.
fn is_read(path: &Path) -> io::Result<Option<File>> {
    if !fs::metadata(path).is_ok_and(|about| about.file_type().is_fifo()) {
        return Ok(None);
    }
    let opened = OpenOptions::new()
        .append(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path);
    match opened {
        Err(error) if error.raw_os_error() == Some(libc::ENXIO) => {
            Err(io::Error::other("it is a pipe that nobody reads"))
        }
        opened => opened.map(Some),
    }
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

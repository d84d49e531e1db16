//! Pipes, through which the kernel moves bytes from one socket to another
//! without anybody looking at them (splice(2)).
//!
//! A connection borrows one while it holds bytes that have not moved on, like
//! any other buffer.

use std::cell::RefCell;
use std::io;
use std::os::fd::OwnedFd;

use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};
use tokio::io::Interest;
use tokio::net::TcpStream;

/// How much a pipe is to hold.
pub(crate) const ROOM: usize = 256 * 1024;

/// Pipes beyond this many are closed.
const KEEP: usize = 16;

/// A worker's stock of empty pipes.
#[derive(Default)]
pub(crate) struct Pipes(RefCell<Vec<Pipe>>);

pub(crate) struct Pipe {
    read: OwnedFd,
    write: OwnedFd,
    /// What is in it.
    held: usize,
}

impl Pipes {
    /// An empty one.
    ///
    /// # Errors
    ///
    /// When the process may have no more descriptors.
    pub(crate) fn take(&self) -> io::Result<Pipe> {
        if let Some(pipe) = self.0.borrow_mut().pop() {
            return Ok(pipe);
        }
        let (read, write) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        // One that may not be larger does as it is.
        let _ = fcntl_setpipe_size(&write, ROOM);
        Ok(Pipe {
            read,
            write,
            held: 0,
        })
    }

    pub(crate) fn give(&self, pipe: Pipe) {
        let mut stock = self.0.borrow_mut();
        if pipe.held == 0 && stock.len() < KEEP {
            stock.push(pipe);
        }
    }
}

const FLAGS: SpliceFlags = SpliceFlags::NONBLOCK.union(SpliceFlags::MOVE);

impl Pipe {
    pub(crate) fn is_empty(&self) -> bool {
        self.held == 0
    }

    /// Takes in what has arrived on a socket; to be called when it is empty. 0 at
    /// the end; would block where nothing has arrived.
    pub(crate) fn fill(&mut self, from: &TcpStream) -> io::Result<usize> {
        let filled = from.try_io(Interest::READABLE, || {
            Ok(splice(from, None, &self.write, None, ROOM, FLAGS)?)
        })?;
        self.held += filled;
        Ok(filled)
    }

    /// Lets out as much as a socket takes.
    pub(crate) fn drain(&mut self, to: &TcpStream) -> io::Result<usize> {
        let drained = to.try_io(Interest::WRITABLE, || {
            Ok(splice(&self.read, None, to, None, self.held, FLAGS)?)
        })?;
        self.held = self.held.saturating_sub(drained);
        Ok(drained)
    }
}

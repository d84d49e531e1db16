//! The owner of a log: opens it, rotates it, closes it.

use std::fmt;
use std::fs::File;
use std::io;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::queue::Queue;
use super::scribe::{Scribe, Target};
use super::{Drops, LogHandle, LogSink, OpenFault, Output, Trouble};

/// How many chunks may wait to be written: about 2 MiB when all are full.
const QUEUE_CHUNKS: usize = 128;

/// One log and the thread that writes it. The thread ends with
/// [`close`](Self::close), or when the writer and all that came from it are gone.
pub struct LogWriter {
    queue: Queue,
    /// Disconnected by the end of the thread.
    ended: Receiver<()>,
}

impl LogWriter {
    /// How long the last lines may take at the end: a log that takes nothing, such
    /// as a full pipe that nobody reads, must not be what a program ends by.
    pub const LAST_LINES: Duration = Duration::from_secs(1);

    /// Opens the output and starts its thread. `on_trouble` is called on that
    /// thread, rarely; it may itself write to this log.
    ///
    /// # Errors
    ///
    /// When the output cannot be opened or no thread can be started.
    pub fn open(
        output: Output,
        on_trouble: impl FnMut(Trouble) + Send + 'static,
    ) -> Result<Self, OpenFault> {
        let (queue, jobs) = Queue::new(QUEUE_CHUNKS);
        let on_trouble = Box::new(on_trouble);
        let scribe = Scribe::<File>::new(output.clone(), &queue, jobs, on_trouble)?;
        Self::start(queue, scribe).map_err(|error| OpenFault { output, error })
    }

    fn start<T>(queue: Queue, scribe: Scribe<T>) -> io::Result<Self>
    where
        T: Target + Send + 'static,
        T::Source: Send,
    {
        let (alive, ended) = channel();
        thread::Builder::new()
            .name("forebay-log".to_owned())
            .spawn(move || {
                scribe.run();
                drop(alive);
            })?;
        Ok(Self { queue, ended })
    }

    /// A buffer for one worker.
    pub fn sink(&self) -> LogSink {
        LogSink::new(self.queue.clone())
    }

    /// The log as a plain writer.
    pub fn writer(&self) -> LogHandle {
        LogHandle::new(self.queue.clone())
    }

    /// The count of lost lines, for whoever reports it.
    pub fn drops(&self) -> Drops {
        self.queue.drops.clone()
    }

    /// Opens the output anew before the next line is written: the file of that
    /// name may have been moved away.
    pub fn reopen(&self) {
        self.queue.signals.reopen.store(true, Ordering::SeqCst);
        self.queue.wake();
    }

    /// Writes what is queued and ends the thread. Gives up after `patience`,
    /// for an output that takes nothing any more must not hold up the end of
    /// the program; then the answer is `false`.
    pub fn close(self, patience: Duration) -> bool {
        self.queue.signals.close.store(true, Ordering::SeqCst);
        self.queue.wake();
        self.ended.recv_timeout(patience) == Err(RecvTimeoutError::Disconnected)
    }

    /// The same without waiting, but for the thread that is returned; `gave_up`
    /// is called there if lines are lost.
    pub fn close_in_background(
        self,
        patience: Duration,
        gave_up: impl FnOnce() + Send + 'static,
    ) -> Option<JoinHandle<()>> {
        let closing = move || {
            if !self.close(patience) {
                gave_up();
            }
        };
        // Without a thread it is dropped here, and what is queued is written as well.
        let thread = thread::Builder::new().name("forebay-log-end".to_owned());
        thread.spawn(closing).ok()
    }
}

impl fmt::Debug for LogWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogWriter")
            .field("drops", &self.queue.drops)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;

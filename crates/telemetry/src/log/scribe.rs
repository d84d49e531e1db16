//! The thread that writes: takes chunks off the queue until told to close.

use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;

use super::queue::{Chunk, Drops, Job, Queue, Signals};
use super::{OpenFault, Output, Trouble};

/// Opens the target anew, for log rotation.
pub(super) trait Target: Write + Sized {
    type Source;
    fn open(source: &Self::Source) -> Result<Self, OpenFault>;
}

impl Target for File {
    type Source = Output;
    fn open(output: &Output) -> Result<Self, OpenFault> {
        output.open()
    }
}

pub(super) struct Scribe<T: Target> {
    source: T::Source,
    target: T,
    torn: bool,
    jobs: Receiver<Job>,
    signals: Arc<Signals>,
    drops: Drops,
    on_trouble: Box<dyn FnMut(Trouble) + Send>,
    /// The drops counted when writing began to fail.
    failing_since: Option<u64>,
    /// The drops counted when an overflow was last told.
    told: u64,
}

impl<T: Target> Scribe<T> {
    pub(super) fn new(
        source: T::Source,
        queue: &Queue,
        jobs: Receiver<Job>,
        on_trouble: Box<dyn FnMut(Trouble) + Send>,
    ) -> Result<Self, OpenFault> {
        Ok(Self {
            target: T::open(&source)?,
            source,
            torn: false,
            jobs,
            signals: Arc::clone(&queue.signals),
            drops: queue.drops.clone(),
            on_trouble,
            failing_since: None,
            told: 0,
        })
    }

    pub(super) fn run(mut self) {
        while !self.drain() {
            match self.jobs.recv() {
                Ok(job) => self.serve(job),
                Err(_) => return,
            }
        }
    }

    /// Empties the queue; says whether it was for the last time.
    ///
    /// The flag is read before, so that all that was queued ahead of the wish
    /// to close is written, and again after, because the job that was to wake
    /// the thread may have been taken off meanwhile.
    fn drain(&mut self) -> bool {
        loop {
            let closing = self.is_closing();
            while let Ok(job) = self.jobs.try_recv() {
                self.serve(job);
            }
            self.tell_overflow();
            if closing || !self.is_closing() {
                return closing;
            }
        }
    }

    fn is_closing(&self) -> bool {
        self.signals.close.load(Ordering::SeqCst)
    }

    fn serve(&mut self, job: Job) {
        if self.signals.reopen.swap(false, Ordering::SeqCst) {
            self.reopen();
        }
        if let Job::Lines(chunk) = job {
            self.write(chunk);
        }
    }

    fn reopen(&mut self) {
        match T::open(&self.source) {
            Ok(target) => {
                self.target = target;
                self.torn = false;
            }
            Err(fault) => (self.on_trouble)(Trouble::NotReopened(fault)),
        }
    }

    fn write(&mut self, chunk: Chunk) {
        let before = self.drops.get();
        match (
            chunk.write_to(&mut self.target, &mut self.torn),
            self.failing_since,
        ) {
            (Ok(()), None) | (Err(_), Some(_)) => (),
            (Err(error), None) => {
                self.failing_since = Some(before);
                (self.on_trouble)(Trouble::Failing(error));
            }
            (Ok(()), Some(since)) => {
                self.failing_since = None;
                self.told = self.drops.get();
                let lost = self.told - since;
                (self.on_trouble)(Trouble::Recovered { lost });
            }
        }
    }

    /// Only while writing works: otherwise the drops have been explained.
    fn tell_overflow(&mut self) {
        let lost = self.drops.get();
        if self.failing_since.is_none() && lost > self.told.saturating_mul(2) {
            self.told = lost;
            (self.on_trouble)(Trouble::Overflowed { lost });
        }
    }
}

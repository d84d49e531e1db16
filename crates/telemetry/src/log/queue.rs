//! What passes between the workers and the thread that writes.

use std::io::{self, ErrorKind, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// How many lines of a log were lost so far. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct Drops(Arc<AtomicU64>);

impl Drops {
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn add(&self, lines: u64) {
        self.0.fetch_add(lines, Ordering::Relaxed);
    }
}

/// Whole lines on their way to the output. Wherever a chunk ends its life, the
/// lines of it that were not written are counted as lost.
#[derive(Debug)]
pub(super) struct Chunk {
    text: Box<[u8]>,
    unwritten: u64,
    drops: Drops,
}

impl Chunk {
    /// Writes the lines. After an error the target may hold part of a line,
    /// which is what the flag `torn` then says; the next chunk ends that line
    /// before it begins its own.
    pub(super) fn write_to(mut self, target: &mut impl Write, torn: &mut bool) -> io::Result<()> {
        if *torn {
            write_some(target, b"\n")?;
            *torn = false;
        }
        let mut rest = &self.text[..];
        while !rest.is_empty() {
            let written = match write_some(target, rest) {
                Ok(written) => written,
                Err(error) => {
                    let lost = breaks(rest).max(1);
                    self.unwritten = lost;
                    return Err(error);
                }
            };
            let (done, left) = rest.split_at(written.min(rest.len()));
            *torn = done.last() != Some(&b'\n');
            rest = left;
        }
        *torn = false;
        self.unwritten = 0;
        Ok(())
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        if self.unwritten > 0 {
            self.drops.add(self.unwritten);
        }
    }
}

/// One write, at least one byte.
fn write_some(target: &mut impl Write, bytes: &[u8]) -> io::Result<usize> {
    loop {
        match target.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Err(error) if error.kind() == ErrorKind::Interrupted => (),
            result => return result,
        }
    }
}

fn breaks(text: &[u8]) -> u64 {
    text.iter().filter(|&&b| b == b'\n').count() as u64
}

#[derive(Debug)]
pub(super) enum Job {
    Lines(Chunk),
    /// Nothing to write, but a signal to look at.
    Wake,
}

/// What the control side asks of the writing thread. Flags rather than jobs,
/// because a full queue must not hold them up.
#[derive(Debug, Default)]
pub(super) struct Signals {
    pub(super) reopen: AtomicBool,
    pub(super) close: AtomicBool,
}

/// The workers' end of the queue.
#[derive(Debug, Clone)]
pub(super) struct Queue {
    jobs: SyncSender<Job>,
    pub(super) signals: Arc<Signals>,
    pub(super) drops: Drops,
}

impl Queue {
    pub(super) fn new(chunks: usize) -> (Self, Receiver<Job>) {
        let (jobs, taken) = sync_channel(chunks);
        let queue = Self {
            jobs,
            signals: Arc::default(),
            drops: Drops::default(),
        };
        (queue, taken)
    }

    /// Queues text of so many lines, or loses it; never waits.
    pub(super) fn offer(&self, text: &[u8], lines: u64) {
        let chunk = Chunk {
            text: text.into(),
            unwritten: lines,
            drops: self.drops.clone(),
        };
        // A refused chunk comes back in the error and counts itself as lost.
        drop(self.jobs.try_send(Job::Lines(chunk)));
    }

    /// Makes the writing thread look at the signals. A full queue will do that
    /// by itself.
    pub(super) fn wake(&self) {
        drop(self.jobs.try_send(Job::Wake));
    }
}

/// How many lines a piece of text from outside counts as.
pub(super) fn lines_in(text: &[u8]) -> u64 {
    breaks(text).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes `room` bytes at most three at a time, then fails.
    struct Narrow {
        text: Vec<u8>,
        room: usize,
    }

    impl Write for Narrow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.room == 0 {
                return Err(ErrorKind::StorageFull.into());
            }
            let taken = bytes.len().min(3).min(self.room);
            self.text.extend_from_slice(&bytes[..taken]);
            self.room -= taken;
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn chunk(text: &str, drops: &Drops) -> Chunk {
        Chunk {
            text: text.as_bytes().into(),
            unwritten: breaks(text.as_bytes()),
            drops: drops.clone(),
        }
    }

    #[test]
    fn a_full_disk_loses_whole_lines_and_counts_them() {
        let text = "one\ntwo\nthree\n";
        for (room, lost, torn) in [
            (0, 3, false),
            (2, 3, true),
            (3, 3, true),
            (4, 2, false),
            (9, 1, true),
            (13, 1, true),
            (14, 0, false),
        ] {
            let drops = Drops::default();
            let mut target = Narrow {
                text: Vec::new(),
                room,
            };
            let mut is_torn = false;
            let result = chunk(text, &drops).write_to(&mut target, &mut is_torn);
            assert_eq!(result.is_ok(), lost == 0, "{room}");
            assert_eq!((drops.get(), is_torn), (lost, torn), "{room}");

            target.room = 100;
            let next = chunk("next\n", &drops).write_to(&mut target, &mut is_torn);
            assert!(next.is_ok() && !is_torn);
            let written = String::from_utf8(target.text).unwrap();
            let whole = written.lines().filter(|l| text.lines().any(|t| t == *l));
            assert!(written.ends_with("next\n") && written.lines().any(|l| l == "next"));
            // A line whose break alone was lost is mended by the next chunk.
            let mended = u64::from(room == 3 || room == 13);
            assert_eq!(whole.count() as u64, 3 - lost + mended, "{room}");
        }
    }

    #[test]
    fn lines_are_lost_exactly_once_wherever_they_are_lost() {
        let (queue, taken) = Queue::new(2);
        queue.offer(b"a\nb\n", 2);
        queue.offer(b"c\n", 1);
        assert_eq!(queue.drops.get(), 0);
        queue.offer(b"d\ne\nf\n", 3); // the queue is full
        assert_eq!(queue.drops.get(), 3);
        drop(taken); // the thread is gone, two chunks were still queued
        assert_eq!(queue.drops.get(), 6);
        queue.offer(b"g\n", 1);
        assert_eq!(queue.drops.get(), 7);
    }
}

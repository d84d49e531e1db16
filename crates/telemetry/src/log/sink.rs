//! A worker's end of a log.

use super::queue::Queue;
use crate::{Format, Record};

/// A buffer is handed over when it holds this many bytes.
const FLUSH_BYTES: usize = 16 * 1024;

/// Capacity beyond this, left behind by enormous lines, is given back.
const KEEP_BYTES: usize = 2 * FLUSH_BYTES;

/// Lines gathered by one worker. Never waits: lines for which there is no room
/// are lost and counted.
#[derive(Debug)]
pub struct LogSink {
    queue: Queue,
    buffer: Vec<u8>,
    lines: u64,
}

impl LogSink {
    pub(super) fn new(queue: Queue) -> Self {
        Self {
            queue,
            buffer: Vec::new(),
            lines: 0,
        }
    }

    /// Adds the line of one exchange.
    pub fn push(&mut self, format: &Format, record: &Record<'_>) {
        format.write(record, &mut self.buffer);
        self.lines += 1;
        if self.buffer.len() >= FLUSH_BYTES {
            self.flush();
        }
    }

    /// Hands over what has been gathered. A worker calls this on its tick, so
    /// that a quiet service's lines appear soon.
    pub fn flush(&mut self) {
        if self.lines == 0 {
            return;
        }
        self.queue.offer(&self.buffer, self.lines);
        self.buffer.clear();
        self.buffer.shrink_to(KEEP_BYTES);
        self.lines = 0;
    }
}

impl Drop for LogSink {
    fn drop(&mut self) {
        self.flush();
    }
}

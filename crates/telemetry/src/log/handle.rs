//! A log as a plain writer, for the runtime log.

use std::io::{self, Write};

use super::queue::{Queue, lines_in};

/// Queues whatever is written to it, each write as one piece; never waits and
/// never fails. Meant for writers that hand over whole lines.
#[derive(Debug, Clone)]
pub struct LogHandle {
    queue: Queue,
}

impl LogHandle {
    pub(super) fn new(queue: Queue) -> Self {
        Self { queue }
    }
}

impl Write for LogHandle {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        if !text.is_empty() {
            self.queue.offer(text, lines_in(text));
        }
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

//! Streams that were ended here. What the other end sent before it heard of that
//! is to be expected (RFC 9113 section 5.1), and is held against nobody.

use std::collections::VecDeque;

/// So many are remembered.
const MOST: usize = 1024;

#[derive(Debug, Default)]
pub(super) struct Late {
    /// Numbers, and how many bytes may still come.
    streams: VecDeque<(u32, i64)>,
}

impl Late {
    /// A stream was ended while the other end had so much of its window.
    pub(super) fn ended(&mut self, id: u32, window: i64) {
        if self.streams.iter().any(|(known, _)| *known == id) {
            return;
        }
        if self.streams.len() == MOST {
            self.streams.pop_front();
        }
        self.streams.push_back((id, window));
    }

    /// Whether so many bytes may have been on their way.
    pub(super) fn excuses(&mut self, id: u32, count: usize) -> bool {
        let stream = self
            .streams
            .iter_mut()
            .rev()
            .find(|(known, _)| *known == id);
        stream.is_some_and(|(_, left)| {
            *left -= count as i64;
            *left >= 0
        })
    }
}

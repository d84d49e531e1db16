//! The lines that a received index can mean (RFC 7541 section 2.3).

use std::collections::VecDeque;

use super::known_lines::LINES;

/// How large a table is that nothing else was said of, in bytes (RFC 9113
/// section 6.5.2).
const FIRST_LIMIT: usize = 4096;

/// What a line counts for beside its name and value (RFC 7541 section 4.1).
const OVERHEAD: usize = 32;

/// Where a line's name is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Name<'a> {
    /// It is that of the line with this index.
    Of(usize),
    Here(&'a [u8]),
}

#[derive(Debug)]
struct Line {
    /// The name, and the value behind it.
    text: Vec<u8>,
    name: usize,
}

impl Line {
    fn size(&self) -> usize {
        self.text.len() + OVERHEAD
    }
}

/// The static table, and the dynamic one, which takes no memory while it is empty
/// and never more than five times what its size may be.
#[derive(Debug)]
pub(super) struct Table {
    /// The newest comes first.
    lines: VecDeque<Line>,
    /// Of the line that was evicted last, for the next one.
    spare: Vec<u8>,
    size: usize,
    limit: usize,
}

impl Table {
    /// Until the peer says that it uses more, it has the usual size; a peer that
    /// has not heard yet of a `most` below that may keep more than we do, and
    /// refer to it in vain.
    pub(super) fn new(most: usize) -> Self {
        Self::empty(most.min(FIRST_LIMIT))
    }

    fn empty(limit: usize) -> Self {
        Self {
            lines: VecDeque::new(),
            spare: Vec::new(),
            size: 0,
            limit,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The name and value of a line.
    pub(super) fn line(&self, index: usize) -> Option<(&[u8], &[u8])> {
        let at = index.checked_sub(1)?;
        match LINES.get(at) {
            Some((name, value)) => Some((name.as_bytes(), value.as_bytes())),
            None => {
                let line = self.lines.get(at - LINES.len())?;
                line.text.split_at_checked(line.name)
            }
        }
    }

    pub(super) fn name<'a>(&'a self, name: Name<'a>) -> Option<&'a [u8]> {
        match name {
            Name::Of(index) => self.line(index).map(|(name, _)| name),
            Name::Here(name) => Some(name),
        }
    }

    /// Keeps a line, for which others go (RFC 7541 section 4.4). The name may be
    /// that of one that goes.
    pub(super) fn insert(&mut self, name: Name<'_>, value: &[u8]) {
        let mut text = std::mem::take(&mut self.spare);
        let Some(name) = self.name(name) else {
            return;
        };
        let size = name.len() + value.len() + OVERHEAD;
        if size > self.limit {
            *self = Self::empty(self.limit);
            return;
        }
        // Small lines in large buffers would together take many times the limit.
        if text.capacity() > 2 * size {
            text = Vec::new();
        }
        text.clear();
        text.reserve_exact(name.len() + value.len());
        text.extend_from_slice(name);
        text.extend_from_slice(value);
        let name = name.len();
        self.evict(self.limit - size);
        self.size += size;
        self.lines.push_front(Line { text, name });
    }

    /// The peer uses so much from now on (RFC 7541 section 4.3).
    pub(super) fn resize(&mut self, limit: usize) {
        self.limit = limit;
        self.evict(limit);
        if self.is_empty() {
            *self = Self::empty(limit);
        }
    }

    /// The oldest lines go until the others take no more than `left`.
    fn evict(&mut self, left: usize) {
        while self.size > left {
            let Some(line) = self.lines.pop_back() else {
                return;
            };
            self.size -= line.size();
            self.spare = line.text;
        }
    }

    /// Bytes on the heap.
    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        let texts = self.lines.iter().map(|line| line.text.capacity());
        let texts = texts.sum::<usize>() + self.spare.capacity();
        texts + self.lines.capacity() * size_of::<Line>()
    }

    /// As the size is defined, and as it is counted.
    #[cfg(test)]
    pub(super) fn sizes(&self) -> (usize, usize) {
        (self.lines.iter().map(Line::size).sum(), self.size)
    }
}

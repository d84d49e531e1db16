/// A range of bytes in the text of a head.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Span {
    pub at: u32,
    pub len: u32,
}

impl Span {
    /// A span from byte offsets. Heads are limited far below 4 GiB, so the
    /// offsets always fit.
    pub fn new(at: usize, len: usize) -> Self {
        Self {
            at: at as u32,
            len: len as u32,
        }
    }

    pub fn is_empty(self) -> bool {
        self.len == 0
    }

    /// The bytes the span covers in `text`; empty where it does not fit.
    pub fn of(self, text: &[u8]) -> &[u8] {
        let at = self.at as usize;
        text.get(at..at + self.len as usize).unwrap_or_default()
    }
}

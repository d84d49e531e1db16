//! Counting a request's body, whole or in any pieces.

use memchr::memchr;

use crate::request::{Framing, Malformed};

/// The longest chunk-size line or trailer line accepted, in bytes.
const LINE_LIMIT: usize = 4096;

/// A body on its way in.
#[derive(Debug)]
pub(crate) struct Body {
    received: u64,
    next: Next,
}

/// What the next byte belongs to (RFC 9112 section 7.1 for the chunked ones).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Content { left: u64 },
    ChunkSize { size: u64, digits: usize },
    ChunkExtension { size: u64, length: usize },
    ChunkData { left: u64 },
    ChunkEnd,
    Trailer { length: usize, blank: bool },
    Nothing,
}

/// The start of a trailer line; an empty one ends the body.
const TRAILER: Next = Next::Trailer {
    length: 0,
    blank: true,
};

impl Body {
    pub(crate) fn new(framing: Framing) -> Body {
        let next = match framing {
            Framing::Length(0) => Next::Nothing,
            Framing::Length(left) => Next::Content { left },
            Framing::Chunked => Next::ChunkSize { size: 0, digits: 0 },
        };
        Body { received: 0, next }
    }

    /// Content bytes so far, without any framing.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.next == Next::Nothing
    }

    /// Takes what belongs to this body from the front of `bytes`; says how much that was.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Result<usize, Malformed> {
        let mut rest = bytes;
        while !self.is_complete() && !rest.is_empty() {
            let used = self.step(rest)?;
            rest = rest.get(used..).unwrap_or_default();
        }
        Ok(bytes.len() - rest.len())
    }

    /// One step over a non-empty `bytes`: uses at least one of them.
    fn step(&mut self, bytes: &[u8]) -> Result<usize, Malformed> {
        let Some(&first) = bytes.first() else {
            return Ok(0);
        };
        match self.next {
            Next::Content { left } => {
                let (used, left) = self.content(left, bytes);
                self.next = if left == 0 {
                    Next::Nothing
                } else {
                    Next::Content { left }
                };
                Ok(used)
            }
            Next::ChunkData { left } => {
                let (used, left) = self.content(left, bytes);
                self.next = if left == 0 {
                    Next::ChunkEnd
                } else {
                    Next::ChunkData { left }
                };
                Ok(used)
            }
            Next::ChunkSize { size, digits } => {
                self.next = chunk_size(size, digits, first)?;
                Ok(1)
            }
            Next::ChunkExtension { size, length } => {
                let (used, ended) = line_part(length, bytes)?;
                self.next = match (ended, size) {
                    (false, _) => Next::ChunkExtension {
                        size,
                        length: length + used,
                    },
                    (true, 0) => TRAILER,
                    (true, left) => Next::ChunkData { left },
                };
                Ok(used)
            }
            Next::ChunkEnd => {
                self.next = match first {
                    b'\r' => Next::ChunkEnd,
                    b'\n' => Next::ChunkSize { size: 0, digits: 0 },
                    _ => return Err(Malformed),
                };
                Ok(1)
            }
            Next::Trailer { length, blank } => {
                let (used, ended) = line_part(length, bytes)?;
                let blank = blank && matches!(bytes.get(..used), Some(b"\r" | b"\n" | b"\r\n"));
                self.next = match (ended, blank) {
                    (true, true) => Next::Nothing,
                    (true, false) => TRAILER,
                    (false, _) => Next::Trailer {
                        length: length + used,
                        blank,
                    },
                };
                Ok(used)
            }
            Next::Nothing => Ok(0),
        }
    }

    /// Counts up to `left` bytes: how many there were, and how many are still to come.
    fn content(&mut self, left: u64, bytes: &[u8]) -> (usize, u64) {
        let used = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
        self.received += used as u64;
        (used, left - used as u64)
    }
}

/// One byte of a chunk-size line.
fn chunk_size(size: u64, digits: usize, byte: u8) -> Result<Next, Malformed> {
    if let Some(digit) = char::from(byte).to_digit(16) {
        let size = size.checked_mul(16).ok_or(Malformed)? + u64::from(digit);
        return Ok(Next::ChunkSize {
            size,
            digits: digits + 1,
        });
    }
    match byte {
        _ if digits == 0 => Err(Malformed),
        b'\n' if size == 0 => Ok(TRAILER),
        b'\n' => Ok(Next::ChunkData { left: size }),
        b'\r' | b';' | b' ' | b'\t' => Ok(Next::ChunkExtension { size, length: 0 }),
        _ => Err(Malformed),
    }
}

/// The part of the present line that `bytes` holds, and whether the line ends there.
fn line_part(length: usize, bytes: &[u8]) -> Result<(usize, bool), Malformed> {
    let (used, ended) = match memchr(b'\n', bytes) {
        Some(end) => (end + 1, true),
        None => (bytes.len(), false),
    };
    if length + used > LINE_LIMIT {
        Err(Malformed)
    } else {
        Ok((used, ended))
    }
}

#[cfg(test)]
mod tests {
    use super::Body;
    use crate::request::{Framing, Malformed};
    use proptest::prelude::*;

    /// Content bytes, bytes used, and whether the body is complete.
    type Fed = Result<(u64, usize, bool), Malformed>;

    /// Feeds `bytes` in pieces of `step`.
    fn fed(framing: Framing, bytes: &[u8], step: usize) -> Fed {
        let mut body = Body::new(framing);
        let mut used = 0;
        for piece in bytes.chunks(step) {
            let taken = body.take(piece)?;
            used += taken;
            if taken < piece.len() {
                break;
            }
        }
        Ok((body.received(), used, body.is_complete()))
    }

    #[test]
    fn bodies_in_any_pieces() {
        use Framing::{Chunked, Length};
        let table: &[(Framing, &str, Fed)] = &[
            (Length(0), "GET", Ok((0, 0, true))),
            (Length(5), "helloGET", Ok((5, 5, true))),
            (Length(5), "hell", Ok((4, 4, false))),
            (Chunked, "0\r\n\r\nGET", Ok((0, 5, true))),
            (Chunked, "5\r\nhello\r\n0\r\n\r\n", Ok((5, 15, true))),
            (
                Chunked,
                "5;a=b\r\nhello\r\nA\r\n0123456789\r\n0\r\nx: y\r\n\r\nGET",
                Ok((15, 40, true)),
            ),
            (Chunked, "5\r\nhel", Ok((3, 6, false))),
            (Chunked, "0\r\nab\r\nGET", Ok((0, 10, false))),
            (Chunked, "0\nab\n\nGET", Ok((0, 6, true))),
            (Chunked, "\r\n", Err(Malformed)),
            (Chunked, "g\r\n", Err(Malformed)),
            (Chunked, "1\r\naXY", Err(Malformed)),
            (Chunked, "11111111111111111\r\n", Err(Malformed)),
        ];
        for (framing, text, wanted) in table {
            for step in 1..=text.len() {
                assert_eq!(
                    fed(*framing, text.as_bytes(), step),
                    *wanted,
                    "{text:?} by {step}"
                );
            }
        }
    }

    #[test]
    fn an_endless_line_is_refused() {
        for start in ["0;", "0\r\nx: "] {
            let text = format!("{start}{}", "a".repeat(super::LINE_LIMIT + 1));
            assert_eq!(
                fed(Framing::Chunked, text.as_bytes(), text.len()),
                Err(Malformed),
                "{start}"
            );
        }
    }

    proptest! {
        #[test]
        fn chunks_add_up(sizes in prop::collection::vec(1_usize..300, 0..8), step in 1_usize..400) {
            let mut text = String::new();
            for size in &sizes {
                text += &format!("{size:x}\r\n{}\r\n", "\n".repeat(*size));
            }
            text += "0\r\n\r\n";
            let total = sizes.iter().sum::<usize>() as u64;
            prop_assert_eq!(fed(Framing::Chunked, text.as_bytes(), step), Ok((total, text.len(), true)));
        }
    }
}

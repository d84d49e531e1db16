//! The receiving half of a connection, with the bytes that have arrived but
//! not moved on.

use std::io;
use std::task::{Context, Poll, ready};

use message::{Failure, Fields};

use super::head::{HeadParser, Limits, ParsedHead};
use crate::blocks::Blocks;
use crate::io::Input;

/// A block with less room than this is compacted before it is read into.
const ROOM: usize = 4 * 1024;

#[derive(Debug)]
pub struct Inbound<I> {
    io: I,
    blocks: BlocksHandle,
    /// Borrowed from `blocks` while it holds bytes; without capacity otherwise.
    block: Vec<u8>,
    /// Where the bytes begin that have not been consumed.
    at: usize,
    parser: HeadParser,
    is_end: bool,
}

/// Why no head came.
#[derive(Debug)]
pub enum HeadError {
    /// The stream ended or failed. An end is `UnexpectedEof`, a passed
    /// deadline `TimedOut`. `began` says whether any byte of the head came.
    Stream { error: io::Error, began: bool },
    /// The bytes are not an acceptable head.
    Refused(Failure),
}

impl<I: Input> Inbound<I> {
    pub fn new(io: I, blocks: Blocks) -> Self {
        Self {
            io,
            blocks: BlocksHandle(blocks),
            block: Vec::new(),
            at: 0,
            parser: HeadParser::default(),
            is_end: false,
        }
    }

    pub fn io(&self) -> &I {
        &self.io
    }

    /// What has arrived and not been consumed.
    pub fn buffered(&self) -> &[u8] {
        self.block.get(self.at..).unwrap_or_default()
    }

    pub fn consume(&mut self, n: usize) {
        self.at = (self.at + n).min(self.block.len());
        self.give_back_if_empty();
    }

    /// Waits for more bytes; 0 at the end of the stream.
    pub fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.is_end {
            return Poll::Ready(Ok(0));
        }
        self.make_room();
        let result = self.io.poll_read(cx, &mut self.block);
        if let Poll::Ready(Ok(0)) = result {
            self.is_end = true;
        }
        self.give_back_if_empty();
        result
    }

    /// The trailer fields of a message that has ended with its stream.
    pub(super) fn take_trailers(&mut self, fields: &mut Fields) {
        self.io.take_trailers(fields);
    }

    fn make_room(&mut self) {
        if self.block.capacity() == 0 {
            self.block = self.blocks.0.take();
        } else if self.block.capacity() - self.block.len() < ROOM {
            self.block.drain(..self.at);
            self.at = 0;
            self.block.reserve(ROOM);
        }
    }

    fn give_back_if_empty(&mut self) {
        if self.at == self.block.len() && self.block.capacity() > 0 {
            self.blocks.0.give(std::mem::take(&mut self.block));
            self.at = 0;
        }
    }

    /// Waits for a whole head. Call `head.clear()` before the first call for
    /// each message.
    pub fn poll_head<H: ParsedHead>(
        &mut self,
        cx: &mut Context<'_>,
        limits: &Limits,
        head: &mut H,
    ) -> Poll<Result<(), HeadError>> {
        loop {
            let bytes = self.block.get(self.at..).unwrap_or_default();
            let began = !bytes.is_empty();
            if began {
                match self.parser.parse(bytes, limits, head) {
                    Ok(Some(length)) => {
                        self.consume(length);
                        return Poll::Ready(Ok(()));
                    }
                    Ok(None) => {}
                    Err(failure) => return Poll::Ready(Err(HeadError::Refused(failure))),
                }
            }
            let error = match ready!(self.poll_more(cx)) {
                Ok(0) => io::ErrorKind::UnexpectedEof.into(),
                Ok(_) => continue,
                Err(error) => error,
            };
            return Poll::Ready(Err(HeadError::Stream { error, began }));
        }
    }

    /// Skips empty lines before a request (RFC 9112 section 2.2).
    pub fn skip_empty_lines(&mut self) {
        while self.buffered().starts_with(b"\r\n") {
            self.consume(2);
        }
    }

    /// Resolves when the peer has gone. Bytes that arrive meanwhile are kept,
    /// one read of them; from then on nothing is read, so a peer that has sent
    /// more is not watched any longer.
    pub fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.buffered().is_empty() {
            return Poll::Pending;
        }
        if !self.is_end {
            ready!(self.io.poll_arrival(cx));
        }
        match ready!(self.poll_more(cx)) {
            Ok(0) | Err(_) => Poll::Ready(()),
            Ok(_) => Poll::Pending,
        }
    }

    /// Nothing is buffered and the peer has neither sent nor closed anything:
    /// the cheap look before an idle connection is used again. One that is not
    /// quiet must not be.
    pub fn is_quiet(&mut self) -> bool {
        self.buffered().is_empty() && !self.is_end && self.io.is_quiet()
    }
}

impl<I> Drop for Inbound<I> {
    fn drop(&mut self) {
        self.blocks.0.give(std::mem::take(&mut self.block));
    }
}

/// `Blocks` without a `Debug` that would print whole buffers.
pub(crate) struct BlocksHandle(pub(crate) Blocks);

impl std::fmt::Debug for BlocksHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Blocks")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Arrived(&'static [u8]);

    impl Input for Arrived {
        fn poll_read(
            &mut self,
            _: &mut Context<'_>,
            into: &mut Vec<u8>,
        ) -> Poll<io::Result<usize>> {
            into.extend_from_slice(self.0);
            let n = std::mem::take(&mut self.0).len();
            if n == 0 {
                Poll::Pending
            } else {
                Poll::Ready(Ok(n))
            }
        }

        fn poll_arrival(&mut self, _: &mut Context<'_>) -> Poll<()> {
            if self.0.is_empty() {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        }

        fn is_quiet(&mut self) -> bool {
            self.0.is_empty()
        }
    }

    /// A connection that lies in a pool after its last response holds none.
    #[test]
    fn a_block_is_lent_for_as_long_as_it_holds_bytes() {
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let mut inbound = Inbound::new(Arrived(b"abc"), Blocks::default());
        assert!(inbound.poll_more(&mut cx).is_ready());
        inbound.consume(2);
        assert_eq!(inbound.buffered(), b"c");
        assert_eq!(inbound.block.capacity(), crate::blocks::BLOCK_SIZE);
        inbound.consume(1);
        assert_eq!(inbound.block.capacity(), 0);
        assert!(inbound.poll_more(&mut cx).is_pending());
        assert_eq!(inbound.block.capacity(), 0);
    }
}

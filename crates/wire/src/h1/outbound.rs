//! The sending half of a connection, with the bytes that have been written
//! but not sent.

use std::io::{self, IoSlice};
use std::task::{Context, Poll, ready};

use message::Fields;

use super::inbound::BlocksHandle;
use crate::blocks::Blocks;
use crate::io::Output;

#[derive(Debug)]
pub struct Outbound<O> {
    io: O,
    blocks: BlocksHandle,
    /// Borrowed from `blocks` while it holds bytes; without capacity otherwise.
    block: Vec<u8>,
    /// How many bytes of the block have been sent.
    at: usize,
    /// All bytes ever sent.
    sent: u64,
}

impl<O: Output> Outbound<O> {
    pub fn new(io: O, blocks: Blocks) -> Self {
        Self {
            io,
            blocks: BlocksHandle(blocks),
            block: Vec::new(),
            at: 0,
            sent: 0,
        }
    }

    pub fn io(&self) -> &O {
        &self.io
    }

    pub fn io_mut(&mut self) -> &mut O {
        &mut self.io
    }

    /// Where the next bytes are written; they go out with the next flush.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        if self.block.capacity() == 0 {
            self.block = self.blocks.0.take();
        }
        &mut self.block
    }

    /// How many bytes wait to be sent.
    pub fn pending(&self) -> usize {
        self.block.len() - self.at
    }

    /// All bytes that have been sent since the connection began.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// Drops what has been written but not sent.
    pub fn discard(&mut self) {
        self.block.clear();
        self.at = 0;
    }

    /// Sends everything.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_send(cx, &[], &mut 0)
    }

    /// Sends everything and then `piece`, of which `sent` bytes have gone out.
    /// Both leave in one system call where the socket takes them.
    pub fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        piece: &[u8],
        sent: &mut usize,
    ) -> Poll<io::Result<()>> {
        loop {
            let waiting = self.block.get(self.at..).unwrap_or_default();
            let rest = piece.get(*sent..).unwrap_or_default();
            let result = match (waiting, rest) {
                ([], []) => break,
                ([], piece) => self.io.poll_write(cx, &[IoSlice::new(piece)]),
                (head, []) => self.io.poll_write(cx, &[IoSlice::new(head)]),
                (head, piece) => self
                    .io
                    .poll_write(cx, &[IoSlice::new(head), IoSlice::new(piece)]),
            };
            let n = match ready!(result) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(n) => n,
                Err(error) => return Poll::Ready(Err(error)),
            };
            self.sent += n as u64;
            let from_block = n.min(waiting.len());
            self.at += from_block;
            *sent += n - from_block;
        }
        self.give_back();
        self.io.poll_flush(cx)
    }

    /// The message is complete, once what waits has been sent.
    pub fn end(&mut self, trailers: &Fields) {
        self.io.end(trailers);
    }

    pub fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.poll_shutdown(cx)
    }

    fn give_back(&mut self) {
        if self.block.capacity() > 0 {
            self.blocks.0.give(std::mem::take(&mut self.block));
            self.at = 0;
        }
    }
}

impl<O> Drop for Outbound<O> {
    fn drop(&mut self) {
        self.blocks.0.give(std::mem::take(&mut self.block));
    }
}

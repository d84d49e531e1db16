//! The two halves of a byte stream, as the codecs use them.

use std::io::{IoSlice, Result};
use std::task::{Context, Poll};

use message::Fields;

/// The receiving half of a connection.
pub trait Input {
    /// Appends what has arrived to the spare capacity of `into`; 0 at the end
    /// of the stream. A passed deadline is an error of kind `TimedOut`.
    fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut Vec<u8>) -> Poll<Result<usize>>;

    /// Resolves when a read would find something, an end included. Says nothing
    /// of deadlines, and costs less than a read that finds nothing.
    fn poll_arrival(&mut self, cx: &mut Context<'_>) -> Poll<()>;

    /// The trailer fields of a message that ends with its stream.
    fn take_trailers(&mut self, _: &mut Fields) {}

    /// Nothing has arrived and the stream has not ended: a look that waits for
    /// nothing. What it finds is lost.
    fn is_quiet(&mut self) -> bool;
}

/// The sending half of a connection.
pub trait Output {
    /// Sends a prefix of `pieces`; returns its length. A passed deadline is an
    /// error of kind `TimedOut`.
    fn poll_write(&mut self, cx: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<Result<usize>>;

    /// Sends what `poll_write` has taken and still holds.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>>;

    /// The message is complete, for streams that carry just one.
    fn end(&mut self, _trailers: &Fields) {}

    /// Tells the peer that nothing more will be sent.
    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>>;
}

use std::task::{Context, Poll, ready};

use crate::{Failure, Fields};

/// A body on its way through, whatever protocol it arrived in.
///
/// The pieces are borrowed from the source's own buffer: what a peer sent is
/// copied at most once, into the other side's socket. Nothing is read ahead
/// while a piece has not been consumed, which is the back-pressure.
pub trait Source {
    /// Makes `available` non-empty, or resolves with it empty at the end of
    /// the body. Resolves at once while something is available.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>>;

    /// The piece of body that lies ready.
    fn available(&self) -> &[u8];

    /// Takes `n` bytes off the front of `available`.
    fn consume(&mut self, n: usize);

    /// All of the body has been taken.
    fn is_end(&self) -> bool;

    /// How many bytes are still to come, where that is known.
    fn remaining(&self) -> Option<u64>;

    /// The trailer fields; complete once the end is reached.
    fn trailers(&self) -> &Fields;
}

/// Where a body goes, whatever protocol takes it.
///
/// A piece is announced, sent and ended; small pieces may be held back until
/// the next flush. All methods are polled, so that a body on its way up and
/// one on its way down can move in turn within one task.
pub trait Sink {
    /// A piece of `len` bytes follows.
    fn begin_piece(&mut self, len: usize) -> Result<(), Failure>;

    /// Sends or holds back the piece, of which `sent` bytes are done.
    fn poll_piece(
        &mut self,
        cx: &mut Context<'_>,
        piece: &[u8],
        sent: &mut usize,
    ) -> Poll<Result<(), Failure>>;

    /// The piece is done.
    fn end_piece(&mut self);

    /// Ends the body; a flush must follow.
    fn finish(&mut self, trailers: &Fields) -> Result<(), Failure>;

    /// Sends whatever has been held back.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>>;
}

/// Bytes that one relay moves before it lets other tasks run.
const TURN: usize = 64 * 1024;

/// Moves one body from a source to a sink: the only relay there is, for every
/// pair of protocols and both directions.
///
/// It holds no bytes. What it has taken from the source is sent before more is
/// taken, so the slower side sets the pace and memory stays constant.
#[derive(Debug, Default)]
pub struct Relay {
    state: State,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Filling,
    Sending {
        length: usize,
        sent: usize,
    },
    Finishing,
    Done,
}

impl Relay {
    /// A relay with nothing to do.
    pub fn done() -> Self {
        Self { state: State::Done }
    }

    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Moves what can be moved. Whenever the source has nothing ready, what the
    /// sink holds back is flushed, so that nothing waits for more to come.
    pub fn poll<S: Source, K: Sink>(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut S,
        sink: &mut K,
    ) -> Poll<Result<(), Failure>> {
        let mut moved = 0;
        loop {
            self.state = match self.state {
                State::Filling => match source.poll_fill(cx)? {
                    Poll::Pending => {
                        ready!(sink.poll_flush(cx))?;
                        return Poll::Pending;
                    }
                    Poll::Ready(()) if source.is_end() => {
                        sink.finish(source.trailers())?;
                        State::Finishing
                    }
                    Poll::Ready(()) if moved >= TURN => {
                        // Both sides are fast; so may be others, with less to move.
                        cx.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                    Poll::Ready(()) => {
                        let length = source.available().len();
                        sink.begin_piece(length)?;
                        State::Sending { length, sent: 0 }
                    }
                },
                State::Sending { length, mut sent } => {
                    let piece = source.available().get(..length).unwrap_or_default();
                    let result = sink.poll_piece(cx, piece, &mut sent);
                    self.state = State::Sending { length, sent };
                    ready!(result)?;
                    sink.end_piece();
                    source.consume(length);
                    moved += length;
                    State::Filling
                }
                State::Finishing => {
                    ready!(sink.poll_flush(cx))?;
                    State::Done
                }
                State::Done => return Poll::Ready(Ok(())),
            };
        }
    }
}

//! What of a request's body has gone to one backend, kept for another.

use std::task::{Context, Poll};

use message::{Failure, Fields, Source};
use wire::h1::Incoming;
use wire::io::Input;

/// Bodies are kept up to this size.
pub(crate) const LIMIT: usize = 64 * 1024;

/// The part of a body that has been taken from the client, if it is being kept.
#[derive(Default)]
pub(crate) struct Replay {
    keeps: bool,
    bytes: Vec<u8>,
    /// How much of it the current attempt has sent.
    at: usize,
}

impl Replay {
    /// Whether what is taken from now on is kept.
    pub(crate) fn keep_if(&mut self, keeps: bool) {
        self.keeps = keeps;
    }

    /// The next attempt sends the body from its beginning.
    pub(crate) fn rewind(&mut self) {
        self.at = 0;
    }

    /// All that has been `received` so far can be sent once more.
    pub(crate) fn is_whole(&self, received: u64) -> bool {
        self.bytes.len() as u64 == received
    }

    fn rest(&self) -> &[u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    fn took(&mut self, piece: &[u8]) {
        if !self.keeps {
            return;
        }
        if self.bytes.len() + piece.len() > LIMIT {
            *self = Self::default();
            return;
        }
        self.bytes.extend_from_slice(piece);
        self.at = self.bytes.len();
    }
}

/// A body of which the beginning may have been taken before.
pub(crate) struct Replayed<'a, I> {
    pub(crate) replay: &'a mut Replay,
    pub(crate) incoming: Incoming<'a, I>,
}

impl<I: Input> Source for Replayed<'_, I> {
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        if self.replay.rest().is_empty() {
            self.incoming.poll_fill(cx)
        } else {
            Poll::Ready(Ok(()))
        }
    }

    fn available(&self) -> &[u8] {
        match self.replay.rest() {
            [] => self.incoming.available(),
            rest => rest,
        }
    }

    fn consume(&mut self, n: usize) {
        if !self.replay.rest().is_empty() {
            self.replay.at += n;
            return;
        }
        let piece = self.incoming.available();
        self.replay.took(piece.get(..n).unwrap_or_default());
        self.incoming.consume(n);
    }

    fn is_end(&self) -> bool {
        self.replay.rest().is_empty() && self.incoming.is_end()
    }

    fn remaining(&self) -> Option<u64> {
        let left = self.incoming.remaining()?;
        Some(left + self.replay.rest().len() as u64)
    }

    fn trailers(&self) -> &Fields {
        self.incoming.trailers()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_whole_as_long_as_all_of_it_is_kept() {
        let mut replay = Replay::default();
        assert!(replay.is_whole(0));
        replay.took(b"lost");
        assert!(!replay.is_whole(4));

        replay.keep_if(true);
        replay.took(b"abc");
        replay.took(b"de");
        assert!(replay.is_whole(5));
        assert_eq!(replay.rest(), b"");
        replay.rewind();
        assert_eq!(replay.rest(), b"abcde");

        replay.took(&vec![0; LIMIT - 5]);
        assert!(replay.is_whole(LIMIT as u64));
        replay.took(b"x");
        assert!(!replay.is_whole(LIMIT as u64 + 1));
        replay.took(b"y");
        assert!(replay.bytes.is_empty(), "nothing is kept any more");
    }
}

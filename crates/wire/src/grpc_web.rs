//! gRPC-Web: bodies on their way between a client that gets at no trailers, such
//! as a browser's, and a server of gRPC (PROTOCOL-WEB.md of gRPC).
//!
//! The frames of messages are those of gRPC. Behind them an answer has one more,
//! with the trailers. In text all of it is in base64, in pieces that end where it
//! suits who writes them, each with its own padding.

use std::task::{Context, Poll, ready};

use data_encoding::BASE64;
use message::{Failure, Fields, Kind, Source};

/// Letters of base64 that are decoded at a time.
const LETTERS: usize = 8 * 1024;

/// Bytes that are encoded at a time: what these letters stand for.
const BYTES: usize = LETTERS / 4 * 3;

/// The flag of a frame that holds trailers.
const TRAILERS: u8 = 0x80;

/// A request's body in base64, and how much of it has been decoded.
#[derive(Debug, Default)]
pub struct TextRequest {
    /// Letters that wait for the rest of their four.
    letters: Vec<u8>,
    /// Of what has been decoded, what has been taken.
    bytes: Ready,
}

/// Bytes that are taken piece by piece.
#[derive(Debug, Default)]
struct Ready {
    bytes: Vec<u8>,
    taken: usize,
}

impl Ready {
    fn rest(&self) -> &[u8] {
        self.bytes.get(self.taken..).unwrap_or_default()
    }

    /// Room for `n` others.
    fn begin(&mut self, n: usize) -> &mut Vec<u8> {
        self.bytes.clear();
        self.bytes.resize(n, 0);
        self.taken = 0;
        &mut self.bytes
    }
}

impl TextRequest {
    /// The body of which `source` has the letters.
    pub fn decode<S: Source>(&mut self, source: S) -> impl Source {
        Decoded { text: self, source }
    }

    fn came(&mut self, letters: &[u8]) -> Result<(), Failure> {
        self.letters.extend_from_slice(letters);
        let (whole, _) = self.letters.split_at(self.letters.len() / 4 * 4);
        let done = whole.len();
        let room = BASE64.decode_len(done).map_err(|_| no_base64())?;
        let bytes = self.bytes.begin(room);
        // A padding may stand wherever four letters end.
        let n = BASE64.decode_mut(whole, bytes).map_err(|_| no_base64())?;
        bytes.truncate(n);
        self.letters.drain(..done);
        Ok(())
    }

    fn end(&self) -> Result<(), Failure> {
        match &*self.letters {
            [] => Ok(()),
            _ => Err(no_base64()),
        }
    }
}

fn no_base64() -> Failure {
    Failure::new(
        Kind::BadBody,
        "what is said to be gRPC-Web in text is no base64",
    )
}

struct Decoded<'a, S> {
    text: &'a mut TextRequest,
    source: S,
}

impl<S: Source> Source for Decoded<'_, S> {
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        while self.available().is_empty() {
            ready!(self.source.poll_fill(cx))?;
            if self.source.is_end() {
                return Poll::Ready(self.text.end());
            }
            let letters = self.source.available();
            let letters = letters.get(..LETTERS).unwrap_or(letters);
            let n = letters.len();
            self.text.came(letters)?;
            self.source.consume(n);
        }
        Poll::Ready(Ok(()))
    }

    fn available(&self) -> &[u8] {
        self.text.bytes.rest()
    }

    fn consume(&mut self, n: usize) {
        self.text.bytes.taken += n;
    }

    fn is_end(&self) -> bool {
        self.available().is_empty() && self.source.is_end()
    }

    fn remaining(&self) -> Option<u64> {
        None
    }

    fn trailers(&self) -> &Fields {
        self.source.trailers()
    }
}

/// Where an answer is in its frames: each is a flag, four bytes of length, and so much.
#[derive(Debug, Default)]
struct Frames {
    /// Bytes of a frame's head that have come, and its length as far as those say it.
    head: usize,
    length: u32,
    /// What is left of a frame whose head has come.
    left: usize,
}

impl Frames {
    /// Goes on by these bytes. A server has no frames of trailers: what looks like one
    /// to the client would end the call as a backend's message says.
    fn pass(&mut self, mut bytes: &[u8]) -> Result<(), Failure> {
        while let [first, rest @ ..] = bytes {
            if self.left > 0 {
                let n = self.left.min(bytes.len());
                self.left -= n;
                bytes = bytes.get(n..).unwrap_or_default();
                continue;
            }
            match self.head {
                0 if first & TRAILERS != 0 => {
                    let why = "a frame of trailers among the messages";
                    return Err(Failure::new(Kind::BadResponse, why));
                }
                0 => self.length = 0,
                _ => self.length = self.length << 8 | u32::from(*first),
            }
            self.head += 1;
            if self.head == 5 {
                self.head = 0;
                self.left = self.length as usize;
            }
            bytes = rest;
        }
        Ok(())
    }

    /// No frame has come in part.
    fn is_between(&self) -> bool {
        self.head == 0 && self.left == 0
    }
}

/// An answer's body as the client gets it, and how much of it there has been.
#[derive(Debug)]
pub struct Answer {
    is_text: bool,
    frames: Frames,
    /// So much of what the source has ready has been looked at.
    seen: usize,
    /// The trailers have come, and are among what is ready.
    has_ended: bool,
    /// What is not taken from the answer as it is.
    ready: Ready,
    /// All trailers are in the body.
    none: Fields,
}

impl Answer {
    pub fn new(is_text: bool) -> Self {
        Self {
            is_text,
            frames: Frames::default(),
            seen: 0,
            has_ended: false,
            ready: Ready::default(),
            none: Fields::default(),
        }
    }

    /// The body that a client gets of which `source` has the server's.
    pub fn encode<S: Source>(&mut self, source: S) -> impl Source {
        Encoded {
            answer: self,
            source,
        }
    }

    fn write_text(&mut self, bytes: &[u8]) {
        let text = self.ready.begin(BASE64.encode_len(bytes.len()));
        BASE64.encode_mut(bytes, text);
    }

    /// One frame with all trailers. Without any there is none, for an answer that
    /// has no status does not get one here.
    fn end(&mut self, trailers: &Fields) -> Result<(), Failure> {
        self.has_ended = true;
        if trailers.is_empty() {
            return Ok(());
        }
        if !self.frames.is_between() {
            let why = "the answer ended within a message";
            return Err(Failure::new(Kind::Incomplete, why));
        }
        let mut lines = Vec::new();
        for field in trailers.iter() {
            lines.extend(field.name.to_ascii_lowercase());
            lines.extend_from_slice(b": ");
            lines.extend_from_slice(field.value);
            lines.extend_from_slice(b"\r\n");
        }
        let length = u32::try_from(lines.len()).map_err(|_| Kind::ResponseHeadTooLarge)?;
        let frame = [&[TRAILERS], &length.to_be_bytes()[..], &lines].concat();
        match self.is_text {
            true => self.write_text(&frame),
            false => self.ready.begin(frame.len()).copy_from_slice(&frame),
        }
        Ok(())
    }
}

struct Encoded<'a, S> {
    answer: &'a mut Answer,
    source: S,
}

impl<S: Source> Encoded<'_, S> {
    fn take(&mut self, n: usize) {
        self.answer.seen = self.answer.seen.saturating_sub(n);
        self.source.consume(n);
    }
}

impl<S: Source> Source for Encoded<'_, S> {
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        if self.answer.has_ended || !self.answer.ready.rest().is_empty() {
            return Poll::Ready(Ok(()));
        }
        ready!(self.source.poll_fill(cx))?;
        if self.source.is_end() {
            return Poll::Ready(self.answer.end(self.source.trailers()));
        }
        let bytes = self.source.available();
        let fresh = bytes.get(self.answer.seen..).unwrap_or_default();
        self.answer.frames.pass(fresh)?;
        self.answer.seen = bytes.len();
        if self.answer.is_text {
            let bytes = bytes.get(..BYTES).unwrap_or(bytes);
            let n = bytes.len();
            self.answer.write_text(bytes);
            self.take(n);
        }
        Poll::Ready(Ok(()))
    }

    fn available(&self) -> &[u8] {
        match self.answer.ready.rest() {
            [] if !self.answer.is_text => self.source.available(),
            rest => rest,
        }
    }

    fn consume(&mut self, n: usize) {
        match self.answer.ready.rest() {
            [] => self.take(n),
            _ => self.answer.ready.taken += n,
        }
    }

    fn is_end(&self) -> bool {
        self.answer.has_ended && self.answer.ready.rest().is_empty()
    }

    fn remaining(&self) -> Option<u64> {
        None
    }

    fn trailers(&self) -> &Fields {
        &self.answer.none
    }
}

#[cfg(test)]
mod tests;

//! One HTTP/2 connection without TLS (RFC 9113), on which every request is a unary gRPC call.
//!
//! What is asked for does not matter, so no field is ever decoded and no stream has a state: the frame that ends a
//! request is answered with the same bytes under its stream's number.

use std::collections::VecDeque;

use crate::request::Malformed;

/// How a client begins (RFC 9113 section 3.4).
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
/// The same bit, on `SETTINGS` and `PING`.
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

const INITIAL_WINDOW_SIZE: u16 = 4;
/// What a window is before anybody has said anything.
const FIRST_WINDOW: u32 = 65_535;
const LARGEST_WINDOW: u32 = (1 << 31) - 1;
const LARGEST_FRAME: usize = 16_384;
/// Streams at a time, and so answers that wait for the client's window.
const STREAMS: u32 = 1000;
/// So many bytes of bodies are taken before the client is given as many again.
const GIVE_AFTER: u32 = 1 << 24;

/// `:status: 200`, `content-type: application/grpc`, without the dynamic table.
const HEAD: &[u8] = b"\x88\x0f\x10\x10application/grpc";
/// `grpc-status: 0`.
const TRAILERS: &[u8] = b"\0\x0bgrpc-status\x010";
const MESSAGE: u32 = 128;
/// The message behind its byte for compression and its length.
const BODY: u32 = 5 + MESSAGE;

#[derive(Debug)]
pub(crate) struct Grpc {
    has_begun: bool,
    /// What the client takes on the connection as a whole before it says more.
    window: i64,
    /// Requests that are complete and wait for the window.
    waiting: VecDeque<u32>,
    /// Bytes of bodies since the client was given more.
    taken: u32,
}

#[derive(Debug)]
struct Frame<'a> {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: &'a [u8],
}

impl Default for Grpc {
    fn default() -> Grpc {
        Grpc {
            has_begun: false,
            window: i64::from(FIRST_WINDOW),
            waiting: VecDeque::new(),
            taken: 0,
        }
    }
}

impl Grpc {
    /// Takes every whole frame from the front of `bytes` and says how many bytes these were; what answers them goes to
    /// the end of `out`.
    pub(crate) fn take(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<usize, Malformed> {
        let mut rest = bytes;
        if !self.has_begun {
            let Some(after) = rest.strip_prefix(PREFACE) else {
                return Ok(0);
            };
            self.has_begun = true;
            rest = after;
            begin(out);
        }
        while let Some((frame, after)) = split_frame(rest)? {
            rest = after;
            self.frame(&frame, out)?;
        }
        self.answer(out);
        Ok(bytes.len() - rest.len())
    }

    fn frame(&mut self, frame: &Frame<'_>, out: &mut Vec<u8>) -> Result<(), Malformed> {
        match frame.kind {
            // Every head here fits into one frame.
            HEADERS if frame.flags & END_HEADERS == 0 => return Err(Malformed),
            CONTINUATION => return Err(Malformed),
            HEADERS | DATA => self.part_of_request(frame, out)?,
            RST_STREAM => self.waiting.retain(|stream| *stream != frame.stream),
            SETTINGS if frame.flags & ACK == 0 => {
                check(frame.payload)?;
                push_frame(out, SETTINGS, ACK, 0, &[]);
            }
            PING if frame.flags & ACK == 0 => push_frame(out, PING, ACK, 0, frame.payload),
            // A stream's own window is never too small for its one answer: `check` saw to it.
            WINDOW_UPDATE if frame.stream == 0 => {
                let more = frame.payload.first_chunk().ok_or(Malformed)?;
                self.window += i64::from(u32::from_be_bytes(*more) & LARGEST_WINDOW);
            }
            _ => {}
        }
        Ok(())
    }

    fn part_of_request(&mut self, frame: &Frame<'_>, out: &mut Vec<u8>) -> Result<(), Malformed> {
        if frame.kind == DATA {
            self.taken += length(frame.payload);
            if self.taken >= GIVE_AFTER {
                give(out, self.taken);
                self.taken = 0;
            }
        }
        if frame.flags & END_STREAM != 0 {
            if self.waiting.len() >= STREAMS as usize {
                return Err(Malformed);
            }
            self.waiting.push_back(frame.stream);
        }
        Ok(())
    }

    fn answer(&mut self, out: &mut Vec<u8>) {
        while self.window >= i64::from(BODY) {
            let Some(stream) = self.waiting.pop_front() else {
                return;
            };
            self.window -= i64::from(BODY);
            let mut body = [b'x'; BODY as usize];
            for (to, byte) in body.iter_mut().zip([0, 0, 0, 0, MESSAGE as u8]) {
                *to = byte;
            }
            push_frame(out, HEADERS, END_HEADERS, stream, HEAD);
            push_frame(out, DATA, 0, stream, &body);
            push_frame(out, HEADERS, END_HEADERS | END_STREAM, stream, TRAILERS);
        }
    }
}

/// So many streams, each with the largest window, and such a window for all of them together.
fn begin(out: &mut Vec<u8>) {
    let mut settings = Vec::new();
    for (name, value) in [(3_u16, STREAMS), (INITIAL_WINDOW_SIZE, LARGEST_WINDOW)] {
        settings.extend_from_slice(&name.to_be_bytes());
        settings.extend_from_slice(&value.to_be_bytes());
    }
    push_frame(out, SETTINGS, 0, 0, &settings);
    give(out, LARGEST_WINDOW - FIRST_WINDOW);
}

fn give(out: &mut Vec<u8>, more: u32) {
    push_frame(out, WINDOW_UPDATE, 0, 0, &more.to_be_bytes());
}

/// A client whose streams have no room for an answer would have to be waited for.
fn check(settings: &[u8]) -> Result<(), Malformed> {
    let is_small = |setting: &[u8]| match setting {
        [high, low, value @ ..] => {
            u16::from_be_bytes([*high, *low]) == INITIAL_WINDOW_SIZE
                && value
                    .first_chunk()
                    .is_none_or(|value| u32::from_be_bytes(*value) < BODY)
        }
        _ => true,
    };
    match settings.chunks(6).any(is_small) {
        true => Err(Malformed),
        false => Ok(()),
    }
}

/// The frame at the start of `bytes` and what is behind it; `None` while it is not whole.
fn split_frame(bytes: &[u8]) -> Result<Option<(Frame<'_>, &[u8])>, Malformed> {
    let Some((&[a, b, c, kind, flags, w, x, y, z], rest)) = bytes.split_first_chunk() else {
        return Ok(None);
    };
    let length = u32::from_be_bytes([0, a, b, c]) as usize;
    if length > LARGEST_FRAME {
        return Err(Malformed);
    }
    let stream = u32::from_be_bytes([w, x, y, z]) & LARGEST_WINDOW;
    Ok(rest.split_at_checked(length).map(|(payload, rest)| {
        let frame = Frame {
            kind,
            flags,
            stream,
            payload,
        };
        (frame, rest)
    }))
}

fn push_frame(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let [_, a, b, c] = length(payload).to_be_bytes();
    let [w, x, y, z] = stream.to_be_bytes();
    out.extend_from_slice(&[a, b, c, kind, flags, w, x, y, z]);
    out.extend_from_slice(payload);
}

/// No payload is longer than `LARGEST_FRAME`.
fn length(payload: &[u8]) -> u32 {
    payload.len() as u32
}

#[cfg(test)]
mod tests;

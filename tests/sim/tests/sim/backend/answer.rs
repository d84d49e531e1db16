//! What backends answer.

use std::cell::{Cell, OnceCell};
use std::rc::Rc;

use fastrand::Rng;

use super::fault::Fault;
use crate::case::Case;
use crate::line::Line;
use crate::message::Framing;
use crate::pattern;
use crate::request::{chunked, length, pad};

/// One answer of one backend, in all its bytes.
pub(crate) struct Answer {
    /// Unlike any other's; also says what its body is.
    pub(crate) id: u64,
    pub(crate) token: u64,
    pub(crate) status: u16,
    pub(crate) fill: String,
    pub(crate) framing: Framing,
    /// Of the body, as its framing says.
    pub(crate) length: usize,
    pub(crate) trailers: Vec<(String, String)>,
    /// It never becomes complete, whatever is sent of it.
    pub(crate) breaks: bool,
    /// The last one of its connection, by its own words or its framing.
    pub(crate) closes: bool,
    pub(crate) bytes: Vec<u8>,
    /// Of the bytes, the head.
    pub(crate) head: usize,
    /// The connection it is sent on, and where in what the backend sends there.
    sent: OnceCell<(Rc<Line>, u64)>,
    /// The connection has ended in order, for an answer that lasts until then.
    pub(crate) has_ended: Cell<bool>,
}

const STATUSES: &[u16] = &[
    200, 200, 200, 200, 200, 200, 201, 204, 304, 302, 404, 500, 503,
];

impl Answer {
    pub(crate) fn draw(random: &mut Rng, case: &Case, fault: Option<Fault>) -> Self {
        let status = *random.choice(STATUSES).unwrap_or(&200);
        let is_10 = random.u8(..10) == 0;
        let is_bodiless = case.request.method == "HEAD" || matches!(status, 204 | 304);
        let length = length(random);
        let framing = match random.u8(..10) {
            0..5 => Framing::Length(length as u64),
            5..9 if !is_10 => Framing::Chunked,
            _ => Framing::UntilEnd,
        };
        let id = random.u64(1..);
        let mut trailers = Vec::new();
        if framing == Framing::Chunked && !is_bodiless && random.u8(..4) == 0 {
            trailers.push(("X-End".to_owned(), format!("{id:016x}")));
        }
        let says_close = random.u8(..8) == 0;
        let until_end = framing == Framing::UntilEnd && !is_bodiless;
        let breaks = match fault {
            Some(Fault::HugeHead | Fault::BadField | Fault::Switch | Fault::Chatter) => true,
            _ if is_bodiless => false,
            Some(Fault::BothFramings) => true,
            Some(Fault::TooShort) => matches!(framing, Framing::Length(_)),
            Some(Fault::BadChunk) => framing == Framing::Chunked,
            _ => false,
        };
        let mut answer = Self {
            id,
            token: case.request.token,
            status,
            fill: pad(random, 300),
            framing: if is_bodiless { Framing::Empty } else { framing },
            length: if is_bodiless { 0 } else { length },
            trailers,
            breaks,
            closes: says_close || is_10 || until_end,
            bytes: Vec::new(),
            head: 0,
            sent: OnceCell::new(),
            has_ended: Cell::new(false),
        };
        let version = if is_10 { "HTTP/1.0" } else { "HTTP/1.1" };
        answer.write_head(random, version, framing, says_close, fault);
        if !is_bodiless {
            answer.write_body(random, framing, fault);
        }
        answer
    }

    fn write_head(
        &mut self,
        random: &mut Rng,
        version: &str,
        framing: Framing,
        says_close: bool,
        fault: Option<Fault>,
    ) {
        let mut lines = vec![
            format!("X-Token: {:016x}", self.token),
            format!("X-Answer: {:016x}", self.id),
            format!("X-Fill: {}", self.fill),
        ];
        match framing {
            _ if self.status == 204 => {}
            Framing::Length(n) if fault == Some(Fault::TooShort) => {
                lines.push(format!("Content-Length: {}", n + 1 + random.u64(..100)));
            }
            Framing::Length(n) => lines.push(format!("Content-Length: {n}")),
            Framing::Chunked => lines.push("Transfer-Encoding: chunked".to_owned()),
            Framing::Empty | Framing::UntilEnd => {}
        }
        if says_close {
            lines.push("Connection: close".to_owned());
        }
        if self.status == 503 && random.bool() {
            let seconds = random.choice(&[0, 1, 100]).unwrap_or(&0);
            lines.push(format!("Retry-After: {seconds}"));
        }
        match fault {
            Some(Fault::BothFramings) => {
                lines.push("Content-Length: 3".to_owned());
                lines.push("Transfer-Encoding: chunked".to_owned());
            }
            Some(Fault::HugeHead) => lines.push(format!("X-Huge: {}", "x".repeat(90_000))),
            Some(Fault::BadField) => lines.push("X Bad: 1".to_owned()),
            _ => {}
        }
        random.shuffle(&mut lines);
        let reason = random.choice(&[" Fine", " ", ""]).unwrap_or(&"");
        self.bytes = format!("{version} {}{reason}\r\n", self.status).into_bytes();
        for line in lines {
            self.bytes.extend_from_slice(line.as_bytes());
            self.bytes.extend_from_slice(b"\r\n");
        }
        self.bytes.extend_from_slice(b"\r\n");
        self.head = self.bytes.len();
    }

    fn write_body(&mut self, random: &mut Rng, framing: Framing, fault: Option<Fault>) {
        let body = pattern::body(self.id, self.length);
        if framing != Framing::Chunked {
            self.bytes.extend_from_slice(&body);
            return;
        }
        let chunks = chunked(random, &body, &self.trailers);
        self.bytes.extend_from_slice(&chunks);
        if fault == Some(Fault::BadChunk) {
            let last = b"0\r\n".len() + 2;
            let trailers: usize = self
                .trailers
                .iter()
                .map(|(n, v)| n.len() + v.len() + 4)
                .sum();
            self.bytes.truncate(self.bytes.len() - last - trailers);
            self.bytes.extend_from_slice(b"fish\r\n");
        }
    }

    /// From now on the backend sends it.
    pub(crate) fn begin(&self, line: &Rc<Line>) {
        // No answer is sent twice.
        let _ = self.sent.set((Rc::clone(line), line.given.get()));
    }

    /// So much of it has been sent.
    fn is_sent(&self, length: usize) -> bool {
        let sent = self.sent.get();
        sent.is_some_and(|(line, from)| line.given.get() >= from + length as u64)
    }

    pub(crate) fn head_is_sent(&self) -> bool {
        self.is_sent(self.head)
    }

    /// The backend has sent all of it, and it can be told.
    pub(crate) fn is_complete(&self) -> bool {
        let has_ended = self.framing != Framing::UntilEnd || self.has_ended.get();
        !self.breaks && has_ended && self.is_sent(self.bytes.len())
    }

    /// Forebay has taken all of it.
    pub(crate) fn is_taken(&self) -> bool {
        let end = |from: &u64| from + self.bytes.len() as u64;
        let sent = self.sent.get();
        sent.is_some_and(|(line, from)| line.taken.get() >= end(from))
    }

    /// Bytes of it that are neither head nor body.
    pub(crate) fn overhead(&self) -> usize {
        self.bytes.len() - self.length
    }
}

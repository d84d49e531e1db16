//! One connection's requests and answers, without the socket.

use std::io::{self, Write};

use crate::answers::{self, Answer, Answers};
use crate::body::Body;
use crate::grpc::{self, Grpc};
use crate::outbox::Outbox;
use crate::request::{self, Malformed, Request, Wanted};

#[derive(Debug, Default)]
pub(crate) struct Session {
    /// The start of a head whose end has not arrived.
    partial: Vec<u8>,
    /// The request whose body is arriving.
    open: Option<(Request, Body)>,
    /// The client speaks HTTP/2, since its first byte.
    grpc: Option<Grpc>,
    outbox: Outbox,
    /// No further request is read; the connection ends with the last answer.
    closing: bool,
}

impl Session {
    /// Takes bytes from the client; what they ask for goes to the outbox.
    pub(crate) fn receive(&mut self, bytes: &[u8], answers: &mut Answers) {
        if self.partial.is_empty() {
            let left = self.consume(bytes, answers);
            self.partial.extend_from_slice(left);
        } else {
            let mut held = std::mem::take(&mut self.partial);
            held.extend_from_slice(bytes);
            let left = self.consume(&held, answers).len();
            held.drain(..held.len() - left);
            self.partial = held;
        }
    }

    pub(crate) fn has_output(&self) -> bool {
        !self.outbox.is_empty()
    }

    /// Nothing more is to be read; once the outbox is empty the connection may end.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing
    }

    /// Sends until nothing is left (`true`) or the socket is full (`false`).
    pub(crate) fn flush(&mut self, socket: &mut impl Write) -> io::Result<bool> {
        self.outbox.flush(socket)
    }

    /// Gives back the incomplete head at the end, if any.
    fn consume<'a>(&mut self, bytes: &'a [u8], answers: &mut Answers) -> &'a [u8] {
        let mut rest = bytes;
        while !self.closing && !rest.is_empty() {
            match self.step(rest, answers) {
                Ok(0) => return rest,
                Ok(used) => rest = rest.get(used..).unwrap_or_default(),
                Err(Malformed) => {
                    if self.grpc.is_none() {
                        self.outbox.push(answers::bad_request());
                    }
                    self.closing = true;
                }
            }
        }
        &[]
    }

    /// Takes one head or a part of a body, or all frames; 0 when a head or a frame is incomplete.
    fn step(&mut self, bytes: &[u8], answers: &mut Answers) -> Result<usize, Malformed> {
        if self.grpc.is_none() && self.open.is_none() {
            if bytes.starts_with(grpc::PREFACE) {
                self.grpc = Some(Grpc::default());
            } else if grpc::PREFACE.starts_with(bytes) {
                return Ok(0);
            }
        }
        if let Some(grpc) = &mut self.grpc {
            // In one piece, so that one send takes it all.
            let mut out = Vec::new();
            let used = grpc.take(bytes, &mut out)?;
            if !out.is_empty() {
                self.outbox.push(answers::whole(out));
            }
            return Ok(used);
        }
        if let Some((request, mut body)) = self.open.take() {
            let used = body.take(bytes)?;
            self.settle(request, body, answers);
            return Ok(used);
        }
        let Some((request, used)) = request::parse(bytes)? else {
            return Ok(0);
        };
        // A client that waits is told to go on; one that has begun to send needs no word.
        if request.expects_continue && used == bytes.len() {
            self.outbox.push(answers::go_on());
        }
        self.settle(request, Body::new(request.framing), answers);
        Ok(used)
    }

    /// Answers once the body is complete, else waits for the rest of it.
    fn settle(&mut self, request: Request, body: Body, answers: &mut Answers) {
        if body.is_complete() {
            self.closing = !request.keep_alive;
            self.outbox.push(answer(&request, &body, answers));
        } else {
            self.open = Some((request, body));
        }
    }
}

fn answer(request: &Request, body: &Body, answers: &mut Answers) -> Answer {
    let keep_alive = request.keep_alive;
    match request.wanted {
        Wanted::Bytes(size) => answers.sized(size, keep_alive),
        Wanted::HeadOnly(size) => answers::head_only(size, keep_alive),
        Wanted::Count => answers::counted(body.received(), keep_alive),
        Wanted::Nothing => answers::not_found(keep_alive),
    }
}

#[cfg(test)]
mod tests {
    use super::Session;
    use crate::answers::Answers;
    use proptest::prelude::*;

    /// What a client gets that sends `bytes` in pieces of `step`: status and body
    /// length per answer, and whether the connection then ends.
    fn talk(bytes: &[u8], step: usize) -> (Vec<(u16, usize)>, bool) {
        let mut session = Session::default();
        let mut answers = Answers::default();
        let mut sent = Vec::new();
        for piece in bytes.chunks(step) {
            session.receive(piece, &mut answers);
        }
        assert!(session.flush(&mut sent).unwrap());
        assert!(!session.has_output());
        (
            statuses(&String::from_utf8(sent).unwrap()),
            session.is_closing(),
        )
    }

    fn statuses(mut text: &str) -> Vec<(u16, usize)> {
        let mut found = Vec::new();
        while let Some((head, rest)) = text.split_once("\r\n\r\n") {
            let length = head.split_once("Content-Length: ").map_or(0, |(_, after)| {
                after.lines().next().unwrap().parse().unwrap()
            });
            found.push((head[9..12].parse().unwrap(), length));
            text = &rest[length..];
        }
        assert_eq!(text, "");
        found
    }

    #[test]
    fn conversations_in_any_pieces() {
        type Wanted<'a> = (&'a [(u16, usize)], bool);
        let table: &[(&str, Wanted<'_>)] = &[
            ("", (&[], false)),
            ("GET /128 HTTP/1.1\r\n\r\n", (&[(200, 128)], false)),
            (
                "GET /128 HTTP/1.1\r\n\r\nGET /bytes/3 HTTP/1.1\r\n\r\nGET /64",
                (&[(200, 128), (200, 3)], false),
            ),
            (
                "GET /128 HTTP/1.0\r\n\r\nGET /128 HTTP/1.1\r\n\r\n",
                (&[(200, 128)], true),
            ),
            (
                "POST /a HTTP/1.1\r\nContent-Length: 4\r\n\r\nbodyGET /x HTTP/1.1\r\n\r\n",
                (&[(200, 1), (404, 0)], false),
            ),
            (
                "GET /128 HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody",
                (&[(200, 128)], false),
            ),
            (
                "PUT /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nA\r\n0123456789\r\n0\r\n\r\nGET /128 HTTP/1.1\r\n\r\n",
                (&[(200, 2), (200, 128)], false),
            ),
            (
                "nonsense\r\n\r\nGET /128 HTTP/1.1\r\n\r\n",
                (&[(400, 0)], true),
            ),
            (
                "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nz",
                (&[(400, 0)], true),
            ),
            ("PRI * HTTP/2.0\r\n\r\nSM", (&[], false)),
            ("PRI * HTTP/1.1\r\n\r\n", (&[(404, 0)], false)),
        ];
        for (text, (answers, closing)) in table {
            for step in 1..=text.len().max(1) {
                assert_eq!(
                    talk(text.as_bytes(), step),
                    (answers.to_vec(), *closing),
                    "{text:?} by {step}"
                );
            }
        }
    }

    #[test]
    fn a_waiting_client_is_told_once_to_go_on() {
        let head = "POST /a HTTP/1.1\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n";
        let rest = "1\r\na\r\n0\r\n\r\n";
        let mut session = Session::default();
        let mut answers = Answers::default();
        let mut sent = Vec::new();
        session.receive(head.as_bytes(), &mut answers);
        session.flush(&mut sent).unwrap();
        assert_eq!(sent, b"HTTP/1.1 100 Continue\r\n\r\n");
        for byte in rest.bytes() {
            session.receive(&[byte], &mut answers);
        }
        session.flush(&mut sent).unwrap();
        assert_eq!(
            statuses(&String::from_utf8(sent).unwrap()),
            [(100, 0), (200, 1)]
        );
        assert_eq!(talk(format!("{head}{rest}").as_bytes(), 1000).0, [(200, 1)]);
    }

    proptest! {
        #[test]
        fn foreign_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..600), step in 1_usize..600) {
            let mut session = Session::default();
            let mut answers = Answers::default();
            for piece in bytes.chunks(step) {
                session.receive(piece, &mut answers);
            }
        }
    }
}

mod asking;
mod flow;
mod heads;
mod offences;

use std::task::Waker;
use std::time::Instant;

use message::{Kind, RequestHead};
use proptest::prelude::*;

use super::*;
use crate::h2::Patience;
use crate::h2::hpack::{Pseudo, write_field, write_pseudo};
use crate::io::Output;

const OPTIONS: Options = Options {
    max_concurrent_streams: 3,
    stream_window: 100_000,
    connection_window: 1_000_000,
    max_header_list_size: 4096,
    takes_extended_connect: false,
};

const LIMITS: Limits = Limits {
    line: 1000,
    fields: 4096,
    count: 20,
};

#[expect(clippy::disallowed_methods, reason = "any time will do")]
fn watch() -> Watch {
    let patience = Patience {
        resets: 5,
        control_frames: 50,
        stalls: 1,
    };
    Watch::new(patience, Instant::now())
}

/// A socket that takes everything.
#[derive(Default)]
struct Taken(Vec<u8>);

impl Output for Taken {
    fn poll_write(
        &mut self,
        _: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let before = self.0.len();
        pieces
            .iter()
            .for_each(|piece| self.0.extend_from_slice(piece));
        Poll::Ready(Ok(self.0.len() - before))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

type Sent = (u8, u8, u32, Vec<u8>);

/// A connection with a client that has said what it must.
struct Pair {
    connection: Connection,
    arrived: Vec<(StreamKey, Result<String, Kind>)>,
}

impl Pair {
    fn new() -> Self {
        Self::with(OPTIONS.connection_window)
    }

    fn with(connection_window: u32) -> Self {
        Self::of(Options {
            connection_window,
            ..OPTIONS
        })
    }

    fn of(options: Options) -> Self {
        let mut pair = Self {
            connection: Connection::new(options, watch(), Blocks::default()),
            arrived: Vec::new(),
        };
        pair.send(PREFACE);
        pair.frame(kind::SETTINGS, 0, 0, &[]);
        pair.frame(kind::SETTINGS, flag::ACK, 0, &[]);
        let greeting = pair.sent();
        let kinds: Vec<u8> = greeting.iter().map(|sent| sent.0).collect();
        assert_eq!(
            kinds,
            [kind::SETTINGS, kind::WINDOW_UPDATE, kind::SETTINGS],
            "{greeting:?}"
        );
        pair
    }

    fn silent() -> Self {
        Self {
            connection: Connection::new(OPTIONS, watch(), Blocks::default()),
            arrived: Vec::new(),
        }
    }

    fn send(&mut self, mut bytes: &[u8]) {
        let mut head = RequestHead::default();
        while !bytes.is_empty() {
            let (taken, arrived) = self.connection.receive(bytes, &LIMITS, &mut head);
            if let Some(arrived) = arrived {
                let said = || String::from_utf8_lossy(head.target_bytes()).into_owned();
                let verdict = arrived.verdict.map(|()| said()).map_err(|f| f.kind);
                self.arrived.push((arrived.stream, verdict));
            } else if taken == 0 {
                break;
            }
            bytes = &bytes[taken..];
        }
    }

    fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        self.send(&bytes(kind, flags, stream, payload));
    }

    fn request(&mut self, stream: u32, is_last: bool) -> StreamKey {
        let flags = flag::END_HEADERS | u8::from(is_last);
        self.frame(kind::HEADERS, flags, stream, &get("/"));
        let (key, verdict) = self.arrived.pop().expect("a request");
        assert_eq!(verdict, Ok("/".to_owned()));
        key
    }

    fn sent(&mut self) -> Vec<Sent> {
        frames(&flushed(&mut self.connection))
    }

    fn body(&mut self, key: StreamKey, body: &[u8]) -> Option<usize> {
        let cx = Context::from_waker(Waker::noop());
        match self.connection.poll_body(key, &cx, body) {
            Poll::Ready(taken) => Some(taken.expect("the stream lives")),
            Poll::Pending => None,
        }
    }

    /// Everything that can be read; None where the stream has been cut.
    fn read(&mut self, key: StreamKey) -> Option<Vec<u8>> {
        read(&mut self.connection, key).ok()
    }
}

/// What is sent, all of it.
fn flushed(connection: &mut Connection) -> Vec<u8> {
    let mut taken = Taken::default();
    let mut cx = Context::from_waker(Waker::noop());
    let flushed = connection.poll_flush(&mut cx, &mut taken);
    assert!(matches!(flushed, Poll::Ready(Ok(()))));
    taken.0
}

/// Everything that can be read.
fn read(connection: &mut Connection, key: StreamKey) -> io::Result<Vec<u8>> {
    let cx = Context::from_waker(Waker::noop());
    let mut into = Vec::with_capacity(1 << 20);
    loop {
        match connection.poll_read(key, &cx, &mut into) {
            Poll::Pending | Poll::Ready(Ok(0)) => return Ok(into),
            Poll::Ready(Ok(_)) => {}
            Poll::Ready(Err(error)) => return Err(error),
        }
    }
}

fn bytes(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame::write(&mut bytes, kind, flags, stream, payload);
    bytes
}

fn frames(mut bytes: &[u8]) -> Vec<Sent> {
    let mut frames = Vec::new();
    while let Some((head, rest)) = bytes.split_first_chunk::<HEAD>() {
        let head = Head::read(*head);
        let (payload, rest) = rest.split_at(head.len);
        frames.push((head.kind, head.flags, head.stream, payload.to_vec()));
        bytes = rest;
    }
    frames
}

fn get(path: &str) -> Vec<u8> {
    let mut block = Vec::new();
    write_pseudo(&mut block, Pseudo::Method, b"GET");
    write_pseudo(&mut block, Pseudo::Scheme, b"http");
    write_pseudo(&mut block, Pseudo::Path, path.as_bytes());
    write_pseudo(&mut block, Pseudo::Authority, b"a");
    block
}

/// With further fields.
fn post(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = get("/");
    for (name, value) in fields {
        let known = message::Known::of(name.as_bytes());
        write_field(&mut block, known, name.as_bytes(), value.as_bytes());
    }
    block
}

const HEADERS: u8 = kind::HEADERS;
const WHOLE: u8 = flag::END_HEADERS | flag::END_STREAM;

#[test]
fn a_request_is_answered_in_as_few_frames_as_can_be() {
    let mut pair = Pair::new();
    let key = pair.request(1, true);
    pair.connection.write_head(key, b"\x88");
    assert_eq!(pair.body(key, b"hello"), Some(5));
    pair.connection.finish(key, &[]);
    pair.connection.release(key);
    let expected = [
        (HEADERS, flag::END_HEADERS, 1, b"\x88".to_vec()),
        (kind::DATA, flag::END_STREAM, 1, b"hello".to_vec()),
    ];
    assert_eq!(pair.sent(), expected);
    // Nothing but a head, and one whose end comes late.
    let key = pair.request(3, true);
    pair.connection.write_head(key, b"\x88");
    pair.connection.finish(key, &[]);
    let key = pair.request(5, true);
    pair.connection.write_head(key, b"\x88");
    let kinds: Vec<_> = pair.sent().iter().map(|f| (f.0, f.1, f.2)).collect();
    assert_eq!(
        kinds,
        [(HEADERS, WHOLE, 3), (HEADERS, flag::END_HEADERS, 5)]
    );
    pair.connection.finish(key, &[]);
    assert_eq!(pair.sent(), [(kind::DATA, flag::END_STREAM, 5, vec![])]);
    // Trailers.
    let key = pair.request(7, true);
    pair.connection.write_head(key, b"\x88");
    pair.connection.finish(key, b"\x0f\x0d\x010");
    let kinds: Vec<_> = pair.sent().iter().map(|f| (f.0, f.1, f.2)).collect();
    assert_eq!(
        kinds,
        [(HEADERS, flag::END_HEADERS, 7), (HEADERS, WHOLE, 7)]
    );
}

#[test]
fn bodies_end_with_data_with_trailers_or_too_soon() {
    let mut pair = Pair::new();
    let key = pair.request(1, false);
    pair.frame(kind::DATA, flag::PADDED, 1, b"\x03abc\0\0\0");
    pair.frame(kind::DATA, flag::PADDED | flag::END_STREAM, 1, b"\0de");
    assert_eq!(pair.read(key), Some(b"abcde".to_vec()));
    let key = pair.request(3, false);
    let mut block = Vec::new();
    write_field(&mut block, message::Known::Other, b"x", b"y");
    pair.frame(kind::DATA, 0, 3, b"abc");
    pair.frame(HEADERS, WHOLE, 3, &block);
    assert_eq!(pair.read(key), Some(b"abc".to_vec()));
    let trailers = pair.connection.take_trailers(key).expect("trailers");
    assert_eq!(trailers.all_named(b"x").next(), Some(&b"y"[..]));
    let key = pair.request(5, false);
    pair.frame(kind::RST_STREAM, 0, 5, &[0, 0, 0, 8]);
    assert_eq!(pair.read(key), None);
    let cx = Context::from_waker(Waker::noop());
    assert!(pair.connection.poll_cut(key, &cx).is_ready());
    // It is no longer one of the three that may be open.
    pair.sent();
    pair.request(7, true);
    pair.connection.release(key);
    assert!(pair.sent().is_empty());
}

#[test]
fn what_begins_otherwise_is_no_client() {
    for begun in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"PRI * HTTP/2.0\r\n\r\nXX"] {
        let mut pair = Pair::silent();
        pair.send(begun);
        assert!(pair.connection.is_over());
    }
    let mut pair = Pair::silent();
    pair.send(PREFACE);
    pair.frame(kind::PING, 0, 0, &[0; 8]);
    assert!(pair.connection.is_over());
}

#[test]
fn more_requests_than_allowed_are_refused_and_come_again() {
    let mut pair = Pair::new();
    let keys = [1, 3, 5].map(|stream| pair.request(stream, true));
    pair.frame(HEADERS, WHOLE, 7, &get("/"));
    assert!(pair.arrived.is_empty());
    let refused = Reason::REFUSED_STREAM.0.to_be_bytes().to_vec();
    assert_eq!(pair.sent(), [(kind::RST_STREAM, 0, 7, refused)]);
    pair.connection.write_head(keys[1], b"\x88");
    pair.connection.finish(keys[1], &[]);
    pair.request(9, true);
}

#[test]
fn a_polite_end_takes_what_was_on_its_way() {
    let mut pair = Pair::new();
    let one = pair.request(1, true);
    pair.connection.leave();
    let sent = pair.sent();
    assert_eq!(
        (sent[0].0, &sent[0].3[..4]),
        (kind::GOAWAY, &[0x7f, 0xff, 0xff, 0xff][..])
    );
    assert_eq!((sent[1].0, sent[1].1), (kind::PING, 0));
    let two = pair.request(3, true);
    pair.frame(kind::PING, flag::ACK, 0, &sent[1].3);
    let end = pair.sent();
    assert_eq!(
        (end[0].0, &end[0].3[..]),
        (kind::GOAWAY, &[0, 0, 0, 3, 0, 0, 0, 0][..])
    );
    // Too late.
    pair.frame(HEADERS, WHOLE, 5, &get("/"));
    assert!(pair.arrived.is_empty());
    for key in [one, two] {
        assert!(!pair.connection.is_over());
        pair.connection.write_head(key, b"\x88");
        pair.connection.finish(key, &[]);
        pair.connection.release(key);
    }
    assert!(pair.connection.is_over());
}

#[test]
fn a_client_that_does_not_go_is_not_waited_for() {
    let mut pair = Pair::new();
    pair.connection.leave();
    pair.sent();
    pair.request(1, true);
    pair.connection.take_no_more();
    let end = pair.sent();
    assert_eq!(
        (end[0].0, &end[0].3[..4]),
        (kind::GOAWAY, &[0, 0, 0, 1][..])
    );
    pair.frame(HEADERS, WHOLE, 3, &get("/"));
    assert!(pair.arrived.is_empty());
}

/// Bytes in pieces of these sizes, again and again.
fn pieces<'a>(mut rest: &'a [u8], sizes: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    sizes.iter().cycle().map_while(move |size| {
        let piece;
        (piece, rest) = rest.split_at((*size).min(rest.len()));
        (!piece.is_empty()).then_some(piece)
    })
}

fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let payload = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        Just(get("/x")),
        Just(vec![0, 0, 0, 1]),
        Just(vec![0; 8]),
        // An answer, and one with a length.
        Just(vec![0x88]),
        Just(b"\x88\x0f\x0d\x012".to_vec()),
    ];
    (0_u8..11, any::<u8>(), 0_u32..8, payload)
        .prop_map(|(kind, flags, stream, payload)| bytes(kind, flags, stream, &payload))
}

proptest! {
    /// However bytes are split, the same comes of them; and nothing panics.
    #[test]
    fn it_does_not_matter_how_bytes_are_split(
        all in prop::collection::vec(any_frame(), 0..30),
        sizes in prop::collection::vec(1_usize..30, 1..20),
    ) {
        let all = all.concat();
        let (mut whole, mut split) = (Pair::new(), Pair::new());
        whole.send(&all);
        pieces(&all, &sizes).for_each(|piece| split.send(piece));
        prop_assert_eq!(whole.sent(), split.sent());
        prop_assert_eq!(&whole.arrived, &split.arrived);
        for (key, _) in whole.arrived.clone() {
            prop_assert_eq!(whole.read(key), split.read(key));
            whole.connection.release(key);
        }
    }
}

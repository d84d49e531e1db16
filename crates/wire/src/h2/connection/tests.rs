mod asking;

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
        let options = Options {
            connection_window,
            ..OPTIONS
        };
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
fn heads_of_any_size_are_sent_and_table_sizes_are_answered() {
    let mut pair = Pair::new();
    pair.frame(kind::SETTINGS, 0, 0, &[0, 1, 0, 0, 0, 0]);
    let key = pair.request(1, true);
    pair.sent();
    let section: Vec<u8> = (0..40_000_u32).map(|n| n as u8).collect();
    pair.connection.write_head(key, &section);
    pair.connection.finish(key, &[]);
    let sent = pair.sent();
    let kinds: Vec<_> = sent.iter().map(|f| (f.0, f.1, f.3.len())).collect();
    let expected = [
        (HEADERS, flag::END_STREAM, MAX_SIZE),
        (kind::CONTINUATION, 0, MAX_SIZE),
        (kind::CONTINUATION, flag::END_HEADERS, 40_001 - 2 * MAX_SIZE),
    ];
    assert_eq!(kinds, expected);
    let together: Vec<u8> = sent.into_iter().flat_map(|f| f.3).collect();
    assert_eq!(together.first(), Some(&0x20));
    assert_eq!(&together[1..], section);
}

#[test]
fn windows_bound_what_is_sent() {
    let mut pair = Pair::new();
    // 10 bytes for each stream.
    pair.frame(kind::SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 10]);
    let key = pair.request(1, true);
    pair.connection.write_head(key, b"\x88");
    assert_eq!(pair.body(key, &[7; 64]), Some(10));
    assert_eq!(pair.body(key, &[7; 54]), None);
    pair.frame(kind::WINDOW_UPDATE, 0, 1, &[0, 0, 0, 5]);
    assert_eq!(pair.body(key, &[7; 54]), Some(5));
    // Less than what has been sent already: it has to be waited for.
    pair.frame(kind::SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 4]);
    pair.frame(kind::WINDOW_UPDATE, 0, 1, &[0, 0, 0, 6]);
    assert_eq!(pair.body(key, &[7; 49]), None);
    pair.frame(kind::WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1]);
    assert_eq!(pair.body(key, &[7; 49]), Some(1));
    // The connection's own.
    pair.frame(kind::SETTINGS, 0, 0, &[0, 4, 0x7f, 0xff, 0xff, 0xff]);
    let mut all = 16;
    while let Some(n) = pair.body(key, &[7; 20_000]) {
        all += n;
        pair.sent();
    }
    assert_eq!(all, 65_535);
    pair.frame(kind::WINDOW_UPDATE, 0, 0, &[0, 0, 0, 9]);
    assert_eq!(pair.body(key, &[7; 20_000]), Some(9));
}

#[test]
fn no_stream_fills_the_buffer_alone() {
    let mut pair = Pair::new();
    pair.frame(kind::WINDOW_UPDATE, 0, 0, &[0, 0x10, 0, 0]);
    pair.frame(kind::SETTINGS, 0, 0, &[0, 4, 0, 0x10, 0, 0]);
    let (one, other) = (pair.request(1, true), pair.request(3, true));
    for key in [one, other] {
        let mut all = 0;
        while let Some(n) = pair.body(key, &[7; 100_000]) {
            all += n;
        }
        assert_eq!(all, 32 * 1024);
    }
    pair.sent();
    assert!(pair.body(one, &[7]).is_some());
}

#[test]
fn what_is_read_may_be_sent_again() {
    let told =
        |stream: u32, more: u32| (kind::WINDOW_UPDATE, 0, stream, more.to_be_bytes().to_vec());
    let mut pair = Pair::new();
    let key = pair.request(1, false);
    for _ in 0..2 {
        pair.frame(kind::DATA, 0, 1, &[7; 16_384]);
    }
    assert!(pair.sent().is_empty(), "nobody has read it");
    assert_eq!(pair.read(key).map(|read| read.len()), Some(32_768));
    // It was half of the window, which grows up to what is set.
    assert_eq!(pair.sent(), [told(1, 32_768 + 100_000 - 65_536)]);
    for _ in 0..4 {
        pair.frame(kind::DATA, 0, 1, &[7; 15_000]);
    }
    assert_eq!(pair.read(key).map(|read| read.len()), Some(60_000));
    let sent = pair.sent();
    assert_eq!(sent, [told(1, 60_000)]);
    // Padding counts as read, and so does what nobody reads any more.
    for _ in 0..250 {
        pair.frame(
            kind::DATA,
            flag::PADDED,
            1,
            &[&[200, 7][..], &[0; 200]].concat(),
        );
    }
    let sent = pair.sent();
    assert!(
        sent.iter().any(|f| f.0 == kind::WINDOW_UPDATE && f.2 == 1),
        "{sent:?}"
    );
    let mut pair = Pair::with(150_000);
    let key = pair.request(1, false);
    for _ in 0..4 {
        pair.frame(kind::DATA, 0, 1, &[7; 15_000]);
    }
    assert!(pair.sent().is_empty());
    pair.connection.release(key);
    let sent = pair.sent();
    assert_eq!(sent[0].0, kind::RST_STREAM);
    assert_eq!(sent[1..], [told(0, 60_000)]);
}

/// Bytes that lie unread in some streams leave the others what they had.
#[test]
fn stalled_uploads_do_not_stop_the_others() {
    let mut pair = Pair::with(150_000);
    for stream in [1, 3] {
        pair.request(stream, false);
        for _ in 0..4 {
            pair.frame(kind::DATA, 0, stream, &[7; 16_384]);
        }
    }
    let key = pair.request(5, false);
    let (mut left, mut all) = (150_000 - 2 * 65_536, 0);
    for _ in 0..100 {
        let n = left.min(10_000);
        assert!(n > 0, "stuck after {all} bytes");
        pair.frame(kind::DATA, 0, 5, &vec![7; n]);
        (left, all) = (left - n, all + n);
        pair.read(key);
        for told in pair.sent() {
            if told.0 == kind::WINDOW_UPDATE && told.2 == 0 {
                left += four(&told.3);
            }
        }
    }
}

fn four(payload: &[u8]) -> usize {
    payload
        .iter()
        .fold(0, |all, &byte| all << 8 | usize::from(byte))
}

/// What was on its way when we ended a stream is no offence; what cannot have been
/// is one.
#[test]
fn what_comes_late_is_excused_within_reason() {
    type Ended = fn(&mut Pair);
    let ended: [(&str, Ended); 3] = [
        ("cut", |pair| {
            let key = pair.request(1, false);
            pair.connection.reset(key, Reason::INTERNAL_ERROR);
            pair.connection.release(key);
        }),
        ("answered early", |pair| {
            let key = pair.request(1, false);
            pair.connection.write_head(key, b"\x88");
            pair.connection.finish(key, &[]);
            pair.connection.release(key);
        }),
        ("refused", |pair| {
            for stream in [3, 5, 7] {
                pair.request(stream, true);
            }
            pair.frame(HEADERS, flag::END_HEADERS, 9, &get("/"));
        }),
    ];
    for (what, end) in ended {
        let mut pair = Pair::new();
        end(&mut pair);
        let id = if what == "refused" { 9 } else { 1 };
        pair.sent();
        for _ in 0..500 {
            pair.frame(kind::DATA, 0, id, b"x");
        }
        pair.frame(HEADERS, WHOLE, id, &[]);
        let sent = pair.sent();
        assert!(sent.iter().all(|f| f.0 != kind::RST_STREAM), "{what}");
        assert_eq!(pair.connection.watch.flood(), None, "{what}");
        for _ in 0..20 {
            pair.frame(kind::DATA, 0, id, &[7; 16_384]);
        }
        assert_eq!(pair.connection.watch.flood(), Some(Flood::Resets), "{what}");
    }
    // Above what a farewell has named.
    let mut pair = Pair::new();
    let key = pair.request(1, true);
    pair.connection.take_no_more();
    pair.frame(HEADERS, flag::END_HEADERS, 3, &get("/"));
    pair.sent();
    for _ in 0..500 {
        pair.frame(kind::DATA, 0, 3, b"x");
    }
    assert!(pair.sent().is_empty());
    pair.connection.write_head(key, b"\x88");
    assert_eq!(pair.sent().len(), 1);
}

#[test]
fn heads_wait_while_nothing_is_taken() {
    let mut pair = Pair::new();
    let key = pair.request(1, true);
    let cx = Context::from_waker(Waker::noop());
    let mut written = 0;
    while pair.connection.poll_room(key, &cx).is_ready() {
        pair.connection.write_head(key, &[7; 10_000]);
        written += 10_000;
    }
    assert!((128 * 1024..=138 * 1024).contains(&written), "{written}");
    pair.sent();
    assert!(pair.connection.poll_room(key, &cx).is_ready());
}

#[test]
fn requests_that_are_refused_again_and_again_are_a_flood() {
    let mut pair = Pair::new();
    for stream in [1, 3, 5] {
        pair.request(stream, true);
    }
    for n in 3..100 {
        pair.frame(HEADERS, WHOLE, 2 * n + 1, &get("/"));
    }
    assert_eq!(pair.connection.watch.flood(), Some(Flood::ControlFrames));
}

#[test]
fn a_head_that_has_come_in_part_is_known() {
    let mut pair = Pair::new();
    let head = bytes(HEADERS, 0, 1, &get("/"));
    pair.send(&head[..12]);
    assert_eq!(pair.connection.amid_head(), Some(1));
    pair.send(&head[12..]);
    assert_eq!(pair.connection.amid_head(), Some(1));
    pair.frame(kind::CONTINUATION, flag::END_HEADERS, 1, &[]);
    assert_eq!(pair.connection.amid_head(), None);
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

/// Which streams are ended, each alone, because of what comes on them.
#[test]
fn streams_end_alone() {
    let bad = post(&[("content-length", "5")]);
    let data = |flags, body: &[u8]| bytes(kind::DATA, flags, 1, body);
    let trailers = |flags: u8, block: &[u8]| bytes(HEADERS, flags, 1, block);
    let name = |name: &[u8]| {
        let mut block = Vec::new();
        write_field(&mut block, message::Known::Other, name, b"y");
        block
    };
    let whole = flag::END_STREAM;
    for (what, more, reason) in [
        (
            "longer than announced",
            data(0, b"123456"),
            Reason::PROTOCOL_ERROR,
        ),
        ("shorter", data(whole, b"1234"), Reason::PROTOCOL_ERROR),
        (
            "after the end",
            [data(whole, b"12345"), data(0, b"6")].concat(),
            Reason::STREAM_CLOSED,
        ),
        (
            "trailers that do not end it",
            [data(0, b"12345"), trailers(flag::END_HEADERS, &name(b"x"))].concat(),
            Reason::PROTOCOL_ERROR,
        ),
        (
            "a pseudo-field in trailers",
            [data(0, b"12345"), trailers(WHOLE, &name(b":path"))].concat(),
            Reason::PROTOCOL_ERROR,
        ),
        (
            "no window to give",
            bytes(kind::WINDOW_UPDATE, 0, 1, &[0; 4]),
            Reason::PROTOCOL_ERROR,
        ),
        (
            "too much of a window",
            bytes(kind::WINDOW_UPDATE, 0, 1, &[0x7f, 0xff, 0xff, 0xff]),
            Reason::FLOW_CONTROL_ERROR,
        ),
        (
            "a priority of another size",
            bytes(kind::PRIORITY, 0, 1, &[0; 4]),
            Reason::FRAME_SIZE_ERROR,
        ),
    ] {
        let mut pair = Pair::new();
        pair.frame(HEADERS, flag::END_HEADERS, 1, &bad);
        pair.send(&more);
        let told = reason.0.to_be_bytes().to_vec();
        assert_eq!(pair.sent(), [(kind::RST_STREAM, 0, 1, told)], "{what}");
        pair.request(3, true);
    }
}

/// What ends a connection.
#[test]
fn connections_end_with_a_reason() {
    let open = bytes(HEADERS, flag::END_HEADERS, 1, &get("/"));
    let settings = |id: u8, value: u32| {
        let payload = [&[0, id][..], &value.to_be_bytes()].concat();
        bytes(kind::SETTINGS, 0, 0, &payload)
    };
    let protocol = Reason::PROTOCOL_ERROR;
    let size = Reason::FRAME_SIZE_ERROR;
    let flow = Reason::FLOW_CONTROL_ERROR;
    for (what, sent, reason) in [
        (
            "a frame too long",
            bytes(kind::PING, 0, 0, &[0; 16_385]),
            size,
        ),
        ("data for nobody", bytes(kind::DATA, 0, 0, b"x"), protocol),
        (
            "data before the request",
            bytes(kind::DATA, 0, 1, b"x"),
            protocol,
        ),
        (
            "all padding",
            [open.clone(), bytes(kind::DATA, flag::PADDED, 1, b"\x05abc")].concat(),
            protocol,
        ),
        (
            "an even number",
            bytes(HEADERS, WHOLE, 2, &get("/")),
            protocol,
        ),
        ("no number", bytes(HEADERS, WHOLE, 0, &get("/")), protocol),
        (
            "its own dependency",
            bytes(
                HEADERS,
                WHOLE | flag::PRIORITY,
                1,
                &[&[0, 0, 0, 1, 9], &get("/")[..]].concat(),
            ),
            protocol,
        ),
        (
            "a broken head",
            bytes(HEADERS, WHOLE, 1, &[0xff; 20]),
            Reason::COMPRESSION_ERROR,
        ),
        (
            "a reset before the request",
            bytes(kind::RST_STREAM, 0, 1, &[0; 4]),
            protocol,
        ),
        ("a setting of two values", settings(8, 2), protocol),
        (
            "a priority of another size, of nothing",
            bytes(kind::PRIORITY, 0, 7, &[0; 4]),
            size,
        ),
        ("half a farewell", bytes(kind::GOAWAY, 0, 0, &[0; 4]), size),
        (
            "a short reset",
            [open.clone(), bytes(kind::RST_STREAM, 0, 1, &[0; 3])].concat(),
            size,
        ),
        (
            "settings of a stream",
            bytes(kind::SETTINGS, 0, 1, &[]),
            protocol,
        ),
        ("half a setting", bytes(kind::SETTINGS, 0, 0, &[0; 5]), size),
        (
            "settings known and said",
            bytes(kind::SETTINGS, flag::ACK, 0, &[0; 6]),
            size,
        ),
        ("a push", settings(2, 2), protocol),
        ("a window too large", settings(4, 1 << 31), flow),
        ("frames too small", settings(5, 16_383), protocol),
        ("frames too large", settings(5, 1 << 24), protocol),
        ("a long ping", bytes(kind::PING, 0, 0, &[0; 9]), size),
        (
            "a ping of a stream",
            bytes(kind::PING, 0, 1, &[0; 8]),
            protocol,
        ),
        (
            "a window of nothing",
            bytes(kind::WINDOW_UPDATE, 0, 0, &[0; 4]),
            protocol,
        ),
        (
            "more than any window",
            bytes(kind::WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff]),
            flow,
        ),
        (
            "a window of no stream",
            bytes(kind::WINDOW_UPDATE, 0, 5, &[0, 0, 0, 1]),
            protocol,
        ),
        (
            "a promise",
            bytes(kind::PUSH_PROMISE, 4, 1, &get("/")),
            protocol,
        ),
        (
            "nothing to go on with",
            bytes(kind::CONTINUATION, 4, 1, &[]),
            protocol,
        ),
        (
            "a head that does not go on",
            [
                bytes(HEADERS, 0, 1, &get("/")),
                bytes(kind::PING, 0, 0, &[0; 8]),
            ]
            .concat(),
            protocol,
        ),
        (
            "another head in between",
            [
                bytes(HEADERS, 0, 1, &get("/")),
                bytes(kind::CONTINUATION, 4, 3, &[]),
            ]
            .concat(),
            protocol,
        ),
    ] {
        let mut pair = Pair::new();
        pair.send(&sent);
        let end = pair.sent().pop().expect(what);
        assert_eq!(end.0, kind::GOAWAY, "{what}");
        assert_eq!(end.3[4..], reason.0.to_be_bytes(), "{what}");
        assert!(pair.connection.is_over(), "{what}");
        // Nothing is taken any more.
        pair.frame(kind::PING, 0, 0, &[0; 8]);
        assert!(pair.sent().is_empty(), "{what}");
    }
}

#[test]
fn the_window_of_a_stream_and_of_the_connection_hold() {
    let mut pair = Pair::new();
    let key = pair.request(1, false);
    for _ in 0..4 {
        pair.frame(kind::DATA, 0, 1, &[7; 16_384]);
    }
    assert_eq!(pair.sent(), []);
    pair.frame(kind::DATA, 0, 1, &[7; 1]);
    let flow = Reason::FLOW_CONTROL_ERROR.0.to_be_bytes().to_vec();
    assert!(
        pair.sent()
            .contains(&(kind::RST_STREAM, 0, 1, flow.clone()))
    );
    assert_eq!(pair.read(key).map(|read| read.len()), None);
    // The stream's part is read; that of others is not.
    let mut pair = Pair::with(150_000);
    for stream in [1, 3, 5] {
        pair.request(stream, false);
    }
    for stream in [1, 3, 5] {
        for _ in 0..4 {
            pair.frame(kind::DATA, 0, stream, &[7; 16_384]);
        }
    }
    let end = pair.sent().pop().expect("an end");
    assert_eq!((end.0, &end.3[4..]), (kind::GOAWAY, &flow[..]));
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

/// Requests that a client makes us call off count like those it calls off.
#[test]
fn offences_are_resets() {
    type Offence = fn(&mut Pair, u32);
    let offences: [Offence; 3] = [
        |pair, stream| pair.frame(kind::WINDOW_UPDATE, 0, stream, &[0; 4]),
        |pair, stream| pair.frame(kind::PRIORITY, 0, stream, &[0; 4]),
        |pair, stream| {
            pair.frame(kind::DATA, flag::END_STREAM, stream, b"x");
            pair.frame(kind::DATA, flag::END_STREAM, stream, b"x");
        },
    ];
    for offend in offences {
        let mut pair = Pair::new();
        for n in 0..6 {
            let key = pair.request(2 * n + 1, false);
            offend(&mut pair, 2 * n + 1);
            pair.connection.release(key);
        }
        assert_eq!(pair.connection.watch.flood(), Some(Flood::Resets));
        assert!(pair.connection.is_over());
    }
}

#[test]
fn padding_is_nothing() {
    let mut pair = Pair::new();
    pair.request(1, false);
    for _ in 0..60 {
        pair.frame(kind::DATA, flag::PADDED, 1, b"\x03\0\0\0");
    }
    assert_eq!(pair.connection.watch.flood(), Some(Flood::DataFrames));
}

#[test]
fn a_head_may_come_in_pieces_but_not_in_too_many() {
    let mut pair = Pair::new();
    let block = get("/pieces");
    pair.frame(HEADERS, flag::END_STREAM, 1, &block[..3]);
    pair.frame(kind::CONTINUATION, 0, 1, &block[3..5]);
    pair.frame(kind::CONTINUATION, flag::END_HEADERS, 1, &block[5..]);
    assert_eq!(pair.arrived.pop().map(|a| a.1), Some(Ok("/pieces".into())));
    let calm = Reason::ENHANCE_YOUR_CALM.0.to_be_bytes();
    for size in [0, 16_000] {
        let mut pair = Pair::new();
        pair.frame(HEADERS, 0, 1, &[]);
        for _ in 0..40 {
            pair.frame(kind::CONTINUATION, 0, 1, &vec![0; size]);
        }
        let end = pair.sent().pop().expect("an end");
        assert_eq!((end.0, &end.3[4..]), (kind::GOAWAY, &calm[..]));
        assert_eq!(pair.connection.watch.flood(), Some(Flood::Continuation));
    }
}

/// Heads that are none, and what becomes of them.
#[test]
fn heads_are_judged() {
    let pseudo = |fields: &[(&str, &str)]| {
        let mut block = Vec::new();
        for (name, value) in fields {
            let known = message::Known::of(name.as_bytes());
            write_field(&mut block, known, name.as_bytes(), value.as_bytes());
        }
        block
    };
    let bad = Err(Kind::Malformed);
    let long = "y".repeat(3000);
    for (what, block, expected) in [
        ("a plain one", get("/a?b"), Ok("/a?b".to_owned())),
        ("TE", post(&[("te", "trailers")]), Ok("/".to_owned())),
        ("the same host", post(&[("host", "A")]), Ok("/".to_owned())),
        ("another host", post(&[("host", "b")]), bad.clone()),
        ("Connection", post(&[("connection", "close")]), bad.clone()),
        (
            "a late pseudo-field",
            post(&[("x", "y"), (":path", "/")]),
            bad.clone(),
        ),
        ("twice", post(&[(":path", "/")]), bad.clone()),
        ("an unknown one", post(&[(":status", "200")]), bad.clone()),
        (
            "a value with a line",
            post(&[("x", "a\r\nb: c")]),
            bad.clone(),
        ),
        ("space around", post(&[("x", " a")]), bad.clone()),
        ("no path", get(""), bad.clone()),
        ("no slash", get("a"), bad.clone()),
        (
            "a long path",
            get(&format!("/{long}")),
            Err(Kind::TargetTooLong),
        ),
        (
            "long fields",
            post(&[("x", &long), ("y", &long)]),
            Err(Kind::HeadTooLarge),
        ),
        (
            "many fields",
            post(&[("x", "y"); 21]),
            Err(Kind::HeadTooLarge),
        ),
        (
            "a body that is not there",
            post(&[("content-length", "3")]),
            bad.clone(),
        ),
        (
            "a CONNECT",
            pseudo(&[(":method", "CONNECT"), (":authority", "a:1")]),
            Ok("a:1".to_owned()),
        ),
        (
            "a CONNECT with a path",
            pseudo(&[
                (":method", "CONNECT"),
                (":authority", "a:1"),
                (":path", "/"),
            ]),
            bad.clone(),
        ),
        (
            "no method",
            pseudo(&[(":scheme", "http"), (":path", "/")]),
            bad.clone(),
        ),
        (
            "OPTIONS",
            pseudo(&[(":method", "OPTIONS"), (":scheme", "http"), (":path", "*")]),
            Ok("*".to_owned()),
        ),
        ("GET of all", get("*"), bad),
    ] {
        let mut pair = Pair::new();
        pair.frame(HEADERS, WHOLE, 1, &block);
        let (_, verdict) = pair.arrived.pop().expect(what);
        assert_eq!(verdict, expected, "{what}");
    }
}

#[test]
fn cookies_come_together_and_bodies_are_announced() {
    let mut pair = Pair::new();
    let mut head = RequestHead::default();
    let block = post(&[("cookie", "a=1"), ("x", "y"), ("cookie", "b=2")]);
    let (_, arrived) = pair.connection.receive(
        &bytes(HEADERS, flag::END_HEADERS, 1, &block),
        &LIMITS,
        &mut head,
    );
    assert!(arrived.is_some_and(|arrived| arrived.verdict.is_ok()));
    let fields: Vec<_> = head.fields.iter().map(|f| (f.name, f.value)).collect();
    let expected: [(&[u8], &[u8]); 4] = [
        (b"host", b"a"),
        (b"x", b"y"),
        (b"cookie", b"a=1; b=2"),
        (b"transfer-encoding", b"chunked"),
    ];
    assert_eq!(fields, expected);
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

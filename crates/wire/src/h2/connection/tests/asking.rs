//! Connections to backends.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

use message::{Known, ResponseHead};

use super::*;
use crate::h2::hpack::write_status;

const WINDOWS: Windows = Windows {
    stream: 100_000,
    connection: 200_000,
    max_header_list_size: 4096,
};

const CANCEL: Reason = Reason::CANCEL;
const PROTOCOL: Reason = Reason::PROTOCOL_ERROR;

/// Counts how often it was woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A connection to a backend.
struct Asked(Connection);

impl Asked {
    /// The backend has said what it must.
    fn new() -> Self {
        Self::of(&[])
    }

    /// With these settings of its.
    fn of(settings: &[u8]) -> Self {
        let mut asked = Self::silent();
        asked.frame(kind::SETTINGS, 0, 0, settings);
        asked.frame(kind::SETTINGS, flag::ACK, 0, &[]);
        let greeting = flushed(&mut asked.0);
        let frames = frames(greeting.strip_prefix(PREFACE).expect("the preface"));
        let kinds: Vec<u8> = frames.iter().map(|sent| sent.0).collect();
        assert_eq!(
            kinds,
            [kind::SETTINGS, kind::WINDOW_UPDATE, kind::SETTINGS],
            "{frames:?}"
        );
        asked
    }

    fn silent() -> Self {
        Self(Connection::asking(WINDOWS, watch(), Blocks::default()))
    }

    fn send(&mut self, bytes: &[u8]) {
        self.0.receive_answers(bytes, &LIMITS);
    }

    fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        self.send(&bytes(kind, flags, stream, payload));
    }

    /// A whole request.
    fn get(&mut self) -> StreamKey {
        let key = self.0.open(&get("/"), AnswerTo::Other).expect("a stream");
        self.0.finish(key, &[]);
        key
    }

    fn sent(&mut self) -> Vec<Sent> {
        frames(&flushed(&mut self.0))
    }

    /// The reason of the only frame that was sent, which resets a stream.
    fn reset(&mut self) -> Option<Reason> {
        let [(kind::RST_STREAM, 0, _, payload)] = &*self.sent() else {
            return None;
        };
        let code = payload.first_chunk().expect("a code");
        Some(Reason(u32::from_be_bytes(*code)))
    }

    /// The next head's status; None where there is none yet.
    fn head(&mut self, key: StreamKey) -> Option<Result<u16, Cut>> {
        let cx = Context::from_waker(Waker::noop());
        let mut head = ResponseHead::default();
        match self.0.poll_head(key, &cx, &mut head) {
            Poll::Ready(Ok(())) => Some(Ok(head.status)),
            Poll::Ready(Err(error)) => Some(Err(cut(&error))),
            Poll::Pending => None,
        }
    }

    fn read(&mut self, key: StreamKey) -> Result<Vec<u8>, Cut> {
        read(&mut self.0, key).map_err(|error| cut(&error))
    }

    fn has_ended(&mut self, key: StreamKey) -> bool {
        let cx = Context::from_waker(Waker::noop());
        let mut into = Vec::with_capacity(1);
        matches!(
            self.0.poll_read(key, &cx, &mut into),
            Poll::Ready(Ok(0)) | Poll::Ready(Err(_))
        )
    }
}

fn cut(error: &io::Error) -> Cut {
    Cut::of(error).unwrap_or(Cut::Lost)
}

fn answer(status: u16, fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    write_status(&mut block, status);
    block.extend(section(fields));
    block
}

fn section(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        let known = Known::of(name.as_bytes());
        // As it is: capitals as well.
        match name.bytes().any(|b| b.is_ascii_uppercase()) {
            true => {
                block.extend([0, name.len() as u8]);
                block.extend(name.bytes());
                block.push(value.len() as u8);
                block.extend(value.bytes());
            }
            false => write_field(&mut block, known, name.as_bytes(), value.as_bytes()),
        }
    }
    block
}

#[test]
fn a_request_leaves_in_one_frame_behind_what_must_come_first() {
    let mut asked = Asked::silent();
    asked.get();
    let said = flushed(&mut asked.0);
    let sent = frames(said.strip_prefix(PREFACE).expect("the preface"));
    let settings = [
        &[0, 2, 0, 0, 0, 0][..],
        &[0, 4, 0, 1, 0x86, 0xa0],
        &[0, 6, 0, 0, 0x10, 0],
    ];
    let window = 134_465_u32.to_be_bytes();
    let expected = [
        (kind::SETTINGS, 0, 0, settings.concat()),
        (kind::WINDOW_UPDATE, 0, 0, window.to_vec()),
        (HEADERS, WHOLE, 1, get("/")),
    ];
    assert_eq!(sent, expected);
    // With a body.
    let mut asked = Asked::new();
    let key = asked.0.open(&get("/"), AnswerTo::Other).expect("a stream");
    let cx = Context::from_waker(Waker::noop());
    assert!(asked.0.poll_body(key, &cx, b"body").is_ready());
    asked.0.finish(key, &[]);
    let expected = [
        (HEADERS, flag::END_HEADERS, 1, get("/")),
        (kind::DATA, flag::END_STREAM, 1, b"body".to_vec()),
    ];
    assert_eq!(asked.sent(), expected);
}

#[test]
fn heads_bodies_and_trailers_come_in_their_order() {
    let mut asked = Asked::new();
    let key = asked.get();
    assert_eq!(asked.head(key), None);
    let headers = flag::END_HEADERS;
    asked.frame(HEADERS, headers, 1, &answer(103, &[("link", "a")]));
    asked.frame(HEADERS, headers, 1, &answer(103, &[("link", "b")]));
    asked.frame(
        HEADERS,
        headers,
        1,
        &answer(200, &[("content-length", "5")]),
    );
    asked.frame(kind::DATA, 0, 1, b"hello");
    asked.frame(HEADERS, WHOLE, 1, &section(&[("x", "y")]));
    let statuses: Vec<_> = (0..3).map(|_| asked.head(key)).collect();
    assert_eq!(statuses, [Some(Ok(103)), Some(Ok(103)), Some(Ok(200))]);
    assert_eq!(asked.head(key), None);
    assert_eq!(asked.read(key), Ok(b"hello".to_vec()));
    assert!(asked.has_ended(key));
    let trailers = asked.0.take_trailers(key).expect("trailers");
    assert_eq!(trailers.all_named(b"x").next(), Some(&b"y"[..]));
    asked.sent();
    asked.0.release(key);
    assert_eq!(asked.sent(), []);
}

#[test]
fn space_around_values_is_taken_off() {
    let mut asked = Asked::new();
    let key = asked.get();
    let headers = flag::END_HEADERS;
    asked.frame(HEADERS, headers, 1, &answer(200, &[("x", " a ")]));
    asked.frame(HEADERS, WHOLE, 1, &section(&[("grpc-message", "gone ")]));
    let cx = Context::from_waker(Waker::noop());
    let mut head = ResponseHead::default();
    assert!(asked.0.poll_head(key, &cx, &mut head).is_ready());
    assert_eq!(head.fields.all_named(b"x").next(), Some(&b"a"[..]));
    assert_eq!(asked.read(key), Ok(Vec::new()));
    let trailers = asked.0.take_trailers(key).expect("trailers");
    let message = trailers.all_named(b"grpc-message").next();
    assert_eq!(message, Some(&b"gone"[..]));
}

#[test]
fn heads_that_are_too_large_are_called_so() {
    let large = "y".repeat(3000);
    for fields in [&[("x", "y"); 21][..], &[("x", &*large), ("y", &*large)]] {
        let mut asked = Asked::new();
        let key = asked.get();
        asked.frame(HEADERS, WHOLE, 1, &answer(200, fields));
        let refused = asked.head(key);
        let is_so = |cut| matches!(cut, Cut::BadAnswer(Kind::ResponseHeadTooLarge, _));
        assert!(refused.is_some_and(|cut| cut.is_err_and(is_so)));
    }
}

/// What there is of an answer says where it ends, and that may be at its head.
#[test]
fn lengths_bind_only_where_there_is_a_body() {
    let long = [("content-length", "5")];
    for (status, to, is_whole) in [
        (200, AnswerTo::Head, true),
        (304, AnswerTo::Other, true),
        (204, AnswerTo::Other, true),
        (200, AnswerTo::Other, false),
        (200, AnswerTo::Connect, true),
        (299, AnswerTo::Connect, true),
        (404, AnswerTo::Connect, false),
    ] {
        let mut asked = Asked::new();
        let key = asked.0.open(&get("/"), to).expect("a stream");
        asked.0.finish(key, &[]);
        asked.frame(HEADERS, WHOLE, 1, &answer(status, &long));
        assert_eq!(asked.head(key), Some(Ok(status)));
        assert_eq!(asked.read(key).is_ok(), is_whole, "{status} to {to:?}");
    }
}

/// What a backend says of requests to go on with another protocol, in turn, and
/// what is made of it (RFC 8441 section 3).
#[test]
fn it_takes_requests_to_switch_once_it_says_so() {
    let mut cx = Context::from_waker(Waker::noop());
    let one: &[u8] = &[0, 8, 0, 0, 0, 1];
    let zero: &[u8] = &[0, 8, 0, 0, 0, 0];
    let streams: &[u8] = &[0, 3, 0, 0, 0, 9];
    for (said, takes) in [
        (&[] as &[&[u8]], Poll::Pending),
        (&[&[]], Poll::Ready(false)),
        (&[streams], Poll::Ready(false)),
        (&[one], Poll::Ready(true)),
        (&[zero], Poll::Ready(false)),
        (&[streams, one], Poll::Ready(true)),
        (&[one, streams], Poll::Ready(true)),
        (&[one, one], Poll::Ready(true)),
    ] {
        let mut asked = Asked::silent();
        for settings in said {
            asked.frame(kind::SETTINGS, 0, 0, settings);
        }
        let polled = asked.0.poll_takes_extended_connect(&cx, &mut None);
        assert_eq!(polled, takes, "{said:?}");
    }
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    cx = Context::from_waker(&waker);
    let ends: [fn(&mut Asked); 3] = [
        |asked| asked.frame(kind::SETTINGS, 0, 0, &[]),
        |asked| asked.frame(kind::PING, 0, 0, &[0; 8]),
        |asked| asked.0.lose(Cut::Lost),
    ];
    for (before, end) in ends.into_iter().enumerate() {
        let mut asked = Asked::silent();
        let (mut place, mut left) = (None, None);
        let mut wait = |place: &mut Option<Waiting>| {
            let polled = asked.0.poll_takes_extended_connect(&cx, place);
            assert!(polled.is_pending());
        };
        wait(&mut place);
        wait(&mut place);
        wait(&mut left);
        asked.0.stop_waiting(left.expect("a place"));
        end(&mut asked);
        assert_eq!(woken.0.load(Ordering::Relaxed), before + 1);
        let polled = asked.0.poll_takes_extended_connect(&cx, &mut place);
        assert!(polled.is_ready());
    }
    let mut asked = Asked::of(one);
    asked.frame(kind::SETTINGS, 0, 0, zero);
    assert_eq!(asked.0.end(), Some(PROTOCOL));
}

/// Which streams are ended, each alone, because of what comes on them.
#[test]
fn streams_end_alone() {
    let headers = flag::END_HEADERS;
    let head = |fields: &[(&str, &str)]| bytes(HEADERS, headers, 1, &answer(200, fields));
    let data = |flags: u8, body: &[u8]| bytes(kind::DATA, flags, 1, body);
    let raw = |fields: &[(&str, &str)]| bytes(HEADERS, headers, 1, &section(fields));
    let end = flag::END_STREAM;
    let long = [("content-length", "5")];
    let large = "y".repeat(3000);
    for (what, came, reason) in [
        ("no status", raw(&[("x", "y")]), PROTOCOL),
        ("a short status", raw(&[(":status", "20")]), PROTOCOL),
        ("a long one", raw(&[(":status", "2000")]), PROTOCOL),
        ("no digits", raw(&[(":status", "2x0")]), PROTOCOL),
        ("below all", raw(&[(":status", "099")]), PROTOCOL),
        (
            "two",
            raw(&[(":status", "200"), (":status", "200")]),
            PROTOCOL,
        ),
        ("late", raw(&[("x", "y"), (":status", "200")]), PROTOCOL),
        ("of a request", head(&[(":path", "/")]), PROTOCOL),
        (
            "a switch",
            bytes(HEADERS, headers, 1, &answer(101, &[])),
            PROTOCOL,
        ),
        (
            "an interim end",
            bytes(HEADERS, WHOLE, 1, &answer(103, &[])),
            PROTOCOL,
        ),
        ("a capital", head(&[("X-A", "1")]), PROTOCOL),
        ("Connection", head(&[("connection", "close")]), PROTOCOL),
        (
            "a coding",
            head(&[("transfer-encoding", "chunked")]),
            PROTOCOL,
        ),
        ("a line", head(&[("x", "a\r\nb: c")]), PROTOCOL),
        ("many fields", head(&[("x", "y"); 21]), PROTOCOL),
        (
            "large fields",
            head(&[("x", &large), ("y", &large)]),
            PROTOCOL,
        ),
        ("data before a head", data(0, b"x"), PROTOCOL),
        ("an end before it", data(end, b""), PROTOCOL),
        (
            "too long",
            [head(&long), data(0, b"123456")].concat(),
            PROTOCOL,
        ),
        (
            "too short",
            [head(&long), data(end, b"1234")].concat(),
            PROTOCOL,
        ),
        ("two heads", [head(&[]), head(&[])].concat(), PROTOCOL),
        (
            "after the end",
            [head(&[]), data(end, b"1"), data(0, b"2")].concat(),
            Reason::STREAM_CLOSED,
        ),
        (
            "endless interim ones",
            bytes(HEADERS, headers, 1, &answer(103, &[])).repeat(33),
            PROTOCOL,
        ),
        (
            "large ones",
            bytes(HEADERS, headers, 1, &answer(103, &[("x", &large)])).repeat(2),
            PROTOCOL,
        ),
    ] {
        let mut asked = Asked::new();
        let key = asked.get();
        let other = asked.get();
        asked.sent();
        asked.send(&came);
        assert_eq!(asked.reset(), Some(reason), "{what}");
        let found = loop {
            match asked.head(key) {
                Some(Ok(_)) => {}
                Some(Err(cut)) => break Some(cut),
                None => break None,
            }
        };
        assert!(
            matches!(found, Some(Cut::ByUs(_) | Cut::BadAnswer(..))),
            "{what}: {found:?}"
        );
        assert!(asked.read(key).is_err(), "{what}");
        asked.frame(HEADERS, WHOLE, 3, &answer(200, &[]));
        assert_eq!(asked.head(other), Some(Ok(200)), "{what}");
    }
}

/// What ends a connection, and all that is on it.
#[test]
fn connections_end_with_a_reason() {
    let setting = |id: u8, value: u32| {
        let payload = [&[0, id][..], &value.to_be_bytes()].concat();
        bytes(kind::SETTINGS, 0, 0, &payload)
    };
    let size = Reason::FRAME_SIZE_ERROR;
    let ok = answer(200, &[]);
    for (what, came, reason) in [
        (
            "what is no HTTP/2",
            b"HTTP/1.1 400 Bad Request".to_vec(),
            size,
        ),
        (
            "an answer to nothing",
            bytes(HEADERS, WHOLE, 3, &ok),
            PROTOCOL,
        ),
        ("of an even number", bytes(HEADERS, WHOLE, 2, &ok), PROTOCOL),
        ("data of nothing", bytes(kind::DATA, 0, 3, b"x"), PROTOCOL),
        (
            "a reset of nothing",
            bytes(kind::RST_STREAM, 0, 3, &[0; 4]),
            PROTOCOL,
        ),
        ("a promise", bytes(kind::PUSH_PROMISE, 4, 1, &ok), PROTOCOL),
        ("that it takes pushes", setting(2, 1), PROTOCOL),
        ("a short end", bytes(kind::GOAWAY, 0, 0, &[0; 7]), size),
        (
            "a broken head",
            bytes(HEADERS, WHOLE, 1, &[0xff; 20]),
            Reason::COMPRESSION_ERROR,
        ),
        (
            "a head without an end",
            [
                bytes(HEADERS, 0, 1, &ok),
                bytes(kind::CONTINUATION, 0, 1, &[]).repeat(33),
            ]
            .concat(),
            Reason::ENHANCE_YOUR_CALM,
        ),
        (
            "a head that grows",
            bytes(
                HEADERS,
                WHOLE,
                1,
                &[
                    &[0x40, 1, b'x', 0x7f, 0xb9, 0x16][..],
                    &[b'y'; 3000],
                    &[0xbe; 90],
                ]
                .concat(),
            ),
            Reason::ENHANCE_YOUR_CALM,
        ),
        (
            "frames of no use",
            bytes(kind::PING, 0, 0, &[0; 8]).repeat(80),
            Reason::ENHANCE_YOUR_CALM,
        ),
    ] {
        let mut asked = Asked::new();
        let key = asked.get();
        asked.send(&came);
        let end = asked.sent().pop().expect(what);
        assert_eq!(end.0, kind::GOAWAY, "{what}");
        let told = [&[0; 4][..], &reason.0.to_be_bytes()].concat();
        assert_eq!(end.3, told, "{what}");
        assert!(asked.0.is_over(), "{what}");
        assert_eq!(asked.head(key), Some(Err(Cut::ByUs(reason))), "{what}");
        assert_eq!(asked.0.most_streams(), 0, "{what}");
        asked.send(&bytes(HEADERS, WHOLE, 1, &ok));
        assert_eq!(asked.head(key), Some(Err(Cut::ByUs(reason))), "{what}");
    }
}

#[test]
fn as_many_streams_are_opened_as_the_backend_takes() {
    let mut asked = Asked::silent();
    assert_eq!(asked.0.most_streams(), 1);
    let first = asked.get();
    assert!(asked.0.open(&get("/"), AnswerTo::Other).is_none());
    asked.frame(kind::SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 2]);
    assert_eq!(asked.0.most_streams(), 2);
    asked.get();
    assert!(asked.0.open(&get("/"), AnswerTo::Other).is_none());
    // One that has ended makes room, held by somebody or not.
    asked.frame(HEADERS, WHOLE, 1, &answer(200, &[]));
    let third = asked.get();
    asked.frame(kind::SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 0]);
    assert_eq!(asked.0.most_streams(), 0);
    asked.frame(HEADERS, WHOLE, 5, &answer(200, &[]));
    assert_eq!(asked.head(first), Some(Ok(200)));
    assert_eq!(asked.head(third), Some(Ok(200)));
    // Nothing said: nothing but the numbers bounds them.
    let mut asked = Asked::new();
    assert_eq!(asked.0.most_streams(), usize::MAX);
    asked.0.latest = LAST_BUT_ONE;
    asked.get();
    assert_eq!(asked.0.latest, 0x7fff_ffff);
    assert_eq!(asked.0.most_streams(), 0);
}

const LAST_BUT_ONE: u32 = 0x7fff_fffd;

#[test]
fn what_the_backend_has_not_looked_at_is_known() {
    let mut asked = Asked::new();
    let (one, two) = (asked.get(), asked.get());
    asked.frame(kind::GOAWAY, 0, 0, &[0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
    assert_eq!(asked.0.most_streams(), 0);
    assert!(asked.0.open(&get("/"), AnswerTo::Other).is_none());
    assert_eq!(asked.head(two), None, "it may be looked at");
    asked.frame(kind::GOAWAY, 0, 0, &[0, 0, 0, 1, 0, 0, 0, 0]);
    assert_eq!(asked.head(two), Some(Err(Cut::Unseen)));
    assert_eq!(asked.head(one), None);
    asked.frame(HEADERS, WHOLE, 1, &answer(200, &[]));
    assert_eq!(asked.head(one), Some(Ok(200)));
    for key in [one, two] {
        assert!(!asked.0.is_over());
        asked.0.release(key);
    }
    assert!(asked.0.is_over());
}

#[test]
fn resets_of_the_backend_say_why() {
    let mut asked = Asked::new();
    let key = asked.get();
    asked.frame(kind::RST_STREAM, 0, 1, &[0, 0, 0, 7]);
    let refused = Cut::ByPeer(Reason::REFUSED_STREAM);
    assert_eq!(asked.head(key), Some(Err(refused)));
    // Half an answer is none, but what has come of it is passed on.
    let key = asked.get();
    asked.frame(HEADERS, flag::END_HEADERS, 3, &answer(200, &[]));
    asked.frame(kind::DATA, 0, 3, b"half");
    asked.frame(kind::RST_STREAM, 0, 3, &[0; 4]);
    assert_eq!(asked.head(key), Some(Ok(200)));
    let mut into = Vec::with_capacity(100);
    let cx = Context::from_waker(Waker::noop());
    assert!(asked.0.poll_read(key, &cx, &mut into).is_ready());
    assert_eq!(into, b"half");
    let none = Cut::ByPeer(Reason::NO_ERROR);
    assert_eq!(asked.read(key), Err(none));
}

/// RFC 9113 section 8.1.
#[test]
fn a_whole_answer_stays_whole() {
    for (reset, is_whole) in [(Reason::NO_ERROR, true), (Reason::INTERNAL_ERROR, false)] {
        let mut asked = Asked::new();
        let key = asked.0.open(&get("/"), AnswerTo::Other).expect("a stream");
        asked.frame(HEADERS, flag::END_HEADERS, 1, &answer(200, &[]));
        asked.frame(kind::DATA, flag::END_STREAM, 1, b"enough");
        asked.frame(kind::RST_STREAM, 0, 1, &reset.0.to_be_bytes());
        assert_eq!(asked.head(key), Some(Ok(200)));
        assert_eq!(asked.read(key).is_ok(), is_whole, "{reset}");
        // Of the request no more is wanted.
        let cx = Context::from_waker(Waker::noop());
        let more = asked.0.poll_body(key, &cx, b"more");
        assert!(matches!(more, Poll::Ready(Err(_))), "{reset}");
    }
    // Where all of the request has been sent a reset says nothing, nor does the end.
    let mut asked = Asked::new();
    let key = asked.get();
    asked.frame(HEADERS, WHOLE, 1, &answer(200, &[]));
    asked.frame(kind::RST_STREAM, 0, 1, &CANCEL.0.to_be_bytes());
    let other = asked.get();
    asked.frame(HEADERS, WHOLE, 3, &answer(200, &[]));
    let third = asked.get();
    asked.frame(HEADERS, flag::END_HEADERS, 5, &answer(200, &[]));
    asked.0.lose(Cut::Lost);
    for (key, read) in [
        (key, Ok(Vec::new())),
        (other, Ok(Vec::new())),
        (third, Err(Cut::Lost)),
    ] {
        assert_eq!(asked.head(key), Some(Ok(200)));
        assert_eq!(asked.read(key), read);
    }
}

#[test]
fn what_nobody_waits_for_is_cancelled_and_what_still_comes_of_it_ignored() {
    let mut asked = Asked::new();
    let key = asked.get();
    asked.sent();
    asked.0.release(key);
    assert_eq!(asked.reset(), Some(CANCEL));
    // What it sends may be on its way already; its fields count (RFC 7541).
    let mut indexed = answer(200, &[]);
    indexed.extend([0x40, 1, b'x', 1, b'y']);
    asked.frame(HEADERS, flag::END_HEADERS, 1, &indexed);
    asked.frame(kind::DATA, flag::END_STREAM, 1, b"late");
    assert_eq!(asked.sent(), []);
    let key = asked.get();
    asked.frame(HEADERS, WHOLE, 3, &[0x88, 0xbe]);
    let mut head = ResponseHead::default();
    let cx = Context::from_waker(Waker::noop());
    assert!(asked.0.poll_head(key, &cx, &mut head).is_ready());
    assert_eq!(head.fields.all_named(b"x").next(), Some(&b"y"[..]));
}

#[test]
fn an_end_without_requests_is_told() {
    let mut asked = Asked::new();
    let key = asked.get();
    asked.frame(HEADERS, WHOLE, 1, &answer(200, &[]));
    asked.0.release(key);
    asked.sent();
    assert!(!asked.0.is_over());
    asked.0.close();
    assert_eq!(asked.sent(), [(kind::GOAWAY, 0, 0, vec![0; 8])]);
    assert!(asked.0.is_over());
}

proptest! {
    /// However bytes are split, the same comes of them; and nothing panics.
    #[test]
    fn it_does_not_matter_how_bytes_are_split(
        all in prop::collection::vec(any_frame(), 0..30),
        sizes in prop::collection::vec(1_usize..30, 1..20),
    ) {
        let all = all.concat();
        let (mut whole, mut split) = (Asked::new(), Asked::new());
        let keys = [whole.get(), whole.get(), whole.get()];
        prop_assert_eq!(keys, [split.get(), split.get(), split.get()]);
        whole.send(&all);
        pieces(&all, &sizes).for_each(|piece| split.send(piece));
        prop_assert_eq!(whole.sent(), split.sent());
        for key in keys {
            for _ in 0..30 {
                prop_assert_eq!(whole.head(key), split.head(key));
            }
            prop_assert_eq!(whole.read(key), split.read(key));
            whole.0.release(key);
            split.0.release(key);
        }
        prop_assert_eq!(whole.sent(), split.sent());
    }
}

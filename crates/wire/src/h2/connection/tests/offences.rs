//! What the other end must not do, and what comes of it.

use super::*;

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

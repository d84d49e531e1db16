//! Field sections: requests that are none, and heads of any size.

use super::*;

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

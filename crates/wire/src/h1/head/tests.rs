use message::Known;

use super::*;
use proptest::prelude::*;

const SMALL: Limits = Limits {
    line: 40,
    fields: 60,
    count: 4,
};

/// Feeds the bytes in pieces of the given size.
fn parse<H: ParsedHead + Default>(
    bytes: &[u8],
    step: usize,
    limits: &Limits,
) -> Result<Option<(H, usize)>, Failure> {
    let (mut parser, mut head) = (HeadParser::default(), H::default());
    let mut end = 0;
    while end < bytes.len() {
        end = (end + step).min(bytes.len());
        if let Some(length) = parser.parse(&bytes[..end], limits, &mut head)? {
            return Ok(Some((head, length)));
        }
    }
    Ok(None)
}

fn request(bytes: &[u8]) -> Result<RequestHead, Failure> {
    let whole = parse::<RequestHead>(bytes, usize::MAX / 2, &Limits::default());
    for step in 1..bytes.len() {
        let split = parse::<RequestHead>(bytes, step, &Limits::default());
        match (&whole, &split) {
            (Ok(Some((a, n))), Ok(Some((b, m)))) => {
                assert_eq!(n, m);
                assert_eq!(format!("{a:?}"), format!("{b:?}"));
            }
            (Ok(None), Ok(None)) => {}
            (Err(a), Err(b)) => assert_eq!(a.kind, b.kind),
            (a, b) => panic!("{a:?} whole but {b:?} in pieces of {step}"),
        }
    }
    whole.map(|found| found.expect("a complete head").0)
}

#[test]
fn a_request_keeps_everything_in_order() {
    let head =
        request(b"GET /a?b=c HTTP/1.1\r\nHost: x\r\nX-A:1\r\nx-a: \t 2 \r\nEmpty:\r\n\r\nrest")
            .unwrap();
    assert_eq!(head.method, Method::Get);
    assert_eq!(head.version, Version::Http11);
    assert_eq!(head.path_bytes(), b"/a");
    assert_eq!(head.query_bytes(), b"?b=c");
    let fields: Vec<_> = head.fields.iter().map(|f| (f.name, f.value)).collect();
    assert_eq!(
        fields,
        [
            (&b"Host"[..], &b"x"[..]),
            (b"X-A", b"1"),
            (b"x-a", b"2"),
            (b"Empty", b"")
        ]
    );
    assert_eq!(head.fields.get(Known::Host), Some(&b"x"[..]));
}

#[test]
fn a_response_with_and_without_a_reason() {
    for (bytes, status, reason) in [
        (&b"HTTP/1.1 200 OK\r\n\r\n"[..], 200, &b"OK"[..]),
        (
            b"HTTP/1.0 404 Not Found here\r\nA: b\r\n\r\n",
            404,
            b"Not Found here",
        ),
        (b"HTTP/1.1 204 \r\n\r\n", 204, b""),
        (b"HTTP/1.1 204\r\n\r\n", 204, b""),
        (b"HTTP/1.1 599 \xe4\r\n\r\n", 599, b"\xe4"),
    ] {
        let (head, length) = parse::<ResponseHead>(bytes, 3, &Limits::default())
            .unwrap()
            .unwrap();
        assert_eq!(
            (head.status, head.fields.slice(head.reason)),
            (status, reason)
        );
        assert_eq!(length, bytes.len());
    }
}

#[test]
fn malformed_requests_are_400() {
    for bytes in [
        &b"GET / HTTP/1.1\nHost: x\r\n\r\n"[..],
        b"GET / HTTP/1.1\r\nHost: x\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n\n",
        b"GET  / HTTP/1.1\r\n\r\n",
        b"GET /  HTTP/1.1\r\n\r\n",
        b"GET /a b HTTP/1.1\r\n\r\n",
        b"GET\t/ HTTP/1.1\r\n\r\n",
        b" GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1 \r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET\r\n\r\n",
        b"G@T / HTTP/1.1\r\n\r\n",
        b"GET / http/1.1\r\n\r\n",
        b"GET / HTTP/11\r\n\r\n",
        b"GET / HTTP/1.\r\n\r\n",
        b"GET /\0 HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost\t: x\r\n\r\n",
        b"GET / HTTP/1.1\r\n Host: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: b\r\n\tc\r\n\r\n",
        b"GET / HTTP/1.1\r\n: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHo(st: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: a\0b\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: a\rb\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: a\x01b\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: a\x7fb\r\n\r\n",
        b"GET / HTTP/1.1\r\nA\0: b\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03",
    ] {
        assert_eq!(
            request(bytes).unwrap_err().kind,
            Kind::Malformed,
            "{}",
            bytes.escape_ascii()
        );
    }
}

#[test]
fn malformed_responses_are_502() {
    for bytes in [
        &b"HTTP/1.1 20 OK\r\n\r\n"[..],
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 099 OK\r\n\r\n",
        b"HTTP/1.1  200 OK\r\n\r\n",
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"ICY 200 OK\r\n\r\n",
        b"HTTP/1.1 200 O\x01K\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
        b"HTTP/1.1 200 OK\nA: b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
    ] {
        let result = parse::<ResponseHead>(bytes, 4, &Limits::default());
        assert_eq!(
            result.unwrap_err().kind,
            Kind::BadResponse,
            "{}",
            bytes.escape_ascii()
        );
    }
}

#[test]
fn versions() {
    let version = |v: &str| request(format!("GET / {v}\r\n\r\n").as_bytes()).map(|h| h.version);
    assert_eq!(version("HTTP/1.0"), Ok(Version::Http10));
    assert_eq!(version("HTTP/1.7"), Ok(Version::Http11));
    for other in ["HTTP/2.0", "HTTP/0.9", "HTTP/3.1"] {
        assert_eq!(version(other).unwrap_err().kind, Kind::BadVersion);
    }
}

#[test]
fn limits_hold_to_the_byte_and_do_not_depend_on_how_bytes_are_split() {
    let line = |n: usize| format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(n - 14));
    let fields = |n: usize| format!("GET / HTTP/1.1\r\nA: {}\r\n\r\n", "b".repeat(n - 5));
    let count = |n: usize| format!("GET / HTTP/1.1\r\n{}\r\n", "A:b\r\n".repeat(n));
    let endless_line = "G".repeat(1000);
    let endless_field = format!("GET / HTTP/1.1\r\nA:{}", "b".repeat(1000));
    let kind = |text: &str, step| {
        parse::<RequestHead>(text.as_bytes(), step, &SMALL)
            .map(|_| ())
            .map_err(|f| f.kind)
    };
    for step in [1, 2, 3, 7, 10_000] {
        assert_eq!(kind(&line(40), step), Ok(()));
        assert_eq!(kind(&line(41), step), Err(Kind::TargetTooLong));
        assert_eq!(kind(&fields(60), step), Ok(()));
        assert_eq!(kind(&fields(61), step), Err(Kind::HeadTooLarge));
        assert_eq!(kind(&count(4), step), Ok(()));
        assert_eq!(kind(&count(5), step), Err(Kind::HeadTooLarge));
        assert_eq!(kind(&endless_line, step), Err(Kind::TargetTooLong));
        assert_eq!(kind(&endless_field, step), Err(Kind::HeadTooLarge));
    }
}

#[test]
fn a_head_that_is_not_complete_says_so() {
    for bytes in [
        &b""[..],
        b"G",
        b"GET / HTTP/1.1\r\nHost: x\r\n",
        b"GET / HTTP/1.1\r\n\r",
    ] {
        assert!(
            parse::<RequestHead>(bytes, 1, &Limits::default())
                .unwrap()
                .is_none()
        );
    }
}

proptest! {
    #[test]
    fn never_panics_and_never_depends_on_the_split(
        bytes in proptest::collection::vec(prop_oneof![
            Just(b'\r'), Just(b'\n'), Just(b' '), Just(b':'), Just(b'/'), any::<u8>(), b'a'..b'e'
        ], 0..200),
        front in prop_oneof![Just(&b""[..]), Just(&b"GET / HTTP/1.1\r\n"[..]), Just(&b"GET /a HTTP/1.1\r\nA: b\r\n"[..])],
        step in 1usize..20,
    ) {
        let bytes = [front, &bytes].concat();
        let whole = parse::<RequestHead>(&bytes, usize::MAX / 2, &SMALL);
        let split = parse::<RequestHead>(&bytes, step, &SMALL);
        match (whole, split) {
            (Ok(Some((a, n))), Ok(Some((b, m)))) => {
                prop_assert_eq!(n, m);
                prop_assert_eq!(format!("{:?}", a), format!("{:?}", b));
            }
            (Ok(None), Ok(None)) => {}
            (Err(a), Err(b)) => prop_assert_eq!(a.kind, b.kind),
            (a, b) => prop_assert!(false, "{:?} against {:?}", a, b),
        }
    }
}

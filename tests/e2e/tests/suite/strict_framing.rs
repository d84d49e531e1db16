//! What two readers could understand differently is refused, the connection
//! ends, and no byte of it reaches a backend (RFC 9112 sections 2.2, 5 and 6).

use forebay_e2e::{Backend, Client, Config, Forebay};

/// Something after the request that must never be taken for one.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: test.example\r\n\r\n";

/// A request that must be refused: its bytes, and the reason in the answer.
type Row<'a> = (&'a str, &'a str);

#[track_caller]
fn refuse(forebay: &Forebay, status: u16, row: Row<'_>) {
    let (request, reason) = row;
    let mut client = forebay.client();
    client.send(format!("{request}{SMUGGLED}")).unwrap();
    let response = client.response();
    assert_eq!(response.status, status, "{request:?}");
    assert_eq!(response.reason(), Some(reason), "{request:?}");
    assert_eq!(response.get("connection"), Some("close"), "{request:?}");
    client.assert_closed();
}

/// Refuses each, then shows that a good request is the first to arrive.
#[track_caller]
fn refuse_all(status: u16, rows: &[Row<'_>]) {
    let backend = Backend::saying("reached");
    let forebay = Config::to(&backend).start();
    for &row in rows {
        refuse(&forebay, status, row);
    }
    assert_eq!(forebay.get("/good").text(), "reached");
    assert_eq!(backend.request().target(), "/good");
}

const MALFORMED: &str = "http_request_error";

#[test]
fn a_head_that_bends_the_grammar_is_refused() {
    refuse_all(
        400,
        &[
            // Bare LF, in each place.
            ("GET / HTTP/1.1\nHost: a\r\n\r\n", MALFORMED),
            ("GET / HTTP/1.1\r\nHost: a\n\r\n", MALFORMED),
            ("GET / HTTP/1.1\r\nHost: a\r\n\n", MALFORMED),
            // A CR that ends nothing.
            ("GET / HTTP/1.1\r\nHost: a\r\nX: b\rc\r\n\r\n", MALFORMED),
            ("GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", MALFORMED),
            // Space around the name.
            ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", MALFORMED),
            ("GET / HTTP/1.1\r\nHost: a\r\nX\t: b\r\n\r\n", MALFORMED),
            ("GET / HTTP/1.1\r\n Host: a\r\n\r\n", MALFORMED),
            // Folded lines.
            ("GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n", MALFORMED),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n\tc\r\n\r\n",
                MALFORMED,
            ),
            // NUL and other controls.
            ("GET / HTTP/1.1\r\nHost: a\r\nX: b\0c\r\n\r\n", MALFORMED),
            ("GET / HTTP/1.1\r\nHost: a\r\nX\0: b\r\n\r\n", MALFORMED),
            ("GET / HTTP/1.1\r\nHost: a\r\nX: \x1b\r\n\r\n", MALFORMED),
            ("GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", MALFORMED),
            // Names.
            ("GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", MALFORMED),
            ("GET / HTTP/1.1\r\nHost: a\r\nnocolon\r\n\r\n", MALFORMED),
            ("GET / HTTP/1.1\r\nHost: a\r\nX Y: b\r\n\r\n", MALFORMED),
            ("GET / HTTP/1.1\r\nHost: a\r\nX(: b\r\n\r\n", MALFORMED),
            // Request lines.
            ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", MALFORMED),
            ("GET /  HTTP/1.1\r\nHost: a\r\n\r\n", MALFORMED),
            ("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", MALFORMED),
            ("GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", MALFORMED),
            ("G(T / HTTP/1.1\r\nHost: a\r\n\r\n", MALFORMED),
            ("GET /\r\nHost: a\r\n\r\n", MALFORMED),
            ("GET /#part HTTP/1.1\r\nHost: a\r\n\r\n", MALFORMED),
            ("GET a/b HTTP/1.1\r\nHost: a\r\n\r\n", MALFORMED),
            ("GET * HTTP/1.1\r\nHost: a\r\n\r\n", MALFORMED),
            ("GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", MALFORMED),
            (" GET / HTTP/1.1\r\nHost: a\r\n\r\n", MALFORMED),
            ("\x16\x03\x01\x02\0\x01", MALFORMED),
        ],
    );
}

#[test]
fn two_ideas_of_a_bodys_length_are_refused() {
    let post = |fields: &str| format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n0\r\n\r\n");
    let fields = [
        // Both framings, in either order and case.
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "transfer-encoding: CHUNKED\r\ncontent-length: 0",
        "Content-Length: 5\r\nTransfer-Encoding: identity",
        // Differing and odd lengths.
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5, 6",
        "Content-Length: 5,",
        "Content-Length:",
        "Content-Length: +5",
        "Content-Length: -5",
        "Content-Length: 0x5",
        "Content-Length: 5 5",
        "Content-Length: 5.0",
        "Content-Length: five",
        "Content-Length: 99999999999999999999",
        "Content-Length: 18446744073709551621",
        // chunked said more than once, or not last.
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked,",
        "Transfer-Encoding: ,chunked",
        "Transfer-Encoding:",
    ];
    let requests: Vec<String> = fields.iter().map(|fields| post(fields)).collect();
    let rows: Vec<Row<'_>> = requests.iter().map(|r| (r.as_str(), MALFORMED)).collect();
    refuse_all(400, &rows);
}

#[test]
fn a_coding_in_http_1_0_is_refused() {
    let request = "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    refuse_all(400, &[(request, MALFORMED)]);
}

#[test]
fn other_codings_are_not_supported() {
    let requests = [
        "gzip, chunked",
        "chunked, gzip",
        "identity",
        "xchunked",
        "chunked;a=b",
        "chunked\r\nTransfer-Encoding: identity",
        "\x0bchunked",
    ]
    .map(|coding| {
        format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: {coding}\r\n\r\n0\r\n\r\n")
    });
    let (odd, known) = requests.split_last().unwrap();
    let reason = "transfer_coding_not_supported";
    let rows: Vec<Row<'_>> = known.iter().map(|r| (r.as_str(), reason)).collect();
    refuse_all(501, &rows);
    // A control character is no part of any field.
    refuse_all(400, &[(odd, MALFORMED)]);
}

#[test]
fn the_same_length_said_twice_is_passed_on_once() {
    let backend = Backend::saying("ok");
    let forebay = Config::to(&backend).start();
    for fields in [
        "Content-Length: 2\r\nContent-Length: 2",
        "Content-Length: 2, 2",
    ] {
        let request = format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\nhi");
        assert_eq!(forebay.client().ask(request).status, 200);
    }
    for request in backend.requests() {
        assert_eq!(request.head.get("content-length"), Some("2"));
        assert_eq!(request.body, b"hi");
    }
}

/// Bodies that break the chunked coding. The backend has seen the head by
/// then, but neither an end of that request nor a second one.
#[test]
fn a_chunked_body_that_bends_the_coding_is_refused() {
    let backend = Backend::scripted(|conn| {
        if let Some(request) = conn.request_head()
            && conn.request_body(&request.head).is_ok()
            && !request.target().ends_with("bad")
        {
            let _ = conn.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let forebay = Config::to(&backend).start();
    for body in [
        "5\nhello\r\n0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello\r\n0\n\n",
        "5\r\nhelloo\r\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5 x\r\nhello\r\n0\r\n\r\n",
        " 5\r\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
        "-5\r\nhello\r\n0\r\n\r\n",
        "\r\nhello\r\n0\r\n\r\n",
        ";a=b\r\nhello\r\n0\r\n\r\n",
        "5;a\0b\r\nhello\r\n0\r\n\r\n",
        "5;a\rb\r\nhello\r\n0\r\n\r\n",
        "fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        "ffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        "00000000000000005\r\nhello\r\n0\r\n\r\n",
        "0\r\nX : a\r\n\r\n",
        "0\r\n X: a\r\n\r\n",
        "0\r\nX: a\n\r\n",
    ] {
        let head = "POST /bad HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        let mut client = forebay.client();
        client.send(format!("{head}{body}{SMUGGLED}")).unwrap();
        let response = client.response();
        assert_eq!(
            (response.status, response.reason()),
            (400, Some("invalid_body")),
            "{body:?}"
        );
        client.assert_closed();
    }
    assert_eq!(forebay.get("/good").status, 200);
    let targets: Vec<String> = backend
        .requests()
        .iter()
        .map(|r| r.target().to_owned())
        .collect();
    assert!(!targets.contains(&"/smuggled".to_owned()), "{targets:?}");
}

#[test]
fn empty_lines_before_a_request_are_skipped() {
    let backend = Backend::saying("ok");
    let forebay = Config::to(&backend).start();
    let mut client = Client::connect(forebay.address());
    for _ in 0..2 {
        let response = client.ask("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(response.text(), "ok");
    }
}

//! Bodies arrive bit for bit, in both framings and both directions.

use forebay_e2e::{Backend, Client, Config, Reply, bytes};

/// Gives each body back as it came, in the framing that the target names.
fn mirror() -> Backend {
    Backend::answering(|request| {
        let body = &request.body;
        match request.target() {
            "/length" => Reply::ok(body),
            "/chunked" => Reply::raw(chunked("HTTP/1.1 200 OK\r\n", body, 7000, "")),
            _ => {
                let mut bytes = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
                bytes.extend_from_slice(body);
                Reply::raw(bytes).then_close()
            }
        }
    })
}

/// A chunked message: its head so far, its body in pieces, its trailers.
fn chunked(head: &str, body: &[u8], piece: usize, trailers: &str) -> Vec<u8> {
    let mut bytes = format!("{head}Transfer-Encoding: chunked\r\n\r\n").into_bytes();
    for chunk in body.chunks(piece) {
        bytes.extend_from_slice(format!("{:X};ext=\"a b\"\r\n", chunk.len()).as_bytes());
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(format!("0;last\r\n{trailers}\r\n").as_bytes());
    bytes
}

fn with_length(target: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!("POST {target} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

/// Sends from a thread, since the answer begins before all has been sent.
#[track_caller]
fn exchange(client: &mut Client, request: Vec<u8>) -> forebay_e2e::Response {
    client.send_beside(request);
    client.response()
}

#[test]
fn bodies_pass_bit_for_bit() {
    let backend = mirror();
    let forebay = Config::to(&backend).start();
    for size in [0, 1, 256, 4095, 4096, 4097, 65_535, 65_536, 65_537, 1 << 20] {
        let body = bytes(size);
        for target in ["/length", "/chunked", "/close"] {
            let head = format!("POST {target} HTTP/1.1\r\nHost: a\r\n");
            let requests = [with_length(target, &body), chunked(&head, &body, 5000, "")];
            for request in requests {
                let response = exchange(&mut forebay.client(), request);
                assert_eq!(response.status, 200);
                assert!(
                    response.body == body,
                    "{size} bytes to {target} came back changed"
                );
            }
        }
    }
    for request in backend.requests() {
        assert!(
            request.body == bytes(request.body.len()),
            "a request was changed on its way"
        );
    }
}

#[test]
fn the_framing_of_a_request_is_kept() {
    let backend = mirror();
    let forebay = Config::to(&backend).start();
    let mut client = forebay.client();
    client.ask(with_length("/length", b"abc"));
    client.ask(chunked(
        "POST /length HTTP/1.1\r\nHost: a\r\n",
        b"abc",
        2,
        "",
    ));
    client.ask("POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    client.ask("POST /length HTTP/1.1\r\nHost: a\r\n\r\n");
    let framing = |r: forebay_e2e::Request| {
        let text = |name| r.head.get(name).map(str::to_owned);
        (text("content-length"), text("transfer-encoding"))
    };
    let seen: Vec<_> = backend.requests().into_iter().map(framing).collect();
    let some = |text: &str| Some(text.to_owned());
    let expected = [
        (some("3"), None),
        (None, some("chunked")),
        (some("0"), None),
        (None, None),
    ];
    assert_eq!(seen, expected);
}

#[test]
fn trailers_pass_in_both_directions() {
    let backend = Backend::answering(|request| {
        assert_eq!(request.body, b"hello");
        Reply::raw(chunked(
            "HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\n",
            b"world",
            2,
            "X-Sum: 1\r\nx-more: 2\r\n",
        ))
    });
    let forebay = Config::to(&backend).start();
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTrailer: X-Check\r\nTE: trailers\r\n";
    let trailers = "X-Check: a\r\nX-Check: b\r\n";
    let response = forebay.client().ask(chunked(head, b"hello", 2, trailers));
    let pairs = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(n, v)| (n.to_string(), v.to_string()))
            .collect()
    };
    assert_eq!(response.body, b"world");
    assert_eq!(response.trailers, pairs(&[("X-Sum", "1"), ("x-more", "2")]));
    assert_eq!(
        backend.request().trailers,
        pairs(&[("X-Check", "a"), ("X-Check", "b")])
    );
}

/// RFC 9110 section 6.5.1: what decides framing or routing cannot come late.
#[test]
fn trailers_that_mean_nothing_there_are_dropped() {
    let backend = mirror();
    let forebay = Config::to(&backend).start();
    let trailers = "Content-Length: 9\r\nHost: evil\r\nX-Fine: 1\r\nTransfer-Encoding: x\r\n\
                    X-Forwarded-For: 10.0.0.1\r\n";
    let head = "POST /length HTTP/1.1\r\nHost: a\r\n";
    forebay.client().ask(chunked(head, b"hello", 5, trailers));
    assert_eq!(
        backend.request().trailers,
        [("X-Fine".to_owned(), "1".to_owned())]
    );
}

#[test]
fn a_response_that_ends_with_its_connection_is_whole() {
    let backend = mirror();
    let forebay = Config::to(&backend).start();
    let mut client = forebay.client();
    let response = client.ask(with_length("/close", b"until the end"));
    assert_eq!(response.body, b"until the end");
    assert_eq!(response.get("transfer-encoding"), Some("chunked"));
    // The client's connection need not end with it.
    assert_eq!(client.ask(with_length("/length", b"again")).body, b"again");
}

#[test]
fn responses_without_a_body_have_none() {
    let backend = Backend::answering(|request| {
        Reply::raw(match request.target() {
            "/204" => "HTTP/1.1 204 No Content\r\nX: y\r\n\r\n",
            "/204-length" => "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
            "/304" => "HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\nETag: \"a\"\r\n\r\n",
            "/head-chunked" => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "/head-bare" => "HTTP/1.1 200 OK\r\nX: y\r\n\r\n",
            _ => "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n",
        })
    });
    let forebay = Config::to(&backend).start();
    let mut client = forebay.client();
    for (method, target, status, length) in [
        ("GET", "/204", 204, None),
        ("GET", "/204-length", 204, None),
        ("GET", "/304", 304, Some("500")),
        ("HEAD", "/head-length", 200, Some("5000")),
        ("HEAD", "/head-chunked", 200, None),
        ("HEAD", "/head-bare", 200, None),
        ("HEAD", "/304", 304, Some("500")),
    ] {
        let response = client.ask(format!("{method} {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(response.status, status, "{target}");
        assert_eq!(response.get("content-length"), length, "{target}");
        // The next answer on the connection shows that nothing came behind.
    }
    client.assert_open();
    assert_eq!(backend.accepted(), 1);
}

//! Methods, targets and fields arrive as they were sent.

use forebay_e2e::{Backend, Config, Forebay, Reply};

/// Says what it got: method, target and length of the body.
fn echo() -> Backend {
    Backend::answering(|request| {
        let (method, target) = (request.method(), request.target());
        Reply::ok(match method {
            "HEAD" => String::new(),
            _ => format!("{method} {target} {}", request.body.len()),
        })
    })
}

#[test]
fn every_method_is_forwarded() {
    let backend = echo();
    let forebay = Config::to(&backend).start();
    let mut client = forebay.client();
    for method in [
        "GET",
        "DELETE",
        "OPTIONS",
        "TRACE",
        "PURGE",
        "M-SEARCH",
        "get",
        "x!#$%&'*+-.^_`|~",
    ] {
        let response = client.ask(format!("{method} /x HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(response.text(), format!("{method} /x 0"));
    }
    for method in ["POST", "PUT", "PATCH", "DELETE", "PROPFIND", "GET"] {
        let request = format!("{method} /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
        assert_eq!(client.ask(request).text(), format!("{method} /x 3"));
    }
    let response = client.ask("HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!((response.status, response.body.len()), (200, 0));
}

#[test]
fn targets_are_forwarded_as_received() {
    let backend = echo();
    let forebay = Config::to(&backend).start();
    let mut client = forebay.client();
    for target in [
        "/",
        "/?",
        "/a?b=c&d=%20",
        "/?a=http://b/../c",
        "/a;b=c/d",
        "/%E2%82%AC",
        "/a//b/./c",
    ] {
        assert_eq!(client.get(target).text(), format!("GET {target} 0"));
    }
    for (request, expected) in [
        ("GET http://a.example HTTP/1.1", "GET / 0"),
        ("GET http://a.example?q HTTP/1.1", "GET /?q 0"),
        ("GET HTTP://a.example:80/x?y HTTP/1.1", "GET /x?y 0"),
        ("GET https://a.example/x HTTP/1.1", "GET /x 0"),
        ("OPTIONS * HTTP/1.1", "OPTIONS * 0"),
        ("OPTIONS http://a.example HTTP/1.1", "OPTIONS * 0"),
    ] {
        let response = client.ask(format!("{request}\r\nHost: a.example\r\n\r\n"));
        assert_eq!(response.text(), expected, "{request}");
    }
}

#[test]
fn request_fields_keep_their_order_case_and_repeats() {
    let backend = echo();
    let forebay = Config::to(&backend).start();
    let fields = [
        ("hOsT", "a.example"),
        ("X-One", "1"),
        ("x-one", "2"),
        ("COOKIE", "a=b; c=d"),
        ("X-Empty", ""),
        ("Cookie", "e=f"),
        ("X-Spaces", "a  b\tc"),
        ("X-One", "1"),
        ("X-High", "caf\u{e9}"),
        ("User-Agent", "test/1.0 (\"quoted\")"),
    ];
    let lines: String = fields
        .iter()
        .map(|(n, v)| format!("{n}: {v}\r\n"))
        .collect();
    let response = forebay
        .client()
        .ask(format!("GET / HTTP/1.1\r\n{lines}\r\n"));
    assert_eq!(response.status, 200);
    let got = backend.request().head.fields;
    let expected: Vec<_> = fields
        .iter()
        .map(|(n, v)| (n.to_string(), v.to_string()))
        .collect();
    assert_eq!(got.get(..fields.len()), Some(&*expected));
}

#[test]
fn space_around_a_value_is_not_part_of_it() {
    let backend = echo();
    let forebay = Config::to(&backend).start();
    forebay
        .client()
        .ask("GET / HTTP/1.1\r\nHost:a\r\nX-A:\t b \t\r\nX-B:c\r\n\r\n");
    let raw = String::from_utf8(backend.request().raw).unwrap();
    assert!(
        raw.starts_with("GET / HTTP/1.1\r\nHost: a\r\nX-A: b\r\nX-B: c\r\n"),
        "{raw}"
    );
}

#[test]
fn response_fields_keep_their_order_case_and_repeats() {
    let fields = "sErVeR: x\r\nSet-Cookie: a=b\r\nX-Y: 1\r\nset-cookie: c=d\r\nX-Empty:\r\nDate: today\r\nContent-Length: 2\r\nETag: \"q\"";
    let answer = format!("HTTP/1.1 418 Short and stout\r\n{fields}\r\n\r\nok");
    let backend = Backend::answering(move |_| Reply::raw(answer.as_bytes()));
    let forebay = Config::to(&backend).start();
    let response = forebay.get("/");
    assert_eq!(response.head.start, "HTTP/1.1 418 Short and stout");
    let got: Vec<String> = response
        .head
        .fields
        .iter()
        .map(|(n, v)| format!("{n}: {v}"))
        .collect();
    let expected: Vec<&str> = fields.split("\r\n").collect();
    assert_eq!(
        got.join("\n").replace("X-Empty: ", "X-Empty:"),
        expected.join("\n")
    );
    assert_eq!(response.body, b"ok");
}

#[test]
fn a_response_without_a_reason_gets_one() {
    for line in ["HTTP/1.1 404 ", "HTTP/1.1 404"] {
        let answer = format!("{line}\r\nContent-Length: 0\r\n\r\n");
        let backend = Backend::answering(move |_| Reply::raw(answer.as_bytes()));
        let forebay = Config::to(&backend).start();
        assert_eq!(forebay.get("/").head.start, "HTTP/1.1 404 Not Found");
    }
}

#[track_caller]
fn byte_by_byte(forebay: &Forebay, request: &str) -> forebay_e2e::Response {
    let mut client = forebay.client();
    for byte in request.bytes() {
        client.send([byte]).unwrap();
    }
    client.response()
}

#[test]
fn a_request_may_come_byte_by_byte() {
    let backend = echo();
    let forebay = Config::to(&backend).start();
    let length = "POST /l HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
    let chunked = "POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;e=f\r\nab\r\n1\r\nc\r\n0\r\nT: u\r\n\r\n";
    assert_eq!(byte_by_byte(&forebay, length).text(), "POST /l 3");
    assert_eq!(byte_by_byte(&forebay, chunked).text(), "POST /c 3");
    assert_eq!(
        backend.requests()[1].trailers,
        [("T".to_owned(), "u".to_owned())]
    );
}

#[test]
fn a_response_may_come_byte_by_byte() {
    let backend = Backend::scripted(|conn| {
        while let Some(request) = conn.request() {
            let answer = match request.target() {
                "/l" => "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
                _ => {
                    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;e=f\r\nab\r\n1\r\nc\r\n0\r\nT: u\r\n\r\n"
                }
            };
            for byte in answer.bytes() {
                conn.send([byte]).unwrap();
            }
        }
    });
    let forebay = Config::to(&backend).start();
    let mut client = forebay.client();
    assert_eq!(client.get("/l").text(), "abc");
    let chunked = client.get("/c");
    assert_eq!(chunked.text(), "abc");
    assert_eq!(chunked.trailers, [("T".to_owned(), "u".to_owned())]);
    assert_eq!(client.get("/l").text(), "abc");
}

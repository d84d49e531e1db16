//! What backends are told about clients, and what stays between neighbours.

use forebay_e2e::{Backend, Config, Head, Reply};

const CLAIMS: &str = "X-Forwarded-For: 6.6.6.6, 7.7.7.7\r\nX-Forwarded-Proto: https\r\n\
    X-Forwarded-Host: claimed.example\r\nX-Real-IP: 6.6.6.6\r\nX-Request-ID: claimed-id\r\n\
    Via: 1.1 cdn\r\n";

fn seen(config: &Config, backend: &Backend, fields: &str) -> Head {
    let forebay = config.start();
    let request = format!("GET / HTTP/1.1\r\nHost: a.example:81\r\n{fields}\r\n");
    assert_eq!(forebay.client().ask(request).status, 200);
    backend.request().head
}

#[track_caller]
fn assert_fields(head: &Head, expected: &[(&str, &[&str])]) {
    for (name, values) in expected {
        assert_eq!(head.all(name), *values, "{name}");
    }
}

fn is_uuid_v7(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.iter().map(|g| g.len()).eq([8, 4, 4, 4, 12]) && groups[2].starts_with('7')
}

#[test]
fn what_a_stranger_claims_is_replaced() {
    for fields in ["", CLAIMS] {
        let backend = Backend::saying("ok");
        let head = seen(&Config::to(&backend), &backend, fields);
        assert_fields(
            &head,
            &[
                ("host", &["a.example:81"]),
                ("x-forwarded-for", &["127.0.0.1"]),
                ("x-forwarded-proto", &["http"]),
                ("x-forwarded-host", &["a.example:81"]),
                ("x-real-ip", &["127.0.0.1"]),
            ],
        );
        assert!(is_uuid_v7(head.get("x-request-id").unwrap()));
        let before: &[&str] = if fields.is_empty() { &[] } else { &["1.1 cdn"] };
        assert_eq!(head.all("via"), [before, &["1.1 forebay"]].concat());
    }
}

#[test]
fn what_a_trusted_proxy_says_is_kept() {
    let backend = Backend::saying("ok");
    let config = Config::to(&backend).top("trusted_proxies: [ 127.0.0.0/8, 7.7.7.7 ]");
    let head = seen(&config, &backend, CLAIMS);
    assert_fields(
        &head,
        &[
            ("x-forwarded-for", &["6.6.6.6, 7.7.7.7, 127.0.0.1"]),
            ("x-forwarded-proto", &["https"]),
            ("x-forwarded-host", &["claimed.example"]),
            ("x-real-ip", &["6.6.6.6"]),
            ("x-request-id", &["claimed-id"]),
            ("via", &["1.1 cdn", "1.1 forebay"]),
        ],
    );
}

/// The client is whoever the last trusted proxy saw, not whoever was named first.
#[test]
fn a_chain_is_believed_only_as_far_as_it_is_trusted() {
    let backend = Backend::saying("ok");
    let config = Config::to(&backend).top("trusted_proxies: [ 127.0.0.1 ]");
    let head = seen(&config, &backend, CLAIMS);
    assert_eq!(head.get("x-real-ip"), Some("7.7.7.7"));
}

#[test]
fn an_id_that_could_do_harm_is_replaced_even_when_trusted() {
    let long = "x".repeat(65);
    for id in ["a b", "\"quoted\"", "caf\u{e9}", "", &long] {
        let backend = Backend::saying("ok");
        let config = Config::to(&backend).top("trusted_proxies: [ 127.0.0.1 ]");
        let head = seen(&config, &backend, &format!("X-Request-ID: {id}\r\n"));
        assert!(is_uuid_v7(head.get("x-request-id").unwrap()), "{id}");
    }
}

#[test]
fn fields_between_neighbours_go_no_further() {
    let backend = Backend::answering(|_| {
        let fields = [
            ("Connection", "X-Hop, keep-alive"),
            ("Keep-Alive", "timeout=5"),
            ("Proxy-Connection", "keep-alive"),
            ("Upgrade", "h2c"),
            ("X-Hop", "a"),
            ("x-hop", "b"),
            ("X-Stays", "c"),
        ];
        Reply::with("200 OK", &fields, "ok")
    });
    let forebay = Config::to(&backend).start();
    let response = forebay.client().ask(
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: x-hop,  Upgrade\r\nConnection: X-Other\r\n\
         Keep-Alive: 5\r\nProxy-Connection: close\r\nTE: trailers, gzip\r\nUpgrade: h2c\r\n\
         Proxy-Authorization: Basic x\r\nX-HOP: a\r\nX-Hop: b\r\nX-Other: c\r\nX-Stays: d\r\n\r\n",
    );
    let between = [
        "connection",
        "keep-alive",
        "proxy-connection",
        "upgrade",
        "x-hop",
    ];
    let request = backend.request().head;
    for name in between
        .iter()
        .chain(&["te", "proxy-authorization", "x-other"])
    {
        assert_eq!(request.all(name), [""; 0], "{name} in the request");
    }
    for name in between {
        assert_eq!(response.head.all(name), [""; 0], "{name} in the response");
    }
    assert_eq!(request.get("x-stays"), Some("d"));
    assert_eq!(response.get("x-stays"), Some("c"));
}

/// Taking those out would turn one message into another.
#[test]
fn connection_cannot_name_what_frames_the_message() {
    let backend = Backend::answering(|_| {
        Reply::with(
            "200 OK",
            &[("Connection", "content-length, transfer-encoding")],
            "answer",
        )
    });
    let forebay = Config::to(&backend).start();
    let options = "Connection: Content-Length, Transfer-Encoding, Host, X-Forwarded-For, Via";
    let mut client = forebay.client();
    for framing in [
        "Content-Length: 5\r\n\r\nhello",
        "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    ] {
        let response = client.ask(format!(
            "POST / HTTP/1.1\r\nHost: a\r\n{options}\r\n{framing}"
        ));
        assert_eq!(
            (response.text(), response.get("content-length")),
            ("answer", Some("6"))
        );
    }
    for request in backend.requests() {
        assert_eq!(request.body, b"hello");
        assert_eq!(request.head.get("host"), Some("a"));
        assert_eq!(request.head.get("x-forwarded-for"), Some("127.0.0.1"));
        assert_eq!(request.head.get("via"), Some("1.1 forebay"));
    }
}

#[test]
fn max_forwards_is_counted_down_and_ends_at_zero() {
    let backend = Backend::saying("ok");
    let forebay = Config::to(&backend).start();
    let ask = |method: &str, left: &str| {
        let request = format!("{method} / HTTP/1.1\r\nHost: a\r\nMax-Forwards: {left}\r\n\r\n");
        forebay.client().ask(request).status
    };
    assert_eq!(ask("OPTIONS", "2"), 200);
    assert_eq!(ask("TRACE", "1"), 200);
    assert_eq!(ask("GET", "0"), 200);
    // These two go no further.
    assert_eq!(ask("OPTIONS", "0"), 200);
    assert_eq!(ask("TRACE", "0"), 501);
    let seen = backend.requests();
    let seen: Vec<_> = seen
        .iter()
        .map(|r| (r.method(), r.head.all("max-forwards")))
        .collect();
    assert_eq!(
        seen,
        [
            ("OPTIONS", vec!["1"]),
            ("TRACE", vec!["0"]),
            ("GET", vec!["0"])
        ]
    );
}

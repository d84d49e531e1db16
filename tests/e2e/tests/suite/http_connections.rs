//! Clients' connections: kept, pipelined, closed, and those of HTTP/1.0.

use forebay_e2e::{Backend, Config, Reply};

/// Answers with the target and what came as body.
fn echo() -> Backend {
    Backend::answering(|request| {
        let body = String::from_utf8_lossy(&request.body);
        match request.target() {
            "/chunked" => Reply::raw(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            ),
            target => Reply::ok(format!("{target} {body}")),
        }
    })
}

#[test]
fn ten_pipelined_requests_are_answered_in_their_order() {
    let backend = echo();
    let forebay = Config::to(&backend).start();
    let requests: String = (0..10)
        .map(|i| match i % 3 {
            0 => format!("GET /{i} HTTP/1.1\r\nHost: a\r\n\r\n"),
            1 => format!("POST /{i} HTTP/1.1\r\nHost: a\r\nContent-Length: 23\r\n\r\nGET /trap HTTP/1.1\r\n\r\n{i}"),
            _ => format!("POST /{i} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{i}{i}{i}\r\n0\r\n\r\n"),
        })
        .collect();
    let mut client = forebay.client();
    client.send(requests).unwrap();
    for i in 0..10 {
        let expected = match i % 3 {
            0 => format!("/{i} "),
            1 => format!("/{i} GET /trap HTTP/1.1\r\n\r\n{i}"),
            _ => format!("/{i} {i}{i}{i}"),
        };
        assert_eq!(client.response().text(), expected);
    }
    client.assert_open();
    assert_eq!(backend.requests().len(), 10);
}

#[test]
fn a_pipelined_request_behind_a_refused_one_is_not_read() {
    let backend = echo();
    let forebay = Config::to(&backend).start();
    let mut client = forebay.client();
    let good = "GET /good HTTP/1.1\r\nHost: a\r\n\r\n";
    client
        .send(format!("{good}GET / HTTP/1.1\r\nHost : a\r\n\r\n{good}"))
        .unwrap();
    assert_eq!(client.response().text(), "/good ");
    assert_eq!(client.response().status, 400);
    client.assert_closed();
    assert_eq!(backend.requests().len(), 1);
}

#[test]
fn a_connection_is_kept_until_the_client_says_close() {
    let backend = echo();
    let forebay = Config::to(&backend).start();
    let mut client = forebay.client();
    for i in 0..5 {
        let response = client.get(&format!("/{i}"));
        assert_eq!(response.get("connection"), None);
    }
    let response = client.ask("GET /last HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n");
    assert_eq!(response.get("connection"), Some("close"));
    client.assert_closed();
}

#[test]
fn requests_behind_the_last_one_are_not_served() {
    let backend = echo();
    let forebay = Config::to(&backend).start();
    let mut client = forebay.client();
    let last = "GET /last HTTP/1.1\r\nHost: a\r\nConnection: x, close\r\n\r\n";
    client
        .send(format!("{last}GET /late HTTP/1.1\r\nHost: a\r\n\r\n"))
        .unwrap();
    assert_eq!(client.response().text(), "/last ");
    client.assert_closed();
    assert_eq!(backend.request().target(), "/last");
}

#[test]
fn an_http_1_0_client_is_served_and_closed() {
    let backend = echo();
    let forebay = Config::to(&backend).start();
    let mut client = forebay.client();
    let response = client.ask("GET /old HTTP/1.0\r\n\r\n");
    assert_eq!(response.text(), "/old ");
    assert_eq!(response.get("connection"), Some("close"));
    client.assert_closed();
    let request = backend.request();
    assert_eq!(request.head.start, "GET /old HTTP/1.1");
    // It sent no Host, but HTTP/1.1 wants one.
    assert_eq!(
        request.head.get("host"),
        Some(&*backend.address().to_string())
    );
    assert_eq!(request.head.get("via"), Some("1.0 forebay"));
}

#[test]
fn an_http_1_0_client_may_ask_to_be_kept() {
    let backend = echo();
    let forebay = Config::to(&backend).start();
    let mut client = forebay.client();
    for i in 0..3 {
        let request = format!("GET /{i} HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n");
        let response = client.ask(request);
        assert_eq!(response.text(), format!("/{i} "));
        assert_eq!(response.get("connection"), Some("keep-alive"));
    }
}

#[test]
fn an_http_1_0_client_gets_a_chunked_response_until_the_end() {
    let backend = echo();
    let forebay = Config::to(&backend).start();
    let mut client = forebay.client();
    let request = "GET /chunked HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    let response = client.ask(request);
    assert_eq!(response.get("transfer-encoding"), None);
    assert_eq!(response.get("connection"), Some("close"));
    assert_eq!(response.text(), "hello");
}

#[test]
fn backends_of_http_1_0_are_understood() {
    let backend = Backend::answering(|request| match request.target() {
        "/kept" => {
            Reply::raw("HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok")
        }
        "/counted" => Reply::raw("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok").then_close(),
        _ => Reply::raw("HTTP/1.0 200 OK\r\n\r\nok").then_close(),
    });
    let forebay = Config::to(&backend).top("workers: 1").start();
    let mut client = forebay.client();
    for target in ["/kept", "/kept", "/counted", "/bare", "/kept"] {
        let response = client.get(target);
        assert_eq!(
            (response.text(), &*response.head.start),
            ("ok", "HTTP/1.1 200 OK")
        );
    }
    let connections: Vec<_> = backend.requests().iter().map(|r| r.connection).collect();
    assert_eq!(connections, [0, 0, 0, 1, 2]);
}

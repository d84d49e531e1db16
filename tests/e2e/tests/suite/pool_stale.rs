//! Connections that die in the pool: invisible to clients where the request
//! may be sent again, and never sent again where it may not.

use forebay_e2e::{Backend, Config, Conn, Reply};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Answers the first request of each connection; what happens to the second
/// one on the first connection is the script's.
fn second_request(script: impl Fn(&mut Conn) + Send + Sync + 'static) -> Backend {
    Backend::scripted(move |conn| {
        conn.request().unwrap();
        conn.send(OK).unwrap();
        match conn.number {
            0 => script(conn),
            _ => conn.serve(&|_| Reply::raw(OK)),
        }
    })
}

/// POOL-13.
#[test]
fn a_backend_that_restarts_goes_unnoticed() {
    let backend = Backend::saying("before");
    let config = Config::to(&backend);
    let forebay = config.start();
    for _ in 0..10 {
        assert_eq!(forebay.get("/").text(), "before");
    }
    let address = backend.stop();
    let backend = Backend::scripted_at(address, |conn| conn.serve(&|_| Reply::ok("after")));
    for _ in 0..10 {
        assert_eq!(forebay.get("/").text(), "after");
    }
    assert!(backend.accepted() <= 2);
}

#[test]
fn connections_closed_by_the_backend_are_not_used() {
    let backend = Backend::saying("ok");
    let forebay = Config::to(&backend).top("workers: 1").start();
    let mut client = forebay.client();
    for round in 1..=5 {
        let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx";
        // Not even requests that may not be repeated notice.
        assert_eq!(client.ask(post).status, 200);
        backend.drop_connections();
        assert_eq!(backend.accepted(), round);
    }
    assert_eq!(client.get("/").status, 200);
    forebay.wait_metric("forebay_upstream_stale_connections_total", &[], 5.0);
}

#[test]
fn a_request_that_may_be_repeated_is_sent_again_on_a_fresh_connection() {
    for (method, body) in [
        ("GET", ""),
        ("HEAD", ""),
        ("PUT", "Content-Length: 4\r\n\r\nbody"),
        (
            "PUT",
            "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
        ),
        ("DELETE", ""),
        ("OPTIONS", ""),
    ] {
        for ends_with_reset in [false, true] {
            let backend = second_request(move |conn| {
                conn.request().unwrap();
                if ends_with_reset {
                    conn.end_with_reset();
                }
            });
            let forebay = Config::to(&backend).top("workers: 1").start();
            let mut client = forebay.client();
            assert_eq!(client.get("/first").status, 200);
            let end = if body.is_empty() { "\r\n" } else { body };
            let request = format!("{method} /second HTTP/1.1\r\nHost: a\r\n{end}");
            assert_eq!(client.ask(&request).status, 200, "{method}");
            let [_, stale, fresh] = &*backend.requests() else {
                panic!("{:?}", backend.requests());
            };
            assert_eq!((stale.connection, fresh.connection), (0, 1));
            assert_eq!(stale.raw, fresh.raw, "the same request, byte for byte");
        }
    }
}

#[test]
fn a_request_that_may_not_be_repeated_fails_instead() {
    for request in [
        "POST /second HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx",
        "POST /second HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
        "POST /second HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "PATCH /second HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
        "UNKNOWN /second HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        let backend = second_request(|conn| drop(conn.request()));
        let forebay = Config::to(&backend).top("workers: 1").start();
        let mut client = forebay.client();
        assert_eq!(client.get("/first").status, 200);
        let response = client.ask(request);
        assert_eq!(
            (response.status, response.reason()),
            (502, Some("connection_terminated"))
        );
        let targets: Vec<_> = backend
            .requests()
            .iter()
            .map(|r| r.target().to_owned())
            .collect();
        assert_eq!(targets, ["/first", "/second"], "{request}");
    }
}

#[test]
fn once_an_answer_has_begun_nothing_is_repeated() {
    let backend = second_request(|conn| {
        conn.request().unwrap();
        conn.send("HTTP/1.1 200 OK\r\nContent-").unwrap();
    });
    let forebay = Config::to(&backend).top("workers: 1").start();
    let mut client = forebay.client();
    assert_eq!(client.get("/first").status, 200);
    assert_eq!(
        client.get("/second").reason(),
        Some("connection_terminated")
    );
    assert_eq!(backend.requests().len(), 2);
}

#[test]
fn a_fresh_connection_that_dies_is_not_tried_again_without_retries() {
    let backend = Backend::scripted(|conn| drop(conn.request()));
    let forebay = Config::to(&backend)
        .group("retry: { max_attempts: 1 }")
        .start();
    let response = forebay.get("/");
    assert_eq!(
        (response.status, response.reason()),
        (502, Some("connection_terminated"))
    );
    assert_eq!(backend.requests().len(), 1);
}

#[test]
fn a_backend_that_says_close_is_taken_at_its_word() {
    let backend = Backend::answering(|_| Reply::with("200 OK", &[("Connection", "close")], "ok"));
    let forebay = Config::to(&backend).top("workers: 1").start();
    let mut client = forebay.client();
    for _ in 0..3 {
        let response = client.get("/");
        // Its connection is its own affair.
        assert_eq!((response.text(), response.get("connection")), ("ok", None));
    }
    assert_eq!(backend.accepted(), 3);
    backend.wait_open(0);
}

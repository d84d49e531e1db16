//! Everything a client may send has a limit in size and in time.

use forebay_e2e::{Backend, Config, Forebay, Gate, Reply};

fn echo_length() -> Backend {
    Backend::answering(|request| Reply::ok(request.body.len().to_string()))
}

#[track_caller]
fn assert_refused(forebay: &Forebay, request: &[u8], status: u16, reason: &str) {
    let mut client = forebay.client();
    client.send(request).unwrap();
    let response = client.response();
    assert_eq!((response.status, response.reason()), (status, Some(reason)));
    assert_eq!(response.get("connection"), Some("close"));
    client.assert_closed();
}

fn with_target(length: usize) -> String {
    // The method, two spaces and the version are 13 bytes of the line.
    let target = format!("/{}", "a".repeat(length - 14));
    format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")
}

#[test]
fn the_request_line_is_limited() {
    let backend = echo_length();
    let forebay = Config::to(&backend).start();
    assert_eq!(forebay.client().ask(with_target(8 * 1024)).status, 200);
    let long = with_target(8 * 1024 + 1);
    assert_refused(&forebay, long.as_bytes(), 414, "request_line_too_long");
    // One that never ends is cut off too.
    let endless = format!("GET /{}", "a".repeat(9 * 1024));
    assert_refused(&forebay, endless.as_bytes(), 414, "request_line_too_long");
    assert_eq!(backend.requests().len(), 1);
}

#[test]
fn a_hundred_header_fields_are_enough() {
    let backend = echo_length();
    let forebay = Config::to(&backend).start();
    let with_fields = |count: usize| {
        let fields: String = (1..count).map(|i| format!("X-{i}: {i}\r\n")).collect();
        format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n")
    };
    assert_eq!(forebay.client().ask(with_fields(100)).status, 200);
    assert_eq!(backend.request().head.get("x-99"), Some("99"));
    let many = with_fields(101);
    assert_refused(&forebay, many.as_bytes(), 431, "request_headers_too_large");
}

#[test]
fn the_header_block_is_limited() {
    let backend = echo_length();
    let forebay = Config::to(&backend).start();
    let with_bytes = |count: usize| {
        let value = "v".repeat(count - "Host: a\r\nX: \r\n".len());
        format!("GET / HTTP/1.1\r\nHost: a\r\nX: {value}\r\n\r\n")
    };
    assert_eq!(forebay.client().ask(with_bytes(32 * 1024)).status, 200);
    let large = with_bytes(32 * 1024 + 1);
    assert_refused(&forebay, large.as_bytes(), 431, "request_headers_too_large");
    assert_eq!(backend.requests().len(), 1);
}

#[test]
fn a_body_over_the_limit_is_refused_in_both_framings() {
    let backend = echo_length();
    let forebay = Config::to(&backend).server("max_body: 10B").start();
    let length = |n: usize| {
        format!(
            "POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: {n}\r\n\r\n{}",
            "b".repeat(n)
        )
    };
    let chunked = |sizes: &[usize]| {
        let chunks: String = sizes
            .iter()
            .map(|&n| format!("{n:x}\r\n{}\r\n", "b".repeat(n)))
            .collect();
        format!(
            "POST /chunked HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n"
        )
    };
    assert_eq!(forebay.client().ask(length(10)).text(), "10");
    assert_eq!(forebay.client().ask(chunked(&[4, 6])).text(), "10");
    assert_refused(
        &forebay,
        length(11).as_bytes(),
        413,
        "request_body_too_large",
    );
    assert_refused(
        &forebay,
        chunked(&[11]).as_bytes(),
        413,
        "request_body_too_large",
    );
    assert_refused(
        &forebay,
        chunked(&[4, 7]).as_bytes(),
        413,
        "request_body_too_large",
    );
    // Not even the announcement of a chunk that is too large is waited for.
    let announced = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n";
    assert_refused(
        &forebay,
        announced.as_bytes(),
        413,
        "request_body_too_large",
    );
    assert_eq!(backend.requests().len(), 2);
}

#[test]
fn other_versions_are_refused() {
    let backend = echo_length();
    let forebay = Config::to(&backend).start();
    for version in ["HTTP/2.0", "HTTP/0.9", "HTTP/3.0"] {
        let request = format!("GET / {version}\r\nHost: a\r\n\r\n");
        assert_refused(
            &forebay,
            request.as_bytes(),
            505,
            "http_version_not_supported",
        );
    }
    for version in ["http/1.1", "HTTP/1.1x", "HTTP/11", "HTTP/1.", "HTTP/3"] {
        let request = format!("GET / {version}\r\nHost: a\r\n\r\n");
        assert_refused(&forebay, request.as_bytes(), 400, "http_request_error");
    }
    assert!(backend.requests().is_empty());
    // A later minor version speaks 1.1 to those who know only that.
    let newer = forebay.client().ask("GET / HTTP/1.9\r\nHost: a\r\n\r\n");
    assert_eq!(newer.status, 200);
    assert_eq!(backend.request().head.start, "GET / HTTP/1.1");
}

#[test]
fn a_tunnel_is_not_opened() {
    let backend = echo_length();
    let forebay = Config::to(&backend).start();
    let request = b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n";
    assert_refused(&forebay, request, 501, "method_not_supported");
    assert!(backend.requests().is_empty());
}

#[test]
fn a_head_that_does_not_arrive_in_time_is_given_up() {
    let backend = echo_length();
    let forebay = Config::to(&backend).server("header_timeout: 200ms").start();
    assert_refused(
        &forebay,
        b"GET / HTTP/1.1\r\nHost:",
        408,
        "request_header_timeout",
    );
    // The same for a later request on a connection.
    let mut client = forebay.client();
    assert_eq!(client.get("/").status, 200);
    client.send("GET /").unwrap();
    assert_eq!(client.response().status, 408);
    client.assert_closed();
    // One that sends nothing at all is closed without an answer.
    forebay.client().assert_closed();
}

/// A byte now and then must not keep the time from running out.
#[test]
fn a_head_that_trickles_is_given_up_all_the_same() {
    let backend = echo_length();
    let forebay = Config::to(&backend).server("header_timeout: 300ms").start();
    let mut client = forebay.client();
    client.send("GET / HTTP/1.1\r\n").unwrap();
    let step = std::time::Duration::from_millis(50);
    for _ in 0..60 {
        if client.send("X").is_err() || !client.is_silent_for(step) {
            break;
        }
    }
    assert_eq!(client.response().status, 408);
}

#[test]
fn a_body_that_pauses_for_too_long_is_given_up() {
    let backend = Backend::scripted(|conn| {
        let request = conn.request_head().unwrap();
        assert!(conn.request_body(&request.head).is_err());
    });
    let forebay = Config::to(&backend).server("body_timeout: 200ms").start();
    for framing in ["Content-Length: 10", "Transfer-Encoding: chunked"] {
        let request = format!("POST / HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n5\r\nabc");
        assert_refused(&forebay, request.as_bytes(), 408, "request_body_timeout");
    }
    backend.wait_open(0);
}

#[test]
fn an_idle_connection_is_closed_without_a_word() {
    let backend = echo_length();
    let forebay = Config::to(&backend)
        .server("keep_alive_timeout: 200ms")
        .start();
    let mut client = forebay.client();
    assert_eq!(client.get("/").status, 200);
    client.assert_closed();
}

#[test]
fn a_listener_that_is_full_turns_clients_away() {
    let gate = Gate::default();
    let held = gate.clone();
    let backend = Backend::answering(move |_| {
        held.pass();
        Reply::ok("served")
    });
    let forebay = Config::to(&backend).server("max_connections: 2").start();
    let mut clients = [forebay.client(), forebay.client()];
    for client in &mut clients {
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    }
    gate.wait_for(2);
    let mut third = forebay.client();
    let response = third.response();
    assert_eq!(
        (response.status, response.reason()),
        (503, Some("too_many_connections"))
    );
    assert_eq!(response.get("retry-after"), Some("1"));
    assert_eq!(response.get("connection"), Some("close"));
    third.finish();
    third.assert_closed();
    gate.open();
    for client in &mut clients {
        assert_eq!(client.response().text(), "served");
    }
    // With one gone there is room again.
    let [first, _second] = clients;
    drop(first);
    forebay.wait_metric("forebay_client_connections", &[], 1.0);
    assert_eq!(forebay.get("/").text(), "served");
}

/// Each takes a while to tell, and none of them may cost much meanwhile.
#[test]
fn a_flood_of_clients_that_are_turned_away_takes_few_descriptors() {
    let backend = Backend::saying("ok");
    let forebay = Config::to(&backend)
        .top("workers: 1")
        .server("max_connections: 1")
        .start();
    let mut held = forebay.client();
    assert_eq!(held.get("/").text(), "ok");
    let before = forebay.descriptors();
    let flood: Vec<_> = (0..400).map(|_| forebay.client()).collect();
    let most = (0..50).map(|_| forebay.descriptors()).max().unwrap();
    // Some have just been accepted and are being let go.
    assert!(most <= before + 64 + 8, "{before} {most}");
    assert_eq!(held.get("/").text(), "ok");
    drop(flood);
}

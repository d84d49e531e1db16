//! A backend whose answer is ambiguous is not believed: 502, and its
//! connection is not used again.

use forebay_e2e::{Backend, Config, Gate, Reply};
use rustix::process::Signal;

const FINE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine";

/// The backend answers `/bad` with these bytes and everything else well.
fn backend_with(bad: &'static [u8]) -> Backend {
    Backend::answering(move |request| match request.target() {
        "/bad" => Reply::raw(bad),
        _ => Reply::raw(FINE),
    })
}

#[test]
fn an_ambiguous_answer_is_refused_and_its_connection_dropped() {
    let rows: &[&[u8]] = &[
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\nhello!",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX : y\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: y\r\n z\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: y\0\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 099 Low\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/2 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x15\x03\x01\0\x02\x02\x50",
        // Settings of HTTP/2.
        b"\0\0\0\x04\0\0\0\0\0",
    ];
    for bad in rows {
        let backend = backend_with(bad);
        // One worker, so that the connection kept from `/first` is used again.
        let forebay = Config::to(&backend).top("workers: 1").start();
        let mut client = forebay.client();
        assert_eq!(client.get("/first").text(), "fine");
        let response = client.get("/bad");
        let shown = bad.escape_ascii();
        assert_eq!(
            (response.status, response.reason()),
            (502, Some("http_protocol_error")),
            "{shown}"
        );
        // The client's own connection has done nothing wrong.
        assert_eq!(client.get("/next").text(), "fine", "{shown}");
        let connections: Vec<_> = backend.requests().iter().map(|r| r.connection).collect();
        assert_eq!(connections, [0, 0, 1], "{shown}");
    }
}

/// Bytes beyond the answer could be taken for the answer to somebody else's
/// request.
#[test]
fn a_backend_that_speaks_something_else_is_told_as_that() {
    let backend = backend_with(b"\0\0\0\x04\0\0\0\0\0");
    let forebay = Config::to(&backend).start();
    assert_eq!(forebay.get("/bad").status, 502);
    let detail = forebay.access_log(1)[0]["failure_detail"].to_string();
    assert!(detail.contains("protocol: h2c"), "{detail}");
}

#[test]
fn a_connection_with_bytes_left_over_is_not_used_again() {
    let backend = backend_with(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
    let forebay = Config::to(&backend).top("workers: 1").start();
    let mut client = forebay.client();
    assert_eq!(client.get("/bad").text(), "ok");
    assert_eq!(client.get("/next").text(), "fine");
    assert_eq!(backend.accepted(), 2);
}

#[test]
fn an_answer_sent_before_it_was_asked_for_is_not_used() {
    let gate = Gate::default();
    let held = gate.clone();
    let backend = Backend::scripted(move |conn| {
        if conn.number == 0 {
            conn.request().unwrap();
            conn.send(FINE).unwrap();
            let unasked = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
            conn.send(unasked).unwrap();
            held.pass();
        }
        conn.serve(&|_| Reply::raw(FINE));
    });
    let forebay = Config::to(&backend).top("workers: 1").start();
    let mut client = forebay.client();
    assert_eq!(client.get("/").text(), "fine");
    gate.wait_for(1);
    gate.open();
    for _ in 0..2 {
        assert_eq!(client.get("/").text(), "fine");
    }
    assert_eq!(backend.accepted(), 2);
}

/// The same for a request that waits for the connection. What follows an answer
/// stays in the socket if a read ends just with the answer; that depends on the
/// size of Forebay's buffer, so there are several.
#[test]
fn a_request_in_the_queue_does_not_get_it_either() {
    for kib in [16, 32, 64, 68, 72] {
        let (asked, sent) = (Gate::default(), Gate::default());
        let (ask, send) = (asked.clone(), sent.clone());
        let backend = Backend::scripted(move |conn| {
            if conn.number == 0 {
                conn.request().unwrap();
                ask.pass();
                let head = "HTTP/1.1 200 OK\r\nContent-Length: 00000\r\n\r\n";
                let length = kib * 1024 - head.len();
                let head = head.replace("00000", &format!("{length:05}"));
                let unasked = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
                let all = format!("{head}{}{unasked}", "x".repeat(length));
                conn.send(all).unwrap();
                send.pass();
            }
            conn.serve(&|_| Reply::raw(FINE));
        });
        let forebay = Config::to(&backend)
            .top("workers: 1")
            .group("connection_pool: { max_connections_per_host: 1 }")
            .start();
        let mut clients = [forebay.client(), forebay.client()];
        for (number, client) in clients.iter_mut().enumerate() {
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
            match number {
                0 => asked.wait_for(1),
                _ => forebay.wait_metric("forebay_upstream_waits_total", &[], 1.0),
            }
        }
        forebay.signal(Signal::STOP);
        asked.open();
        sent.wait_for(1);
        forebay.signal(Signal::CONT);
        let [first, second] = &mut clients;
        assert_eq!(first.response().status, 200);
        sent.open();
        assert_eq!(second.response().text(), "fine", "{kib} KiB");
        assert_eq!(backend.accepted(), 2);
    }
}

#[test]
fn a_response_head_has_limits() {
    let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "v".repeat(65 * 1024));
    let many: String = (0..300).map(|i| format!("X-{i}: y\r\n")).collect();
    let many = format!("HTTP/1.1 200 OK\r\n{many}\r\n");
    for bad in [long, many] {
        let backend = Backend::answering(move |_| Reply::raw(bad.as_bytes()));
        let forebay = Config::to(&backend).start();
        let response = forebay.get("/");
        let reason = "http_response_header_section_size";
        assert_eq!((response.status, response.reason()), (502, Some(reason)));
    }
}

const BROKEN: [&str; 3] = [
    "5\r\nhello\r\nzz\r\n",
    "5\r\nhelloworld\r\n0\r\n\r\n",
    "5\nhello\r\n0\r\n\r\n",
];
const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

/// The client has seen the head by then; all that is left is to cut it short.
#[test]
fn a_body_whose_framing_breaks_later_never_ends_cleanly() {
    for broken in BROKEN {
        let gate = Gate::default();
        let held = gate.clone();
        let backend = Backend::scripted(move |conn| {
            conn.request().unwrap();
            conn.send(format!("{CHUNKED}5\r\nfirst\r\n")).unwrap();
            held.pass();
            conn.send(broken).unwrap();
            conn.until_gone();
        });
        let forebay = Config::to(&backend).start();
        let mut client = forebay.client();
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        let head = client.head().unwrap().unwrap();
        assert!(head.starts_with(b"HTTP/1.1 200 OK\r\n"));
        assert_eq!(client.exactly(10).unwrap(), b"5\r\nfirst\r\n");
        gate.open();
        let rest = client.until_gone();
        assert!(!rest.ends_with(b"0\r\n\r\n"), "{}", rest.escape_ascii());
        assert_eq!(forebay.access_log(1)[0]["failure"], "http_protocol_error");
        backend.wait_open(0);
    }
}

/// As long as nothing has been sent the client gets a proper answer instead.
#[test]
fn a_body_whose_framing_breaks_at_once_is_a_bad_gateway_or_cut_short() {
    for broken in BROKEN {
        let backend = Backend::answering(move |_| Reply::raw(format!("{CHUNKED}{broken}")));
        let forebay = Config::to(&backend).start();
        let mut client = forebay.client();
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        if let Ok(response) = client.try_response(false) {
            assert_eq!(response.status, 502, "{broken:?}");
        }
        assert_eq!(forebay.access_log(1)[0]["failure"], "http_protocol_error");
    }
}

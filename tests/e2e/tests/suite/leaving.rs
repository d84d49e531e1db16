//! Clients and backends that go away in the middle.

use std::time::{Duration, Instant};

use forebay_e2e::{Backend, Client, Config, Forebay, Gate, Reply};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// Holds each connection until Forebay closes it.
fn holding(say: &'static str) -> Backend {
    Backend::scripted(move |conn| {
        conn.request_head().unwrap();
        conn.send(say).unwrap();
        conn.until_gone();
    })
}

/// The client leaves; the backend's connection must be closed within a second.
#[track_caller]
fn leave(forebay: &Forebay, client: Client, backend: &Backend) {
    let start = Instant::now();
    drop(client);
    backend.wait_open(0);
    assert!(
        start.elapsed() < Duration::from_secs(1),
        "{:?}",
        start.elapsed()
    );
    let line = &forebay.access_log(1)[0];
    assert_eq!(line["failure"], "client_disconnected");
    let reason = [("reason", "client_disconnected"), ("side", "client")];
    forebay.wait_metric("forebay_errors_total", &reason, 1.0);
}

#[test]
fn a_client_that_leaves_before_the_answer_cancels_the_request() {
    for request in [
        GET,
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx",
    ] {
        let backend = holding("");
        let forebay = Config::to(&backend).start();
        let mut client = forebay.client();
        client.send(request).unwrap();
        backend.wait_requests(1);
        leave(&forebay, client, &backend);
        assert_eq!(forebay.access_log(1)[0]["status"], 499);
    }
}

#[test]
fn a_client_that_resets_cancels_the_request() {
    let backend = holding("");
    let forebay = Config::to(&backend).start();
    let mut client = forebay.client();
    client.send(GET).unwrap();
    backend.wait_requests(1);
    client.into_wire().reset();
    backend.wait_open(0);
}

#[test]
fn a_client_that_leaves_within_a_slow_answer_cancels_it() {
    for say in [
        "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nbegins",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nbegins\r\n",
        "HTTP/1.1 200 OK\r\n\r\nbegins",
    ] {
        let backend = holding(say);
        let forebay = Config::to(&backend).start();
        let mut client = forebay.client();
        client.send(GET).unwrap();
        client.head().unwrap().unwrap();
        client.some(1).unwrap();
        leave(&forebay, client, &backend);
        assert_eq!(forebay.access_log(1)[0]["status"], 200);
    }
}

/// What the backend has got must not look like the whole of the request.
#[test]
fn a_client_that_leaves_within_its_upload_cuts_it_short() {
    for head in ["Content-Length: 100", "Transfer-Encoding: chunked"] {
        let backend = Backend::scripted(|conn| {
            let request = conn.request_head().unwrap();
            assert!(conn.request_body(&request.head).is_err(), "a clean end");
        });
        let forebay = Config::to(&backend).start();
        let mut client = forebay.client();
        client
            .send(format!(
                "POST / HTTP/1.1\r\nHost: a\r\n{head}\r\n\r\n5\r\nhello\r\n"
            ))
            .unwrap();
        backend.wait_requests(1);
        leave(&forebay, client, &backend);
    }
}

#[test]
fn a_client_that_leaves_the_queue_is_never_served() {
    let gate = Gate::default();
    let held = gate.clone();
    let backend = Backend::answering(move |_| {
        held.pass();
        Reply::ok("served")
    });
    let limit = "connection_pool: { max_connections_per_host: 1 }";
    let forebay = Config::to(&backend).group(limit).start();
    let mut first = forebay.client();
    first.send(GET).unwrap();
    gate.wait_for(1);
    let mut second = forebay.client();
    second.send(GET.replace("GET /", "GET /left")).unwrap();
    forebay.wait_metric("forebay_upstream_waits_total", &[], 1.0);
    drop(second);
    assert_eq!(forebay.access_log(1)[0]["failure"], "client_disconnected");
    gate.open();
    assert_eq!(first.response().text(), "served");
    assert_eq!(forebay.get("/later").text(), "served");
    let targets: Vec<_> = backend
        .requests()
        .iter()
        .map(|r| r.target().to_owned())
        .collect();
    assert_eq!(targets, ["/", "/later"]);
}

#[test]
fn a_backend_that_dies_within_its_answer_never_gives_a_clean_end() {
    for say in [
        "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nbegins",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nbegins\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nbegins\r\n0\r\n",
    ] {
        for ends_with_reset in [false, true] {
            let gate = Gate::default();
            let held = gate.clone();
            let backend = Backend::scripted(move |conn| {
                conn.request().unwrap();
                conn.send(say).unwrap();
                held.pass();
                if ends_with_reset {
                    conn.end_with_reset();
                }
            });
            let forebay = Config::to(&backend).start();
            let mut client = forebay.client();
            client.send(GET).unwrap();
            client.head().unwrap().unwrap();
            client.some(1).unwrap();
            gate.open();
            let rest = client.until_gone();
            assert!(
                !rest.ends_with(b"0\r\n\r\n"),
                "{say}: {}",
                rest.escape_ascii()
            );
            let line = &forebay.access_log(1)[0];
            assert_eq!(line["failure"], "http_response_incomplete", "{say}");
        }
    }
}

/// A body that lasts until the connection ends is whole only after a clean end.
#[test]
fn a_reset_is_not_the_end_of_a_body() {
    let gate = Gate::default();
    let held = gate.clone();
    let backend = Backend::scripted(move |conn| {
        conn.request().unwrap();
        conn.send("HTTP/1.1 200 OK\r\n\r\nbegins").unwrap();
        held.pass();
        conn.end_with_reset();
    });
    let forebay = Config::to(&backend).start();
    let mut client = forebay.client();
    client.send(GET).unwrap();
    client.head().unwrap().unwrap();
    client.some(1).unwrap();
    gate.open();
    assert!(!client.until_gone().ends_with(b"0\r\n\r\n"));
    assert_eq!(
        forebay.access_log(1)[0]["failure"],
        "http_response_incomplete"
    );
}

#[test]
fn a_backend_that_dies_before_its_answer_is_a_bad_gateway() {
    for ends_with_reset in [false, true] {
        let backend = Backend::scripted(move |conn| {
            conn.request().unwrap();
            if ends_with_reset {
                conn.end_with_reset();
            }
        });
        let forebay = Config::to(&backend).start();
        let mut client = forebay.client();
        let response = client.get("/");
        assert_eq!(
            (response.status, response.reason()),
            (502, Some("connection_terminated"))
        );
        // The client's connection goes on.
        assert_eq!(client.get("/").status, 502);
    }
}

/// What a failure would have had as its status is no sign that the client has
/// been told of it.
#[test]
fn an_answer_that_breaks_off_is_never_followed_by_another() {
    let backend = Backend::scripted(|conn| {
        conn.request().unwrap();
        conn.send("HTTP/1.1 504 Gateway Timeout\r\nContent-Length: 10\r\n\r\nhalf")
            .unwrap();
        conn.until_gone();
    });
    let forebay = Config::to(&backend)
        .group("timeout: { idle: 300ms }")
        .start();
    let mut client = forebay.client();
    client
        .send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    client.assert_cut_short();
}

/// The end of the connection is the end of such an answer, so it must not come
/// in the ordinary way.
#[test]
fn an_answer_to_http_1_0_that_breaks_off_ends_in_a_reset() {
    let backend = Backend::scripted(|conn| {
        conn.request().unwrap();
        conn.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
            .unwrap();
        conn.until_gone();
    });
    let forebay = Config::to(&backend)
        .group("timeout: { idle: 300ms }")
        .start();
    let mut client = std::net::TcpStream::connect(forebay.address()).unwrap();
    std::io::Write::write_all(&mut client, b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let end = std::io::Read::read_to_end(&mut client, &mut answer);
    assert_eq!(end.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
    assert!(answer.ends_with(b"half"));
}

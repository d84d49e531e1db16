//! Interim responses, and answers that come before the request is complete.

use forebay_e2e::{Backend, Config, Gate};

const EXPECT: &str =
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";

#[test]
fn a_client_may_wait_for_100_continue() {
    let backend = Backend::scripted(|conn| {
        let request = conn.request_head().unwrap();
        conn.send("HTTP/1.1 100 Continue\r\n\r\n").unwrap();
        assert_eq!(conn.request_body(&request.head).unwrap(), b"hello");
        conn.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            .unwrap();
    });
    let forebay = Config::to(&backend).start();
    let mut client = forebay.client();
    client.send(EXPECT).unwrap();
    let interim = client.try_response(false).unwrap();
    assert_eq!(interim.head.start, "HTTP/1.1 100 Continue");
    client.send("hello").unwrap();
    assert_eq!(client.response().text(), "ok");
    assert_eq!(backend.request().head.get("expect"), Some("100-continue"));
}

#[test]
fn an_expectation_may_be_refused_without_the_body() {
    let backend = Backend::scripted(|conn| {
        conn.request_head().unwrap();
        conn.send("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 2\r\n\r\nno")
            .unwrap();
        conn.until_gone();
    });
    let forebay = Config::to(&backend).start();
    let mut client = forebay.client();
    client.send(EXPECT).unwrap();
    let response = client.response();
    assert_eq!((response.status, response.text()), (417, "no"));
    // Whether the body will come is unknown, so the connection cannot go on.
    assert_eq!(response.get("connection"), Some("close"));
    client.finish();
    client.assert_closed();
    backend.wait_open(0);
}

#[test]
fn early_hints_are_passed_on() {
    let backend = Backend::scripted(|conn| {
        while let Some(_request) = conn.request() {
            for hint in ["</a.css>; rel=preload", "</b.js>; rel=preload"] {
                conn.send(format!("HTTP/1.1 103 Early Hints\r\nLink: {hint}\r\n\r\n"))
                    .unwrap();
            }
            conn.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                .unwrap();
        }
    });
    let forebay = Config::to(&backend).start();
    let mut client = forebay.client();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    for link in ["</a.css>; rel=preload", "</b.js>; rel=preload"] {
        let interim = client.try_response(false).unwrap();
        assert_eq!((interim.status, interim.get("link")), (103, Some(link)));
    }
    assert_eq!(client.response().text(), "ok");
    // HTTP/1.0 knows no interim responses (RFC 9110 section 15.2).
    let mut old = forebay.client();
    old.send("GET / HTTP/1.0\r\n\r\n").unwrap();
    assert_eq!(old.try_response(false).unwrap().status, 200);
}

#[test]
fn endless_interim_responses_are_refused() {
    let backend = Backend::scripted(|conn| {
        conn.request().unwrap();
        while conn.send("HTTP/1.1 103 Early Hints\r\n\r\n").is_ok() {}
    });
    let forebay = Config::to(&backend).start();
    let response = forebay.get("/");
    assert_eq!(
        (response.status, response.reason()),
        (502, Some("http_protocol_error"))
    );
    backend.wait_open(0);
}

/// The backend has heard enough; the client must learn so while it still sends.
#[test]
fn an_early_answer_is_delivered_while_the_upload_runs() {
    let backend = Backend::scripted(|conn| {
        conn.request_head().unwrap();
        conn.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 6\r\n\r\nenough")
            .unwrap();
        conn.until_gone();
    });
    let forebay = Config::to(&backend).start();
    let mut client = forebay.client();
    let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n";
    client.send(format!("{head}some of it")).unwrap();
    let response = client.response();
    assert_eq!((response.status, response.text()), (413, "enough"));
    assert_eq!(response.get("connection"), Some("close"));
    backend.wait_open(0);
}

/// The same where the backend closes at once, with data still coming.
#[test]
fn an_early_answer_survives_the_backends_reset() {
    let backend = Backend::scripted(|conn| {
        conn.request_head().unwrap();
        conn.send("HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno")
            .unwrap();
    });
    let forebay = Config::to(&backend).start();
    for _ in 0..20 {
        let mut client = forebay.client();
        let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50000000\r\n\r\n";
        client.send_beside([head.as_bytes(), &[b'x'; 2_000_000]].concat());
        assert_eq!(client.response().status, 401);
    }
}

#[test]
fn an_upload_and_an_answer_may_flow_at_the_same_time() {
    let gate = Gate::default();
    let held = gate.clone();
    let backend = Backend::scripted(move |conn| {
        conn.request_head().unwrap();
        conn.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            .unwrap();
        for _ in 0..3 {
            // 1 CR LF, the byte, CR LF: each chunk of one byte has six.
            let chunk = conn.exactly(6).unwrap();
            conn.send(chunk).unwrap();
        }
        held.pass();
        conn.send("0\r\n\r\n").unwrap();
    });
    let forebay = Config::to(&backend).start();
    let mut client = forebay.client();
    client
        .send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        .unwrap();
    client.head().unwrap().unwrap();
    for byte in ["a", "b", "c"] {
        client.send(format!("1\r\n{byte}\r\n")).unwrap();
        assert_eq!(
            client.exactly(6).unwrap(),
            format!("1\r\n{byte}\r\n").as_bytes()
        );
    }
    client.send("0\r\n\r\n").unwrap();
    gate.open();
    assert_eq!(client.exactly(5).unwrap(), b"0\r\n\r\n");
}

//! WebSockets over HTTP/2 (RFC 8441), by backends that speak HTTP/1.1.

use forebay_e2e::frames::{DATA, Frame, Frames, GOAWAY, HEADERS, RST_STREAM, SETTINGS};
use forebay_e2e::websocket::{CLOSE, GOING_AWAY, TEXT, agreement, echoing, frame};
use forebay_e2e::{Backend, Config, Forebay, Reply};

/// `SETTINGS_ENABLE_CONNECT_PROTOCOL`, which is on.
const ENABLED: &[u8] = &[0, 8, 0, 0, 0, 1];

/// A status as the tables of HPACK have it (RFC 7541 appendix A).
const OK: u8 = 0x88;

const REQUEST: [(&str, &str); 6] = [
    (":method", "CONNECT"),
    (":protocol", "websocket"),
    (":scheme", "http"),
    (":path", "/chat?x=1"),
    (":authority", "a"),
    ("sec-websocket-version", "13"),
];

/// Connects, and waits for what the server says of itself.
fn connect(forebay: &Forebay) -> (Frames, Frame) {
    let mut frames = Frames::connect(forebay.address());
    let settings = frames.wait(|frame| frame.kind == SETTINGS && frame.flags == 0);
    (frames, settings)
}

fn speaks_it(settings: &Frame) -> bool {
    settings.payload.chunks(6).any(|setting| setting == ENABLED)
}

/// What comes on a stream, up to so many bytes.
fn hear(frames: &mut Frames, stream: u32, count: usize) -> Vec<u8> {
    let mut heard = Vec::new();
    while heard.len() < count {
        let data = frames.wait(|frame| frame.kind == DATA && frame.stream == stream);
        assert!(!data.ends_stream() || heard.len() + data.payload.len() >= count);
        heard.extend_from_slice(&data.payload);
    }
    heard
}

#[test]
fn messages_pass_both_ways() {
    let backend = echoing();
    let forebay = Config::to(&backend).start();
    let (mut frames, settings) = connect(&forebay);
    assert!(speaks_it(&settings), "{settings:?}");
    let key = ("sec-websocket-key", "bWFkZSB1cCBieSBjbGllbnQ=");
    frames.head(1, &[&REQUEST[..], &[key]].concat(), false);
    let head = frames.wait(|frame| frame.kind == HEADERS);
    assert_eq!(head.payload.first(), Some(&OK));
    assert!(!head.ends_stream());
    // Others are answered beside it.
    frames.head(3, &REQUEST, false);
    frames.wait(|frame| frame.kind == HEADERS && frame.stream == 3);
    for text in ["one", &"two".repeat(5_000)] {
        frames.data(1, &frame(TEXT, text.as_bytes(), true), false);
        let expected = frame(TEXT, text.as_bytes(), false);
        assert_eq!(hear(&mut frames, 1, expected.len()), expected);
    }
    forebay.wait_metric("forebay_tunnels", &[("protocol", "websocket")], 2.0);
    frames.data(1, &frame(CLOSE, b"", true), true);
    frames.wait(|frame| frame.stream == 1 && frame.ends_stream());

    let seen = &backend.requests()[0].head;
    assert_eq!(seen.start, "GET /chat?x=1 HTTP/1.1");
    assert_eq!(seen.get("upgrade"), Some("websocket"));
    assert_eq!(seen.get("connection"), Some("upgrade"));
    assert_eq!(seen.get("sec-websocket-version"), Some("13"));
    assert_eq!(seen.get("via"), Some("2.0 forebay"));
    assert_eq!(seen.get("transfer-encoding"), None);
    // The client's means nothing here.
    let keys = seen.all("sec-websocket-key");
    assert_eq!(keys.len(), 1, "{keys:?}");
    assert_ne!(keys[0], key.1);
    let log = forebay.access_log(1);
    assert_eq!(log[0]["status"], 200);
    assert_eq!(log[0]["version"], "HTTP/2.0");
    assert!(log[0]["failure"].is_null());
}

/// What comes of requests that are not as they have to be.
#[test]
fn requests_that_are_not_as_they_have_to_be_are_refused() {
    let backend = echoing();
    let forebay = Config::to(&backend).start();
    let without = |name: &str| -> Vec<(&str, &str)> {
        let all = REQUEST.into_iter();
        all.filter(|(other, _)| *other != name).collect()
    };
    let with = |name: &'static str, value: &'static str| -> Vec<(&str, &str)> {
        let all = REQUEST.into_iter();
        let mut all: Vec<_> = all
            .map(|field| {
                if field.0 == name {
                    (name, value)
                } else {
                    field
                }
            })
            .collect();
        if !all.contains(&(name, value)) {
            all.push((name, value));
        }
        all
    };
    let table = [
        (without(":scheme"), "http_request_error"),
        (without(":path"), "http_request_error"),
        (with(":method", "GET"), "http_request_error"),
        (without(":authority"), "invalid_host"),
        (with(":protocol", "h2c"), "method_not_supported"),
        (with(":protocol", "connect-udp"), "method_not_supported"),
        (with("content-length", "0"), "http_request_error"),
        (with("host", "other"), "http_request_error"),
        (with(":path", "/../.."), "invalid_path"),
    ];
    for (fields, reason) in table {
        let (mut frames, _) = connect(&forebay);
        frames.head(1, &fields, false);
        let told = frames.wait(|f| matches!(f.kind, HEADERS | RST_STREAM | GOAWAY));
        assert_eq!(told.kind, HEADERS, "{fields:?}");
        assert_ne!(told.payload.first(), Some(&OK), "{fields:?}");
        let labels = [("reason", reason)];
        let counted = forebay.metrics().sum("forebay_errors_total", &labels);
        assert!(counted > 0.0, "{reason}: {fields:?}");
    }
    assert!(backend.requests().is_empty());
}

#[test]
fn a_listener_without_them_does_not_offer_them() {
    let backend = echoing();
    let forebay = Config::to(&backend).server("upgrades: [chat]").start();
    let (mut frames, settings) = connect(&forebay);
    assert!(!speaks_it(&settings), "{settings:?}");
    frames.head(1, &REQUEST, false);
    let told = frames.wait(|f| matches!(f.kind, HEADERS | RST_STREAM | GOAWAY));
    assert_eq!(told.kind, HEADERS);
    assert_ne!(told.payload.first(), Some(&OK));
    assert!(backend.requests().is_empty());
}

/// Each answer of a backend that is none to a request to switch.
#[test]
fn only_a_backend_that_agrees_is_agreed_with() {
    for answer in [
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 204 No Content\r\n\r\n",
    ] {
        let backend = Backend::scripted(move |conn| {
            while conn.request_head().is_some() {
                let _ = conn.send(answer);
            }
        });
        let forebay = Config::to(&backend).start();
        let (mut frames, _) = connect(&forebay);
        frames.head(1, &REQUEST, false);
        let told = frames.wait(|f| f.kind == HEADERS);
        assert_ne!(told.payload.first(), Some(&OK), "{answer}");
        let log = forebay.access_log(1);
        assert_eq!(log[0]["status"], 502, "{answer}");
        assert_eq!(log[0]["failure"], "http_protocol_error", "{answer}");
    }
}

#[test]
fn a_backend_that_does_not_switch_answers() {
    let backend = Backend::answering(|_| Reply::with("404 Not Found", &[], "nothing here"));
    let forebay = Config::to(&backend).start();
    let (mut frames, _) = connect(&forebay);
    frames.head(1, &REQUEST, false);
    let end = frames.wait(|frame| frame.kind == DATA && !frame.payload.is_empty());
    assert_eq!(end.payload, b"nothing here");
    assert_eq!(forebay.access_log(1)[0]["status"], 404);
}

#[test]
fn both_ends_are_told_at_the_end_of_the_process() {
    let backend = Backend::scripted(|conn| {
        let Some(request) = conn.request_head() else {
            return;
        };
        conn.send(agreement(&request)).unwrap();
        let heard = forebay_e2e::websocket::read(conn).unwrap();
        assert_eq!(heard, (CLOSE, GOING_AWAY.to_vec()));
    });
    let mut forebay = Config::to(&backend)
        .top("workers: 1\nshutdown_timeout: 100ms\ndrain_timeout: 300ms")
        .start();
    let (mut frames, _) = connect(&forebay);
    frames.head(1, &REQUEST, false);
    frames.wait(|frame| frame.kind == HEADERS);
    forebay.terminate();
    let expected = frame(CLOSE, &GOING_AWAY, false);
    assert_eq!(hear(&mut frames, 1, expected.len()), expected);
    assert_eq!(forebay.wait_exit(), Some(0));
}

#[test]
fn a_client_that_cancels_takes_the_backend_along() {
    let backend = echoing();
    let forebay = Config::to(&backend).start();
    let (mut frames, _) = connect(&forebay);
    frames.head(1, &REQUEST, false);
    frames.wait(|frame| frame.kind == HEADERS);
    const CANCEL: u32 = 8;
    frames.send(RST_STREAM, 0, 1, &CANCEL.to_be_bytes());
    assert_eq!(forebay.access_log(1)[0]["failure"], "client_disconnected");
    backend.wait_open(0);
}

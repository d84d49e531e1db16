//! WebSockets to backends that speak HTTP/2 (RFC 8441): streams of connections that
//! requests share.

use forebay_e2e::frames::{DATA, FrameBackend, Frames, HEADERS, RST_STREAM};
use forebay_e2e::websocket::{CLOSE, GOING_AWAY, TEXT, WebSocket, echoing, frame, request};
use forebay_e2e::{Config, Forebay, PythonPeer, PythonWebSocket, Wire};

/// What a backend says that takes them.
const TAKES: [(u16, u32); 1] = [(8, 1)];

const INTERNAL_ERROR: u32 = 2;
const REFUSED_STREAM: u32 = 7;

fn start(backend: &FrameBackend, group: &str) -> Forebay {
    Config::to_urls([backend.url()])
        .group(&format!("protocol: h2c{group}"))
        .server("upgrades: [websocket, chat]")
        .top("workers: 1\nshutdown_timeout: 100ms\ndrain_timeout: 300ms")
        .start()
}

fn ask(forebay: &Forebay) -> WebSocket {
    let mut wire = forebay.client().into_wire();
    wire.send(request("/chat?x=1")).unwrap();
    WebSocket(wire)
}

/// A backend that has agreed, a client that knows, and the stream between.
fn open(forebay: &Forebay, backend: &FrameBackend) -> (WebSocket, Frames, u32) {
    let mut client = ask(forebay);
    let mut frames = backend.accept(&TAKES);
    let asked = frames.wait(|frame| frame.kind == HEADERS);
    assert!(!asked.ends_stream(), "{asked:?}");
    frames.head(asked.stream, &[(":status", "200")], false);
    client.agreed();
    (client, frames, asked.stream)
}

fn heard(frames: &mut Frames, stream: u32) -> Vec<u8> {
    let data = frames.wait(|frame| frame.kind == DATA && frame.stream == stream);
    data.payload
}

#[test]
fn messages_pass_both_ways_beside_requests() {
    let backend = FrameBackend::new();
    let forebay = start(&backend, "");
    let (mut client, mut frames, stream) = open(&forebay, &backend);
    client.say("up");
    assert_eq!(heard(&mut frames, stream), frame(TEXT, b"up", true));
    frames.data(stream, &frame(TEXT, b"down", false), false);
    client.hear("down");
    let mut beside = forebay.client();
    beside.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let other = frames.request();
    frames.answer(other, "beside");
    assert_eq!(beside.response().text(), "beside");
    let figure = |name: &str| forebay.metrics().sum(name, &[]);
    assert_eq!(figure("forebay_upstream_http2_connections"), 1.0);
    assert_eq!(figure("forebay_tunnels"), 1.0);
    // The backend says all, and then the client.
    frames.data(stream, b"", true);
    assert!(client.0.rest().unwrap().is_empty());
    client.0.finish();
    let end = frames.wait(|frame| frame.stream == stream && frame.kind == DATA);
    assert!(end.ends_stream(), "{end:?}");
    let log = forebay.access_log(2);
    let line = log.iter().find(|line| line["status"] == 101).unwrap();
    assert!(line["failure"].is_null(), "{line}");
    assert_eq!(line["request_bytes"], 8);
    assert_eq!(line["response_bytes"], 6);
}

/// The client over HTTP/1.1 and over HTTP/2, through two of us, of which the second
/// speaks HTTP/1.1 to its backend.
#[test]
fn what_a_backend_gets_is_what_the_client_has_asked() {
    let backend = echoing();
    let behind = Config::to(&backend).start();
    let forebay = Config::to_urls([format!("http://{}", behind.address())])
        .group("protocol: h2c")
        .start();
    let mut client = ask(&forebay);
    let head = client.agreed();
    assert!(head.contains("Connection: upgrade\r\n"), "{head}");
    assert!(head.contains("Upgrade: websocket\r\n"), "{head}");
    assert_eq!(head.matches("Connection:").count(), 1, "{head}");
    client.exchange(&"long".repeat(50_000));

    let mut frames = Frames::connect(forebay.address());
    let asked = [
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", "http"),
        (":path", "/over/2"),
        (":authority", "a"),
        ("sec-websocket-version", "13"),
    ];
    frames.head(1, &asked, false);
    let agreed = frames.wait(|frame| frame.kind == HEADERS);
    // The status 200 (RFC 7541 appendix A).
    assert_eq!(agreed.payload.first(), Some(&0x88));
    frames.data(1, &frame(TEXT, b"hello", true), false);
    assert_eq!(heard(&mut frames, 1), frame(TEXT, b"hello", false));

    let seen = backend.requests();
    for (seen, target, first) in [
        (&seen[0].head, "/chat?x=1", "1.1"),
        (&seen[1].head, "/over/2", "2.0"),
    ] {
        assert_eq!(seen.start, format!("GET {target} HTTP/1.1"));
        assert_eq!(seen.get("host"), Some("a"));
        assert_eq!(seen.get("upgrade"), Some("websocket"));
        assert_eq!(seen.get("sec-websocket-version"), Some("13"));
        assert_eq!(seen.all("sec-websocket-key").len(), 1);
        assert_eq!(
            seen.all("via").join(", "),
            format!("{first} forebay, 2.0 forebay")
        );
        assert_eq!(seen.get("te"), None);
        assert_eq!(seen.get("content-length"), None);
    }
}

/// With a subprotocol, messages in pieces and a ping; and one that is refused.
#[test]
fn a_real_server_and_a_real_client_understand_each_other() {
    let (_server, port) = PythonPeer::server("websocket_h2.py", &[]);
    let mut forebay = Config::to_urls([format!("http://127.0.0.1:{port}")])
        .group("protocol: h2c")
        .top("workers: 1\nshutdown_timeout: 100ms\ndrain_timeout: 300ms")
        .start();
    assert_eq!(forebay.get("/").text(), "HTTP/2");
    let client = PythonWebSocket::client(forebay.address());
    let seen = client.stdout_lines(3);
    assert_eq!(seen[0], "subprotocol echo");
    assert_eq!(seen[2], "echoed");
    let mut other = WebSocket(forebay.client().into_wire());
    other.0.send(request("/")).unwrap();
    let head = other.agreed();
    assert!(head.contains("x-version: 2\r\n"), "{head}");
    other.exchange("hello");
    let refused = forebay.client().ask(request("/refused"));
    assert_eq!(refused.status, 403);
    forebay.terminate();
    assert_eq!(client.stdout_lines(4)[3], "closed 1001");
    other.hears_going_away();
    assert_eq!(forebay.wait_exit(), Some(0));
}

/// What says nothing of them gets none, and nothing is held against it.
#[test]
fn a_backend_that_takes_none_is_not_asked() {
    let backend = FrameBackend::new();
    let forebay = start(&backend, ", circuit_breaker: { failure_threshold: 1 }");
    let mut client = forebay.client();
    client.send(request("/")).unwrap();
    let mut frames = backend.accept(&[]);
    let response = client.response();
    assert_eq!(response.status, 501);
    assert_eq!(response.reason(), Some("method_not_supported"));
    let again = forebay.client().ask(request("/"));
    assert_eq!(again.status, 501);
    let mut other = forebay.client();
    other.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let stream = frames.request();
    assert_eq!(stream, 1, "nothing came before");
    frames.answer(stream, "hello");
    assert_eq!(other.response().text(), "hello");
}

#[test]
fn what_could_not_be_agreed_to_is_refused_here() {
    let backend = FrameBackend::new();
    let forebay = start(&backend, "");
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    for (asked, status) in [
        (request("/").replace("websocket", "chat"), 501),
        (request("/").replace(key, ""), 400),
        (request("/").replace(key, &key.repeat(2)), 400),
    ] {
        assert_eq!(forebay.client().ask(asked).status, status);
    }
    assert!(backend.try_accept(&TAKES).is_none());
}

#[test]
fn a_backend_that_says_nothing_of_itself_is_waited_for_no_longer_than_for_a_connection() {
    let backend = FrameBackend::new();
    let more = ", timeout: { connect: 200ms }, retry: { max_attempts: 1 }";
    let forebay = start(&backend, more);
    // It takes the connection, and is silent.
    let response = forebay.client().ask(request("/"));
    assert_eq!(response.status, 504);
    assert_eq!(response.reason(), Some("connection_timeout"));
    // Nothing more is sent there.
    let mut client = ask(&forebay);
    let _silent = backend.accept(&[]);
    let mut frames = backend.accept(&TAKES);
    let stream = frames.request();
    frames.head(stream, &[(":status", "200")], false);
    client.agreed();
}

/// Each answer that is none by which a backend agrees.
#[test]
fn only_a_backend_that_agrees_is_agreed_with() {
    let backend = FrameBackend::new();
    let forebay = start(&backend, ", retry: { max_attempts: 1 }");
    let mut frames = None;
    for (status, expected) in [("404", 404), ("302", 302), ("101", 502), ("500", 500)] {
        let mut client = forebay.client();
        client.send(request("/")).unwrap();
        let frames: &mut Frames = frames.get_or_insert_with(|| backend.accept(&TAKES));
        let stream = frames.request();
        frames.head(stream, &[(":status", status)], false);
        frames.data(stream, b"told", true);
        let response = client.response();
        assert_eq!(response.status, expected, "{status}");
        if expected != 502 {
            assert_eq!(response.text(), "told");
        }
        assert_eq!(response.get("upgrade"), None);
        // Nothing more is said there.
        let ended = frames.wait(|frame| frame.stream == stream && frame.kind != HEADERS);
        assert_eq!(ended.kind, RST_STREAM);
    }
}

/// A length would be one of a body, which is not what follows.
#[test]
fn a_length_in_an_answer_that_agrees_says_nothing() {
    let backend = FrameBackend::new();
    let forebay = start(&backend, "");
    let mut client = ask(&forebay);
    let mut frames = backend.accept(&TAKES);
    let stream = frames.request();
    frames.head(
        stream,
        &[(":status", "200"), ("content-length", "1")],
        false,
    );
    let head = client.agreed();
    assert!(!head.to_lowercase().contains("content-length"), "{head}");
    frames.data(stream, &frame(TEXT, b"longer", false), false);
    client.hear("longer");
}

#[test]
fn what_is_refused_unseen_is_asked_again() {
    let backend = FrameBackend::new();
    let forebay = start(&backend, "");
    let mut client = ask(&forebay);
    let mut frames = backend.accept(&TAKES);
    let refused = frames.request();
    frames.reset(refused, REFUSED_STREAM);
    let again = frames.request();
    frames.head(again, &[(":status", "200")], false);
    client.agreed();
}

/// How one end leaves in the middle, and what the other hears of it.
#[test]
fn whoever_is_cut_off_learns_that() {
    let backend = FrameBackend::new();
    let forebay = start(&backend, "");
    let (client, mut frames, stream) = open(&forebay, &backend);
    client.0.reset();
    let told = frames.wait(|frame| frame.stream == stream && frame.kind != DATA);
    assert_eq!(told.kind, RST_STREAM);

    let mut client = ask(&forebay);
    let stream = frames.request();
    frames.head(stream, &[(":status", "200")], false);
    client.agreed();
    frames.reset(stream, INTERNAL_ERROR);
    assert!(is_cut(&mut client.0));
    let log = forebay.access_log(2);
    assert_eq!(log[0]["failure"], "client_disconnected");
    assert_eq!(log[1]["failure"], "connection_terminated");
}

fn is_cut(wire: &mut Wire) -> bool {
    wire.some(1).is_err()
}

/// One end goes without a word, or both have said Close; the other end does nothing.
#[test]
fn what_is_over_does_not_wait_for_an_end_that_does_nothing() {
    let backend = FrameBackend::new();
    let forebay = start(&backend, "");
    let (client, mut frames, stream) = open(&forebay, &backend);
    client.0.finish();
    frames.wait(|frame| frame.stream == stream && frame.ends_stream());
    forebay.wait_metric("forebay_tunnels", &[("protocol", "websocket")], 0.0);

    let mut client = ask(&forebay);
    let stream = frames.request();
    frames.head(stream, &[(":status", "200")], false);
    client.agreed();
    client.0.send(frame(CLOSE, b"", true)).unwrap();
    assert_eq!(heard(&mut frames, stream), frame(CLOSE, b"", true));
    frames.data(stream, &frame(CLOSE, b"", false), false);
    assert_eq!(client.0.rest().unwrap(), frame(CLOSE, b"", false));
    frames.wait(|frame| frame.stream == stream && frame.ends_stream());
    for line in forebay.access_log(2) {
        assert!(line["failure"].is_null(), "{line}");
    }
    forebay.wait_metric("forebay_upstream_http2_streams", &[], 0.0);
}

#[test]
fn the_end_of_a_connection_ends_what_is_on_it() {
    let backend = FrameBackend::new();
    let forebay = start(&backend, "");
    let (mut client, frames, _) = open(&forebay, &backend);
    frames.hang_up();
    assert!(is_cut(&mut client.0));
}

#[test]
fn both_ends_are_told_at_the_end_of_the_process() {
    let backend = FrameBackend::new();
    let mut forebay = start(&backend, "");
    let (mut client, mut frames, stream) = open(&forebay, &backend);
    forebay.terminate();
    client.hears_going_away();
    // Masked, as what clients send is.
    let told = heard(&mut frames, stream);
    let payload: Vec<u8> = told[6..]
        .iter()
        .zip(&told[2..6])
        .map(|(b, m)| b ^ m)
        .collect();
    assert_eq!((told[0], &*payload), (0x80 | CLOSE, &GOING_AWAY[..]));
    assert_eq!(forebay.wait_exit(), Some(0));
}

/// A tunnel is given its part, however much waits in another that nobody takes.
#[test]
fn one_that_nobody_reads_does_not_stop_the_others() {
    let backend = FrameBackend::new();
    let forebay = start(&backend, "");
    let (stuck, mut frames, stream) = open(&forebay, &backend);
    stuck.0.shrink_window();
    let mut other = ask(&forebay);
    let beside = frames.request();
    frames.head(beside, &[(":status", "200")], false);
    other.agreed();
    // All that may be sent ahead: it stays where it is.
    for _ in 0..4 {
        frames.data(stream, &[0x82; 16_000], false);
    }
    frames.data(beside, &frame(TEXT, b"beside", false), false);
    other.hear("beside");
    other.say("and back");
    assert_eq!(heard(&mut frames, beside), frame(TEXT, b"and back", true));
}

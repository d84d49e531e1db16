//! gRPC-Web: calls of clients that get at no trailers, bridged to gRPC.

use data_encoding::BASE64;
use forebay_e2e::frames::{DATA, Frame, FrameBackend, Frames, HEADERS, RST_STREAM};
use forebay_e2e::{Backend, Config, DeadAddress, Forebay, PythonPeer, Response, Scratch, forebay};

fn to(url: String, group: &str) -> Config {
    Config::to_urls([url])
        .group(&format!("protocol: h2c{group}"))
        .route("grpc_web: true")
        .telemetry("access_log: { output: \"-\" }")
        .top("workers: 1")
}

/// A message as it is framed.
fn framed(message: &[u8]) -> Vec<u8> {
    let length = (message.len() as u32).to_be_bytes();
    [&[0], &length[..], message].concat()
}

/// A call over HTTP/1.1, of which this is the body.
fn call(forebay: &Forebay, kind: &str, more: &str, body: impl AsRef<[u8]>) -> Response {
    let body = body.as_ref();
    let head = format!(
        "POST /test.Calls/Echo HTTP/1.1\r\nHost: a\r\nContent-Type: {kind}\r\n{more}Content-Length: {}\r\n\r\n",
        body.len()
    );
    forebay.client().ask([head.as_bytes(), body].concat())
}

const TEXT: &str = "application/grpc-web-text";

#[track_caller]
fn assert_refused(answer: &Response, kind: &str, status: &str, reason: &str) {
    assert_eq!(answer.status, 200);
    assert_eq!(answer.get("content-type"), Some(kind));
    assert_eq!(answer.get("grpc-status"), Some(status));
    let message = answer.get("grpc-message").unwrap();
    assert!(message.ends_with(&format!("({reason})")), "{message}");
    assert!(answer.body.is_empty());
}

#[test]
fn calls_of_every_kind_are_bridged_to_a_real_server() {
    let (server, port) = PythonPeer::server("calls.py", &["server", "plain"]);
    let forebay = to(format!("http://127.0.0.1:{port}"), "").start();
    let url = format!("http://{}", forebay.address());
    let client = PythonPeer::start("grpc_web.py", &[&url]).finish();
    assert_eq!(client.code, Some(0), "{client:?}");
    let done = [
        "HTTP/1.1 in bytes",
        "HTTP/1.1 in text",
        "HTTP/2 in bytes",
        "HTTP/2 in text",
    ];
    assert_eq!(client.stdout.lines().collect::<Vec<_>>(), done);
    // Who has heard enough leaves, and its call ends.
    assert_eq!(server.stdout_lines(5)[1..], ["gone"; 4]);
    let log = forebay.access_log(32);
    assert_eq!(log[0]["grpc_status"], 0);
    assert_eq!(log[4]["grpc_status"], 9);

    // Calls of gRPC pass there as they are.
    let address = forebay.address().to_string();
    let calls = ["client", &address, "plain", "echoes", "fails"];
    let client = PythonPeer::start("calls.py", &calls).finish();
    assert_eq!(client.code, Some(0), "{client:?}");
}

/// Each message waits for the echo of the last, in pieces that suit nobody.
#[test]
fn text_goes_both_ways_as_it_comes() {
    let backend = FrameBackend::new();
    let forebay = to(backend.url(), "").start();
    let mut front = Frames::connect(forebay.address());
    let head = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/a.B/Chat"),
        (":authority", "a"),
        ("content-type", TEXT),
    ];
    front.head(1, &head, false);
    let mut behind = backend.accept(&[]);
    let stream = behind.request();
    let head = [(":status", "200"), ("content-type", "application/grpc")];
    behind.head(stream, &head, false);
    front.wait(|frame| frame.kind == HEADERS);
    for i in 0..20_u8 {
        let text = BASE64.encode(&framed(&vec![i; usize::from(i)]));
        let (first, rest) = text.as_bytes().split_at(usize::from(i) % text.len());
        front.data(1, first, false);
        front.data(1, rest, false);
        let mut came = Vec::new();
        while came.len() < 5 + usize::from(i) {
            came.extend(behind.wait(|frame| frame.kind == DATA).payload);
        }
        assert_eq!(came, framed(&vec![i; usize::from(i)]));
        behind.data(stream, &came, false);
        let echo = front.wait(|frame| frame.kind == DATA).payload;
        assert_eq!(echo, text.as_bytes());
    }
    front.data(1, &[], true);
    behind.wait(|frame| frame.ends_stream());
    behind.head(stream, &[("grpc-status", "0"), ("x", "y")], true);
    let last = front.wait(|frame| frame.kind == DATA);
    let frame = b"\x80\0\0\0\x16grpc-status: 0\r\nx: y\r\n";
    assert_eq!(last.payload, BASE64.encode(frame).as_bytes());
    let end = match last.ends_stream() {
        true => last,
        false => front.wait(Frame::ends_stream),
    };
    assert_eq!(end.kind, DATA, "no trailers but those in the body");
}

#[test]
fn what_is_no_base64_is_refused() {
    let (_server, port) = PythonPeer::server("calls.py", &["server", "plain"]);
    let forebay = to(format!("http://127.0.0.1:{port}"), "").start();
    for body in ["!", "AAAA!AAA", "AAAA=AAA", "AAAAA", "AAA=\n"] {
        let answer = call(&forebay, TEXT, "", body);
        assert_refused(&answer, TEXT, "13", "invalid_body");
    }
    let answer = call(&forebay, TEXT, "", BASE64.encode(&framed(b"good")));
    let good = BASE64.encode(&framed(b"good"));
    assert!(answer.text().starts_with(&good), "{answer:?}");
    let log = forebay.access_log(6);
    assert_eq!(log[4]["failure"], "invalid_body");
    assert!(log[5]["failure"].is_null());
}

#[test]
fn a_backend_cannot_make_up_the_end_of_a_call() {
    let backend = FrameBackend::new();
    let forebay = to(backend.url(), "").start();
    let mut front = Frames::connect(forebay.address());
    let head = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/a.B/C"),
        (":authority", "a"),
        ("content-type", "application/grpc-web"),
    ];
    front.head(1, &head, false);
    front.data(1, &framed(b"message"), true);
    let mut behind = backend.accept(&[]);
    let stream = behind.wait(Frame::ends_stream).stream;
    let head = [(":status", "200"), ("content-type", "application/grpc")];
    behind.head(stream, &head, false);
    behind.data(stream, &framed(b"first"), false);
    let first = front.wait(|frame| frame.kind == DATA);
    assert_eq!(first.payload, framed(b"first"));
    behind.data(stream, b"\x80\0\0\0\x10grpc-status: 0\r\n", false);
    let next = front.wait(|frame| matches!(frame.kind, DATA | RST_STREAM));
    assert_eq!(next.kind, RST_STREAM);
    let cut = behind.wait(|frame| frame.kind == RST_STREAM);
    assert_eq!(cut.stream, stream);
    assert_eq!(forebay.access_log(1)[0]["failure"], "http_protocol_error");
}

#[test]
fn a_call_that_goes_wrong_on_its_way_is_reset_behind() {
    let backend = FrameBackend::new();
    let forebay = to(backend.url(), "").start();
    let mut client = forebay.client();
    let head = format!(
        "POST /a.B/C HTTP/1.1\r\nHost: a\r\nContent-Type: {TEXT}\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    client.send(head + "4\r\nAAAA\r\n").unwrap();
    let mut behind = backend.accept(&[]);
    let stream = behind.request();
    assert_eq!(behind.wait(|frame| frame.kind == DATA).payload, [0; 3]);
    client.send("4\r\nA_A_\r\n").unwrap();
    assert_refused(&client.response(), TEXT, "13", "invalid_body");
    let reset = behind.wait(|frame| frame.kind == RST_STREAM);
    assert_eq!(reset.stream, stream);
}

#[test]
fn what_is_sent_again_is_decoded_again() {
    let backend = FrameBackend::new();
    let forebay = to(backend.url(), "").start();
    let (message, mut client) = (framed(b"four"), forebay.client());
    let text = BASE64.encode(&message);
    let head = format!(
        "POST /a.B/C HTTP/1.1\r\nHost: a\r\nContent-Type: {TEXT}\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    // All but the last letter; it is not known yet that the backend refuses.
    client
        .send(head + &format!("b\r\n{}\r\n", &text[..11]))
        .unwrap();
    let mut behind = backend.accept(&[]);
    let refused = behind.request();
    assert_eq!(
        behind.wait(|frame| frame.kind == DATA).payload,
        message[..6]
    );
    const REFUSED_STREAM: u32 = 7;
    behind.reset(refused, REFUSED_STREAM);
    let again = behind.request();
    client
        .send(format!("1\r\n{}\r\n0\r\n\r\n", &text[11..]))
        .unwrap();
    let mut came = Vec::new();
    loop {
        let frame = behind.wait(|frame| frame.kind == DATA && frame.stream == again);
        came.extend_from_slice(&frame.payload);
        if frame.ends_stream() {
            break;
        }
    }
    assert_eq!(came, message);
    let head = [
        (":status", "200"),
        ("content-type", "application/grpc"),
        ("grpc-status", "0"),
    ];
    behind.head(again, &head, true);
    let answer = client.response();
    assert_eq!(answer.get("grpc-status"), Some("0"));
    assert!(answer.body.is_empty());
}

#[test]
fn what_forebay_refuses_is_told_as_grpc_web_does() {
    let dead = DeadAddress::new();
    let forebay = to(
        format!("http://{}", dead.address()),
        ", retry: { max_attempts: 1 }",
    )
    .start();
    let both = "Accept: application/grpc-web-text\r\n";
    for (kind, accept, answered) in [
        ("application/grpc-web+proto", "", "application/grpc-web"),
        ("application/grpc-web+proto", both, TEXT),
        ("application/grpc-web-text", "Accept: */*\r\n", TEXT),
    ] {
        let answer = call(&forebay, kind, accept, "AAAA");
        assert_refused(&answer, answered, "14", "connection_refused");
    }
    let log = forebay.access_log(3);
    assert_eq!(log[2]["grpc_status"], 14);
}

#[test]
fn a_call_takes_no_longer_than_it_says() {
    let backend = FrameBackend::new();
    let forebay = to(backend.url(), "").start();
    let answer = call(&forebay, TEXT, "grpc-timeout: 300m\r\n", "AAAA");
    assert_refused(&answer, TEXT, "4", "http_response_timeout");
}

#[test]
fn without_the_setting_such_requests_pass_as_any_others() {
    let backend = Backend::saying("as it is");
    let forebay = Config::to(&backend).start();
    let answer = call(&forebay, TEXT, "", "no base64");
    assert_eq!((answer.status, answer.text()), (200, "as it is"));
    let request = backend.request();
    assert_eq!(request.head.get("content-type"), Some(TEXT));
    assert_eq!(request.head.get("content-length"), Some("9"));
    assert_eq!(request.body, b"no base64");
}

#[test]
fn a_large_body_in_text_takes_little_memory() {
    let (_server, port) = PythonPeer::server("calls.py", &["server", "plain"]);
    let forebay = to(format!("http://127.0.0.1:{port}"), "").start();
    let _ = call(&forebay, TEXT, "", BASE64.encode(&framed(b"first")));
    let before = forebay.most_resident();
    let message = framed(&vec![1; 1 << 20]);
    let text = BASE64.encode(&message).repeat(24);
    let head = format!(
        "POST /test.Calls/Add HTTP/1.1\r\nHost: a\r\nContent-Type: {TEXT}\r\nContent-Length: {}\r\n\r\n",
        text.len()
    );
    let answer = forebay.client().ask(head + &text);
    let said = framed(b"24 messages, 25165824 bytes");
    assert!(
        answer.text().starts_with(&BASE64.encode(&said)),
        "{answer:?}"
    );
    let grown = forebay.most_resident() - before;
    assert!(grown < 4 << 20, "{grown}");
}

#[test]
fn explain_shows_the_call_that_it_becomes() {
    let scratch = Scratch::new();
    let dead = DeadAddress::new();
    let config = to(format!("http://{}", dead.address()), "").yaml();
    let file = scratch.write("forebay.yaml", &config);
    let shown = |kind: &str| {
        let field = format!("Content-Type: {kind}");
        let arguments = [
            "explain",
            "-c",
            &file,
            "-X",
            "POST",
            "-H",
            &field,
            "http://a/b",
        ];
        forebay(&arguments).stdout
    };
    let text = shown("application/grpc-web-text+proto");
    assert!(
        text.contains("content-type: application/grpc+proto"),
        "{text}"
    );
    let other = shown("application/json");
    assert!(other.contains("content-type: application/json"), "{other}");
}

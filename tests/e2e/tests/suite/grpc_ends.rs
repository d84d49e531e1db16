//! Calls of gRPC that end before their time: what becomes of resets and deadlines.

use forebay_e2e::frames::{DATA, Frame, FrameBackend, Frames, HEADERS, RST_STREAM};
use forebay_e2e::{Config, Forebay, curl, until};

const NO_ERROR: u32 = 0;
const PROTOCOL_ERROR: u32 = 1;
const INTERNAL_ERROR: u32 = 2;
const REFUSED_STREAM: u32 = 7;
const CANCEL: u32 = 8;
const ENHANCE_YOUR_CALM: u32 = 11;
const INADEQUATE_SECURITY: u32 = 12;
const CODES: [(u32, u8); 7] = [
    (NO_ERROR, 13),
    (PROTOCOL_ERROR, 13),
    (INTERNAL_ERROR, 13),
    (REFUSED_STREAM, 14),
    (CANCEL, 1),
    (ENHANCE_YOUR_CALM, 8),
    (INADEQUATE_SECURITY, 7),
];

const HEAD: [(&str, &str); 2] = [(":status", "200"), ("content-type", "application/grpc")];

fn start(backend: &FrameBackend) -> Forebay {
    start_with(backend, "max_body: 1MiB")
}

fn start_with(backend: &FrameBackend, server: &str) -> Forebay {
    let passive = "slow_start: 0s, passive: { max_failures: 2 }";
    Config::to_urls([backend.url()])
        .server(server)
        .group(&format!(
            "protocol: h2c, retry: {{ max_attempts: 1 }}, health_check: {{ {passive} }}"
        ))
        .telemetry("access_log: { output: \"-\" }")
        .top("workers: 1")
        .start()
}

/// What curl says of a call: the head, what came of the body, and trailers.
fn call(forebay: &Forebay, more: &[&str]) -> String {
    let url = format!("http://{}/a.B/C", forebay.address());
    let mut arguments = vec!["-sS", "-i", "--http2-prior-knowledge", "-m", "10"];
    arguments.extend_from_slice(&["-H", "Content-Type: application/grpc"]);
    arguments.extend_from_slice(&["-H", "TE: trailers", "--data-binary", "message"]);
    arguments.extend_from_slice(more);
    arguments.push(&url);
    let finished = curl(&arguments);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    finished.stdout
}

/// Answers each call in turn as `serve` does, on one connection for all.
fn serving(
    backend: &FrameBackend,
    calls: usize,
    mut serve: impl FnMut(usize, &mut Frames, u32) + Send + 'static,
) -> std::thread::JoinHandle<()> {
    let listener = backend.another();
    std::thread::spawn(move || {
        let mut frames = listener.accept(&[]);
        for at in 0..calls {
            let stream = frames.wait(Frame::ends_stream).stream;
            serve(at, &mut frames, stream);
        }
    })
}

fn answer(frames: &mut Frames, stream: u32) {
    frames.head(stream, &HEAD, false);
    frames.head(stream, &[("grpc-status", "0")], true);
}

fn is_up(forebay: &Forebay) -> bool {
    forebay.metrics().sum("forebay_backend_up", &[]) == 1.0
}

#[track_caller]
fn assert_status(got: &str, status: u8) {
    assert!(got.starts_with("HTTP/2 200"), "{got}");
    let line = format!("grpc-status: {status}");
    assert!(got.lines().any(|said| said.trim_end() == line), "{got}");
}

#[test]
fn a_reset_before_the_answer_becomes_the_status_that_it_stands_for() {
    let backend = FrameBackend::new();
    let served = serving(&backend, CODES.len(), |at, frames, stream| {
        frames.reset(stream, CODES[at].0);
    });
    let forebay = start(&backend);
    for (_, status) in CODES {
        assert_status(&call(&forebay, &[]), status);
    }
    served.join().unwrap();
    let log = forebay.access_log(CODES.len());
    for (line, (code, status)) in log.iter().zip(CODES) {
        assert_eq!(line["grpc_status"], status, "{code}");
        assert_eq!(line["failure"], "connection_terminated", "{code}");
    }
}

#[test]
fn a_reset_within_the_answer_becomes_trailers() {
    let backend = FrameBackend::new();
    let served = serving(&backend, CODES.len(), |at, frames, stream| {
        frames.head(stream, &HEAD, false);
        frames.data(stream, b"a part\n", false);
        frames.reset(stream, CODES[at].0);
    });
    let forebay = start(&backend);
    for (_, status) in CODES {
        let got = call(&forebay, &[]);
        assert_status(&got, status);
        // Nothing of it may have left: then the answer is one of nothing else.
        let is_cut = got.contains("(http_response_incomplete)");
        assert!(is_cut, "{got}");
    }
    served.join().unwrap();
}

#[test]
fn what_has_come_of_an_answer_is_passed_on_before_its_end() {
    let backend = FrameBackend::new();
    let forebay = start(&backend);
    let mut front = Frames::connect(forebay.address());
    let stream = begin(&mut front, &[]);
    let mut behind = backend.accept(&[]);
    let asked = behind.request();
    behind.head(asked, &HEAD, false);
    behind.data(asked, b"first", false);
    assert_eq!(front.wait(|frame| frame.kind == DATA).payload, b"first");
    behind.hang_up();
    let end = front.wait(|frame| frame.stream == stream && frame.ends_stream());
    assert_eq!(end.kind, HEADERS);
    assert!(holds(&end, "14"), "{end:?}");
    let line = &forebay.access_log(1)[0];
    assert_eq!(line["failure"], "http_response_incomplete");
    assert_eq!(line["grpc_status"], 14);
}

#[test]
fn a_client_that_sends_too_much_is_told_within_the_answer() {
    let backend = FrameBackend::new();
    let forebay = start_with(&backend, "max_body: 10B");
    let mut front = Frames::connect(forebay.address());
    let stream = begin(&mut front, &[]);
    let mut behind = backend.accept(&[]);
    let asked = behind.request();
    behind.head(asked, &HEAD, false);
    front.wait(|frame| frame.kind == HEADERS);
    front.data(stream, &[0; 20], false);
    let end = front.wait(|frame| frame.stream == stream && frame.ends_stream());
    assert!(end.kind == HEADERS && holds(&end, "8"), "{end:?}");
    let cut = behind.wait(|frame| frame.kind == RST_STREAM);
    assert_eq!(cut.code(), CANCEL);
    assert!(is_up(&forebay));
    let line = &forebay.access_log(1)[0];
    assert_eq!(line["failure"], "request_body_too_large");
}

/// Whether trailers have this status; fields are written as they are.
fn holds(trailers: &Frame, status: &str) -> bool {
    let text = String::from_utf8_lossy(&trailers.payload).into_owned();
    let Some((_, after)) = text.split_once("grpc-status") else {
        return false;
    };
    after.get(1..=status.len()) == Some(status)
}

/// Begins a call whose messages are still to come.
fn begin(front: &mut Frames, more: &[(&str, &str)]) -> u32 {
    let head = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/a.B/Chat"),
        (":authority", "a"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ];
    front.head(1, &[&head[..], more].concat(), false);
    1
}

#[test]
fn a_backend_without_room_does_not_fail_but_one_with_errors_does() {
    let backend = FrameBackend::new();
    let served = serving(&backend, 8, |at, frames, stream| match at {
        0..4 => frames.reset(stream, REFUSED_STREAM),
        4 => answer(frames, stream),
        _ => frames.reset(stream, INTERNAL_ERROR),
    });
    let forebay = start(&backend);
    for _ in 0..4 {
        assert_status(&call(&forebay, &[]), 14);
        assert!(is_up(&forebay), "{}", forebay.stderr());
    }
    assert_status(&call(&forebay, &[]), 0);
    for _ in 0..3 {
        assert_status(&call(&forebay, &[]), 13);
    }
    until("two in a row are failures", || {
        (!is_up(&forebay)).then_some(())
    });
    served.join().unwrap();
}

#[test]
fn clients_in_a_hurry_do_not_take_a_backend_out() {
    let backend = FrameBackend::new();
    let forebay = start(&backend);
    for timeout in ["1n", "0m", "50m", "1m", "200000u"] {
        let field = format!("grpc-timeout: {timeout}");
        assert_status(&call(&forebay, &["-H", &field]), 4);
    }
    let _silent = backend.accept(&[]);
    let log = forebay.access_log(5);
    let reasons = ["http_response_timeout", "connection_timeout"];
    for line in log {
        let reason = line["failure"].as_str().unwrap();
        assert!(reasons.contains(&reason), "{line}");
    }
    assert!(is_up(&forebay));
}

#[test]
fn a_stream_of_messages_ends_when_the_time_of_its_call_has_passed() {
    let backend = FrameBackend::new();
    let forebay = start(&backend);
    let mut behind = None;
    for _ in 0..3 {
        let mut front = Frames::connect(forebay.address());
        let stream = begin(&mut front, &[("grpc-timeout", "300m")]);
        let behind = behind.get_or_insert_with(|| backend.accept(&[]));
        let asked = behind.request();
        behind.head(asked, &HEAD, false);
        behind.data(asked, b"first", false);
        assert_eq!(front.wait(|frame| frame.kind == DATA).payload, b"first");
        let end = front.wait(|frame| frame.stream == stream && frame.ends_stream());
        assert!(end.kind == HEADERS && holds(&end, "4"), "{end:?}");
        let cut = behind.wait(|frame| frame.kind == RST_STREAM);
        assert_eq!((cut.stream, cut.code()), (asked, CANCEL));
    }
    let line = &forebay.access_log(3)[2];
    assert_eq!(line["failure"], "http_response_timeout");
    assert_eq!(line["grpc_status"], 4);
    assert!(line["duration_ms"].as_f64().unwrap() >= 300.0, "{line}");
    assert!(is_up(&forebay), "it is the client who had no more time");
}

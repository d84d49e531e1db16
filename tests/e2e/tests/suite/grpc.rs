//! gRPC: calls through HTTP/2 on both sides.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use forebay_e2e::frames::{DATA, Frame, FrameBackend, Frames, HEADERS};
use forebay_e2e::{Config, DeadAddress, Forebay, curl, until};

const HEAD: [(&str, &str); 2] = [(":status", "200"), ("content-type", "application/grpc")];

fn to(url: String, group: &str) -> Config {
    Config::to_urls([url])
        .group(&format!("protocol: h2c{group}"))
        .telemetry("access_log: { output: \"-\" }")
        .top("workers: 1")
}

/// What curl says of a call: the head, and trailers. It misses the end of an
/// answer without a body that comes before it has sent its own, so a call that is
/// refused at once has none.
fn call(forebay: &Forebay, target: &str, body: &str, more: &[&str]) -> String {
    let url = format!("http://{}{target}", forebay.address());
    let mut arguments = vec!["-sS", "-i", "--http2-prior-knowledge", "-m", "10"];
    arguments.extend_from_slice(&["-H", "Content-Type: application/grpc+proto"]);
    arguments.extend_from_slice(&["-H", "TE: trailers", "--data-binary", body]);
    arguments.extend_from_slice(more);
    arguments.push(&url);
    let finished = curl(&arguments);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    finished.stdout
}

#[track_caller]
fn assert_refused(got: &str, status: u8, reason: &str) {
    assert!(got.starts_with("HTTP/2 200"), "{got}");
    assert!(got.contains("\ncontent-type: application/grpc\n"), "{got}");
    assert!(got.contains(&format!("\ngrpc-status: {status}\n")), "{got}");
    let message = got.lines().find(|line| line.starts_with("grpc-message: "));
    assert!(
        message.is_some_and(|line| line.ends_with(&format!("({reason})"))),
        "{got}"
    );
    assert!(!got.contains("content-length"), "{got}");
}

fn posted(frames: &mut Frames) -> u32 {
    frames
        .wait(|frame| frame.kind == DATA && frame.ends_stream())
        .stream
}

/// An answer that is nothing but a status.
fn refuse(frames: &mut Frames, stream: u32, status: &str) {
    let mut head = HEAD.to_vec();
    head.push(("grpc-status", status));
    frames.head(stream, &head, true);
}

fn answer(frames: &mut Frames, stream: u32, message: &[u8]) {
    frames.head(stream, &HEAD, false);
    frames.data(stream, message, false);
    frames.head(stream, &[("grpc-status", "0")], true);
}

#[test]
fn what_forebay_refuses_is_told_as_grpc_does() {
    let dead = DeadAddress::new();
    let forebay = to(
        format!("http://{}", dead.address()),
        ", retry: { max_attempts: 1 }",
    )
    .add_route("id: dead, path: \"/dead/*\", backend_group: app")
    .start();
    assert_refused(&call(&forebay, "/none/Such", "", &[]), 12, "no_route");
    assert_refused(
        &call(&forebay, "/dead/Call", "", &[]),
        14,
        "connection_refused",
    );
    let log = forebay.access_log(2);
    assert_eq!(
        (&log[0]["status"], &log[0]["grpc_status"]),
        (&200.into(), &12.into())
    );
    assert_eq!(log[1]["failure"], "connection_refused");
    // Others are told as ever.
    assert_eq!(forebay.get("/none").status, 404);
}

#[test]
fn a_call_takes_no_longer_than_it_says() {
    let backend = FrameBackend::new();
    let forebay = to(backend.url(), "").start();
    let got = call(&forebay, "/a.B/C", "message", &["-H", "grpc-timeout: 300m"]);
    assert_refused(&got, 4, "http_response_timeout");
}

#[test]
fn a_status_that_stands_alone_may_be_worth_another_attempt() {
    let backend = FrameBackend::new();
    let served = std::thread::spawn({
        let listener = backend.another();
        move || {
            let mut frames = listener.accept(&[]);
            for status in ["14", "13"] {
                let stream = posted(&mut frames);
                refuse(&mut frames, stream, status);
            }
            let stream = posted(&mut frames);
            refuse(&mut frames, stream, "14");
            let stream = posted(&mut frames);
            answer(&mut frames, stream, b"done");
            frames
        }
    });
    let forebay = to(
        backend.url(),
        ", retry: { retry_on: [grpc_unavailable], delay: 1ms }",
    )
    .start();
    // 14 is tried again, 13 is not.
    let got = call(&forebay, "/a.B/C", "message", &[]);
    assert!(got.contains("\ngrpc-status: 13\n"), "{got}");
    let got = call(&forebay, "/a.B/C", "message", &[]);
    assert!(
        got.contains("done") && got.contains("grpc-status: 0"),
        "{got}"
    );
    drop(served.join().unwrap());
    let log = forebay.access_log(2);
    assert_eq!(
        (&log[0]["grpc_status"], &log[0]["attempts"]),
        (&13.into(), &2.into())
    );
    assert_eq!(
        (&log[1]["grpc_status"], &log[1]["attempts"]),
        (&0.into(), &2.into())
    );
    let labels = [("reason", "grpc_unavailable")];
    assert_eq!(forebay.metrics().sum("forebay_retries_total", &labels), 2.0);
}

#[test]
fn messages_go_both_ways_while_the_call_lasts() {
    let backend = FrameBackend::new();
    let forebay = to(backend.url(), "").start();
    let mut front = Frames::connect(forebay.address());
    let head = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/a.B/Chat"),
        (":authority", "a"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ];
    front.head(1, &head, false);
    let mut behind = backend.accept(&[]);
    let stream = behind.request();
    behind.head(stream, &HEAD, false);
    front.wait(|frame| frame.kind == HEADERS);
    for i in 0..20_u8 {
        // Each message waits for the echo of the last.
        front.data(1, &[i; 10], false);
        let message = behind.wait(|frame| frame.kind == DATA);
        assert_eq!(message.payload, [i; 10]);
        behind.data(stream, &message.payload, false);
        let echo = front.wait(|frame| frame.kind == DATA);
        assert_eq!(echo.payload, [i; 10]);
    }
    front.data(1, &[], true);
    behind.wait(|frame| frame.ends_stream());
    behind.head(stream, &[("grpc-status", "0")], true);
    let end = front.wait(|frame| frame.ends_stream());
    assert_eq!(end.kind, HEADERS);
    assert_eq!(forebay.access_log(1)[0]["grpc_status"], 0);
}

#[test]
fn backends_are_asked_whether_they_serve() {
    const NOT_SERVING: u8 = 2;
    const SERVING: u8 = 1;
    let backend = FrameBackend::new();
    let status = Arc::new(AtomicU8::new(NOT_SERVING));
    let said = Arc::clone(&status);
    let listener = backend.another();
    // Ends with the test.
    std::thread::spawn(move || {
        loop {
            let Some(mut frames) = listener.try_accept(&[]) else {
                std::thread::yield_now();
                continue;
            };
            let request = frames.wait(Frame::ends_stream);
            if request.kind == HEADERS {
                answer(&mut frames, request.stream, b"served");
                std::mem::forget(frames);
                continue;
            }
            assert_eq!(request.payload, b"\0\0\0\0\x06\x0a\x04shop");
            let status = said.load(Ordering::Relaxed);
            answer(&mut frames, request.stream, &[0, 0, 0, 0, 2, 8, status]);
            frames.wait_end();
        }
    });
    let check = ", health_check: { enabled: true, protocol: grpc, service: shop, interval: 50ms, assume_healthy: false, healthy_threshold: 1 }";
    let forebay = to(backend.url(), check).start();
    assert_refused(
        &call(&forebay, "/a.B/C", "", &[]),
        14,
        "destination_unavailable",
    );
    status.store(SERVING, Ordering::Relaxed);
    until("the backend is given calls", || {
        call(&forebay, "/a.B/C", "", &[])
            .contains("served")
            .then_some(())
    });
}

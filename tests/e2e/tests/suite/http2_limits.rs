//! Limits of HTTP/2, and what is done to clients that do too much of something.

use forebay_e2e::frames::{
    CONTINUATION, DATA, Frames, GOAWAY, HEADERS, PING, PRIORITY, RST_STREAM, SETTINGS,
    WINDOW_UPDATE,
};
use forebay_e2e::{Backend, Config, Forebay, Gate, Reply, curl};

const REFUSED_STREAM: u32 = 7;
const CANCEL: u32 = 8;
const ENHANCE_YOUR_CALM: u32 = 11;

fn post(path: &str) -> [(&str, &str); 4] {
    [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "a"),
    ]
}

/// The status that curl gets.
#[track_caller]
fn status(forebay: &Forebay, target: &str, more: &[&str]) -> String {
    let url = format!("http://{}{target}", forebay.address());
    let usual = [
        "-sS",
        "-m",
        "20",
        "--http2-prior-knowledge",
        "-o",
        "/dev/null",
    ];
    let said = curl(&[&usual, more, &["-w", "%{http_code}", &url]].concat());
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    said.stdout
}

fn cancel(frames: &mut Frames, stream: u32) {
    frames.send(RST_STREAM, 0, stream, &CANCEL.to_be_bytes());
}

/// The connection has ended because of this, and others have not noticed.
#[track_caller]
fn calmed(forebay: &Forebay, mut frames: Frames, reason: &str) {
    let code = frames.wait_end().map(|told| told.code());
    drop(frames);
    assert_eq!(code, Some(ENHANCE_YOUR_CALM), "{reason}");
    forebay.wait_metric("forebay_http2_floods_total", &[("reason", reason)], 1.0);
    assert_eq!(forebay.get("/").text(), "ok");
}

#[test]
fn floods_end_the_connection_and_are_counted() {
    let backend = Backend::saying("ok");
    type Flood = fn(&mut Frames, u32);
    let floods: [(&str, &str, Flood); 8] = [
        ("resets", "resets", |frames, n| {
            frames.get(2 * n + 1);
            cancel(frames, 2 * n + 1);
        }),
        ("pings", "control_frames", |frames, _| {
            frames.send(PING, 0, 0, &[7; 8]);
        }),
        ("settings", "control_frames", |frames, _| {
            frames.send(SETTINGS, 0, 0, &[]);
        }),
        ("priorities", "control_frames", |frames, _| {
            frames.send(PRIORITY, 0, 1, &[0, 0, 0, 3, 9]);
        }),
        ("windows", "control_frames", |frames, _| {
            frames.send(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1]);
        }),
        (
            "frames of a kind that nobody knows",
            "control_frames",
            |frames, _| {
                frames.send(0xbe, 0, 0, b"?");
            },
        ),
        ("empty data", "data_frames", |frames, n| {
            if n == 0 {
                frames.head(1, &post("/"), false);
            }
            frames.data(1, b"", false);
        }),
        (
            "heads without an end",
            "continuation",
            |frames, n| match n {
                0 => frames.send(HEADERS, 0, 1, &[]),
                _ => frames.send(CONTINUATION, 0, 1, &[]),
            },
        ),
    ];
    for (name, reason, flood) in floods {
        let forebay = Config::to(&backend).start();
        let mut frames = Frames::connect(forebay.address());
        for n in 0..5000 {
            flood(&mut frames, n);
        }
        eprintln!("{name}");
        calmed(&forebay, frames, reason);
    }
}

#[test]
fn requests_that_are_cancelled_one_by_one_are_a_flood_as_well() {
    let backend = Backend::scripted(|conn| {
        while let Some(request) = conn.request_head() {
            if request.target() == "/slow" {
                conn.until_gone();
                return;
            }
            let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
            conn.send(answer).unwrap();
        }
    });
    let forebay = Config::to(&backend)
        .server("http2: { max_resets: 3 }")
        .start();
    let mut frames = Frames::connect(forebay.address());
    for n in 0..4 {
        let stream = 2 * n + 1;
        frames.head(stream, &post("/slow"), true);
        backend.wait_requests(n as usize + 1);
        cancel(&mut frames, stream);
    }
    calmed(&forebay, frames, "resets");
}

#[test]
fn a_client_that_takes_its_answers_may_say_so_as_often_as_it_likes() {
    const SIZE: usize = 4 << 20;
    let backend = Backend::answering(|_| Reply::ok(vec![b'x'; SIZE]));
    let forebay = Config::to(&backend)
        .server("http2: { max_control_frames: 10 }")
        .start();
    let mut frames = Frames::connect(forebay.address());
    for stream in [1, 3] {
        frames.get(stream);
        let mut taken = 0;
        loop {
            let frame = frames.wait(|frame| matches!(frame.kind, DATA | GOAWAY));
            assert_eq!(frame.kind, DATA);
            taken += frame.payload.len();
            if frame.ends_stream() {
                break;
            }
            let size = (frame.payload.len() as u32).to_be_bytes();
            frames.send(WINDOW_UPDATE, 0, stream, &size);
            frames.send(WINDOW_UPDATE, 0, 0, &size);
            frames.send(PING, 0, 0, &[0; 8]);
        }
        assert_eq!(taken, SIZE);
    }
}

#[test]
fn a_head_that_grows_when_it_is_unpacked_ends_the_connection() {
    let backend = Backend::saying("ok");
    let forebay = Config::to(&backend).start();
    let mut frames = Frames::connect(forebay.address());
    // A field for the table (RFC 7541 section 6.2.1), and then that field again and again.
    let mut block = vec![0x40, 1, b'x', 100];
    block.extend_from_slice(&[b'y'; 100]);
    block.extend_from_slice(&[0xbe; 10_000]);
    frames.send(HEADERS, 4, 1, &block);
    calmed(&forebay, frames, "header_list");
}

#[test]
fn a_head_that_does_not_end_in_time_ends_the_connection() {
    let gate = Gate::default();
    let held = gate.clone();
    let backend = Backend::answering(move |request| {
        if request.target() == "/slow" {
            held.pass();
        }
        Reply::ok("ok")
    });
    let forebay = Config::to(&backend).server("header_timeout: 200ms").start();
    let mut frames = Frames::connect(forebay.address());
    frames.head(1, &post("/slow"), true);
    backend.wait_requests(1);
    frames.send(HEADERS, 0, 3, &[0x82]);
    calmed(&forebay, frames, "continuation");
    gate.open();
}

#[test]
fn a_head_above_the_limit_is_answered_with_431() {
    let backend = Backend::saying("ok");
    let forebay = Config::to(&backend).server("max_header_size: 1KiB").start();
    let long = "y".repeat(120);
    let mut frames = Frames::connect(forebay.address());
    for (stream, count) in [(1, 4), (3, 12)] {
        let fields = [&post("/")[..], &vec![("x", &*long); count]].concat();
        frames.head(stream, &fields, true);
        frames.wait(|frame| frame.kind == HEADERS && frame.stream == stream);
    }
    assert_eq!(backend.requests().len(), 1);
    frames.get(5);
    frames.wait(|frame| frame.kind == DATA && frame.stream == 5);
    let field = format!("X: {}", "y".repeat(1500));
    assert_eq!(status(&forebay, "/", &["-H", &field]), "431");
}

#[test]
fn answers_that_nobody_takes_are_given_up_and_then_the_connection() {
    let backend = Backend::answering(|request| match request.target() {
        "/" => Reply::ok("ok"),
        _ => Reply::ok(vec![b'x'; 1 << 20]),
    });
    let forebay = Config::to(&backend)
        .server("write_timeout: 100ms")
        .server("http2: { max_stalls: 1 }")
        .start();
    let mut frames = Frames::connect(forebay.address());
    for stream in [1, 3] {
        frames.head(stream, &post("/big"), true);
        if stream == 1 {
            // The first fills the window of the connection, and is given up alone.
            let told = frames.wait(|frame| matches!(frame.kind, RST_STREAM | GOAWAY));
            assert_eq!((told.kind, told.code()), (RST_STREAM, ENHANCE_YOUR_CALM));
        }
    }
    calmed(&forebay, frames, "stalls");
    let log = forebay.access_log(3);
    let big = log.iter().filter(|line| line["target"] == "/big");
    let failures: Vec<_> = big.map(|line| &line["failure"]).collect();
    assert_eq!(failures, ["client_write_timeout"; 2]);
}

#[test]
fn more_at_a_time_than_allowed_are_refused() {
    let gate = Gate::default();
    let held = gate.clone();
    let backend = Backend::answering(move |_| {
        held.pass();
        Reply::ok("ok")
    });
    let forebay = Config::to(&backend)
        .server("http2: { max_concurrent_streams: 2 }")
        .start();
    let mut frames = Frames::connect(forebay.address());
    frames.wait(|frame| frame.kind == forebay_e2e::frames::SETTINGS);
    for stream in [1, 3, 5] {
        frames.get(stream);
    }
    let refused = frames.wait(|frame| frame.kind == RST_STREAM);
    assert_eq!((refused.stream, refused.code()), (5, REFUSED_STREAM));
    forebay.wait_metric("forebay_http2_refused_streams_total", &[], 1.0);
    gate.open();
    frames.wait(|frame| frame.kind == DATA && frame.ends_stream());
}

#[test]
fn limits_of_requests_hold() {
    let backend = Backend::saying("ok");
    let forebay = Config::to(&backend)
        .server("max_body: 10B")
        .server("max_request_line: 100B")
        .server("max_header_count: 20")
        .start();
    assert_eq!(status(&forebay, "/", &["-d", "0123456789"]), "200");
    assert_eq!(status(&forebay, "/", &["-d", "0123456789a"]), "413");
    let long = format!("/{}", "a".repeat(100));
    assert_eq!(status(&forebay, &long, &[]), "414");
    let mut frames = Frames::connect(forebay.address());
    frames.head(1, &post("/"), false);
    frames.data(1, b"0123456789ab", true);
    let told = frames.wait(|frame| frame.kind == HEADERS);
    assert_ne!(told.payload.first(), Some(&0x88), "not 200");
}

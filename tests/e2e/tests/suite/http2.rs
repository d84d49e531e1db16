//! HTTP/2 from clients: curl for what is usual, frames by hand for the rest.

use std::fmt::Write as _;

use forebay_e2e::frames::{DATA, Frames, GOAWAY, HEADERS, RST_STREAM};
use forebay_e2e::{Backend, Config, Forebay, Gate, Reply, Scratch, curl};

const PROTOCOL_ERROR: u32 = 1;
const REFUSED_STREAM: u32 = 7;
const ENHANCE_YOUR_CALM: u32 = 11;

fn url(forebay: &Forebay, target: &str) -> String {
    format!("http://{}{target}", forebay.address())
}

/// What curl got: its output, without what it was asked for on stderr.
#[track_caller]
fn ask(forebay: &Forebay, target: &str, more: &[&str]) -> String {
    let url = url(forebay, target);
    let mut arguments = vec!["-sS", "--http2-prior-knowledge", "-m", "20"];
    arguments.extend_from_slice(more);
    arguments.push(&url);
    let finished = curl(&arguments);
    assert!(finished.code == Some(0), "{finished:?}");
    finished.stdout
}

fn request<'a>(method: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut fields = vec![
        (":method", method),
        (":scheme", "http"),
        (":path", "/"),
        (":authority", "a"),
    ];
    fields.extend_from_slice(more);
    fields
}

#[test]
fn a_request_and_its_answer() {
    let backend = Backend::answering(|_| Reply::with("201 Created", &[("X-Kind", "a b")], "hello"));
    let forebay = Config::to(&backend).start();
    let got = ask(
        &forebay,
        "/p/a?q=1",
        &[
            "-i",
            "-H",
            "Cookie: a=1",
            "-H",
            "X-Mine: here",
            "-w",
            "%{http_version}",
        ],
    );
    assert!(got.starts_with("HTTP/2 201"), "{got}");
    assert!(got.contains("\nx-kind: a b\n"), "{got}");
    assert!(got.ends_with("\n\nhello2"), "{got}");
    let seen = backend.request();
    assert_eq!(seen.head.start, "GET /p/a?q=1 HTTP/1.1");
    assert_eq!(seen.head.get("host"), Some(&*forebay.address().to_string()));
    assert_eq!(seen.head.get("cookie"), Some("a=1"));
    assert_eq!(seen.head.get("x-mine"), Some("here"));
    assert_eq!(seen.head.get("via"), Some("2.0 forebay"));
    assert_eq!(seen.head.get("transfer-encoding"), None);
    let log = forebay.access_log(1);
    assert_eq!(log[0]["version"], "HTTP/2.0");
    assert_eq!(log[0]["response_bytes"], 5);
}

#[test]
fn a_plain_listener_speaks_both_unless_told_otherwise() {
    let backend = Backend::saying("hello");
    let forebay = Config::to(&backend).start();
    assert_eq!(forebay.get("/").text(), "hello");
    assert_eq!(ask(&forebay, "/", &[]), "hello");
    let without = Config::to(&backend)
        .server("http2: { enabled: false }")
        .start();
    let url = url(&without, "/");
    let refused = curl(&["-sS", "--http2-prior-knowledge", &url]);
    assert!(refused.code != Some(0));
    assert_eq!(without.get("/").text(), "hello");
}

#[test]
fn bodies_pass_bit_for_bit_both_ways() {
    let backend = Backend::answering(|request| match request.target() {
        "/chunked" => {
            let mut bytes = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
            for piece in request.body.chunks(7000) {
                bytes.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
                bytes.extend_from_slice(piece);
                bytes.extend_from_slice(b"\r\n");
            }
            bytes.extend_from_slice(b"0\r\n\r\n");
            Reply::raw(bytes)
        }
        _ => Reply::ok(&request.body),
    });
    let forebay = Config::to(&backend).start();
    let scratch = Scratch::new();
    for size in [0_usize, 1, 4096, 65_535, 65_537, 3 << 20] {
        let body: Vec<u8> = (0..size)
            .map(|i| (i ^ (i >> 8) ^ (i >> 15)) as u8)
            .collect();
        let (up, down) = (scratch.path("up"), scratch.path("down"));
        std::fs::write(&up, &body).unwrap();
        let up = format!("@{}", up.display());
        let down_name = down.display().to_string();
        for target in ["/length", "/chunked"] {
            for more in [&["-H", "Content-Type: a/b"][..], &["-H", "Content-Length:"]] {
                let mut arguments = vec!["--data-binary", &*up, "-o", &*down_name];
                arguments.extend_from_slice(more);
                ask(&forebay, target, &arguments);
                let got = std::fs::read(&down).unwrap_or_default();
                assert!(got == body, "{size} bytes to {target} came back changed");
            }
        }
    }
    for seen in backend.requests() {
        let is_chunked = seen.head.get("transfer-encoding") == Some("chunked");
        assert_ne!(is_chunked, seen.head.get("content-length").is_some());
    }
}

#[test]
fn no_body_means_none() {
    let backend = Backend::answering(|request| match request.head.start.split(' ').next() {
        Some("HEAD") => Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"),
        _ => Reply::raw("HTTP/1.1 204 No Content\r\n\r\n"),
    });
    let forebay = Config::to(&backend).start();
    let got = ask(&forebay, "/", &["-I"]);
    assert!(got.contains("\ncontent-length: 7\n"), "{got}");
    assert!(ask(&forebay, "/", &["-i"]).starts_with("HTTP/2 204"));
    let mut frames = Frames::connect(forebay.address());
    frames.get(1);
    let head = frames.wait(|frame| frame.kind == HEADERS);
    assert!(head.ends_stream(), "no empty frame comes after it");
}

#[test]
fn trailers_pass_in_both_directions() {
    let backend = Backend::scripted(|conn| {
        let head = conn.request_head().unwrap();
        conn.request_body(&head.head).unwrap();
        conn.send(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n\
             2\r\nok\r\n0\r\nX-Sum: 42\r\n\r\n",
        )
        .unwrap();
        conn.until_gone();
    });
    let forebay = Config::to(&backend).start();
    let mut frames = Frames::connect(forebay.address());
    frames.head(1, &request("POST", &[("te", "trailers")]), false);
    frames.data(1, b"abc", false);
    frames.head(1, &[("x-check", "7")], true);
    let head = frames.wait(|frame| frame.kind == HEADERS);
    assert!(!head.ends_stream());
    assert_eq!(frames.wait(|frame| frame.kind == DATA).payload, b"ok");
    let trailers = frames.wait(|frame| frame.kind == HEADERS);
    assert!(trailers.ends_stream());
}

#[test]
fn interim_answers_come_before_the_final_one() {
    let backend = Backend::scripted(|conn| {
        conn.request_head().unwrap();
        conn.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
            .unwrap();
        conn.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            .unwrap();
        conn.until_gone();
    });
    let forebay = Config::to(&backend).start();
    let got = ask(&forebay, "/", &["-i"]);
    let early = got.find("HTTP/2 103").unwrap_or_else(|| panic!("{got}"));
    assert!(early < got.find("HTTP/2 200").unwrap());
    assert!(got.contains("link: </a>"), "{got}");
}

#[test]
fn many_requests_at_a_time_and_none_waits_for_another() {
    let gate = Gate::default();
    let held = gate.clone();
    let backend = Backend::answering(move |request| {
        if request.target() == "/slow" {
            held.pass();
        }
        Reply::ok(request.target().as_bytes())
    });
    let forebay = Config::to(&backend).start();
    let mut frames = Frames::connect(forebay.address());
    for stream in (1..201).step_by(2) {
        let mut path = "/slow".to_owned();
        if stream > 1 {
            path.clear();
            write!(path, "/{stream}").unwrap();
        }
        let fields = [
            (":method", "GET"),
            (":scheme", "http"),
            (":path", &*path),
            (":authority", "a"),
        ];
        frames.head(stream, &fields, true);
    }
    let mut ended = 0;
    while ended < 99 {
        let end = frames.wait(|frame| frame.kind == DATA && frame.ends_stream());
        assert_eq!(end.payload, format!("/{}", end.stream).as_bytes());
        ended += 1;
    }
    gate.open();
    let last = frames.wait(|frame| frame.kind == DATA && frame.ends_stream());
    assert_eq!((last.stream, &*last.payload), (1, &b"/slow"[..]));
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
    gate.open();
    frames.wait(|frame| frame.kind == DATA && frame.ends_stream());
}

#[test]
fn a_cancelled_request_leaves_its_backend() {
    let backend = Backend::scripted(|conn| {
        conn.request_head().unwrap();
        conn.until_gone();
    });
    let forebay = Config::to(&backend).start();
    let mut frames = Frames::connect(forebay.address());
    frames.get(1);
    backend.wait_requests(1);
    frames.send(RST_STREAM, 0, 1, &8_u32.to_be_bytes());
    backend.wait_open(0);
    assert_eq!(forebay.access_log(1)[0]["status"], 499);
    // The connection goes on.
    frames.get(3);
    backend.wait_requests(2);
}

#[test]
fn an_answer_that_is_cut_is_told_as_cut() {
    let gate = Gate::default();
    let held = gate.clone();
    let backend = Backend::scripted(move |conn| {
        conn.request_head().unwrap();
        conn.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
            .unwrap();
        held.pass();
    });
    let forebay = Config::to(&backend).start();
    let mut frames = Frames::connect(forebay.address());
    frames.get(1);
    frames.wait(|frame| frame.kind == DATA);
    gate.open();
    let mut is_whole = false;
    let cut = frames.wait(|frame| {
        is_whole |= frame.ends_stream();
        frame.kind == RST_STREAM
    });
    assert!(!is_whole);
    assert_eq!(cut.stream, 1);
}

#[test]
fn what_could_be_understood_in_two_ways_is_refused() {
    let backend = Backend::saying("no");
    let forebay = Config::to(&backend).start();
    let refused: &[&[(&str, &str)]] = &[
        &[("connection", "close")],
        &[("transfer-encoding", "chunked")],
        &[("te", "gzip")],
        &[("keep-alive", "1")],
        &[("Upper", "case")],
        &[("bad name", "x")],
        &[("x", "a\r\nb: c")],
        &[("content-length", "5")],
        &[("content-length", "0"), ("content-length", "5")],
        &[(":path", "/twice")],
        &[("host", "b")],
    ];
    for fields in refused {
        let mut frames = Frames::connect(forebay.address());
        frames.head(1, &request("GET", fields), true);
        let told = frames.wait(|frame| matches!(frame.kind, RST_STREAM | GOAWAY | HEADERS));
        match told.kind {
            // 400 in the static table of HPACK.
            HEADERS => assert_eq!(told.payload.first(), Some(&0x8c), "{fields:?}"),
            _ => assert_eq!(told.code(), PROTOCOL_ERROR, "{fields:?}"),
        }
    }
    for (what, fields) in [
        (
            "no path",
            vec![(":method", "GET"), (":scheme", "http"), (":authority", "a")],
        ),
        (
            "no method",
            vec![(":path", "/"), (":scheme", "http"), (":authority", "a")],
        ),
        (
            "no host",
            vec![(":method", "GET"), (":path", "/"), (":scheme", "http")],
        ),
        (
            "after a field",
            vec![
                (":method", "GET"),
                ("x", "y"),
                (":path", "/"),
                (":scheme", "http"),
            ],
        ),
    ] {
        let mut frames = Frames::connect(forebay.address());
        frames.head(1, &fields, true);
        let told = frames.wait(|frame| matches!(frame.kind, RST_STREAM | GOAWAY | HEADERS));
        assert!(
            told.kind != HEADERS || told.payload.first() == Some(&0x8c),
            "{what}"
        );
    }
    // A body longer and one shorter than announced.
    for body in ["abcdef", "abc"] {
        let mut frames = Frames::connect(forebay.address());
        frames.head(1, &request("POST", &[("content-length", "5")]), false);
        frames.data(1, body.as_bytes(), true);
        let told = frames.wait(|frame| frame.kind == RST_STREAM);
        assert_eq!(told.code(), PROTOCOL_ERROR, "{body}");
    }
    assert!(
        backend
            .requests()
            .iter()
            .all(|seen| seen.head.start.starts_with("POST"))
    );
}

#[test]
fn floods_end_the_connection() {
    let backend = Backend::saying("ok");
    let forebay = Config::to(&backend).start();
    type Flood = fn(&mut Frames, u32);
    let floods: [(&str, Flood); 2] = [
        ("resets", |frames, n| {
            frames.get(2 * n + 1);
            frames.send(RST_STREAM, 0, 2 * n + 1, &8_u32.to_be_bytes());
        }),
        ("empty frames", |frames, n| {
            if n == 0 {
                frames.head(1, &request("POST", &[]), false);
            }
            frames.data(1, b"", false);
        }),
    ];
    for (name, flood) in floods {
        let mut frames = Frames::connect(forebay.address());
        for n in 0..20_000 {
            flood(&mut frames, n);
        }
        let told = frames.wait_end();
        let code = told.map(|told| told.code());
        assert!(
            matches!(code, None | Some(ENHANCE_YOUR_CALM)),
            "{name}: {code:?}"
        );
    }
    assert_eq!(ask(&forebay, "/", &[]), "ok");
}

#[test]
fn limits_of_requests_hold() {
    let backend = Backend::saying("ok");
    let forebay = Config::to(&backend)
        .server("max_body: 10B")
        .server("max_request_line: 100B")
        .server("max_header_count: 20")
        .start();
    let status = &["-o", "/dev/null", "-w", "%{http_code}"];
    let with = |more: &[&'static str]| [&status[..], more].concat();
    assert_eq!(ask(&forebay, "/", &with(&["-d", "0123456789"])), "200");
    assert_eq!(ask(&forebay, "/", &with(&["-d", "0123456789a"])), "413");
    let long = format!("/{}", "a".repeat(100));
    assert_eq!(ask(&forebay, &long, status), "414");
    let mut frames = Frames::connect(forebay.address());
    frames.head(1, &request("POST", &[]), false);
    frames.data(1, b"0123456789ab", true);
    let told = frames.wait(|frame| frame.kind == HEADERS);
    assert_ne!(told.payload.first(), Some(&0x88), "not 200");
}

#[test]
fn a_drain_lets_what_has_begun_end_and_takes_nothing_new() {
    let gate = Gate::default();
    let held = gate.clone();
    let backend = Backend::answering(move |_| {
        held.pass();
        Reply::ok("done")
    });
    let forebay = Config::to(&backend).start();
    let mut frames = Frames::connect(forebay.address());
    frames.get(1);
    backend.wait_requests(1);
    forebay.terminate();
    frames.wait(|frame| frame.kind == GOAWAY && frame.code() == 0);
    gate.open();
    let end = frames.wait(|frame| frame.kind == DATA && frame.ends_stream());
    assert_eq!(end.payload, b"done");
    frames.wait_end();
}

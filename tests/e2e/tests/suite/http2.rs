//! HTTP/2 from clients: curl for what is usual, frames by hand for the rest.

use std::fmt::Write as _;
use std::sync::Arc;

use forebay_e2e::frames::{DATA, Frames, GOAWAY, HEADERS, RST_STREAM};
use forebay_e2e::{Authority, Backend, Client, Config, Forebay, Gate, Reply, Scratch, bytes, curl};

const PROTOCOL_ERROR: u32 = 1;

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
        let body = bytes(size);
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
        assert_eq!(head.head.get("transfer-encoding"), Some("chunked"));
        let body = "3\r\nabc\r\n0\r\nx-check: 7\r\n\r\n";
        assert_eq!(conn.exactly(body.len()).unwrap(), body.as_bytes());
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
        &[("x", " a")],
        &[("x", "a\t")],
        &[("content-length", " 0")],
        &[("content-length", "+0")],
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
            "space in the path",
            vec![
                (":method", "GET"),
                (":path", "/ HTTP/1.1"),
                (":scheme", "http"),
                (":authority", "a"),
            ],
        ),
        (
            "path without its slash",
            vec![
                (":method", "GET"),
                (":path", "smuggled"),
                (":scheme", "http"),
                (":authority", "a"),
            ],
        ),
        (
            "line in the method",
            vec![
                (":method", "GET / HTTP/1.1\r\nx:"),
                (":path", "/"),
                (":scheme", "http"),
                (":authority", "a"),
            ],
        ),
        (
            "line in the host",
            vec![
                (":method", "GET"),
                (":path", "/"),
                (":scheme", "http"),
                (":authority", "a\r\nx: b"),
            ],
        ),
        (
            "somebody at the host",
            vec![
                (":method", "GET"),
                (":path", "/"),
                (":scheme", "http"),
                (":authority", "b@a"),
            ],
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

#[test]
fn a_listener_that_is_taken_away_says_so_and_another_change_does_not() {
    let gate = Gate::default();
    let held = gate.clone();
    let backend = Backend::answering(move |request| {
        if request.target() == "/" {
            held.pass();
        }
        Reply::ok("done")
    });
    let config = Config::to(&backend).server("id: first");
    let forebay = config.start();
    let another = config.yaml().replacen("id: first", "id: second", 1);
    let mut frames = Frames::connect(forebay.address());
    frames.get(1);
    backend.wait_requests(1);
    forebay.reload(&config.server("header_timeout: 7s").yaml());
    frames.head(3, &path("/quick"), true);
    let end = frames.wait(|frame| frame.kind == GOAWAY || frame.ends_stream());
    assert_eq!((end.kind, end.stream), (DATA, 3));
    forebay.reload(&another);
    frames.wait(|frame| frame.kind == GOAWAY && frame.code() == 0);
    gate.open();
    let end = frames.wait(|frame| frame.kind == DATA && frame.ends_stream());
    assert_eq!((end.stream, &*end.payload), (1, &b"done"[..]));
    frames.wait_end();
}

fn path(path: &str) -> [(&str, &str); 4] {
    [
        (":method", "GET"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "a"),
    ]
}

#[test]
fn an_idle_connection_is_told_to_go() {
    let backend = Backend::saying("ok");
    let forebay = Config::to(&backend)
        .server("keep_alive_timeout: 100ms")
        .start();
    let mut frames = Frames::connect(forebay.address());
    frames.get(1);
    frames.wait(|frame| frame.kind == DATA && frame.ends_stream());
    frames.wait(|frame| frame.kind == GOAWAY && frame.code() == 0);
    frames.wait_end();
    // One that has asked for nothing at all, too.
    let mut silent = Frames::connect(forebay.address());
    silent.wait(|frame| frame.kind == GOAWAY && frame.code() == 0);
    silent.wait_end();
}

#[test]
fn what_the_end_of_the_process_cuts_is_logged_as_that() {
    let backend = Backend::scripted(|conn| {
        conn.request_head().unwrap();
        conn.until_gone();
    });
    let forebay = Config::to(&backend).top("shutdown_timeout: 100ms").start();
    let mut frames = Frames::connect(forebay.address());
    frames.get(1);
    frames.get(3);
    backend.wait_requests(2);
    forebay.terminate();
    for line in forebay.access_log(2) {
        assert_eq!(line["failure"], "shutdown_timeout", "{line}");
    }
    frames.wait_end();
}

#[test]
fn a_connection_is_active_once_however_many_requests_it_has() {
    let gate = Gate::default();
    let held = gate.clone();
    let backend = Backend::answering(move |_| {
        held.pass();
        Reply::ok("ok")
    });
    let forebay = Config::to(&backend).start();
    let mut frames = Frames::connect(forebay.address());
    for stream in [1, 3, 5] {
        frames.get(stream);
    }
    backend.wait_requests(3);
    let connections = "forebay_client_connections";
    forebay.wait_metric(connections, &[("state", "active")], 1.0);
    forebay.wait_metric("forebay_http_requests_in_flight", &[], 3.0);
    gate.open();
    forebay.wait_metric(connections, &[("state", "active")], 0.0);
    forebay.wait_metric(connections, &[("state", "idle")], 1.0);
}

#[test]
fn over_tls_clients_choose_and_what_they_show_is_known() {
    let (backend, authority, clients) =
        (Backend::saying("hello"), Authority::new(), Authority::new());
    let (issued, shown) = (
        authority.issue(&["localhost"]),
        clients.issue(&["billing.test"]),
    );
    let tls = format!(
        "tls: {{ client_certificates: request, client_ca_file: {:?}, forward_client_certificate: true }}",
        clients.file()
    );
    let config = Config::to(&backend).server(&issued.entries()).server(&tls);
    let forebay = config.start();
    let port = forebay.address().port();
    let (url, ca) = (format!("https://localhost:{port}/"), authority.file());
    let resolve = format!("localhost:{port}:127.0.0.1");
    let asks = |more: &[&str]| {
        let usual = ["-sS", "-m", "20", "--cacert", &*ca, "--resolve", &*resolve];
        let version = ["-w", " %{http_version}", &*url];
        let said = curl(&[&usual, more, &version].concat());
        assert_eq!(said.code, Some(0), "{}", said.stderr);
        said.stdout
    };
    let with = [
        "--http2",
        "--cert",
        &*shown.cert_file,
        "--key",
        &*shown.key_file,
    ];
    assert_eq!(asks(&with), "hello 2");
    let seen = backend.requests().pop().unwrap();
    assert_eq!(seen.head.get("x-forwarded-proto"), Some("https"));
    assert!(
        seen.head
            .get("client-cert")
            .is_some_and(|cert| cert.len() > 100)
    );
    assert_eq!(asks(&["--http1.1"]), "hello 1.1");
    // It has to be agreed on (RFC 9113 section 3.2).
    let trusting = Arc::new(authority.client());
    let mut unasked = Client::secure(forebay.address(), &trusting, "localhost").unwrap();
    let told = unasked.ask("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert_eq!(told.status, 505);
    forebay.reload(&config.server("http2: { enabled: false }").yaml());
    assert_eq!(asks(&["--http2"]), "hello 1.1");
}

#[test]
fn clients_are_sent_to_https_and_told_to_stay_there() {
    let (backend, authority) = (Backend::saying("hello"), Authority::new());
    let issued = authority.issue(&["a.test"]);
    let plain = "listeners: [ { id: plain, address: \"127.0.0.1:0\", redirect_to_https: true } ]";
    let forebay = Config::to(&backend)
        .server(&issued.entries())
        .top(plain)
        .start();
    let url = format!("http://{}/x?y=1", forebay.address_of(1));
    let said = curl(&[
        "-sS",
        "-i",
        "--http2-prior-knowledge",
        "-H",
        "Host: a.test",
        &url,
    ]);
    assert!(said.stdout.starts_with("HTTP/2 308"), "{}", said.stdout);
    let expected = "location: https://a.test/x?y=1";
    assert!(said.stdout.contains(expected), "{}", said.stdout);
    assert_eq!(backend.accepted(), 0);
}

#[test]
fn what_follows_the_preface_is_never_a_request_of_http_1() {
    let backend = Backend::saying("no");
    let forebay = Config::to(&backend).start();
    for rest in [
        "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
        "\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        let mut client = forebay.client();
        let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        client.send(format!("{preface}{rest}")).unwrap();
        let said = client.until_gone();
        assert!(!said.starts_with(b"HTTP/1"), "{}", said.escape_ascii());
    }
    assert_eq!(backend.accepted(), 0);
}

#[test]
fn there_is_no_tunnel_to_be_had() {
    let backend = Backend::saying("no");
    let forebay = Config::to(&backend).start();
    let mut frames = Frames::connect(forebay.address());
    let fields = [(":method", "CONNECT"), (":authority", "a:80")];
    frames.head(1, &fields, false);
    frames.wait(|frame| frame.kind == HEADERS);
    let line = forebay.access_log(1).remove(0);
    assert_eq!(
        (&line["status"], &line["failure"]),
        (&501.into(), &"method_not_supported".into())
    );
    assert_eq!(backend.accepted(), 0);
}

//! HTTP/2 to backends, frame by frame: connections that several requests share.

use std::time::Duration;

use forebay_e2e::frames::{DATA, FrameBackend, Frames, HEADERS, PING, RST_STREAM};
use forebay_e2e::{Backend, Client, Config, Forebay, until};

const MAX_CONCURRENT_STREAMS: u16 = 3;
const NO_ERROR: u32 = 0;
const INTERNAL_ERROR: u32 = 2;
const REFUSED_STREAM: u32 = 7;
const CANCEL: u32 = 8;

fn start(backend: &FrameBackend, group: &str) -> Forebay {
    Config::to_urls([backend.url()])
        .group(&format!("protocol: h2c{group}"))
        .telemetry("access_log: { output: \"-\" }")
        .top("workers: 1")
        .start()
}

fn get(forebay: &Forebay) -> Client {
    let mut client = forebay.client();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    client
}

fn post(forebay: &Forebay) -> Client {
    let mut client = forebay.client();
    let request = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody";
    client.send(request).unwrap();
    client
}

/// The stream of a request with a body, once all of it has come.
fn posted(frames: &mut Frames) -> u32 {
    frames
        .wait(|frame| frame.kind == DATA && frame.ends_stream())
        .stream
}

#[test]
fn requests_at_a_time_share_a_connection() {
    let backend = FrameBackend::new();
    let forebay = start(&backend, "");
    let mut clients: Vec<Client> = (0..20).map(|_| get(&forebay)).collect();
    let mut frames = backend.accept(&[]);
    let streams: Vec<u32> = (0..20).map(|_| frames.request()).collect();
    let figure = |name: &str| forebay.metrics().sum(name, &[]);
    assert_eq!(figure("forebay_upstream_http2_connections"), 1.0);
    assert_eq!(figure("forebay_upstream_http2_streams"), 20.0);
    for stream in streams.iter().rev() {
        frames.answer(*stream, &stream.to_string());
    }
    let mut texts: Vec<u32> = clients
        .iter_mut()
        .map(|client| client.response().text().parse().unwrap())
        .collect();
    texts.sort_unstable();
    assert_eq!(texts, streams);
    assert!(backend.try_accept(&[]).is_none(), "one is enough");
}

#[test]
fn what_a_backend_does_not_take_at_a_time_waits_in_the_queue() {
    let backend = FrameBackend::new();
    let pool = ", connection_pool: { max_connections_per_host: 1, wait_timeout: 400ms }";
    let forebay = start(&backend, pool);
    let mut clients: Vec<Client> = (0..2).map(|_| get(&forebay)).collect();
    let mut frames = backend.accept(&[(MAX_CONCURRENT_STREAMS, 2)]);
    let (first, second) = (frames.request(), frames.request());
    let mut third = get(&forebay);
    assert_eq!(third.response().reason(), Some("connection_queue_timeout"));
    let mut fourth = get(&forebay);
    until("it waits", || {
        let waits = forebay.metrics().sum("forebay_upstream_waits_total", &[]);
        (waits >= 2.0).then_some(())
    });
    frames.answer(first, "first");
    let late = frames.request();
    frames.answer(late, "late");
    frames.answer(second, "second");
    assert_eq!(fourth.response().text(), "late");
    let mut texts: Vec<String> = clients
        .iter_mut()
        .map(|c| c.response().text().to_owned())
        .collect();
    texts.sort();
    assert_eq!(texts, ["first", "second"]);
}

#[test]
fn a_further_connection_is_opened_when_one_is_full() {
    let backend = FrameBackend::new();
    let forebay = start(&backend, ", connection_pool: { max_concurrent_streams: 1 }");
    let mut one = get(&forebay);
    let mut first = backend.accept(&[]);
    let stream = first.request();
    let mut other = get(&forebay);
    let mut second = backend.accept(&[]);
    let beside = second.request();
    second.answer(beside, "second");
    assert_eq!(other.response().text(), "second");
    first.answer(stream, "first");
    assert_eq!(one.response().text(), "first");
}

#[test]
fn what_is_refused_unseen_is_sent_again_whatever_it_is() {
    let backend = FrameBackend::new();
    let forebay = start(&backend, "");
    let mut client = post(&forebay);
    let mut frames = backend.accept(&[]);
    let refused = posted(&mut frames);
    frames.reset(refused, REFUSED_STREAM);
    let again = posted(&mut frames);
    assert!(again > refused);
    frames.answer(again, "done");
    assert_eq!(client.response().text(), "done");
    forebay.wait_metric("forebay_upstream_http2_refused_streams_total", &[], 1.0);
}

#[test]
fn what_is_refused_again_and_again_fails() {
    let backend = FrameBackend::new();
    let forebay = start(&backend, ", retry: { max_attempts: 1 }");
    let mut client = post(&forebay);
    let mut frames = backend.accept(&[]);
    let refused = posted(&mut frames);
    frames.reset(refused, REFUSED_STREAM);
    assert_eq!(client.response().reason(), Some("connection_terminated"));
}

#[test]
fn a_backend_that_goes_away_loses_nothing() {
    let backend = FrameBackend::new();
    let forebay = start(&backend, "");
    let mut seen = post(&forebay);
    let mut old = backend.accept(&[]);
    let first = posted(&mut old);
    let mut unseen = post(&forebay);
    posted(&mut old);
    old.go_away(first, NO_ERROR);
    // What it has not looked at goes to another connection; the rest is answered.
    let mut new = backend.accept(&[]);
    let again = posted(&mut new);
    new.answer(again, "new");
    assert_eq!(unseen.response().text(), "new");
    old.answer(first, "old");
    assert_eq!(seen.response().text(), "old");
    let mut next = get(&forebay);
    let further = new.request();
    new.answer(further, "further");
    assert_eq!(next.response().text(), "further");
}

#[test]
fn a_connection_that_breaks_fails_all_its_requests() {
    let backend = FrameBackend::new();
    let forebay = start(&backend, "");
    let mut clients: Vec<Client> = (0..3).map(|_| post(&forebay)).collect();
    let mut frames = backend.accept(&[]);
    for _ in 0..3 {
        posted(&mut frames);
    }
    frames.hang_up();
    for client in &mut clients {
        assert_eq!(client.response().reason(), Some("connection_terminated"));
    }
}

#[test]
fn a_connection_on_which_nothing_is_heard_gets_no_further_request() {
    let backend = FrameBackend::new();
    let forebay = start(&backend, ", timeout: { request: 300ms }");
    let mut client = get(&forebay);
    let mut dead = backend.accept(&[]);
    let stream = dead.request();
    dead.answer(stream, "alive");
    assert_eq!(client.response().text(), "alive");
    let mut client = post(&forebay);
    posted(&mut dead);
    assert_eq!(client.response().reason(), Some("http_response_timeout"));
    let reset = dead.wait(|frame| frame.kind == RST_STREAM);
    assert_eq!(reset.code(), CANCEL);
    let mut next = get(&forebay);
    let mut alive = backend.accept(&[]);
    let stream = alive.request();
    alive.answer(stream, "alive");
    assert_eq!(next.response().text(), "alive");
}

#[test]
fn a_client_that_leaves_resets_its_stream_alone() {
    let backend = FrameBackend::new();
    let forebay = start(&backend, "");
    let leaving = get(&forebay);
    let mut frames = backend.accept(&[]);
    let left = frames.request();
    let mut staying = get(&forebay);
    let kept = frames.request();
    drop(leaving);
    let reset = frames.wait(|frame| frame.kind == RST_STREAM);
    assert_eq!((reset.stream, reset.code()), (left, CANCEL));
    frames.answer(kept, "kept");
    assert_eq!(staying.response().text(), "kept");
}

#[test]
fn an_answer_that_is_reset_is_cut_in_front_too() {
    let backend = FrameBackend::new();
    let forebay = start(&backend, "");
    let mut front = Frames::connect(forebay.address());
    front.get(1);
    let mut frames = backend.accept(&[]);
    let stream = frames.request();
    frames.head(stream, &[(":status", "200")], false);
    frames.data(stream, b"half", false);
    assert_eq!(front.wait(|frame| frame.kind == DATA).payload, b"half");
    frames.reset(stream, INTERNAL_ERROR);
    let reset = front.wait(|frame| frame.kind == RST_STREAM || frame.ends_stream());
    assert_eq!((reset.kind, reset.code()), (RST_STREAM, INTERNAL_ERROR));
}

#[test]
fn an_answer_that_is_enough_is_whole_although_the_request_is_not() {
    let backend = FrameBackend::new();
    let forebay = start(&backend, "");
    let mut client = forebay.client();
    client
        .send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nbody")
        .unwrap();
    let mut frames = backend.accept(&[]);
    let stream = frames.request();
    frames.answer(stream, "enough");
    frames.reset(stream, NO_ERROR);
    assert_eq!(client.response().text(), "enough");
}

#[test]
fn idle_connections_are_ended_in_time() {
    let backend = FrameBackend::new();
    for pool in ["idle_timeout: 1s", "max_age: 1s"] {
        let forebay = start(&backend, &format!(", connection_pool: {{ {pool} }}"));
        let mut client = get(&forebay);
        let mut frames = backend.accept(&[]);
        let stream = frames.request();
        frames.answer(stream, "served");
        assert_eq!(client.response().text(), "served");
        let last = frames.wait_end();
        assert_eq!(last.map(|frame| frame.code()), Some(NO_ERROR), "{pool}");
    }
}

/// A pair of requests is under way of which the backend says nothing. Returns them,
/// and the connection at the backend once it has been asked for a word.
fn asked(backend: &FrameBackend, forebay: &Forebay) -> (Client, Frames, u32, Vec<u8>) {
    let client = get(forebay);
    let mut frames = backend.accept(&[]);
    let stream = frames.request();
    // Unlike a client's, a backend's answer to it is not given by itself.
    let ping = loop {
        let frame = frames.read().expect("a connection");
        if frame.kind == PING {
            break frame.payload;
        }
    };
    (client, frames, stream, ping)
}

#[test]
fn a_connection_on_which_nobody_answers_is_lost() {
    let backend = FrameBackend::new();
    let forebay = start(
        &backend,
        ", connection_pool: { keepalive_ping: { interval: 100ms, timeout: 200ms } }",
    );
    let (mut client, mut silent, ..) = asked(&backend, &forebay);
    // What may be repeated goes on a fresh one.
    let mut fresh = backend.accept(&[]);
    let again = fresh.request();
    fresh.answer(again, "there");
    assert_eq!(client.response().text(), "there");
    assert_eq!(silent.wait_end(), None);
    // What may not says why.
    let mut client = post(&forebay);
    posted(&mut fresh);
    assert_eq!(client.response().reason(), Some("connection_terminated"));
    let detail = forebay.access_log(2)[1]["failure_detail"].to_string();
    assert!(detail.contains("did not answer to PING"), "{detail}");
}

#[test]
fn a_connection_on_which_somebody_answers_is_kept() {
    let backend = FrameBackend::new();
    let forebay = start(
        &backend,
        ", connection_pool: { keepalive_ping: { interval: 100ms, timeout: 10s } }",
    );
    let (mut client, mut frames, stream, ping) = asked(&backend, &forebay);
    frames.send(PING, 1, 0, &ping);
    for _ in 0..2 {
        // Which answers as well.
        let again = frames.wait(|frame| frame.kind == PING);
        assert_eq!(again.payload, ping);
    }
    frames.answer(stream, "late");
    assert_eq!(client.response().text(), "late");
    // Without a request nobody is asked.
    assert!(frames.is_silent_for(Duration::from_millis(500)));
    let mut client = get(&forebay);
    let stream = frames.request();
    frames.answer(stream, "the same connection");
    assert_eq!(client.response().text(), "the same connection");
}

#[test]
fn answers_that_break_the_rules_are_refused() {
    let backend = FrameBackend::new();
    let forebay = start(&backend, ", retry: { max_attempts: 1 }");
    let bad: &[&[(&str, &str)]] = &[
        &[("x-a", "1")],
        &[(":status", "200"), ("connection", "close")],
        &[(":status", "200"), ("transfer-encoding", "chunked")],
        &[(":status", "200"), ("X-Big", "1")],
        &[(":status", "200"), ("x-a", "1\r\nx-b: 2")],
        &[(":status", "101")],
        &[(":status", "200"), ("content-length", "1, 2")],
    ];
    for head in bad {
        let mut client = post(&forebay);
        let mut connection = backend.accept(&[]);
        let stream = posted(&mut connection);
        connection.head(stream, head, true);
        let response = client.response();
        assert_eq!(response.status, 502, "{head:?}");
        assert_eq!(response.reason(), Some("http_protocol_error"), "{head:?}");
        connection.hang_up();
        // Else the next one might still be sent there.
        until("the connection is gone", || {
            let open = forebay.metrics().sum("forebay_upstream_connections", &[]);
            (open == 0.0).then_some(())
        });
    }
}

#[test]
fn a_body_of_another_length_than_said_is_cut() {
    let backend = FrameBackend::new();
    let forebay = start(&backend, "");
    for body in [&b"abc"[..], b"abcdefg"] {
        let mut front = Frames::connect(forebay.address());
        front.get(1);
        let mut frames = backend.accept(&[]);
        let stream = frames.request();
        let head = [(":status", "200"), ("content-length", "5")];
        frames.head(stream, &head, false);
        front.wait(|frame| frame.kind == HEADERS);
        frames.data(stream, body, true);
        let end = front.wait(|frame| frame.kind == RST_STREAM || frame.ends_stream());
        assert_eq!(end.kind, RST_STREAM);
        frames.hang_up();
    }
}

#[test]
fn a_backend_that_speaks_http1_is_told_of() {
    let backend = Backend::saying("hello");
    let forebay = Config::to(&backend)
        .group("protocol: h2c, retry: { max_attempts: 1 }")
        .start();
    let reason = forebay.get("/").reason().map(str::to_owned);
    assert!(
        matches!(
            reason.as_deref(),
            Some("http_protocol_error" | "connection_terminated")
        ),
        "{reason:?}"
    );
}

#[test]
fn a_backend_that_sends_nothing_but_useless_frames_is_cut_off() {
    const UNKNOWN: [u8; 9] = [0, 0, 0, 99, 0, 0, 0, 0, 0];
    let backend = FrameBackend::new();
    let forebay = start(&backend, ", retry: { max_attempts: 1 }");
    let mut client = get(&forebay);
    let mut frames = backend.accept(&[]);
    let stream = frames.request();
    frames.bytes(&UNKNOWN.repeat(9_000));
    frames.answer(stream, "some are ignored");
    assert_eq!(client.response().text(), "some are ignored");
    let mut client = get(&forebay);
    frames.request();
    frames.bytes(&UNKNOWN.repeat(6_000));
    assert_eq!(client.response().reason(), Some("http_protocol_error"));
    let mut client = get(&forebay);
    let mut fresh = backend.accept(&[]);
    let stream = fresh.request();
    fresh.answer(stream, "served");
    assert_eq!(client.response().text(), "served");
}

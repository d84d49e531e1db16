//! A second backend is asked where the first takes longer than is usual.

use std::thread::JoinHandle;

use forebay_e2e::frames::{FrameBackend, Frames, RST_STREAM};
use forebay_e2e::{Backend, Client, Config, Forebay, Gate, Reply, Response};

/// Answers at once, but behind the gate once it is told to be slow.
fn backend(name: &'static str, gate: &Gate) -> Backend {
    let gate = gate.clone();
    Backend::answering(move |request| {
        if request.target() == "/slow" {
            gate.pass();
        }
        let status = match request.target() {
            "/fails" => "500 Internal Server Error",
            _ => "200 OK",
        };
        Reply::with(status, &[("X-Backend", name)], name)
    })
}

/// Two backends of which the first is behind the gate, and a Forebay that knows
/// what is usual. Turns are even, so that the first is the next one's turn.
fn start(gate: &Gate, more: &str) -> (Forebay, [Backend; 2]) {
    let open = Gate::default();
    open.open();
    let backends = [backend("one", gate), backend("two", &open)];
    let forebay = Config::to_all(&backends)
        .top("workers: 1")
        .group(&format!(
            "hedge: {{ min_delay: 250ms, max_percent: 100 }}, {more}"
        ))
        .start();
    let mut client = forebay.client();
    for _ in 0..60 {
        assert_eq!(client.get("/").status, 200);
    }
    // Worked out anew every tenth of a second.
    std::thread::sleep(std::time::Duration::from_millis(150));
    assert_eq!(client.get("/").text(), "one");
    assert_eq!(client.get("/").text(), "two");
    (forebay, backends)
}

/// Asks while the test goes on.
fn ask_beside(forebay: &Forebay, request: &'static str) -> JoinHandle<Response> {
    let mut client = forebay.client();
    std::thread::spawn(move || client.ask(request))
}

fn slow(backend: &Backend) -> usize {
    let requests = backend.requests();
    requests.iter().filter(|r| r.target() == "/slow").count()
}

#[test]
fn the_second_backend_answers_for_the_slow_one() {
    let gate = Gate::default();
    let (forebay, backends) = start(&gate, "");
    let before = backends[0].accepted();
    let response = forebay.get("/slow");
    assert_eq!((response.status, response.text()), (200, "two"));
    assert_eq!((slow(&backends[0]), slow(&backends[1])), (1, 1));
    forebay.wait_metric("forebay_retries_total", &[("reason", "hedge")], 1.0);
    let line = forebay.access_log(63).pop().unwrap();
    assert_eq!(line["attempts"], 2);
    assert_eq!(line["backend"], backends[1].url());
    // The slow one's connection is cut off: nothing of its answer goes anywhere.
    gate.open();
    backends[0].wait_open(0);
    for expected in ["two", "one", "two", "one"] {
        assert_eq!(forebay.get("/").text(), expected);
    }
    assert_eq!(backends[0].accepted(), before + 1);
}

#[test]
fn only_requests_that_change_nothing_are_sent_twice() {
    let gate = Gate::default();
    let (forebay, backends) = start(&gate, "");
    for request in [
        "POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
        "DELETE /slow HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi",
    ] {
        let answer = ask_beside(&forebay, request);
        gate.wait_for(1);
        std::thread::sleep(std::time::Duration::from_millis(500));
        assert_eq!(slow(&backends[1]), 0, "{request}");
        gate.let_one_through();
        assert_eq!(answer.join().unwrap().text(), "one", "{request}");
        assert_eq!(forebay.get("/").text(), "two");
    }
}

/// A failing second is no winner; the first still answers.
#[test]
fn a_failure_of_the_second_does_not_count() {
    let gate = Gate::default();
    let open = Gate::default();
    open.open();
    let one = backend("one", &gate);
    let two = Backend::answering(|request| match request.target() {
        "/slow" => Reply::with("503 Service Unavailable", &[], "busy"),
        _ => Reply::ok("two"),
    });
    let forebay = Config::to_urls([one.url(), two.url()])
        .top("workers: 1")
        .group("hedge: { min_delay: 250ms, max_percent: 100 }")
        .start();
    let mut client = forebay.client();
    for _ in 0..60 {
        client.get("/");
    }
    std::thread::sleep(std::time::Duration::from_millis(150));
    assert_eq!(client.get("/").text(), "one");
    assert_eq!(client.get("/").text(), "two");
    let answer = ask_beside(&forebay, "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    two.wait_requests(32);
    gate.wait_for(1);
    gate.let_one_through();
    assert_eq!(answer.join().unwrap().text(), "one");
}

/// Where every backend is slow, asking twice helps nobody: the budget ends it.
#[test]
fn hedges_are_charged_to_the_budget() {
    let gate = Gate::default();
    let (forebay, backends) = start(&gate, "retry: { budget: 3, min_retries_per_second: 0 }");
    // 62 requests so far afford one.
    assert_eq!(forebay.get("/slow").text(), "two");
    assert_eq!(forebay.get("/").text(), "two");
    let answer = ask_beside(&forebay, "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    gate.wait_for(2);
    forebay.wait_metric("forebay_retries_refused_total", &[], 1.0);
    gate.open();
    assert_eq!(answer.join().unwrap().text(), "one");
    assert_eq!(slow(&backends[1]), 1);
}

/// Who was asked in vain as the second is not asked again.
#[test]
fn a_second_that_failed_has_been_tried() {
    let gate = Gate::default();
    let open = Gate::default();
    open.open();
    let one = Backend::answering({
        let gate = gate.clone();
        move |request| match request.target() {
            "/slow" => {
                gate.pass();
                Reply::with("503 Service Unavailable", &[], "busy")
            }
            _ => Reply::ok("one"),
        }
    });
    let two = Backend::answering(|request| match request.target() {
        "/slow" => Reply::raw("").then_close(),
        _ => Reply::ok("two"),
    });
    let three = backend("three", &open);
    let forebay = Config::to_urls([one.url(), two.url(), three.url()])
        .top("workers: 1")
        .group(
            "hedge: { min_delay: 250ms, max_percent: 100 }, retry: { max_attempts: 3, retry_on: [5xx], delay: 1ms }",
        )
        .start();
    let mut client = forebay.client();
    for _ in 0..90 {
        client.get("/");
    }
    std::thread::sleep(std::time::Duration::from_millis(150));
    // Few enough that they do not change what is usual.
    for n in 1..=3 {
        for expected in ["one", "two", "three"] {
            assert_eq!(client.get("/").text(), expected);
        }
        let before = slow(&two);
        let answer = ask_beside(&forebay, "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
        gate.wait_for(1);
        let hedges = f64::from(n);
        forebay.wait_metric("forebay_retries_total", &[("reason", "hedge")], hedges);
        gate.let_one_through();
        let answer = answer.join().unwrap();
        assert_eq!((answer.status, answer.text()), (200, "three"));
        assert!(slow(&two) <= before + 1);
        for expected in ["two", "three"] {
            assert_eq!(client.get("/").text(), expected);
        }
    }
}

/// One request, which comes to this backend.
fn ask_at(client: &mut Client, frames: &mut Frames) {
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let stream = frames.request();
    frames.answer(stream, "usual");
    assert_eq!(client.response().text(), "usual");
}

/// One request, which comes to the first backend and then to the second; the winner
/// answers, and the other one's stream is reset.
fn race(client: &mut Client, [first, second]: [&mut Frames; 2], first_wins: bool) {
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let (of_first, of_second) = (first.request(), second.request());
    let (winner, won, loser, lost) = match first_wins {
        true => (first, of_first, second, of_second),
        false => (second, of_second, first, of_first),
    };
    winner.answer(won, "won");
    assert_eq!(client.response().text(), "won");
    let reset = loser.wait(|frame| frame.kind == RST_STREAM);
    const CANCEL: u32 = 8;
    assert_eq!((reset.stream, reset.code()), (lost, CANCEL));
}

#[test]
fn of_two_over_http2_the_slower_is_reset_and_keeps_its_connection() {
    let backends = [FrameBackend::new(), FrameBackend::new()];
    // A stream that were not given back would be in the way of the next request.
    let forebay = Config::to_urls(backends.iter().map(FrameBackend::url))
        .top("workers: 1")
        .group("protocol: h2c, hedge: { min_delay: 250ms, max_percent: 100 }")
        .group("connection_pool: { max_connections_per_host: 1, max_concurrent_streams: 1, max_waiting: 0 }")
        .start();
    let mut client = forebay.client();
    let [mut one, mut two] = backends.each_ref().map(|backend| {
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        let mut frames = backend.accept(&[]);
        let stream = frames.request();
        frames.answer(stream, "first");
        assert_eq!(client.response().text(), "first");
        frames
    });
    for _ in 0..30 {
        ask_at(&mut client, &mut one);
        ask_at(&mut client, &mut two);
    }
    // Worked out anew every tenth of a second.
    std::thread::sleep(std::time::Duration::from_millis(150));
    ask_at(&mut client, &mut one);
    ask_at(&mut client, &mut two);

    race(&mut client, [&mut one, &mut two], false);
    ask_at(&mut client, &mut two);
    ask_at(&mut client, &mut one);
    race(&mut client, [&mut two, &mut one], true);
    ask_at(&mut client, &mut one);
    ask_at(&mut client, &mut two);
    let labels = [("reason", "hedge")];
    assert_eq!(forebay.metrics().sum("forebay_retries_total", &labels), 2.0);
    forebay.wait_metric("forebay_upstream_http2_streams", &[], 0.0);
    let opened = forebay
        .metrics()
        .sum("forebay_upstream_connections_created_total", &[]);
    assert_eq!(opened, 2.0);
}

//! Backends that are unwell get no requests: what ordinary requests teach, and
//! circuit breakers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use forebay_e2e::{Backend, Config, DeadAddress, Forebay, Gate, Reply, until};

/// A configuration of one worker, so that requests one after another take turns.
fn one_worker(backends: &[&Backend]) -> Config {
    Config::to_urls(backends.iter().map(|backend| backend.url())).top("workers: 1")
}

fn passive(more: &str) -> String {
    format!("health_check: {{ slow_start: 0s, passive: {{ {more} }} }}")
}

/// How often something stands in the runtime log.
fn said(forebay: &Forebay, words: &str) -> usize {
    let log = forebay.stderr();
    log.lines().filter(|line| line.contains(words)).count()
}

#[track_caller]
fn wait_said(forebay: &Forebay, words: &str) {
    forebay.stderr_line(words, |line| line.contains(words).then_some(()));
}

/// A program of its own that can be killed, and started again where it was.
fn program(address: &str) -> Forebay {
    let server = format!("server: {{ address: {address:?} }}");
    let route = "routes: [ { id: all, respond: { body: ok } } ]";
    Forebay::start(&format!("{server}\n{route}\n"))
}

fn kill(program: Forebay) -> SocketAddr {
    let address = program.address();
    // Dropping it is kill -9.
    drop(program);
    address
}

#[test]
fn a_backend_that_is_killed_under_load_costs_no_request_and_comes_back() {
    let mut programs: Vec<Forebay> = (0..3).map(|_| program("127.0.0.1:0")).collect();
    let urls = programs.iter().map(|p| format!("http://{}", p.address()));
    let forebay = Config::to_urls(urls)
        .group(&passive("ejection_time: 200ms, max_ejection_time: 200ms"))
        .start();
    let (ended, served) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(|| {
                let mut client = forebay.client();
                while !ended.load(Ordering::Relaxed) {
                    assert_eq!(client.get("/").status, 200);
                    served.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let pass = |more: usize| {
            let target = served.load(Ordering::Relaxed) + more;
            until("requests are served", || {
                (served.load(Ordering::Relaxed) >= target).then_some(())
            });
        };
        pass(200);
        let address = kill(programs.pop().unwrap());
        let url = format!("http://{address}");
        wait_said(
            &forebay,
            &format!(
                "backend {url} of group app is out: connection refused; back in 1 s at the earliest"
            ),
        );
        pass(200);
        let again = program(&address.to_string());
        let labels = [("backend", &*url)];
        let before = forebay
            .metrics()
            .sum("forebay_http_requests_total", &labels);
        until("it gets requests again", || {
            let now = forebay
                .metrics()
                .sum("forebay_http_requests_total", &labels);
            (now > before + 20.0).then_some(())
        });
        ended.store(true, Ordering::Relaxed);
        drop(again);
    });
}

#[test]
fn one_connection_refused_is_enough() {
    let dead = DeadAddress::new();
    let good = [Backend::saying("ok"), Backend::saying("ok")];
    let forebay = Config::to_urls([good[0].url(), dead.url(), good[1].url()])
        .top("workers: 1")
        .start();
    let mut client = forebay.client();
    for _ in 0..60 {
        assert_eq!(client.get("/").status, 200);
    }
    let log = forebay.access_log(60);
    let further = log.iter().filter(|line| line["attempts"] == 2).count();
    assert_eq!(further, 1);
    assert_eq!(
        said(&forebay, "is out: connection refused; back in 10 s"),
        1
    );
    let counts = good.each_ref().map(|backend| backend.requests().len());
    assert_eq!(counts.iter().sum::<usize>(), 60);
    assert!(counts[0].abs_diff(counts[1]) <= 2, "{counts:?}");
}

/// Two of three are dead, and no more than one may be out.
#[test]
fn a_dead_backend_that_is_kept_in_is_not_said_to_be_up() {
    let (dead, good) = (
        [DeadAddress::new(), DeadAddress::new()],
        Backend::saying("ok"),
    );
    let forebay = Config::to_urls([dead[0].url(), dead[1].url(), good.url()])
        .top("workers: 1")
        .start();
    for _ in 0..9 {
        assert_eq!(forebay.get("/").status, 200);
    }
    assert_eq!(said(&forebay, "is out: connection refused"), 1);
    let kept = "fails: connection refused; kept in, for no more than 50% may be out";
    assert_eq!(said(&forebay, kept), 1);
    let metrics = forebay.metrics();
    for (url, up) in [
        (dead[0].url(), 0.0),
        (dead[1].url(), 0.0),
        (good.url(), 1.0),
    ] {
        let labels = [("backend", &*url)];
        assert_eq!(metrics.sum("forebay_backend_up", &labels), up, "{url}");
    }
}

#[test]
fn errors_in_a_row_take_a_backend_out() {
    let bad = Backend::answering(|_| Reply::with("500 Internal Server Error", &[], "no"));
    let good = Backend::saying("ok");
    let forebay = one_worker(&[&bad, &good]).start();
    let mut client = forebay.client();
    let statuses: Vec<u16> = (0..20).map(|_| client.get("/").status).collect();
    let failed = statuses.iter().filter(|&&status| status == 500).count();
    assert_eq!((failed, bad.requests().len()), (5, 5), "{statuses:?}");
    assert!(statuses[10..].iter().all(|&status| status == 200));
    wait_said(
        &forebay,
        "is out: 5 failures in a row, the last: status 500; back in 10 s",
    );
    let url = bad.url();
    let labels = [("backend", &*url)];
    forebay.wait_metric("forebay_backend_up", &labels, 0.0);
    forebay.wait_metric("forebay_backend_up", &[], 1.0);
    forebay.wait_metric("forebay_backend_ejections_total", &labels, 1.0);
}

#[test]
fn an_ejection_ends_without_requests_as_well() {
    let dead = DeadAddress::new();
    let good = Backend::saying("ok");
    let forebay = Config::to_urls([dead.url(), good.url()])
        .top("workers: 1")
        .group(&passive("ejection_time: 100ms"))
        .start();
    assert_eq!(forebay.get("/").status, 200);
    wait_said(&forebay, "is up: it was ejected for its time");
    assert_eq!(forebay.get("/").status, 200);
    assert_eq!(forebay.get("/").status, 200);
    wait_said(&forebay, "back in 1 s at the earliest");
}

#[test]
fn a_success_between_makes_failures_forgotten() {
    let number = AtomicUsize::new(0);
    let flaky = Backend::answering(move |_| match number.fetch_add(1, Ordering::Relaxed) % 5 {
        4 => Reply::ok("ok"),
        _ => Reply::with("500 Internal Server Error", &[], "no"),
    });
    let good = Backend::saying("ok");
    let forebay = one_worker(&[&flaky, &good]).start();
    let mut client = forebay.client();
    (0..80).for_each(|_| drop(client.get("/")));
    assert_eq!(flaky.requests().len(), 40);
    assert_eq!(said(&forebay, "is out"), 0);
}

#[test]
fn a_backend_that_does_not_answer_is_taken_out() {
    let silent = Backend::scripted(|conn| {
        conn.request();
        conn.request();
    });
    let good = Backend::saying("ok");
    let forebay = one_worker(&[&silent, &good])
        .group("timeout: { request: 100ms }")
        .group(&passive("max_failures: 3"))
        .start();
    let statuses: Vec<u16> = (0..20).map(|_| forebay.get("/").status).collect();
    let failed = statuses.iter().filter(|&&status| status == 504).count();
    assert_eq!((failed, silent.requests().len()), (3, 3), "{statuses:?}");
    wait_said(
        &forebay,
        "3 failures in a row, the last: http response timeout",
    );
}

#[test]
fn a_backend_that_breaks_off_within_the_body_is_taken_out() {
    let half = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n".to_owned() + &"x".repeat(50_000);
    let bad = Backend::answering(move |_| Reply::raw(half.clone()).then_reset());
    let good = Backend::saying("ok");
    let forebay = one_worker(&[&bad, &good])
        .group(&passive("max_failures: 3"))
        .start();
    for _ in 0..20 {
        let mut client = forebay.client();
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        // Cut short or not.
        drop(client.try_response(false));
    }
    assert_eq!(bad.requests().len(), 3);
    wait_said(&forebay, "3 failures in a row, the last: ");
}

#[test]
fn a_lone_backend_is_never_ejected() {
    let bad = Backend::answering(|_| Reply::with("500 Internal Server Error", &[], "no"));
    let forebay = one_worker(&[&bad]).start();
    (0..20).for_each(|_| assert_eq!(forebay.get("/").status, 500));
    assert_eq!(bad.requests().len(), 20);
}

#[test]
fn what_clients_do_takes_nobody_out() {
    let gate = Gate::default();
    let held = gate.clone();
    let slow = Backend::answering(move |_| {
        held.pass();
        Reply::ok("ok")
    });
    let good = Backend::saying("ok");
    let forebay = one_worker(&[&slow, &good])
        .group(&passive("max_failures: 1"))
        .start();
    for requests in 1..=3 {
        let mut client = forebay.client();
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        slow.wait_requests(requests);
        drop(client);
        let gone = [("reason", "client_disconnected")];
        forebay.wait_metric("forebay_errors_total", &gone, requests as f64);
        assert_eq!(forebay.get("/").status, 200);
    }
    gate.open();
    assert_eq!(said(&forebay, "is out"), 0);
}

#[test]
fn a_body_that_does_not_come_is_not_the_backends_fault() {
    let closing = Backend::scripted(|conn| drop(conn.request_head()));
    let good = Backend::saying("ok");
    let forebay = one_worker(&[&closing, &good])
        .group(&passive("max_failures: 1"))
        .start();
    let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n";
    assert_eq!(forebay.client().ask(head).status, 502);
    assert_eq!(forebay.get("/").status, 200);
    assert_eq!(said(&forebay, "is out"), 0);
    assert_eq!(forebay.get("/").status, 200);
    wait_said(&forebay, "is out: connection terminated");
}

/// A backend that fails until it is told not to.
fn broken() -> (Backend, Arc<AtomicBool>) {
    let is_well = Arc::new(AtomicBool::new(false));
    let well = Arc::clone(&is_well);
    let backend = Backend::answering(move |_| match well.load(Ordering::Relaxed) {
        true => Reply::ok("ok"),
        false => Reply::with("500 Internal Server Error", &[], "no"),
    });
    (backend, is_well)
}

#[test]
fn a_breaker_opens_tries_and_closes() {
    let (backend, is_well) = broken();
    let forebay = one_worker(&[&backend])
        .group("circuit_breaker: { failure_threshold: 3, open_timeout: 1500ms }")
        .start();
    (0..3).for_each(|_| assert_eq!(forebay.get("/").status, 500));
    let refused = forebay.get("/");
    assert_eq!(refused.reason(), Some("destination_unavailable"));
    assert_eq!(
        (refused.status, refused.get("retry-after")),
        (503, Some("2"))
    );
    assert_eq!(backend.requests().len(), 3);
    forebay.wait_metric("forebay_backend_breaker", &[], 2.0);
    // The first that is let through fails as well.
    until("the breaker is half open", || {
        (forebay.get("/").status == 500).then_some(())
    });
    assert_eq!(backend.requests().len(), 4);
    assert_eq!(forebay.get("/").status, 503);
    wait_said(&forebay, "is out: failed again: status 500");
    is_well.store(true, Ordering::Relaxed);
    until("the breaker closes", || {
        (forebay.get("/").status == 200).then_some(())
    });
    (0..20).for_each(|_| assert_eq!(forebay.get("/").status, 200));
    wait_said(&forebay, "is back: a request was answered");
}

#[test]
fn a_half_open_breaker_lets_one_request_through_at_a_time() {
    let gate = Gate::default();
    let held = gate.clone();
    let failures = AtomicUsize::new(0);
    let backend = Backend::answering(move |_| {
        if failures.fetch_add(1, Ordering::Relaxed) == 0 {
            return Reply::with("500 Internal Server Error", &[], "no");
        }
        held.pass();
        Reply::ok("ok")
    });
    let forebay = Config::to(&backend)
        .group("circuit_breaker: { failure_threshold: 1, open_timeout: 100ms }")
        .start();
    assert_eq!(forebay.get("/").status, 500);
    std::thread::scope(|threads| {
        let first = threads.spawn(|| {
            until("one is let through", || {
                Some(forebay.get("/").status).filter(|&status| status != 503)
            })
        });
        gate.wait_for(1);
        for _ in 0..20 {
            let others = forebay.get("/");
            assert_eq!(others.reason(), Some("destination_unavailable"));
        }
        gate.open();
        assert_eq!(first.join().unwrap(), 200);
    });
    assert_eq!(forebay.get("/").status, 200);
    assert_eq!(backend.requests().len(), 3);
}

#[test]
fn a_breaker_sends_requests_on_to_others() {
    let (bad, _) = broken();
    let good = Backend::saying("ok");
    let forebay = one_worker(&[&bad, &good])
        .group("health_check: { passive: { enabled: false } }")
        .group("circuit_breaker: { failure_threshold: 2 }")
        .start();
    (0..4).for_each(|_| drop(forebay.get("/")));
    (0..20).for_each(|_| assert_eq!(forebay.get("/").status, 200));
    assert_eq!(bad.requests().len(), 2);
    let log = forebay.access_log(24);
    assert!(log.iter().all(|line| line["attempts"] == 1));
}

#[test]
fn a_group_that_fails_open_goes_on() {
    let (bad, _) = broken();
    let forebay = one_worker(&[&bad])
        .group("circuit_breaker: { failure_threshold: 1 }, when_all_unhealthy: fail_open")
        .start();
    (0..10).for_each(|_| assert_eq!(forebay.get("/").status, 500));
    assert_eq!(bad.requests().len(), 10);
}

#[test]
fn without_passive_checks_nobody_is_taken_out() {
    let dead = DeadAddress::new();
    let good = Backend::saying("ok");
    let forebay = Config::to_urls([dead.url(), good.url()])
        .top("workers: 1")
        .group("health_check: { passive: { enabled: false } }")
        .start();
    (0..10).for_each(|_| assert_eq!(forebay.get("/").status, 200));
    let log = forebay.access_log(10);
    let further = log.iter().filter(|line| line["attempts"] == 2).count();
    assert_eq!(further, 5);
}

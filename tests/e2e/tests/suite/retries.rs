//! Further attempts: when they are made, and when not.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use forebay_e2e::{Backend, Config, DeadAddress, Forebay, Reply};

const ALL: &str = "retry_on: [connection_error, timeout, 5xx], delay: 20ms, max_delay: 40ms";

fn group(retry: &str) -> String {
    format!("retry: {{ {ALL}, {retry} }}")
}

fn failing() -> Backend {
    Backend::answering(|_| Reply::with("503 Service Unavailable", &[], "busy"))
}

fn put(forebay: &Forebay, size: usize) -> u16 {
    let body = "x".repeat(size);
    let head = format!("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n");
    forebay.client().ask(head + &body).status
}

#[test]
fn an_answer_of_5xx_is_followed_by_another_attempt_elsewhere() {
    let (bad, good) = (failing(), Backend::saying("ok"));
    let forebay = Config::to_urls([bad.url(), good.url()])
        .top("workers: 1")
        .group(&group("max_attempts: 2"))
        .start();
    for _ in 0..6 {
        assert_eq!(forebay.get("/").text(), "ok");
    }
    assert_eq!(good.requests().len(), 6);
    assert_eq!(
        bad.requests().len(),
        3,
        "round robin asks it every other time"
    );
    assert_eq!(
        bad.accepted(),
        1,
        "an answer put aside leaves its connection usable"
    );
    forebay.wait_metric("forebay_retries_total", &[("reason", "5xx")], 3.0);
}

#[test]
fn the_last_answer_is_passed_on_whatever_it_is() {
    let (one, two) = (failing(), failing());
    let forebay = Config::to_urls([one.url(), two.url()])
        .group(&group("max_attempts: 3"))
        .start();
    let response = forebay.get("/");
    assert_eq!((response.status, response.text()), (503, "busy"));
    assert_eq!(response.reason(), None, "it is the backend's own");
    assert_eq!(one.requests().len() + two.requests().len(), 3);
    assert_eq!(forebay.access_log(1)[0]["attempts"], 3);
}

#[test]
fn waits_grow_and_a_single_backend_may_be_asked_again() {
    let backend = failing();
    let forebay = Config::to(&backend)
        .group("retry: { retry_on: [5xx], max_attempts: 3, delay: 100ms, max_delay: 1s }")
        .start();
    let began = Instant::now();
    assert_eq!(forebay.get("/").status, 503);
    let took = began.elapsed();
    assert_eq!(backend.requests().len(), 3);
    // Half of 100 ms and of 200 ms at least.
    assert!(took >= Duration::from_millis(150), "{took:?}");
}

#[test]
fn requests_that_may_not_be_repeated_are_not() {
    let backend = failing();
    let forebay = Config::to(&backend)
        .group(&group("max_attempts: 3"))
        .start();
    for method in ["POST", "PATCH", "LOCK"] {
        let request = format!("{method} / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
        assert_eq!(forebay.client().ask(request).status, 503);
    }
    assert_eq!(backend.requests().len(), 3);
}

#[test]
fn bodies_are_sent_again_as_they_were_up_to_64_kib() {
    for (size, attempts) in [(0, 2), (1, 2), (64 * 1024, 2), (64 * 1024 + 1, 1)] {
        let backend = failing();
        let forebay = Config::to(&backend)
            .group(&group("max_attempts: 2"))
            .start();
        assert_eq!(put(&forebay, size), 503);
        let requests = backend.requests();
        assert_eq!(requests.len(), attempts, "{size}");
        assert!(requests.iter().all(|r| r.body.len() == size), "{size}");
    }
}

#[test]
fn a_backend_that_takes_too_long_is_followed_by_another() {
    let slow = Backend::scripted(|conn| {
        conn.request().unwrap();
        conn.request();
    });
    let good = Backend::saying("ok");
    let config = "timeout: { request: 200ms }\n";
    for (retry_on, statuses) in [("timeout", [200, 200]), ("connection_error", [504, 200])] {
        let forebay = Config::to_urls([slow.url(), good.url()])
            .group(config)
            .group(&format!("retry: {{ retry_on: [{retry_on}], delay: 10ms }}"))
            .start();
        let mut got = [forebay.get("/").status, forebay.get("/").status];
        got.sort_by(|a, b| b.cmp(a));
        assert_eq!(got, statuses, "{retry_on}");
    }
}

#[test]
fn all_attempts_together_end_in_time() {
    let slow = Backend::scripted(|conn| {
        conn.request().unwrap();
        conn.request();
    });
    let forebay = Config::to(&slow)
        .group("timeout: { request: 10s, total: 300ms }")
        .group(&group("max_attempts: 10"))
        .start();
    let began = Instant::now();
    let response = forebay.get("/");
    assert_eq!(
        (response.status, response.reason()),
        (504, Some("http_response_timeout"))
    );
    assert!(
        began.elapsed() < Duration::from_secs(3),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(slow.requests().len(), 1);
}

#[test]
fn retry_after_beyond_the_longest_wait_is_passed_on() {
    for (after, attempts) in [("0", 2), ("1", 1), ("3600", 1), ("soon", 2)] {
        let backend = Backend::answering(move |_| {
            Reply::with("503 Service Unavailable", &[("Retry-After", after)], "")
        });
        let forebay = Config::to(&backend)
            .group(&group("max_attempts: 2"))
            .start();
        assert_eq!(forebay.get("/").status, 503);
        assert_eq!(backend.requests().len(), attempts, "{after}");
    }
}

#[test]
fn an_outage_is_not_amplified_beyond_the_budget() {
    let backend = failing();
    let forebay = Config::to(&backend)
        .group("retry: { retry_on: [5xx], delay: 1ms, budget: 20, min_retries_per_second: 0 }")
        .start();
    let mut client = forebay.client();
    for _ in 0..200 {
        assert_eq!(client.get("/").status, 503);
    }
    let retries = backend.requests().len() - 200;
    assert!((30..=40).contains(&retries), "{retries} retries");
    assert!(forebay.metrics().sum("forebay_retries_refused_total", &[]) > 100.0);
}

#[test]
fn going_on_from_a_dead_backend_is_free() {
    let dead = [DeadAddress::new(), DeadAddress::new()];
    let good = Backend::saying("ok");
    let urls = [dead[0].url(), good.url(), dead[1].url()];
    let forebay = Config::to_urls(urls)
        .group("retry: { budget: 0, min_retries_per_second: 0 }")
        .start();
    let mut client = forebay.client();
    for _ in 0..30 {
        assert_eq!(client.get("/").status, 200);
    }
}

#[test]
fn two_of_three_backends_may_die_under_load() {
    let mut backends: Vec<_> = (0..3).map(|_| Backend::saying("ok")).collect();
    let forebay = Config::to_all(&backends).start();
    let ended = AtomicBool::new(false);
    let served = AtomicUsize::new(0);
    std::thread::scope(|threads| {
        for _ in 0..8 {
            threads.spawn(|| {
                let mut client = forebay.client();
                while !ended.load(Ordering::Relaxed) {
                    assert_eq!(client.get("/").status, 200);
                    served.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let wait_for = |more: usize| {
            let target = served.load(Ordering::Relaxed) + more;
            while served.load(Ordering::Relaxed) < target {
                std::thread::yield_now();
            }
        };
        for _ in 0..2 {
            wait_for(200);
            backends.pop().unwrap().stop();
        }
        wait_for(200);
        ended.store(true, Ordering::Relaxed);
    });
}

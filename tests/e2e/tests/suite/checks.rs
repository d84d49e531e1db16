//! Active health checks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use forebay_e2e::frames::FrameBackend;
use forebay_e2e::{Backend, Config, DeadAddress, Forebay, Gate, Reply, until};

/// A backend that answers everything but checks with its name, and checks with
/// the status that is set.
fn checked(name: &'static str) -> (Backend, Arc<AtomicU16>) {
    let status = Arc::new(AtomicU16::new(200));
    let told = Arc::clone(&status);
    let backend = Backend::answering(move |request| match request.target() {
        "/health" => {
            let status = format!("{} Checked", told.load(Ordering::Relaxed));
            Reply::with(&status, &[], "I am fine\n")
        }
        _ => Reply::ok(name),
    });
    (backend, status)
}

const QUICK: &str =
    "enabled: true, interval: 50ms, max_interval: 100ms, timeout: 300ms, slow_start: 0s";

fn with_checks(backends: &[&Backend], more: &str) -> Config {
    Config::to_urls(backends.iter().map(|backend| backend.url()))
        .top("workers: 1")
        .group(&format!("health_check: {{ {QUICK}, {more} }}"))
}

/// Who answers a few requests.
fn answering(forebay: &Forebay) -> String {
    let mut names: Vec<String> = (0..6).map(|_| forebay.get("/").text().to_owned()).collect();
    names.sort();
    names.dedup();
    names.concat()
}

#[track_caller]
fn wait_answering(forebay: &Forebay, names: &str) {
    until(&format!("{names} answer"), || {
        (answering(forebay) == names).then_some(())
    });
}

#[test]
fn a_backend_that_is_unwell_leaves_and_comes_back() {
    let (one, status) = checked("1");
    let (two, _) = checked("2");
    let forebay = with_checks(&[&one, &two], "").start();
    assert_eq!(answering(&forebay), "12");
    status.store(503, Ordering::Relaxed);
    wait_answering(&forebay, "2");
    let url = one.url();
    let out = |line: &str| (line.contains(&url) && line.contains("status 503")).then_some(());
    forebay.stderr_line("why it is out", out);
    status.store(204, Ordering::Relaxed);
    wait_answering(&forebay, "12");
    let request = one
        .requests()
        .into_iter()
        .find(|r| r.target() == "/health")
        .unwrap();
    assert_eq!(request.head.get("User-Agent"), Some("forebay-health-check"));
    assert_eq!(request.head.get("Host"), Some(&*one.address().to_string()));
}

#[test]
fn one_bad_answer_or_one_good_one_is_not_enough() {
    let gate = Gate::default();
    let held = gate.clone();
    let answers = Arc::new(AtomicU16::new(500));
    let told = Arc::clone(&answers);
    let one = Backend::answering(move |request| {
        if request.target() != "/health" {
            return Reply::ok("1");
        }
        held.pass();
        Reply::with(
            &format!("{} Checked", told.load(Ordering::Relaxed)),
            &[],
            "",
        )
    });
    let config = with_checks(&[&one], "unhealthy_threshold: 2, healthy_threshold: 2");
    let forebay = Config::yaml(&config).replace("timeout: 300ms", "timeout: 60s");
    let forebay = Forebay::start(&forebay);
    let check = |n: usize| {
        gate.wait_for(1);
        gate.let_one_through();
        until("the check is answered", || {
            let checks = one
                .requests()
                .iter()
                .filter(|r| r.target() == "/health")
                .count();
            (checks > n).then_some(())
        });
        // Until the next one is there, this one has counted.
        gate.wait_for(1);
    };
    check(1);
    assert_eq!(forebay.get("/").status, 200);
    check(2);
    let refused = forebay.get("/");
    assert_eq!(
        (refused.status, refused.reason()),
        (503, Some("destination_unavailable"))
    );
    answers.store(200, Ordering::Relaxed);
    check(3);
    assert_eq!(forebay.get("/").status, 503);
    check(4);
    assert_eq!(forebay.get("/").status, 200);
    gate.open();
}

#[test]
fn what_a_check_asks_and_what_it_expects() {
    let (one, status) = checked("1");
    status.store(201, Ordering::Relaxed);
    for (more, is_well, what) in [
        ("expected_status: [ 200 ]", false, "status 201"),
        ("expected_status: [ 200, 201 ]", true, ""),
        ("expected_body: \"I am fine\"", true, ""),
        (
            "expected_body: \"am not\"",
            false,
            "the body has no \\\"am not\\\" in it",
        ),
        ("method: HEAD", true, ""),
        (
            "path: \"/other?x=1\", host: a.example, headers: { X-Probe: me }",
            true,
            "",
        ),
        ("protocol: tcp", true, ""),
    ] {
        let forebay = with_checks(
            &[&one],
            &format!("assume_healthy: false, healthy_threshold: 1, unhealthy_threshold: 1, {more}"),
        )
        .start();
        if is_well {
            wait_answering(&forebay, "1");
            continue;
        }
        let what = what.replace('\\', "");
        forebay.stderr_line(&what, |line| line.contains(&what).then_some(()));
        assert_eq!(forebay.get("/").status, 503, "{more}");
    }
    let other = one
        .requests()
        .into_iter()
        .find(|r| r.target() == "/other?x=1")
        .unwrap();
    assert_eq!(
        (other.head.get("Host"), other.head.get("X-Probe")),
        (Some("a.example"), Some("me"))
    );
}

#[test]
fn not_used_before_the_first_check_when_told_so() {
    let dead = DeadAddress::new();
    let forebay = Config::to_urls([dead.url()])
        .group(
            "health_check: { enabled: true, assume_healthy: false, passive: { enabled: false } }",
        )
        .start();
    let refused = forebay.get("/");
    assert_eq!(
        (refused.status, refused.reason()),
        (503, Some("destination_unavailable"))
    );
}

#[test]
fn a_backend_that_does_not_answer_its_checks_leaves() {
    let silent = Backend::scripted(|conn| {
        conn.request();
        conn.until_gone();
    });
    let (one, _) = checked("1");
    let forebay = with_checks(&[&one], "")
        .backend(&silent.url(), "weight: 1")
        .start();
    let out = |line: &str| line.contains("no answer within 300ms").then_some(());
    forebay.stderr_line("no answer within the time", out);
    assert_eq!(answering(&forebay), "1");
}

#[test]
fn what_checks_have_found_stays_through_a_reload() {
    let (one, status) = checked("1");
    let (two, _) = checked("2");
    status.store(500, Ordering::Relaxed);
    let config = with_checks(&[&one, &two], "").yaml();
    let forebay = Forebay::start(&config);
    wait_answering(&forebay, "2");
    forebay.reload(&config.replace("id: all", "id: other"));
    assert_eq!(answering(&forebay), "2");
    // Without checks, what they have found counts no more.
    forebay.reload(&config.replace("enabled: true, interval", "enabled: false, interval"));
    wait_answering(&forebay, "12");
}

#[test]
fn checks_speak_http2_where_the_group_does() {
    let backend = FrameBackend::new();
    let check = "enabled: true, path: /health, interval: 60s, assume_healthy: false, healthy_threshold: 1, expected_body: fine";
    let forebay = Config::to_urls([backend.url()])
        .group(&format!("protocol: h2c, health_check: {{ {check} }}"))
        .start();
    let mut frames = backend.accept(&[]);
    let stream = frames.request();
    frames.answer(stream, "I am fine");
    forebay.wait_metric("forebay_backend_up", &[], 1.0);
}

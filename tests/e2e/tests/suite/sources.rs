//! Backends that are found while Forebay runs.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use forebay_e2e::{Backend, Config, Forebay, NameServer, Reply, Scratch, until};

/// One group `app` with these sources and no backends of its own.
fn with_sources(sources: &str) -> String {
    Config::default()
        .top("workers: 1")
        .add_group_of(&format!("id: app, sources: [ {sources} ]"))
        .yaml()
}

fn listing(backends: &[&Backend]) -> String {
    let urls = backends
        .iter()
        .map(|backend| format!("- {:?}\n", backend.url()));
    match backends {
        [] => "[]".to_owned(),
        _ => urls.collect(),
    }
}

/// Written beside it and put in its place.
fn replace(scratch: &Scratch, name: &str, text: &str) {
    let new = scratch.write("new", text);
    std::fs::rename(new, scratch.path(name)).unwrap();
}

/// Waits until the answers are these and no others.
#[track_caller]
fn wait_answers(forebay: &Forebay, expected: &[&str]) {
    let expected: BTreeSet<String> = expected.iter().map(|&text| text.to_owned()).collect();
    until(&format!("answers are {expected:?}"), || {
        let answers = (0..8).map(|_| forebay.get("/").text().to_owned());
        (answers.collect::<BTreeSet<String>>() == expected).then_some(())
    });
}

#[track_caller]
fn wait_said(forebay: &Forebay, text: &str) {
    forebay.stderr_line(text, |line| line.contains(text).then_some(()));
}

#[test]
fn a_file_changes_under_load_and_no_request_fails() {
    let [one, two, three] = ["one", "two", "three"].map(Backend::saying);
    let scratch = Scratch::new();
    let list = scratch.write("list.yaml", &listing(&[&one]));
    let forebay = Forebay::start(&with_sources(&format!("{{ file: {list:?} }}")));
    wait_said(
        &forebay,
        &format!("group app: backend {} found by file", one.url()),
    );
    // There from the first request on.
    assert_eq!(forebay.get("/").text(), "one");

    let is_over = Arc::new(AtomicBool::new(false));
    let count = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..3)
        .map(|_| {
            let (is_over, count) = (Arc::clone(&is_over), Arc::clone(&count));
            let mut client = forebay.client();
            std::thread::spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    assert_eq!(client.get("/").status, 200);
                    count.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for (backends, expected) in [
        (vec![&one, &two], vec!["one", "two"]),
        (vec![&three], vec!["three"]),
        (vec![&two, &three], vec!["two", "three"]),
    ] {
        replace(&scratch, "list.yaml", &listing(&backends));
        wait_answers(&forebay, &expected);
    }
    is_over.store(true, Ordering::Relaxed);
    for client in clients {
        client.join().unwrap();
    }
    assert!(count.load(Ordering::Relaxed) > 0);
    wait_said(&forebay, &format!("group app: backend {} gone", one.url()));
}

#[test]
fn a_file_with_a_mistake_changes_nothing_and_is_shouted_about() {
    let [one, two] = ["one", "two"].map(Backend::saying);
    let scratch = Scratch::new();
    let list = scratch.write("list.yaml", &listing(&[&one]));
    let forebay = Forebay::start(&with_sources(&format!("{{ file: {list:?} }}")));
    assert_eq!(forebay.get("/").text(), "one");
    replace(&scratch, "list.yaml", "- { url: \"http://a\", wight: 3 }\n");
    wait_said(&forebay, "is refused; what it had stays");
    wait_said(&forebay, "wight");
    assert_eq!(forebay.get("/").text(), "one");
    let source = format!("file {list}");
    forebay.wait_metric("forebay_source_up", &[("source", &source)], 0.0);
    forebay.wait_metric("forebay_source_failures_total", &[("source", &source)], 1.0);
    replace(&scratch, "list.yaml", &listing(&[&two]));
    wait_answers(&forebay, &["two"]);
    wait_said(&forebay, "answers again");
    // An empty list is a list, and nobody is left.
    replace(&scratch, "list.yaml", "[]");
    until("503", || (forebay.get("/").status == 503).then_some(()));
    replace(&scratch, "list.yaml", &listing(&[&one]));
    wait_answers(&forebay, &["one"]);
}

#[test]
fn a_reload_brings_sources_and_takes_them_without_a_gap() {
    let [one, two, three] = ["one", "two", "three"].map(Backend::saying);
    let scratch = Scratch::new();
    let first = scratch.write("first.yaml", &listing(&[&two]));
    let second = scratch.write("second.yaml", &listing(&[&two, &three]));
    let fixed = Config::to(&one).top("workers: 1").yaml();
    let forebay = Forebay::start(&fixed);
    assert_eq!(forebay.get("/").text(), "one");
    forebay.reload(&with_sources(&format!("{{ file: {first:?} }}")));
    for _ in 0..4 {
        assert_eq!(forebay.get("/").text(), "two");
    }
    // Both of them, and the other settings of the group are the old ones.
    let both = format!("{{ file: {first:?} }}, {{ file: {second:?} }}");
    forebay.reload(&with_sources(&both));
    wait_answers(&forebay, &["two", "three"]);
    assert_eq!(two.accepted(), 1);
    // What was found does not count for a configuration that has no sources.
    let nothing = with_sources("");
    forebay.refuse(&nothing, &["the backend group `app` has no backends"]);
    wait_answers(&forebay, &["two", "three"]);
    forebay.reload(&fixed);
    for _ in 0..4 {
        assert_eq!(forebay.get("/").text(), "one");
    }
}

#[test]
fn addresses_of_a_name_are_followed_and_kept_while_nobody_answers() {
    // Two addresses of one port.
    let one = Backend::saying("one");
    let port = one.address().port();
    let address = std::net::SocketAddr::from(([127, 0, 0, 2], port));
    let _two = Backend::scripted_at(address, |conn| conn.serve(&|_| Reply::ok("two")));
    let names = NameServer::start();
    names.addresses("app.test", &[[127, 0, 0, 1]]);
    let source = format!(
        "{{ dns: app.test, port: {port}, resolver: {:?}, min_interval: 100ms }}",
        names.address().to_string()
    );
    let forebay = Forebay::start(&with_sources(&source));
    assert_eq!(forebay.get("/").text(), "one");
    wait_said(&forebay, &format!("backend {} found by dns", one.url()));
    names.addresses("app.test", &[[127, 0, 0, 2], [127, 0, 0, 1]]);
    wait_answers(&forebay, &["one", "two"]);
    names.addresses("app.test", &[[127, 0, 0, 2]]);
    wait_answers(&forebay, &["two"]);

    // Each in its own way, and each told once.
    names.fail(true);
    wait_said(&forebay, "the name server says");
    names.wait_for(6);
    assert_eq!(forebay.get("/").text(), "two");
    names.fail(false);
    wait_said(&forebay, "answers again");
    names.forget("app.test");
    wait_said(&forebay, "there is no such name");
    names.wait_for(6);
    assert_eq!(forebay.get("/").text(), "two");
    let said = forebay.stderr();
    assert_eq!(said.matches("what it had stays").count(), 2, "{said}");

    // A name without addresses is another matter.
    names.addresses("app.test", &[]);
    until("503", || (forebay.get("/").status == 503).then_some(()));
    names.addresses("app.test", &[[127, 0, 0, 1]]);
    wait_answers(&forebay, &["one"]);
    let label = format!("dns app.test:{port}");
    let labels = [("source", &*label)];
    forebay.wait_metric("forebay_source_up", &labels, 1.0);
    drop(names);
    forebay.wait_metric("forebay_source_up", &labels, 0.0);
    assert_eq!(forebay.get("/").text(), "one");
}

#[test]
fn services_of_a_name_have_ports_and_the_best_priority_counts() {
    let [one, two, spare] = ["one", "two", "spare"].map(Backend::saying);
    let names = NameServer::start();
    names.addresses("host.test", &[[127, 0, 0, 1]]);
    let port = |backend: &Backend| backend.address().port();
    let spares = (20, 1, port(&spare), "host.test");
    names.services(
        "_http._tcp.app.test",
        &[(10, 0, port(&one), "host.test"), spares],
    );
    let source = format!(
        "{{ dns: _http._tcp.app.test, type: srv, resolver: {:?}, min_interval: 100ms }}",
        names.address().to_string()
    );
    let forebay = Forebay::start(&with_sources(&source));
    wait_answers(&forebay, &["one"]);
    let both = [
        (10, 5, port(&one), "host.test"),
        (10, 5, port(&two), "host.test"),
        spares,
    ];
    names.services("_http._tcp.app.test", &both);
    wait_answers(&forebay, &["one", "two"]);
    names.services("_http._tcp.app.test", &[spares]);
    wait_answers(&forebay, &["spare"]);
}

/// Ordinary members: an operator's checks are theirs too.
#[test]
fn what_is_found_is_checked_and_taken_out_like_any_other() {
    let good = Backend::saying("good");
    let bad = Backend::answering(|_| Reply::with("500 Oh", &[], "bad"));
    let scratch = Scratch::new();
    let list = scratch.write("list.yaml", &listing(&[&good, &bad]));
    let config = Config::default().add_group_of(&format!(
        "id: app, sources: [ {{ file: {list:?} }} ], health_check: {{ enabled: true, interval: 100ms, unhealthy_threshold: 1, path: / }}"
    ));
    let forebay = config.start();
    forebay.wait_metric("forebay_backend_up", &[("backend", &bad.url())], 0.0);
    for _ in 0..4 {
        assert_eq!(forebay.get("/").text(), "good");
    }
}

/// What was kept and what is found go together, at the start and later.
#[test]
fn sources_are_asked_again_after_a_restart_that_kept_something() {
    let [one, two] = ["one", "two"].map(Backend::saying);
    let scratch = Scratch::new();
    let list = scratch.write("list.yaml", &listing(&[&one]));
    let file = scratch.path("state.json").display().to_string();
    let config = with_sources(&format!("{{ file: {list:?} }}, {{ registry: app }}"));
    let config = format!("admin: {{ address: \"127.0.0.1:0\", state_file: {file:?} }}\n{config}");
    let mut first = Forebay::start(&config);
    wait_answers(&first, &["one"]);
    first.terminate();
    assert_eq!(first.wait_exit(), Some(0));

    let second = Forebay::start(&config);
    wait_answers(&second, &["one"]);
    let registered = forebay_e2e::forebay(&[
        "ctl",
        "--admin",
        &format!("http://{}", second.admin_address()),
        "services",
        "register",
        "app",
        &two.address().to_string(),
    ]);
    assert_eq!(registered.code, Some(0), "{}", registered.stderr);
    wait_answers(&second, &["one", "two"]);
}

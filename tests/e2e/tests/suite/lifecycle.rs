//! From start to end: signals, draining, logs that are moved away.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use forebay_e2e::{
    Backend, Config, Forebay, Gate, PATIENCE, Process, Reply, Scratch, forebay, until,
};
use rustix::process::{Resource, Signal, getrlimit};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

fn held() -> (Backend, Gate) {
    let gate = Gate::default();
    let own = gate.clone();
    let backend = Backend::answering(move |_| {
        own.pass();
        Reply::ok("served")
    });
    (backend, gate)
}

/// The listener is closed, so every worker knows of the end.
#[track_caller]
fn wait_refused(forebay: &Forebay) {
    let address = forebay.address();
    until("new connections are refused", || {
        TcpStream::connect(address).is_err().then_some(())
    });
}

#[test]
fn what_is_in_flight_finishes_after_the_signal() {
    for signal in [Signal::TERM, Signal::INT] {
        let (backend, gate) = held();
        let mut forebay = Config::to(&backend).start();
        let mut client = forebay.client();
        client.send(GET).unwrap();
        gate.wait_for(1);
        forebay.signal(signal);
        wait_refused(&forebay);
        assert!(forebay.is_running());
        gate.open();
        let response = client.response();
        assert_eq!(response.text(), "served");
        assert_eq!(response.get("connection"), Some("close"));
        client.finish();
        client.assert_closed();
        assert_eq!(forebay.wait_exit(), Some(0));
    }
}

#[test]
fn there_is_room_for_all_connections_from_the_start() {
    let backend = Backend::answering(|_| Reply::ok("served"));
    let limit = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
    for connections in [3000, 10_000_000] {
        let entry = format!("max_connections: {connections}");
        let forebay = Config::to(&backend).server(&entry).start();
        let wanted = limit.min(connections).min(1 << 16);
        let room = forebay.room_for_descriptors();
        assert!(room >= wanted, "{room} for {wanted}");
        assert!(forebay.descriptors() < 100);
    }
}

#[test]
fn an_answer_that_has_begun_is_finished_too() {
    let gate = Gate::default();
    let held = gate.clone();
    let backend = Backend::scripted(move |conn| {
        conn.request().unwrap();
        conn.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst")
            .unwrap();
        held.pass();
        conn.send("later").unwrap();
    });
    let mut forebay = Config::to(&backend).start();
    let mut client = forebay.client();
    client.send(GET).unwrap();
    client.head().unwrap().unwrap();
    assert_eq!(client.exactly(5).unwrap(), b"first");
    forebay.terminate();
    forebay.wait_draining();
    gate.open();
    assert_eq!(client.exactly(5).unwrap(), b"later");
    client.assert_closed();
    assert_eq!(forebay.wait_exit(), Some(0));
}

#[test]
fn idle_connections_are_closed() {
    let backend = Backend::saying("ok");
    let mut forebay = Config::to(&backend).start();
    let mut used = forebay.client();
    assert_eq!(used.get("/").status, 200);
    let mut unused = forebay.client();
    forebay.wait_metric("forebay_client_connections", &[("state", "idle")], 2.0);
    let start = Instant::now();
    forebay.terminate();
    used.assert_closed();
    unused.assert_closed();
    assert_eq!(forebay.wait_exit(), Some(0));
    assert!(
        start.elapsed() < Duration::from_secs(3),
        "{:?}",
        start.elapsed()
    );
}

/// A request that was on its way when the signal came has done nothing wrong.
#[test]
fn a_request_on_a_kept_connection_is_answered_while_draining() {
    let backend = Backend::saying("ok");
    let mut forebay = Config::to(&backend).start();
    let mut client = forebay.client();
    assert_eq!(client.get("/").status, 200);
    forebay.terminate();
    wait_refused(&forebay);
    let response = client.get("/");
    assert_eq!(
        (response.text(), response.get("connection")),
        ("ok", Some("close"))
    );
    client.assert_closed();
    assert_eq!(forebay.wait_exit(), Some(0));
}

#[test]
fn a_second_signal_ends_at_once() {
    let (backend, gate) = held();
    let mut forebay = Config::to(&backend).start();
    let mut client = forebay.client();
    client.send(GET).unwrap();
    gate.wait_for(1);
    forebay.terminate();
    forebay.wait_draining();
    let start = Instant::now();
    forebay.terminate();
    assert_eq!(forebay.wait_exit(), Some(1));
    assert!(start.elapsed() < Duration::from_secs(2));
    client.assert_cut_short();
    gate.open();
}

#[test]
fn the_end_is_obeyed_also_before_it_serves() {
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    silent.set_read_timeout(Some(PATIENCE)).unwrap();
    let source = format!(
        "{{ dns: app.test, port: 80, resolver: {:?} }}",
        silent.local_addr().unwrap().to_string()
    );
    let config = Config::default().add_group_of(&format!("id: app, sources: [ {source} ]"));
    let scratch = Scratch::new();
    let file = scratch.write("forebay.yaml", &config.yaml());
    let starting = Process::forebay(&["run", "-c", &file]);
    // It waits for an answer now, and will for some seconds.
    silent.recv_from(&mut [0; 512]).unwrap();
    starting.signal(Signal::TERM);
    let ended = starting.finish();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(!ended.stderr.contains("ready"), "{}", ended.stderr);
}

#[test]
fn a_reload_that_hangs_does_not_hold_up_the_end() {
    let backend = Backend::saying("x");
    for arguments in [&[][..], &["--watch"]] {
        let mut forebay = Forebay::start_with(&Config::to(&backend).yaml(), arguments);
        let _writer = forebay.begin_hanging_reload();
        assert_eq!(forebay.get("/").text(), "x");
        forebay.terminate();
        assert_eq!(forebay.wait_exit(), Some(0));
    }
}

#[test]
fn a_second_signal_ends_at_once_also_while_a_reload_hangs() {
    let (backend, gate) = held();
    let mut forebay = Config::to(&backend).start();
    let mut client = forebay.client();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    gate.wait_for(1);
    let _writer = forebay.begin_hanging_reload();
    forebay.terminate();
    forebay.wait_draining();
    assert!(forebay.is_running());
    forebay.signal(Signal::INT);
    assert_eq!(forebay.wait_exit(), Some(1));
}

#[test]
fn shutdown_timeout_cuts_what_does_not_finish() {
    let (backend, gate) = held();
    let mut forebay = Config::to(&backend).top("shutdown_timeout: 300ms").start();
    let mut client = forebay.client();
    client.send(GET).unwrap();
    gate.wait_for(1);
    forebay.terminate();
    client.assert_cut_short();
    assert_eq!(forebay.wait_exit(), Some(0));
    gate.open();
    // Even what was cut is in the log.
    assert_eq!(forebay.access_log(1)[0]["failure"], "shutdown_timeout");
}

/// Many connections, each sending one request after the other, none of which
/// may be lost: what is refused is a connection, never a request.
#[test]
fn no_accepted_request_fails_when_it_ends_under_load() {
    let backend = Backend::saying("ok");
    let mut forebay = Config::to(&backend).start();
    let address = forebay.address();
    let served = std::thread::scope(|scope| {
        let load = |_| scope.spawn(move || ask_until_refused(address));
        let clients: Vec<_> = (0..20).map(load).collect();
        backend.wait_requests(200);
        forebay.terminate();
        clients
            .into_iter()
            .map(|client| client.join().unwrap())
            .sum::<usize>()
    });
    assert_eq!(forebay.wait_exit(), Some(0));
    assert_eq!(forebay.access_log(served).len(), served);
}

fn ask_until_refused(address: std::net::SocketAddr) -> usize {
    let mut served = 0;
    while let Ok(stream) = TcpStream::connect_timeout(&address, PATIENCE) {
        let mut client = forebay_e2e::Client::from(stream);
        for _ in 0..5 {
            if client.send(GET).is_err() {
                break;
            }
            match client.try_response(false) {
                Ok(response) => assert_eq!(response.status, 200),
                // Accepted by the kernel only, and then let go: no request was.
                Err(_) => break,
            }
            served += 1;
        }
    }
    served
}

#[test]
fn logs_are_opened_anew_after_a_rename() {
    let scratch = Scratch::new();
    let backend = Backend::saying("ok");
    let path = |name: &str| scratch.path(name).display().to_string();
    let forebay = Config::to(&backend)
        .telemetry(&format!(
            "access_log: {{ output: {:?} }}",
            path("access.log")
        ))
        .start();
    let lines = |name: &str, count: usize| {
        until("lines of the access log", || {
            let text = std::fs::read_to_string(scratch.path(name)).ok()?;
            (text.lines().count() == count).then_some(text)
        })
    };
    assert_eq!(forebay.get("/before").status, 200);
    assert!(lines("access.log", 1).contains("/before"));
    std::fs::rename(scratch.path("access.log"), scratch.path("old.log")).unwrap();
    assert_eq!(forebay.get("/moved").status, 200);
    assert!(lines("old.log", 2).contains("/moved"));
    forebay.signal(Signal::USR1);
    until("a new file", || {
        scratch.path("access.log").exists().then_some(())
    });
    assert_eq!(forebay.get("/after").status, 200);
    assert!(lines("access.log", 1).contains("/after"));
}

#[test]
fn the_runtime_log_may_be_json_in_a_file_and_is_opened_anew_too() {
    let scratch = Scratch::new();
    let backend = Backend::saying("ok");
    let log = scratch.path("proxy.log");
    let forebay = Config::to(&backend)
        .telemetry(&format!(
            "logging: {{ format: json, output: {log:?} }}, access_log: {{ output: off }}"
        ))
        .start();
    let message = |path: &std::path::Path, text: &str| {
        until(text, || {
            let log = std::fs::read_to_string(path).ok()?;
            let lines = log
                .lines()
                .filter_map(|line| serde_json::from_str(line).ok());
            let mut messages = lines.map(|line: serde_json::Value| line["message"].clone());
            messages.any(|message| message == text).then_some(())
        });
    };
    message(&log, "ready");
    std::fs::rename(&log, scratch.path("old.log")).unwrap();
    forebay.signal(Signal::USR1);
    message(&log, "logs opened anew");
    assert_eq!(forebay.get("/").text(), "ok");
}

#[test]
fn a_port_in_use_is_refused_clearly() {
    let backend = Backend::saying("ok");
    let running = Config::to(&backend).start();
    for address in [running.address(), backend.address()] {
        let listen = address.to_string();
        let refused = forebay(&["run", "--listen", &listen, "--to", &backend.url()]);
        assert_eq!(refused.code, Some(1));
        assert!(refused.stderr.contains(&listen), "{}", refused.stderr);
        assert!(
            refused.stderr.contains("listen there?"),
            "{}",
            refused.stderr
        );
    }
    // The one that was there first is none the worse.
    assert_eq!(running.get("/").text(), "ok");
}

#[test]
fn a_restart_on_the_same_port_works_at_once() {
    let backend = Backend::saying("ok");
    let mut first = Config::to(&backend).start();
    let address = first.address();
    assert_eq!(first.get("/").status, 200);
    first.terminate();
    assert_eq!(first.wait_exit(), Some(0));
    let listen = address.to_string();
    let second = Forebay::with_arguments(&["run", "--listen", &listen, "--to", &backend.url()]);
    assert_eq!(second.address(), address);
    assert_eq!(second.get("/").text(), "ok");
}

/// A log is let go of beside everything else, and its last lines have a second.
#[test]
fn a_log_that_takes_nothing_does_not_hold_up_a_reload() {
    let scratch = Scratch::new();
    let (path, _pipe) = scratch.full_pipe("pipe");
    let config = || Config::default().add_route("id: a, respond: { status: 200 }");
    let to_pipe = config().telemetry(&format!("access_log: {{ output: {path:?} }}"));
    let forebay = to_pipe.start();
    let lost = "the access log takes nothing any more";
    assert_eq!(forebay.get("/").status, 200);
    forebay.reload(&config().yaml());
    assert!(!forebay.stderr().contains(lost), "{}", forebay.stderr());
    assert_eq!(forebay.get("/").status, 200);
    assert_eq!(forebay.access_log(1)[0]["status"], 200);
    forebay.stderr_line(lost, |line| line.contains(lost).then_some(()));
}

#[test]
fn a_log_that_takes_nothing_does_not_hold_up_the_end() {
    let scratch = Scratch::new();
    let (path, _pipe) = scratch.full_pipe("pipe");
    let telemetry = format!("access_log: {{ output: {path:?} }}, logging: {{ output: {path:?} }}");
    let mut forebay = Config::default()
        .add_route("id: a, respond: { status: 200 }")
        .telemetry(&telemetry)
        .start();
    assert_eq!(forebay.get("/").status, 200);
    let start = Instant::now();
    forebay.terminate();
    assert_eq!(forebay.wait_exit(), Some(0));
    // A second for each of the two.
    let took = start.elapsed();
    assert!(took < Duration::from_secs(4), "{took:?}");
}

//! Which backend a connection gets, and what becomes of those that get none.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use forebay_e2e::frames::{DATA, FrameBackend, Frames};
use forebay_e2e::{Backend, Client, Config, DeadAddress, Forebay, Tunnel};
use socket2::{Domain, Socket, Type};

/// Says its name, and stays until the client ends.
fn named(name: &'static str) -> Backend {
    Backend::scripted(move |conn| {
        conn.send(name).unwrap();
        conn.until_gone();
    })
}

/// Connects, and says who answers.
fn who(forebay: &Forebay) -> (Client, String) {
    let mut client = forebay.client();
    let name = String::from_utf8(client.exactly(1).unwrap()).unwrap();
    (client, name)
}

#[test]
fn strategies_choose_as_for_requests() {
    let backends = [named("a"), named("b"), named("c")];
    let start = |group: &str| {
        let workers = Tunnel::to_all(&backends).top("workers: 1");
        workers.group(group).start()
    };
    let three =
        |forebay: &Forebay| -> Vec<(Client, String)> { (0..3).map(|_| who(forebay)).collect() };
    for (group, different) in [
        ("strategy: round_robin", 3),
        ("strategy: least_connections", 3),
        ("strategy: ip_hash", 1),
        ("strategy: hash, hash: { load_factor: 0 }", 1),
        ("sticky: { by: client_ip }", 1),
    ] {
        let forebay = start(group);
        let all = three(&forebay);
        let names: HashSet<_> = all.iter().map(|(_, name)| name.clone()).collect();
        assert_eq!(names.len(), different, "{group} {names:?}");
    }
    // A connection counts for as long as it lasts.
    let forebay = start("strategy: least_connections");
    let mut all = three(&forebay);
    let (gone, name) = all.remove(1);
    drop(gone);
    forebay.access_log(1);
    for _ in 0..2 {
        let (client, again) = who(&forebay);
        if again == name {
            return;
        }
        all.push((client, again));
    }
    panic!("nobody is sent to {name}, which has nothing to do");
}

#[test]
fn who_cannot_be_reached_is_passed_over_and_taken_out() {
    let (dead, backend) = (DeadAddress::new(), named("b"));
    let dead = format!("tcp://{}", dead.address());
    let urls = [dead.clone(), Tunnel::url(&backend)];
    let forebay = Tunnel::to_urls(urls).start();
    for _ in 0..6 {
        assert_eq!(who(&forebay).1, "b");
    }
    let lines = forebay.access_log(6);
    let attempts: Vec<_> = lines
        .iter()
        .map(|l| l["attempts"].as_u64().unwrap())
        .collect();
    assert_eq!(
        attempts.iter().filter(|&&n| n == 2).count(),
        1,
        "{attempts:?}"
    );
    let label = [("backend", &*dead)];
    assert_eq!(forebay.metrics().sum("forebay_backend_up", &label), 0.0);
    let label = [("reason", "connection_error")];
    assert_eq!(forebay.metrics().sum("forebay_retries_total", &label), 1.0);
}

#[test]
fn where_nobody_can_be_reached_the_connection_ends_and_is_counted() {
    let dead = DeadAddress::new();
    let forebay = Tunnel::to_urls([format!("tcp://{}", dead.address())]).start();
    assert!(forebay.client().until_gone().is_empty());
    let line = &forebay.access_log(1)[0];
    assert_eq!(line["failure"], "connection_refused", "{line}");
    assert_eq!(line["status"], 502);
    let reason = [("listener", "front"), ("reason", "connection_refused")];
    forebay.wait_metric("forebay_tcp_failures_total", &reason, 1.0);
    forebay.stderr_line("the failure", |line| {
        let parts = ["connection failed", "WARN", "listener=\"front\""];
        parts.iter().all(|part| line.contains(part)).then_some(())
    });
}

/// One that takes no connections because others wait already.
fn full() -> (Socket, Vec<Socket>, SocketAddr) {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    listener.bind(&any.into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let waiting = (0..3).map(|_| {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_nonblocking(true).unwrap();
        let _ = socket.connect(&address);
        socket
    });
    let waiting = waiting.collect();
    (listener, waiting, address.as_socket().unwrap())
}

#[test]
fn the_listener_may_say_how_long_connecting_takes() {
    let (_listener, _waiting, address) = full();
    let forebay = Tunnel::to_urls([format!("tcp://{address}")])
        .server("connect_timeout: 200ms")
        .start();
    let began = Instant::now();
    assert!(forebay.client().until_gone().is_empty());
    assert!(began.elapsed() >= Duration::from_millis(190));
    let line = &forebay.access_log(1)[0];
    assert_eq!(line["failure"], "connection_timeout", "{line}");
}

#[test]
fn limits_hold_for_as_long_as_connections_last() {
    let backend = named("a");
    for (group, reason) in [
        ("max_requests: 1", "request_limit_reached"),
        (
            "connection_pool: { max_connections_per_host: 1, wait_timeout: 100ms }",
            "connection_queue_timeout",
        ),
        (
            "connection_pool: { max_connections_per_host: 1, max_waiting: 0 }",
            "connection_limit_reached",
        ),
    ] {
        let forebay = Tunnel::to(&backend).group(group).start();
        let (first, _) = who(&forebay);
        assert!(forebay.client().until_gone().is_empty(), "{group}");
        assert_eq!(forebay.access_log(1)[0]["failure"], reason);
        drop(first);
        forebay.access_log(2);
        who(&forebay);
    }
}

#[test]
fn who_waits_for_a_connection_gets_the_next_that_ends() {
    let backend = named("a");
    let forebay = Tunnel::to(&backend)
        .group("connection_pool: { max_connections_per_host: 1 }")
        .start();
    let (first, _) = who(&forebay);
    let mut second = forebay.client();
    forebay.wait_metric("forebay_upstream_waits_total", &[], 1.0);
    drop(first);
    assert_eq!(second.exactly(1).unwrap(), b"a");
}

#[test]
fn without_a_limit_of_its_own_a_group_takes_all_that_its_listener_takes() {
    let backend = named("a");
    let forebay = Tunnel::to(&backend).start();
    let all: Vec<_> = (0..150).map(|_| who(&forebay)).collect();
    assert_eq!(backend.most_open(), 150);
    drop(all);
}

#[test]
fn checks_take_backends_out_and_bring_them_back() {
    let backend = named("a");
    let check = "health_check: { enabled: true, protocol: tcp, interval: 50ms, unhealthy_threshold: 1, healthy_threshold: 1, slow_start: 0s }";
    let forebay = Tunnel::to(&backend).group(check).start();
    assert_eq!(who(&forebay).1, "a");
    let address = backend.stop();
    forebay.wait_metric("forebay_backend_up", &[("group", "app")], 0.0);
    assert!(forebay.client().until_gone().is_empty());
    let lines = forebay.access_log(2);
    let mut failures = lines.iter().map(|line| &line["failure"]);
    assert!(failures.any(|failure| failure == "destination_unavailable"));
    let _again = Backend::scripted_at(address, |conn| {
        if conn.send("b").is_ok() {
            conn.until_gone();
        }
    });
    forebay.wait_metric("forebay_backend_up", &[("group", "app")], 1.0);
    assert_eq!(who(&forebay).1, "b");
}

#[test]
fn a_connection_waits_behind_one_that_requests_share() {
    let backend = FrameBackend::new();
    let forebay = Config::to_urls([backend.url()])
        .group("protocol: h2c, connection_pool: { max_connections_per_host: 1 }")
        .top("workers: 1")
        .top("listeners: [ { id: tcp, address: \"127.0.0.1:0\", protocol: tcp, group: app } ]")
        .start();
    let mut client = forebay.client();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let mut shared = backend.accept(&[]);
    let stream = shared.request();
    let mut tunnel = Frames::connect(forebay.address_of(1));
    forebay.wait_metric("forebay_upstream_waits_total", &[], 1.0);
    // It is the only one, and has room for more requests, but not for a connection.
    shared.answer(stream, "first");
    assert_eq!(client.response().text(), "first");
    let mut alone = backend.accept(&[]);
    tunnel.get(1);
    let stream = alone.request();
    alone.answer(stream, "through");
    let answer = tunnel.wait(|frame| frame.kind == DATA);
    assert_eq!(answer.payload, b"through");
}

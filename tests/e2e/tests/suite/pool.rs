//! Connections to backends: kept, limited, waited for, and let go.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use forebay_e2e::{Backend, Client, Config, DeadAddress, Forebay, Gate, Reply, until};

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// A backend whose answers wait at the gate.
fn held() -> (Backend, Gate) {
    let gate = Gate::default();
    let own = gate.clone();
    let backend = Backend::answering(move |_| {
        own.pass();
        Reply::ok("served")
    });
    (backend, gate)
}

/// Clients that have each sent a request.
fn asking(forebay: &Forebay, count: usize) -> Vec<Client> {
    let ask = |_| {
        let mut client = forebay.client();
        client.send(REQUEST).unwrap();
        client
    };
    (0..count).map(ask).collect()
}

/// POOL-08, POOL-10.
#[test]
fn a_group_has_no_more_requests_under_way_than_it_may() {
    let gate = Gate::default();
    let held = gate.clone();
    let backend = Backend::answering(move |_| {
        held.pass();
        Reply::ok("ok")
    });
    let forebay = Config::to(&backend).group("max_requests: 2").start();
    let mut under_way: Vec<Client> = (0..2).map(|_| forebay.client()).collect();
    for client in &mut under_way {
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    }
    gate.wait_for(2);
    let refused = forebay.get("/");
    assert_eq!(
        (refused.status, refused.reason()),
        (503, Some("request_limit_reached"))
    );
    gate.open();
    for client in &mut under_way {
        assert_eq!(client.response().text(), "ok");
    }
    drop(under_way);
    until("there is room again", || {
        (forebay.get("/").status == 200).then_some(())
    });
}

/// Under overload, lines would come by the thousand.
#[test]
fn refusals_are_told_of_together() {
    const REFUSED: usize = 50;
    let (backend, gate) = held();
    let forebay = Config::to(&backend)
        .top("workers: 2")
        .group("max_requests: 1")
        .start();
    let mut first = asking(&forebay, 1);
    gate.wait_for(1);
    let began = Instant::now();
    for _ in 0..REFUSED {
        assert_eq!(forebay.get("/").reason(), Some("request_limit_reached"));
    }
    let counts = || -> Vec<usize> {
        let log = forebay.stderr();
        let lines = log.lines().filter(|line| line.contains("requests refused"));
        lines
            .map(|line| {
                assert!(line.contains("WARN") && line.contains("app"), "{line}");
                let (_, count) = line.split_once("refused=").unwrap();
                let end = count.find(' ').unwrap_or(count.len());
                count[..end].parse().unwrap()
            })
            .collect()
    };
    until("all are told of", || {
        (counts().iter().sum::<usize>() == REFUSED).then_some(())
    });
    let seconds = began.elapsed().as_secs() as usize;
    assert!(counts().len() <= seconds + 2, "{:?}", counts());
    assert!(!forebay.stderr().contains("exchange failed"));
    gate.open();
    assert_eq!(first[0].response().text(), "served");
}

#[test]
fn fifty_requests_in_a_row_need_few_connections() {
    let backend = Backend::saying("ok");
    let limit = "connection_pool: { max_connections_per_host: 5 }";
    let forebay = Config::to(&backend).group(limit).start();
    for _ in 0..50 {
        // A connection each, so that every worker takes its turn.
        assert_eq!(forebay.get("/").status, 200);
    }
    assert!(
        backend.accepted() <= 5,
        "{} connections",
        backend.accepted()
    );
    forebay.wait_metric("forebay_http_requests_total", &[], 50.0);
    let metrics = forebay.metrics();
    let created = metrics.sum("forebay_upstream_connections_created_total", &[]);
    let reused = metrics.sum("forebay_upstream_connections_reused_total", &[]);
    assert_eq!(created, backend.accepted() as f64);
    assert_eq!(created + reused, 50.0);
    assert!(reused / 50.0 > 0.8, "only {reused} of 50 reused");
}

/// POOL-09, POOL-11.
#[test]
fn ten_at_once_share_three_connections() {
    let (backend, gate) = held();
    let limit = "connection_pool: { max_connections_per_host: 3 }";
    let forebay = Config::to(&backend).group(limit).top("workers: 2").start();
    let clients = asking(&forebay, 10);
    gate.wait_for(3);
    forebay.wait_metric("forebay_upstream_waits_total", &[], 7.0);
    forebay.wait_metric("forebay_upstream_connections", &[("state", "active")], 3.0);
    gate.open();
    for mut client in clients {
        assert_eq!(client.response().text(), "served");
    }
    assert_eq!(backend.most_open(), 3);
    assert_eq!(backend.requests().len(), 10);
}

/// Those who wait are served in their order, wherever they wait.
#[test]
fn the_queue_is_first_come_first_served() {
    let gate = Gate::default();
    let own = gate.clone();
    let backend = Backend::answering(move |_| {
        own.pass();
        Reply::ok("served")
    });
    let limit = "connection_pool: { max_connections_per_host: 1 }";
    let forebay = Config::to(&backend).group(limit).top("workers: 1").start();
    let mut clients = Vec::new();
    for i in 0..5u8 {
        let mut client = forebay.client();
        client
            .send(format!("GET /{i} HTTP/1.1\r\nHost: a\r\n\r\n"))
            .unwrap();
        match i {
            0 => gate.wait_for(1),
            i => forebay.wait_metric("forebay_upstream_waits_total", &[], f64::from(i)),
        }
        clients.push(client);
    }
    gate.open();
    for client in &mut clients {
        assert_eq!(client.response().text(), "served");
    }
    let targets: Vec<_> = backend
        .requests()
        .iter()
        .map(|r| r.target().to_owned())
        .collect();
    assert_eq!(targets, ["/0", "/1", "/2", "/3", "/4"]);
}

/// POOL-12.
#[test]
fn an_idle_connection_is_closed_and_the_next_request_opens_a_fresh_one() {
    let backend = Backend::saying("ok");
    let idle = "connection_pool: { idle_timeout: 200ms }";
    let forebay = Config::to(&backend).group(idle).start();
    assert_eq!(forebay.get("/").status, 200);
    forebay.wait_metric("forebay_upstream_connections", &[("state", "idle")], 1.0);
    backend.wait_open(0);
    forebay.wait_metric("forebay_upstream_connections", &[("state", "idle")], 0.0);
    forebay.wait_metric("forebay_upstream_stale_connections_total", &[], 1.0);
    assert_eq!(forebay.get("/").status, 200);
    assert_eq!(backend.accepted(), 2);
    forebay.wait_metric("forebay_upstream_connections_created_total", &[], 2.0);
}

#[test]
fn a_connection_that_is_too_old_is_replaced() {
    let backend = Backend::saying("ok");
    let age = "connection_pool: { max_age: 300ms }";
    let forebay = Config::to(&backend).group(age).top("workers: 1").start();
    let start = Instant::now();
    let mut client = forebay.client();
    // Never idle for long: only its age can end it.
    until("a second connection", || {
        assert_eq!(client.get("/").status, 200);
        (backend.accepted() >= 2).then_some(())
    });
    assert!(start.elapsed().as_millis() >= 200, "replaced too early");
}

#[test]
fn no_more_connections_are_kept_idle_than_told() {
    let (backend, gate) = held();
    let idle = "connection_pool: { max_idle_connections: 2 }";
    let forebay = Config::to(&backend).group(idle).top("workers: 1").start();
    let clients = asking(&forebay, 6);
    gate.wait_for(6);
    gate.open();
    for mut client in clients {
        assert_eq!(client.response().text(), "served");
    }
    backend.wait_open(2);
}

#[test]
fn a_full_queue_turns_requests_away() {
    let (backend, gate) = held();
    let limits = "connection_pool: { max_connections_per_host: 1, max_waiting: 1 }";
    let forebay = Config::to(&backend)
        .top("debug_errors: true")
        .group(limits)
        .add_route("id: all, backend_group: app")
        .add_route("id: other, path: /other, backend_group: app")
        .start();
    let mut first = asking(&forebay, 1);
    gate.wait_for(1);
    let mut second = asking(&forebay, 1);
    forebay.wait_metric("forebay_upstream_waits_total", &[], 1.0);
    let mut third = forebay.client();
    let response = third.get("/");
    assert_eq!(
        (response.status, response.reason()),
        (503, Some("connection_limit_reached"))
    );
    assert_eq!(response.get("retry-after"), Some("1"));
    let detail = format!(
        "\ndetail: {}: all of 1 connections are in use, and 1 requests wait for one\n",
        backend.url()
    );
    assert!(response.text().contains(&detail), "{}", response.text());
    forebay.wait_metric("forebay_upstream_queue_full_total", &[], 1.0);
    gate.open();
    assert_eq!(first[0].response().text(), "served");
    assert_eq!(second[0].response().text(), "served");
    // The one turned away may come again on its connection.
    assert_eq!(third.get("/").text(), "served");
}

#[test]
fn a_request_waits_for_a_connection_only_so_long() {
    let (backend, gate) = held();
    let limits = "connection_pool: { max_connections_per_host: 1, wait_timeout: 200ms }";
    let forebay = Config::to(&backend).group(limits).start();
    let mut first = asking(&forebay, 1);
    gate.wait_for(1);
    let response = forebay.get("/");
    assert_eq!(
        (response.status, response.reason()),
        (503, Some("connection_queue_timeout"))
    );
    assert!(response.get("retry-after").is_some());
    gate.open();
    assert_eq!(first[0].response().text(), "served");
    assert_eq!(forebay.get("/").text(), "served");
}

#[test]
fn a_backend_may_have_a_limit_of_its_own() {
    let (backend, gate) = held();
    let limit = "connection_pool: { max_connections_per_host: 1 }";
    let config = Config::default().backend(&backend.url(), "max_connections: 3");
    let forebay = config.group(limit).start();
    let clients = asking(&forebay, 4);
    gate.wait_for(3);
    forebay.wait_metric("forebay_upstream_waits_total", &[], 1.0);
    gate.open();
    for mut client in clients {
        assert_eq!(client.response().text(), "served");
    }
    assert_eq!(backend.most_open(), 3);
}

/// Failing to connect must give the permit back.
#[test]
fn a_refused_connection_does_not_count_against_the_limit() {
    let dead = DeadAddress::new();
    let limits = "connection_pool: { max_connections_per_host: 1, wait_timeout: 1s }";
    let forebay = Config::to_urls([dead.url()]).group(limits).start();
    for _ in 0..5 {
        assert_eq!(forebay.get("/").reason(), Some("connection_refused"));
    }
}

/// POOL-14, POOL-15.
#[test]
fn overload_is_answered_and_leaves_nothing_behind() {
    let (backend, gate) = held();
    let limits = "connection_pool: { max_connections_per_host: 2, max_waiting: 10 }";
    let forebay = Config::to(&backend).group(limits).start();
    gate.open();
    assert_eq!(forebay.get("/").status, 200);
    forebay.wait_metric("forebay_client_connections", &[], 0.0);
    let before = forebay.descriptors();
    let counts = [const { AtomicUsize::new(0) }; 2];
    std::thread::scope(|scope| {
        for _ in 0..100 {
            scope.spawn(|| {
                let response = forebay.get("/");
                let index = match (response.status, response.reason()) {
                    (200, None) => 0,
                    (503, Some("connection_limit_reached")) => 1,
                    other => panic!("{other:?}"),
                };
                counts[index].fetch_add(1, Ordering::Relaxed);
            });
        }
    });
    let [served, refused] = counts.map(AtomicUsize::into_inner);
    assert_eq!(served + refused, 100);
    assert!(served >= 12, "only {served} served");
    assert!(backend.most_open() <= 2);
    // And when the load is gone all is as before, but for the second connection.
    forebay.wait_metric("forebay_client_connections", &[], 0.0);
    until("descriptors are given back", || {
        (forebay.descriptors() <= before + 1).then_some(())
    });
    assert_eq!(forebay.get("/").status, 200);
}

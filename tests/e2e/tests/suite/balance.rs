//! How requests are spread over the backends of a group.

use std::collections::HashSet;

use forebay_e2e::{Backend, Config, DeadAddress, Forebay, Gate, Reply};

fn backends(count: usize) -> Vec<Backend> {
    (0..count).map(|_| Backend::saying("ok")).collect()
}

fn counts(backends: &[Backend]) -> Vec<usize> {
    backends
        .iter()
        .map(|backend| backend.requests().len())
        .collect()
}

/// Sends requests over several connections, so that all workers take part.
fn send(forebay: &Forebay, count: usize) {
    let mut clients: Vec<_> = (0..5).map(|_| forebay.client()).collect();
    for i in 0..count {
        assert_eq!(clients[i % 5].get("/").status, 200);
    }
}

#[test]
fn round_robin_takes_turns() {
    for (requests, expected) in [(30, [10, 10, 10]), (100, [33, 33, 34])] {
        let backends = backends(3);
        let forebay = Config::to_all(&backends)
            .group("strategy: round_robin")
            .start();
        send(&forebay, requests);
        let mut counts = counts(&backends);
        counts.sort_unstable();
        assert_eq!(counts, expected);
    }
}

#[test]
fn weights_are_kept_exactly() {
    let backends = backends(3);
    let mut config = Config::default()
        .group("strategy: weighted")
        .top("workers: 2");
    for (backend, weight) in backends.iter().zip([1, 2, 3]) {
        config = config.backend(&backend.url(), &format!("weight: {weight}"));
    }
    let forebay = config.start();
    send(&forebay, 60);
    assert_eq!(counts(&backends), [10, 20, 30]);
}

#[test]
fn without_any_weight_all_are_equal() {
    let backends = backends(2);
    let mut config = Config::default().group("strategy: weighted");
    for backend in &backends {
        config = config.backend(&backend.url(), "weight: 0");
    }
    send(&config.start(), 10);
    assert_eq!(counts(&backends), [5, 5]);
}

/// Backends whose answers wait, each at a gate of its own.
fn held(count: usize) -> (Vec<Backend>, Vec<Gate>) {
    let gates: Vec<Gate> = (0..count).map(|_| Gate::default()).collect();
    let behind = |gate: &Gate| {
        let gate = gate.clone();
        Backend::answering(move |_| {
            gate.pass();
            Reply::ok("ok")
        })
    };
    (gates.iter().map(behind).collect(), gates)
}

/// With 0, 5 and 10 requests under way, new ones go to the first.
#[test]
fn least_connections_finds_the_idle_backend() {
    let (backends, gates) = held(3);
    let forebay = Config::to_all(&backends)
        .group("strategy: least_connections")
        .start();
    let mut clients = Vec::new();
    for count in 1..=30 {
        let mut client = forebay.client();
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        clients.push(client);
        forebay_e2e::until("the request has come to a backend", || {
            (gates.iter().map(Gate::waiting).sum::<usize>() == count).then_some(())
        });
    }
    gates.iter().for_each(|gate| gate.wait_for(10));
    gates[0].open();
    (0..5).for_each(|_| gates[1].let_one_through());
    forebay.access_log(15);
    for _ in 0..5 {
        assert_eq!(forebay.get("/").status, 200);
    }
    assert_eq!(counts(&backends), [15, 10, 10]);
    gates.iter().for_each(Gate::open);
    drop(clients);
}

#[test]
fn two_choices_avoids_the_busy_one() {
    let (backends, gates) = held(2);
    let forebay = Config::to_all(&backends)
        .group("strategy: two_choices")
        .start();
    let mut first = forebay.client();
    first.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let busy = forebay_e2e::until("one is busy", || {
        gates.iter().position(|g| g.waiting() == 1)
    });
    gates[1 - busy].open();
    // One connection, so that each exchange has ended before the next begins.
    let mut client = forebay.client();
    for _ in 0..20 {
        assert_eq!(client.get("/").status, 200);
    }
    assert_eq!(backends[busy].requests().len(), 1);
    assert_eq!(backends[1 - busy].requests().len(), 20);
    gates[busy].open();
}

#[test]
fn random_and_two_choices_use_every_backend() {
    for strategy in ["random", "two_choices"] {
        let backends = backends(3);
        let forebay = Config::to_all(&backends)
            .group(&format!("strategy: {strategy}"))
            .start();
        send(&forebay, 300);
        let counts = counts(&backends);
        // One chance in many millions for fewer.
        assert!(counts.iter().all(|&n| n > 50), "{strategy}: {counts:?}");
    }
}

#[test]
fn ip_hash_keeps_each_client_at_its_backend() {
    let backends = backends(3);
    let forebay = Config::to_all(&backends)
        .group("strategy: ip_hash")
        .top("trusted_proxies: [ 127.0.0.1 ]")
        .start();
    let mut used = HashSet::new();
    for client in 0..30 {
        let before = counts(&backends);
        for _ in 0..3 {
            let request =
                format!("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 10.1.2.{client}\r\n\r\n");
            assert_eq!(forebay.client().ask(request).status, 200);
        }
        let grown: Vec<usize> = counts(&backends)
            .iter()
            .zip(before)
            .map(|(n, b)| n - b)
            .collect();
        let home = grown.iter().position(|&n| n == 3);
        used.insert(home.unwrap_or_else(|| panic!("client {client} was spread: {grown:?}")));
    }
    assert_eq!(used.len(), 3, "clients are spread over all backends");
}

#[test]
fn a_backend_that_refuses_connections_is_passed_over() {
    let dead = DeadAddress::new();
    let backend = Backend::saying("ok");
    let forebay = Config::to_urls([dead.url(), backend.url()]).start();
    for i in 0..10 {
        // Nothing has been sent yet, so any method may go elsewhere.
        let method = ["GET", "POST"][i % 2];
        let request = format!("{method} / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
        assert_eq!(forebay.client().ask(request).text(), "ok");
    }
    assert!(
        backend
            .requests()
            .iter()
            .all(|request| request.body == b"hi")
    );
    let attempts: Vec<_> = forebay
        .access_log(10)
        .iter()
        .map(|line| line["attempts"].as_u64())
        .collect();
    assert!(attempts.contains(&Some(2)), "{attempts:?}");
}

#[test]
fn when_all_refuse_it_is_a_bad_gateway() {
    let dead = [DeadAddress::new(), DeadAddress::new()];
    let forebay = Config::to_urls(dead.iter().map(DeadAddress::url)).start();
    let response = forebay.get("/");
    assert_eq!(
        (response.status, response.reason()),
        (502, Some("connection_refused"))
    );
    assert_eq!(forebay.access_log(1)[0]["attempts"], 3);
}

#[test]
fn attempts_are_limited() {
    let dead: Vec<_> = (0..4).map(|_| DeadAddress::new()).collect();
    let forebay = Config::to_urls(dead.iter().map(DeadAddress::url))
        .group("retry: { max_attempts: 3 }")
        .start();
    assert_eq!(forebay.get("/").status, 502);
    assert_eq!(forebay.access_log(1)[0]["attempts"], 3);
}

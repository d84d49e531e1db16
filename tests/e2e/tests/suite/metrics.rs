//! The metrics count exactly what was sent.

use forebay_e2e::{Backend, Client, Config, Forebay, Gate, Reply, get};
use serde_json::Value;

#[test]
fn requests_and_bytes_are_counted() {
    let backend = Backend::answering(|request| match request.method() {
        "POST" => Reply::with("201 Created", &[], "1234567"),
        _ => Reply::ok("12345"),
    });
    let forebay = Config::to(&backend)
        .add_route("id: in, path: /in/*, backend_group: app")
        .add_route("id: fixed, path: /fixed, respond: { status: 204 }")
        .start();
    let mut client = forebay.client();
    for i in 0..5 {
        client.get(&format!("/in/{i}"));
    }
    for _ in 0..3 {
        client.ask("POST /in/x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
    }
    client.get("/fixed");
    client.get("/nowhere");
    client.ask("BREW /in/x HTTP/1.1\r\nHost: a\r\n\r\n");
    let total = "forebay_http_requests_total";
    forebay.wait_metric(total, &[], 11.0);
    let metrics = forebay.metrics();
    let url = backend.url();
    for (labels, expected) in [
        (
            &[
                ("method", "GET"),
                ("route", "in"),
                ("backend", &*url),
                ("status", "200"),
            ][..],
            5.0,
        ),
        (
            &[
                ("method", "POST"),
                ("route", "in"),
                ("backend", &*url),
                ("status", "201"),
            ],
            3.0,
        ),
        (
            &[
                ("method", "GET"),
                ("route", "fixed"),
                ("backend", "none"),
                ("status", "204"),
            ],
            1.0,
        ),
        (
            &[
                ("method", "GET"),
                ("route", "none"),
                ("backend", "none"),
                ("status", "404"),
            ],
            1.0,
        ),
        // An unusual method makes no label of its own.
        (&[("method", "OTHER"), ("route", "in")], 1.0),
    ] {
        assert_eq!(metrics.sum(total, labels), expected, "{labels:?}");
    }
    let route = [("route", "in")];
    assert_eq!(
        metrics.sum("forebay_http_request_duration_seconds_count", &route),
        9.0
    );
    let within_a_minute = [("route", "in"), ("le", "+Inf")];
    assert_eq!(
        metrics.sum(
            "forebay_http_request_duration_seconds_bucket",
            &within_a_minute
        ),
        9.0
    );
    assert_eq!(metrics.sum("forebay_http_request_bytes_total", &route), 6.0);
    assert_eq!(
        metrics.sum("forebay_http_response_bytes_total", &route),
        5.0 * 6.0 + 7.0 * 3.0
    );
    assert_eq!(metrics.sum("forebay_errors_total", &[]), 1.0);
    assert_eq!(metrics.sum("forebay_build_info", &[]), 1.0);
    assert!(metrics.sum("process_resident_memory_bytes", &[]) > 1e6);
}

#[test]
fn what_is_under_way_is_shown() {
    let gate = Gate::default();
    let held = gate.clone();
    let backend = Backend::answering(move |_| {
        held.pass();
        Reply::ok("ok")
    });
    let forebay = Config::to(&backend).start();
    let mut clients: Vec<Client> = (0..3).map(|_| forebay.client()).collect();
    for client in &mut clients[..2] {
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    }
    gate.wait_for(2);
    forebay.wait_metric("forebay_client_connections", &[("state", "idle")], 1.0);
    let states = [
        ("forebay_http_requests_in_flight", &[][..], 2.0, 0.0),
        (
            "forebay_client_connections",
            &[("state", "active")],
            2.0,
            0.0,
        ),
        (
            "forebay_upstream_connections",
            &[("state", "active")],
            2.0,
            0.0,
        ),
        (
            "forebay_upstream_connections",
            &[("state", "idle")],
            0.0,
            2.0,
        ),
        ("forebay_client_connections", &[("state", "idle")], 1.0, 3.0),
        ("forebay_client_connections_accepted_total", &[], 3.0, 3.0),
    ];
    for (name, labels, now, _) in states {
        assert_eq!(
            forebay.metrics().sum(name, labels),
            now,
            "{name} {labels:?}"
        );
    }
    gate.open();
    for client in &mut clients[..2] {
        assert_eq!(client.response().status, 200);
    }
    for (name, labels, _, then) in states {
        forebay.wait_metric(name, labels, then);
    }
}

#[test]
fn the_page_is_only_where_it_should_be() {
    let backend = Backend::saying("ok");
    let forebay = Config::to(&backend).start();
    let address = forebay.metrics_address();
    assert_eq!(get(address, "/").status, 404);
    assert_eq!(get(address, "/metrics?x=y").status, 200);
    let post = Client::connect(address)
        .ask("POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(post.status, 405);
    // On the listener it is a request like any other.
    assert_eq!(forebay.get("/metrics").text(), "ok");
}

/// Counters of what is gone are kept for a while, however much of it there is.
#[test]
fn routes_that_come_and_go_do_not_fill_the_memory() {
    const ROUTES: usize = 300;
    const KEPT: usize = 256;
    let config = |generation: usize| {
        let route = |n: usize| {
            format!("id: {generation}-{n}, path: /{generation}-{n}, respond: {{ body: x }}")
        };
        let routes = (0..ROUTES).map(route);
        let config = Config::default().top("admin: { address: \"127.0.0.1:0\" }");
        routes
            .fold(config, |config, route| config.add_route(&route))
            .yaml()
    };
    let forebay = Forebay::start(&config(0));
    let last = |generation: usize| format!("{generation}-{}", ROUTES - 1);
    for generation in 0..4 {
        if generation > 0 {
            forebay.reload(&config(generation));
        }
        assert_eq!(forebay.get(&format!("/{}", last(generation))).text(), "x");
    }
    let admin = format!("http://{}", forebay.admin_address());
    let stats = forebay_e2e::forebay(&["ctl", "--admin", &admin, "--json", "stats"]);
    let stats: Value = serde_json::from_str(&stats.stdout).unwrap();
    let routes = stats["routes"].as_object().unwrap();
    assert_eq!(routes.len(), ROUTES + KEPT);
    for (generation, requests) in [(0, None), (1, None), (2, Some(1)), (3, Some(1))] {
        let counted = routes
            .get(&last(generation))
            .map(|route| &route["requests"]);
        assert_eq!(counted.and_then(Value::as_u64), requests, "{generation}");
    }
}

//! Connections that are passed on as they are.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use forebay_e2e::{
    Authority, Backend, Client, Forebay, Gate, Generations, Tunnel, bytes, forebay, until,
};

/// Gives back what comes, and says `bye` at its end.
fn echo() -> Backend {
    Backend::scripted(|conn| {
        while let Ok(some) = conn.some(64 * 1024)
            && !some.is_empty()
        {
            if conn.send(&some).is_err() {
                return;
            }
        }
        let _ = conn.send("bye");
    })
}

#[track_caller]
fn exchange(client: &mut Client, text: &str) {
    client.send(text).unwrap();
    assert_eq!(client.exactly(text.len()).unwrap(), text.as_bytes());
}

#[test]
fn bytes_go_both_ways_and_the_connection_is_told_of() {
    let backend = echo();
    let forebay = Tunnel::to(&backend).start();
    let mut client = forebay.client();
    exchange(&mut client, "hello");
    let at_front = [("listener", "front")];
    let open = "forebay_client_connections";
    forebay.wait_metric(open, &[("listener", "front"), ("state", "active")], 1.0);
    forebay.wait_metric("forebay_upstream_connections", &[("state", "active")], 1.0);
    client.finish();
    assert_eq!(client.rest().unwrap(), b"bye");
    let line = &forebay.access_log(1)[0];
    for (key, expected) in [
        ("listener", "front"),
        ("scheme", "tcp"),
        ("group", "app"),
        ("client_ip", "127.0.0.1"),
        ("backend", &*Tunnel::url(&backend)),
    ] {
        assert_eq!(line[key], expected, "{line}");
    }
    for (key, expected) in [
        ("status", 200),
        ("request_bytes", 5),
        ("response_bytes", 8),
        ("attempts", 1),
    ] {
        assert_eq!(line[key], expected, "{line}");
    }
    for absent in ["method", "version", "target", "host", "failure", "peer_ip"] {
        assert!(line.get(absent).is_none(), "{line}");
    }
    assert!(line["duration_ms"].as_f64().unwrap() > 0.0 && line["connect_ms"].is_number());
    let metrics = forebay.metrics();
    let url = Tunnel::url(&backend);
    let way = [("listener", "front"), ("group", "app"), ("backend", &*url)];
    assert_eq!(metrics.sum("forebay_tcp_received_bytes_total", &way), 5.0);
    assert_eq!(metrics.sum("forebay_tcp_sent_bytes_total", &way), 8.0);
    let ended = "forebay_tcp_connection_duration_seconds_count";
    assert_eq!(metrics.sum(ended, &way), 1.0);
    assert_eq!(metrics.sum("forebay_tcp_failures_total", &at_front), 0.0);
    assert_eq!(metrics.sum("forebay_http_requests_total", &[]), 0.0);
    forebay.wait_metric("forebay_upstream_connections", &[("state", "active")], 0.0);
}

#[test]
fn much_passes_bit_for_bit_both_ways_at_once_and_is_not_kept() {
    let backend = echo();
    let forebay = Tunnel::to(&backend).start();
    let all = bytes(64 << 20);
    let mut client = forebay.client();
    client.send_beside(all.clone());
    let before = forebay.resident();
    // Both sockets are full meanwhile.
    assert_eq!(client.exactly(1).unwrap(), all[..1]);
    std::thread::sleep(Duration::from_millis(200));
    let grown = forebay.resident().saturating_sub(before);
    assert!(grown < 2 << 20, "{grown}");
    let rest = client.exactly(all.len() - 1).unwrap();
    assert!(rest == all[1..], "it came back changed");
    client.finish();
    assert_eq!(client.rest().unwrap(), b"bye");
    let line = &forebay.access_log(1)[0];
    assert_eq!(line["request_bytes"], 64 << 20);
    assert_eq!(line["response_bytes"], (64 << 20) + 3);
}

#[test]
fn who_has_said_all_still_hears() {
    let backend = Backend::scripted(|conn| {
        assert_eq!(conn.rest().unwrap(), b"all I have");
        conn.send("and all I have").unwrap();
    });
    let forebay = Tunnel::to(&backend).start();
    let mut client = forebay.client();
    client.send("all I have").unwrap();
    client.finish();
    assert_eq!(client.rest().unwrap(), b"and all I have");
    assert!(forebay.access_log(1)[0].get("failure").is_none());
}

#[test]
fn a_backend_that_has_said_all_still_hears() {
    let heard = Gate::default();
    let hear = heard.clone();
    let backend = Backend::scripted(move |conn| {
        conn.send("all I have").unwrap();
        conn.finish();
        assert_eq!(conn.rest().unwrap(), b"late and long".repeat(100_000));
        hear.pass();
    });
    let forebay = Tunnel::to(&backend).start();
    let mut client = forebay.client();
    assert_eq!(client.rest().unwrap(), b"all I have");
    client.send(b"late and long".repeat(100_000)).unwrap();
    client.finish();
    heard.wait_for(1);
    heard.open();
    assert_eq!(forebay.access_log(1)[0]["request_bytes"], 1_300_000);
}

#[test]
fn resets_are_passed_on() {
    let (backend, told) = (Gate::default(), Gate::default());
    let (reset, tell) = (backend.clone(), told.clone());
    let server = Backend::scripted(move |conn| match &*conn.exactly(1).unwrap() {
        b"r" => {
            reset.pass();
            conn.end_with_reset();
        }
        _ => {
            let error = conn.rest().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
            tell.pass();
        }
    });
    let forebay = Tunnel::to(&server).start();
    let mut client = forebay.client();
    client.send("r").unwrap();
    backend.open();
    let error = client.rest().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert_eq!(forebay.access_log(1)[0]["failure"], "connection_terminated");
    let mut client = forebay.client();
    client.send("c").unwrap();
    server.wait_open(1);
    until("the byte has arrived", || {
        let moved = forebay.metrics().sum("forebay_upstream_connections", &[]);
        (moved == 1.0).then_some(())
    });
    client.into_wire().reset();
    told.wait_for(1);
    told.open();
    assert_eq!(forebay.access_log(2)[1]["failure"], "client_disconnected");
}

#[test]
fn only_a_client_that_has_been_told_all_may_end_with_a_reset() {
    let (heard, over) = (Gate::default(), Gate::default());
    let (go_on, end) = (heard.clone(), over.clone());
    let server = Backend::scripted(move |conn| match &*conn.exactly(1).unwrap() {
        // Answers a client that has said all, and does not end as it should.
        b"r" => {
            assert_eq!(conn.rest().unwrap(), b"");
            conn.send("answer").unwrap();
            go_on.pass();
            conn.end_with_reset();
        }
        // Says all, and is left by its client.
        _ => {
            conn.send("answer").unwrap();
            conn.finish();
            let error = conn.rest().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
            end.pass();
        }
    });
    let forebay = Tunnel::to(&server).start();
    let mut client = forebay.client();
    client.send("r").unwrap();
    client.finish();
    assert_eq!(client.exactly(6).unwrap(), b"answer");
    heard.wait_for(1);
    heard.open();
    let error = client.rest().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset, "it is passed on");
    let mut client = forebay.client();
    client.send("c").unwrap();
    assert_eq!(client.rest().unwrap(), b"answer");
    client.into_wire().reset();
    over.wait_for(1);
    over.open();
    let log = forebay.access_log(2);
    // Perhaps the backend had more to say.
    assert_eq!(log[0]["failure"], "connection_terminated", "{}", log[0]);
    assert_eq!(log[1]["status"], 200, "{}", log[1]);
    assert_eq!(log[1]["failure"], serde_json::Value::Null, "{}", log[1]);
}

#[test]
fn what_came_before_a_backend_closes_with_bytes_unread_arrives() {
    // Such as an answer that refuses an upload: closing with unread bytes resets.
    let backend = Backend::scripted(|conn| {
        conn.exactly(1).unwrap();
        conn.send("refused").unwrap();
    });
    let forebay = Tunnel::to(&backend).start();
    let mut client = forebay.client();
    client.send_beside(vec![b'x'; 8 << 20]);
    let came = client.until_gone();
    assert_eq!(came, b"refused");
}

#[test]
fn silence_ends_a_connection_and_either_direction_breaks_it() {
    let backend = Backend::scripted(|conn| {
        for _ in 0..8 {
            std::thread::sleep(Duration::from_millis(150));
            if conn.send("x").is_err() {
                return;
            }
        }
        conn.until_gone();
    });
    let forebay = Tunnel::to(&backend).server("idle_timeout: 500ms").start();
    let mut client = forebay.client();
    assert_eq!(client.exactly(8).unwrap(), b"xxxxxxxx");
    assert!(client.until_gone().is_empty());
    let line = &forebay.access_log(1)[0];
    assert_eq!(line["failure"], "connection_idle_timeout", "{line}");
    assert!(line["duration_ms"].as_f64().unwrap() > 1500.0, "{line}");
}

#[test]
fn connections_beyond_the_limit_are_closed_and_counted() {
    let backend = echo();
    let forebay = Tunnel::to(&backend).server("max_connections: 2").start();
    let mut held = [forebay.client(), forebay.client()];
    held.iter_mut().for_each(|client| exchange(client, "in"));
    for _ in 0..3 {
        assert!(forebay.client().until_gone().is_empty());
    }
    let reason = [("listener", "front"), ("reason", "too_many_connections")];
    forebay.wait_metric("forebay_tcp_failures_total", &reason, 3.0);
    let said = forebay.stderr_line("refusals", |line| {
        line.contains("connections refused")
            .then(|| line.to_owned())
    });
    assert!(said.contains("listener=\"front\""), "{said}");
    assert!(said.contains("client=127.0.0.1:"), "{said}");
    exchange(&mut held[0], "still");
}

#[test]
fn ten_reloads_and_an_upgrade_cut_nothing() {
    let backend = echo();
    let tunnel = Tunnel::to(&backend);
    let generations = Generations::start(&tunnel.yaml());
    let mut clients: Vec<Client> = (0..20).map(|_| generations.client()).collect();
    for round in 0..10 {
        let limit = format!("max_connections: {}", 100 + round);
        generations.configure(&Tunnel::to(&backend).server(&limit).yaml());
        generations.signal_main(rustix::process::Signal::HUP);
        for client in &mut clients {
            exchange(client, &format!("round {round}"));
        }
    }
    let upgrade = generations.upgrade();
    assert_eq!(upgrade.code, Some(0), "{}", upgrade.stderr);
    for client in &mut clients {
        exchange(client, "after");
        client.finish();
        assert_eq!(client.rest().unwrap(), b"bye");
    }
    let mut late = Client::connect(generations.address());
    exchange(&mut late, "late");
}

#[test]
fn a_removed_listener_and_a_shutdown_leave_them_the_time_of_streams() {
    let backend = echo();
    let times = "shutdown_timeout: 100ms\ndrain_timeout: 3s";
    let tunnel = || Tunnel::to(&backend).top(times);
    let mut forebay = tunnel().start();
    let mut removed = forebay.client();
    exchange(&mut removed, "before");
    forebay.reload(&tunnel().yaml().replace("id: front", "id: other"));
    exchange(&mut removed, "after");
    forebay.terminate();
    forebay.wait_draining();
    std::thread::sleep(Duration::from_millis(300));
    exchange(&mut removed, "draining");
    removed.finish();
    assert_eq!(removed.rest().unwrap(), b"bye");
    assert_eq!(forebay.wait_exit(), Some(0));
}

#[test]
fn what_does_not_end_in_time_is_cut_and_says_so() {
    let backend = echo();
    let times = "shutdown_timeout: 50ms\ndrain_timeout: 200ms";
    let mut forebay = Tunnel::to(&backend).top(times).start();
    let mut client = forebay.client();
    exchange(&mut client, "before");
    forebay.terminate();
    let error = client.rest().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert_eq!(forebay.access_log(1)[0]["failure"], "drain_timeout");
    assert_eq!(forebay.wait_exit(), Some(0));
}

#[test]
fn tls_is_ended_where_the_listener_has_a_certificate() {
    let (backend, authority) = (echo(), Authority::new());
    let issued = authority.issue(&["a.test"]);
    let forebay = Tunnel::to(&backend).server(&issued.entries()).start();
    let config = Arc::new(authority.client());
    let mut client = Client::secure(forebay.address(), &config, "a.test").unwrap();
    exchange(&mut client, "hello");
    let all = bytes(3 << 20);
    client.send_beside(all.clone());
    assert!(client.exactly(all.len()).unwrap() == all);
    client.finish();
    // The end is said, as TLS says it.
    assert_eq!(client.rest().unwrap(), b"bye");
    let line = &forebay.access_log(1)[0];
    assert_eq!(line["scheme"], "tls");
    assert_eq!(line["host"], "a.test");
    assert_eq!(line["request_bytes"], 5 + (3 << 20));

    let mut plain = forebay.client();
    plain.send("not TLS at all\r\n").unwrap();
    plain.until_gone();
    let line = &forebay.access_log(2)[1];
    assert_eq!(line["failure"], "tls_handshake_error", "{line}");
    assert!(line.get("backend").is_none(), "{line}");
}

#[test]
fn openssl_speaks_through_it() {
    let authority = Authority::new();
    let backend = Backend::scripted(|conn| {
        assert_eq!(conn.exactly(5).unwrap(), b"hello");
        conn.send("bye").unwrap();
    });
    let issued = authority.issue(&["a.test"]);
    let forebay = Tunnel::to(&backend).server(&issued.entries()).start();
    let address = forebay.address();
    let ca = authority.file();
    let command = format!(
        "printf hello | openssl s_client -quiet -connect {address} -servername a.test -CAfile {ca} -verify_return_error"
    );
    let said = forebay_e2e::Process::start("sh", &["-c", &command]).finish();
    assert_eq!(said.stdout, "bye", "{}", said.stderr);
}

#[test]
fn mistakes_are_told() {
    let said = |yaml: &str| {
        let scratch = forebay_e2e::Scratch::new();
        let file = scratch.write("f.yaml", yaml);
        let checked = forebay(&["check", "-c", &file]);
        assert_ne!(checked.code, Some(0), "{yaml}");
        checked.stderr + &checked.stdout
    };
    let group = "backend_groups: [ { id: app, backends: [ \"tcp://127.0.0.1:1\" ] } ]";
    let routes = "routes: [ { id: all, backend_group: app } ]";
    let listener = |more: &str| {
        format!("listeners: [ {{ address: \"127.0.0.1:0\", protocol: tcp, {more} }} ]\n{group}\n")
    };
    for (yaml, expected) in [
        (
            listener("max_connections: 1"),
            "where the connections of this listener go",
        ),
        (
            listener("group: nobody"),
            "there is no backend group `nobody`",
        ),
        (listener("group: ap"), "did you mean `app`"),
        (listener("group: app") + routes, "no listener speaks HTTP"),
        (
            listener("group: app, header_timeout: 3s, redirect_to_https: true"),
            "`header_timeout` is for HTTP, and the listener speaks tcp",
        ),
        (
            listener("sni: { a.test: app }, cert_file: a, key_file: b"),
            "it cannot be ended here as well",
        ),
        (
            listener("sni: { a.test: app, A.TEST: app }"),
            "is given twice",
        ),
        (listener("sni: { \"a.*.test\": app }"), "server name"),
        (
            listener("group: app, proxy_protocol: require"),
            "taken from `trusted_proxies`, and there are none",
        ),
        (
            format!("server: {{ address: \"127.0.0.1:0\", group: app }}\n{group}\n{routes}"),
            "`group` is for `protocol: tcp`, and the listener speaks http",
        ),
        (
            format!("server: {{ address: \"127.0.0.1:0\" }}\n{group}\n{routes}"),
            "requests cannot be sent to tcp://127.0.0.1:1",
        ),
    ] {
        let said = said(&yaml);
        assert!(said.contains(expected), "{yaml}\n{said}");
    }
}

#[test]
fn plans_differences_and_the_admin_api_know_them() {
    let backend = echo();
    let admin = "admin: { address: \"127.0.0.1:0\" }";
    let forebay_: Forebay = Tunnel::to(&backend).top(admin).start();
    let scratch = forebay_e2e::Scratch::new();
    let file = scratch.write("f.yaml", &Tunnel::to(&backend).top(admin).yaml());
    let plan = forebay(&["explain", "-c", &file]).stdout;
    assert!(plan.contains("front at tcp://127.0.0.1:0"), "{plan}");
    assert!(
        plan.contains("-> group app") && plan.contains("idle 600s"),
        "{plan}"
    );
    let other = Tunnel::to(&backend).top(admin).server("idle_timeout: 1h");
    let other = scratch.write("other.yaml", &other.yaml());
    let diff = forebay(&["diff", &file, &other]);
    assert!(diff.stdout.contains("timeout idle"), "{diff:?}");

    let mut client = forebay_.client();
    exchange(&mut client, "hello");
    let ask = |path: &str| -> serde_json::Value {
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let answer = Client::connect(forebay_.admin_address()).ask(request);
        serde_json::from_str(answer.text()).unwrap()
    };
    let status = ask("/status");
    assert_eq!(status["listeners"][0]["connections"], 1, "{status}");
    assert_eq!(status["listeners"][0]["protocol"], "tcp", "{status}");
    let backends = ask("/backends").to_string();
    assert!(backends.contains("\"in_flight\":1"), "{backends}");
    client.finish();
    client.rest().unwrap();
    forebay_.access_log(1);
    let stats = ask("/stats");
    let way = &stats["tcp"][0];
    for (key, expected) in [
        ("listener", serde_json::json!("front")),
        ("backend", serde_json::json!(Tunnel::url(&backend))),
        ("ended", 1.into()),
        ("received_bytes", 5.into()),
        ("sent_bytes", 8.into()),
    ] {
        assert_eq!(way[key], expected, "{stats}");
    }
}

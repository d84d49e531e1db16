//! Who the client is says a proxy in front, by the PROXY protocol.

use std::sync::Arc;
use std::time::Duration;

use forebay_e2e::{Authority, Backend, Client, Config, Forebay, Reply, Tunnel, curl, until};

const TRUSTED: &str = "trusted_proxies: [ 127.0.0.1 ]";
const REQUIRED: &str = "proxy_protocol: require, proxy_protocol_timeout: 300ms";
const ACCEPTED: &str = "proxy_protocol: accept, proxy_protocol_timeout: 300ms";

const V1: &[u8] = b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n";

/// A header of version 2 with this behind its length.
fn v2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u16).to_be_bytes();
    [
        b"\r\n\r\n\0\r\nQUIT\n",
        &[command, family][..],
        &length,
        body,
    ]
    .concat()
}

/// From 192.0.2.7:4711 to 198.51.100.1:443.
const V4: [u8; 12] = [192, 0, 2, 7, 198, 51, 100, 1, 0x12, 0x67, 0x01, 0xbb];

/// Answers with what it is told of the client.
fn backend() -> Backend {
    Backend::answering(|request| Reply::ok(request.head.get("X-Forwarded-For").unwrap_or_default()))
}

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";

#[test]
fn the_header_says_who_the_client_is() {
    let backend = backend();
    let forebay = Config::to(&backend).top(TRUSTED).server(REQUIRED).start();
    let port = 4711;
    let facts = [
        &V4[..],
        &[0x02, 0, 6],
        b"a.test",
        &[0x20, 0, 5, 1, 0, 0, 0, 0],
    ]
    .concat();
    let v6 = [
        &[0x20, 1, 0x0d, 0xb8],
        &[0; 11][..],
        &[9],
        &[0; 16],
        &[0x12, 0x67, 0, 1],
    ]
    .concat();
    let headers = [
        (V1.to_vec(), "192.0.2.7", port),
        (
            b"PROXY TCP6 2001:db8::9 ::1 4711 1\r\n".to_vec(),
            "2001:db8::9",
            port,
        ),
        (v2(0x21, 0x11, &V4), "192.0.2.7", port),
        (v2(0x21, 0x11, &facts), "192.0.2.7", port),
        (v2(0x21, 0x21, &v6), "2001:db8::9", port),
        // These speak for the peer itself.
        (b"PROXY UNKNOWN\r\n".to_vec(), "127.0.0.1", 0),
        (v2(0x20, 0, b""), "127.0.0.1", 0),
        (v2(0x20, 0x11, &V4), "127.0.0.1", 0),
        (v2(0x21, 0x00, b""), "127.0.0.1", 0),
        (v2(0x21, 0x31, &[b'x'; 216]), "127.0.0.1", 0),
    ];
    for (at, (header, expected, port)) in headers.iter().enumerate() {
        let mut client = forebay.client();
        // With the request in one piece, and byte by byte.
        if at % 2 == 0 {
            client.send([header, GET].concat()).unwrap();
        } else {
            for byte in header {
                client.send([*byte]).unwrap();
            }
            client.send(GET).unwrap();
        }
        assert_eq!(client.response().text(), *expected, "{header:?}");
        // It is for the connection, not for one request.
        assert_eq!(client.get("/").text(), *expected, "{header:?}");
        let line = forebay.access_log(2 * at + 2).remove(2 * at + 1);
        assert_eq!(line["client_ip"], *expected, "{line}");
        if *port > 0 {
            assert_eq!(line["client_port"], *port, "{line}");
        }
    }
}

/// Each is closed without a word, and counted.
fn refused(forebay: &Forebay, sent: &[u8], reason: &str) {
    let labels = [("reason", reason)];
    let count = || forebay.metrics().sum("forebay_errors_total", &labels);
    let before = count();
    let mut client = forebay.client();
    let _ = client.send(sent);
    let came = client.until_gone();
    assert!(came.is_empty(), "{reason}: {}", came.escape_ascii());
    until("it is counted", || (count() == before + 1.0).then_some(()));
}

#[test]
fn bad_missing_and_late_headers_are_refused_and_counted() {
    let backend = backend();
    let forebay = Config::to(&backend)
        .top(TRUSTED)
        .server("id: front")
        .server(REQUIRED)
        .start();
    let wrong_sum = [&V4[..], &[0x03, 0, 4, 1, 2, 3, 4]].concat();
    for (sent, reason) in [
        (
            [b"PROXY TCP4 192.0.2.7 nonsense 1 2\r\n", GET].concat(),
            "proxy_protocol_error",
        ),
        (
            [&v2(0x21, 0x11, &wrong_sum), GET].concat(),
            "proxy_protocol_error",
        ),
        ([&v2(0x31, 0x11, &V4), GET].concat(), "proxy_protocol_error"),
        (GET.to_vec(), "proxy_protocol_missing"),
        (V1[..20].to_vec(), "proxy_protocol_timeout"),
        (Vec::new(), "proxy_protocol_timeout"),
    ] {
        refused(&forebay, &sent, reason);
    }
    forebay.stderr_line("the refusal", |line| {
        let who = "client=127.0.0.1:";
        let parts = ["proxy_protocol_error", "WARN", "listener=\"front\"", who];
        parts.iter().all(|part| line.contains(part)).then_some(())
    });
    assert_eq!(backend.accepted(), 0);
}

#[test]
fn others_are_not_believed() {
    let backend = backend();
    let others = "trusted_proxies: [ 192.0.2.0/24 ]";
    let required = Config::to(&backend).top(others).server(REQUIRED).start();
    refused(&required, &[V1, GET].concat(), "proxy_protocol_untrusted");
    refused(&required, GET, "proxy_protocol_untrusted");
    let accepted = Config::to(&backend).top(others).server(ACCEPTED).start();
    refused(&accepted, &[V1, GET].concat(), "proxy_protocol_untrusted");
    assert_eq!(accepted.get("/").text(), "127.0.0.1");
}

#[test]
fn where_it_is_accepted_it_may_be_missing() {
    let backend = backend();
    let forebay = Config::to(&backend).top(TRUSTED).server(ACCEPTED).start();
    assert_eq!(forebay.get("/").text(), "127.0.0.1");
    let mut client = forebay.client();
    client.send([V1, GET].concat()).unwrap();
    assert_eq!(client.response().text(), "192.0.2.7");
    // Whoever says nothing at first is no proxy.
    let mut late = forebay.client();
    assert!(late.is_silent_for(Duration::from_millis(500)));
    assert_eq!(late.get("/").text(), "127.0.0.1");
    refused(&forebay, &V1[..20], "proxy_protocol_timeout");
}

#[test]
fn fields_are_believed_of_a_client_that_is_a_proxy_itself() {
    let backend = backend();
    let trusted = "trusted_proxies: [ 127.0.0.1, 192.0.2.0/24 ]";
    let forebay = Config::to(&backend).top(trusted).server(REQUIRED).start();
    let ask = |header: &[u8]| {
        let mut client = forebay.client();
        let request = b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.5\r\n\r\n";
        client.send([header, request].concat()).unwrap();
        client.response().text().to_owned()
    };
    assert_eq!(ask(V1), "203.0.113.5, 192.0.2.7");
    let other = b"PROXY TCP4 198.51.100.9 198.51.100.1 1 1\r\n";
    assert_eq!(ask(other), "198.51.100.9");
}

#[test]
fn tls_comes_behind_it() {
    let (backend, authority) = (backend(), Authority::new());
    let issued = authority.issue(&["a.test", "localhost"]);
    let listener = format!("{REQUIRED}, {}", issued.entries());
    let forebay = Config::to(&backend).top(TRUSTED).server(&listener).start();
    let mut client = forebay.client();
    client.send(V1).unwrap();
    let config = Arc::new(authority.client());
    let mut client = client.into_secure(&config, "a.test").unwrap();
    assert_eq!(client.get("/").text(), "192.0.2.7");
    // curl speaks it too.
    let url = format!("https://localhost:{}/", forebay.address().port());
    let got = curl(&[
        "--haproxy-protocol",
        "--cacert",
        &authority.file(),
        "-4",
        &url,
    ]);
    assert_eq!(
        (got.code, &*got.stdout),
        (Some(0), "127.0.0.1"),
        "{}",
        got.stderr
    );
}

/// Says a name, and stays.
fn named(name: &'static str) -> Backend {
    Backend::scripted(move |conn| {
        conn.send(name).unwrap();
        conn.until_gone();
    })
}

#[test]
fn connections_over_tcp_have_it_as_well() {
    let backends = [named("a"), named("b"), named("c")];
    let forebay = Tunnel::to_all(&backends)
        .top(TRUSTED)
        .server(REQUIRED)
        .group("strategy: ip_hash")
        .start();
    let who = |header: String| {
        let mut client = forebay.client();
        client.send(header).unwrap();
        client.exactly(1).unwrap()
    };
    let names: Vec<_> = (0..20)
        .map(|n| {
            let header = format!("PROXY TCP4 192.0.2.{n} 198.51.100.1 4711 443\r\n");
            let name = who(header.clone());
            assert_eq!(who(header), name, "{n}");
            name
        })
        .collect();
    assert!(names.iter().any(|name| *name != names[0]), "{names:?}");
    let line = &forebay.access_log(40)[0];
    assert_eq!(line["peer_ip"], "127.0.0.1", "{line}");
    assert!(line["client_ip"].as_str().unwrap().starts_with("192.0.2."));
    let mut bad = forebay.client();
    bad.send("PROXY nonsense\r\n").unwrap();
    assert!(bad.until_gone().is_empty());
    let reason = [("listener", "front"), ("reason", "proxy_protocol_error")];
    forebay.wait_metric("forebay_tcp_failures_total", &reason, 1.0);
}

#[test]
fn a_server_that_speaks_first_is_heard_where_it_is_only_accepted() {
    let backend = named("a");
    let tunnel = Tunnel::to(&backend).top(TRUSTED).server(ACCEPTED);
    let forebay = tunnel.start();
    let mut client: Client = forebay.client();
    assert_eq!(client.exactly(1).unwrap(), b"a");
}

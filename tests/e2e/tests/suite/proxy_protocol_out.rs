//! Backends are told who the client is, by the PROXY protocol.

use std::net::SocketAddr;
use std::sync::Arc;

use forebay_e2e::{
    Authority, Backend, Client, Config, Conn, Forebay, Gate, Nginx, Process, Reply, Scratch,
    Tunnel, curl,
};

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// A header of version 2 as a backend reads it.
struct Header {
    command: u8,
    source: SocketAddr,
    destination: SocketAddr,
    facts: Vec<(u8, Vec<u8>)>,
}

impl Header {
    fn read(bytes: &[u8]) -> Self {
        assert_eq!(&bytes[..12], SIGNATURE);
        assert_eq!(bytes[13], 0x11);
        let port = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        let address = |at: usize, port| {
            let ip: [u8; 4] = bytes[at..at + 4].try_into().unwrap();
            SocketAddr::from((ip, port))
        };
        let mut facts = Vec::new();
        let mut rest = &bytes[28..];
        while let [kind, high, low, behind @ ..] = rest {
            let (value, behind) = behind.split_at(usize::from(u16::from_be_bytes([*high, *low])));
            facts.push((*kind, value.to_vec()));
            rest = behind;
        }
        Self {
            command: bytes[12],
            source: address(16, port(24)),
            destination: address(20, port(26)),
            facts,
        }
    }

    fn fact(&self, kind: u8) -> Option<&[u8]> {
        let mut facts = self.facts.iter();
        facts.find(|(k, _)| *k == kind).map(|(_, value)| &**value)
    }
}

/// The header of version 2 with which a connection begins.
fn header(conn: &mut Conn) -> Header {
    let mut bytes = conn.exactly(16).unwrap();
    let rest = u16::from_be_bytes([bytes[14], bytes[15]]);
    bytes.extend(conn.exactly(rest.into()).unwrap());
    Header::read(&bytes)
}

/// Reads a header of version 2, then gives back what comes.
fn reading(seen: impl Fn(Header) + Send + Sync + 'static) -> Backend {
    Backend::scripted(move |conn| {
        seen(header(conn));
        let some = conn.exactly(5).unwrap();
        conn.send(some).unwrap();
        conn.until_gone();
    })
}

fn hello(client: &mut Client) {
    client.send("hello").unwrap();
    assert_eq!(client.exactly(5).unwrap(), b"hello");
}

#[test]
fn version_1_is_a_line_in_front_and_comes_before_the_clients_first_byte() {
    let backend = Backend::scripted(|conn| {
        let line = conn.some(107).unwrap();
        conn.send(line).unwrap();
        conn.until_gone();
    });
    let forebay = Tunnel::to(&backend)
        .group("send_proxy_protocol: v1")
        .start();
    let mut client = forebay.client();
    let (here, there) = (client.local_address(), forebay.address());
    let expected = format!(
        "PROXY TCP4 127.0.0.1 127.0.0.1 {} {}\r\n",
        here.port(),
        there.port()
    );
    let line = client.exactly(expected.len()).unwrap();
    assert_eq!(String::from_utf8(line).unwrap(), expected);
    drop(client);
    // It is none of the client's bytes.
    assert_eq!(forebay.access_log(1)[0]["request_bytes"], 0);
}

#[test]
fn version_2_says_what_is_known_of_tls() {
    let (told, tell) = std::sync::mpsc::channel();
    let backend = reading(move |header| told.send(header).unwrap());
    let authority = Authority::new();
    let issued = authority.issue(&["a.test"]);
    let group = "send_proxy_protocol: v2";
    let secure = Tunnel::to(&backend)
        .server(&issued.entries())
        .group(group)
        .start();
    let config = Arc::new(authority.client());
    let mut client = Client::secure(secure.address(), &config, "a.test").unwrap();
    hello(&mut client);
    let header = tell.recv().unwrap();
    assert_eq!(header.command, 0x21);
    assert_eq!(header.source, client.local_address());
    assert_eq!(header.destination, secure.address());
    assert_eq!(header.fact(0x02), Some(&b"a.test"[..]));
    assert_eq!(
        header.fact(0x20),
        Some(&b"\x01\0\0\0\x01\x21\0\x07TLSv1.3"[..])
    );
    drop(client);
    let line = &secure.access_log(1)[0];
    let id = line["request_id"].as_str().unwrap();
    assert_eq!(header.fact(0x05), Some(id.as_bytes()));

    let plain = Tunnel::to(&backend).group(group).start();
    hello(&mut plain.client());
    let header = tell.recv().unwrap();
    assert_eq!((header.fact(0x02), header.fact(0x20)), (None, None));
}

#[test]
fn version_2_says_what_was_agreed_on_and_asked_for() {
    let (told, tell) = std::sync::mpsc::channel();
    let backend = Backend::scripted(move |conn| {
        told.send(header(conn)).unwrap();
        conn.serve(&|_| Reply::ok("ok"));
    });
    let authority = Authority::new();
    let issued = authority.issue(&["a.test"]);
    let forebay = Config::to(&backend)
        .server(&issued.entries())
        .group("send_proxy_protocol: v2")
        .start();
    let port = forebay.address().port();
    let to = format!("a.test:{port}:127.0.0.1");
    let url = format!("https://a.test:{port}/");
    let trusted = authority.file();
    for (version, protocol) in [("--http2", "h2"), ("--http1.1", "http/1.1")] {
        let said = curl(&["-sS", version, "--cacert", &trusted, "--resolve", &to, &url]);
        assert_eq!(said.stdout, "ok", "{said:?}");
        let header = tell.recv().unwrap();
        assert_eq!(header.fact(0x01), Some(protocol.as_bytes()));
        assert_eq!(header.fact(0x02), Some(&b"a.test"[..]), "{version}");
    }
    // Where nothing was agreed on, nothing is said.
    let said = curl(&[
        "-sS",
        "--no-alpn",
        "--cacert",
        &trusted,
        "--resolve",
        &to,
        &url,
    ]);
    assert_eq!(said.stdout, "ok", "{said:?}");
    assert_eq!(tell.recv().unwrap().fact(0x01), None);
}

#[test]
fn a_second_backend_that_is_asked_as_well_is_told_the_same() {
    let gate = Gate::default();
    let backends = [("one", Some(gate.clone())), ("two", None)].map(|(name, gate)| {
        Backend::scripted(move |conn| {
            let Ok(Some(head)) = conn.head() else {
                return;
            };
            let text = String::from_utf8(head).unwrap();
            let slow = text.contains("GET /slow ");
            if let Some(gate) = gate.as_ref().filter(|_| slow) {
                gate.pass();
            }
            let line = text.lines().next().unwrap_or_default();
            let reply = Reply::ok(format!("{name}: {line}"));
            // Who is cut off because the other was faster hears nothing.
            let _ = conn.send(reply.into_bytes());
            conn.until_gone();
        })
    });
    let forebay = Config::to_all(&backends)
        .top("workers: 1")
        .group("send_proxy_protocol: v1, hedge: { min_delay: 250ms, max_percent: 100 }")
        .start();
    let mut client = forebay.client();
    for _ in 0..60 {
        assert_eq!(client.get("/").status, 200);
    }
    // What is usual is worked out anew every tenth of a second.
    std::thread::sleep(std::time::Duration::from_millis(150));
    let line = format!(
        "PROXY TCP4 127.0.0.1 127.0.0.1 {} {}",
        client.local_address().port(),
        forebay.address().port()
    );
    assert_eq!(client.get("/").text(), format!("one: {line}"));
    assert_eq!(client.get("/").text(), format!("two: {line}"));
    assert_eq!(client.get("/slow").text(), format!("two: {line}"));
    gate.wait_for(1);
    gate.open();
    let log = forebay.metrics();
    assert_eq!(
        log.sum("forebay_retries_total", &[("reason", "hedge")]),
        1.0
    );
    assert_eq!(
        log.sum("forebay_upstream_connections_reused_total", &[]),
        0.0
    );
}

#[test]
fn what_a_proxy_in_front_has_said_is_passed_on() {
    let (told, tell) = std::sync::mpsc::channel();
    let backend = reading(move |header| told.send(header).unwrap());
    let forebay = Tunnel::to(&backend)
        .top("trusted_proxies: [ 127.0.0.1 ]")
        .server("proxy_protocol: require")
        .group("send_proxy_protocol: v2")
        .start();
    let mut client = forebay.client();
    client
        .send("PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n")
        .unwrap();
    hello(&mut client);
    let header = tell.recv().unwrap();
    assert_eq!(header.source, "192.0.2.7:4711".parse().unwrap());
    assert_eq!(header.destination, "198.51.100.1:443".parse().unwrap());
}

/// nginx that answers with what it is told.
fn nginx() -> Nginx {
    Nginx::listening(
        "proxy_protocol",
        "location / { return 200 \"$proxy_protocol_addr $http_x_forwarded_for\"; }",
    )
}

#[test]
fn requests_have_connections_of_their_own() {
    let nginx = nginx();
    for version in ["v1", "v2"] {
        let forebay = Config::to_urls([nginx.url()])
            .top("trusted_proxies: [ 127.0.0.1 ]")
            .group(&format!("send_proxy_protocol: {version}"))
            .start();
        let mut client = forebay.client();
        for who in ["192.0.2.1", "192.0.2.2", "192.0.2.1"] {
            let answer = client.ask(format!(
                "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {who}\r\n\r\n"
            ));
            assert_eq!(
                answer.text(),
                format!("{who} {who}, 127.0.0.1"),
                "{version}"
            );
        }
        let metrics = forebay.metrics();
        assert_eq!(
            metrics.sum("forebay_upstream_connections_created_total", &[]),
            3.0
        );
        assert_eq!(
            metrics.sum("forebay_upstream_connections_reused_total", &[]),
            0.0
        );
        assert_eq!(
            metrics.sum("forebay_upstream_connections", &[("state", "idle")]),
            0.0
        );
    }
}

#[test]
fn checks_speak_for_forebay_itself() {
    let nginx = nginx();
    for version in ["v1", "v2"] {
        let check = "health_check: { enabled: true, path: /, interval: 50ms, assume_healthy: false, healthy_threshold: 1, slow_start: 0s }";
        let forebay = Config::to_urls([nginx.url()])
            .group(&format!("send_proxy_protocol: {version}, {check}"))
            .start();
        forebay.wait_metric("forebay_backend_up", &[("group", "app")], 1.0);
        assert_eq!(forebay.get("/").text(), "127.0.0.1 127.0.0.1");
    }
}

#[test]
fn connections_from_before_it_was_switched_on_are_not_used() {
    let backend = Backend::scripted(|conn| {
        while let Ok(Some(head)) = conn.head() {
            let begins = head.starts_with(b"PROXY ");
            let reply = Reply::ok(if begins { "told" } else { "not told" });
            if conn.send(reply.into_bytes()).is_err() {
                return;
            }
        }
    });
    let config = || Config::to(&backend).top("workers: 1");
    let forebay = config().start();
    assert_eq!(forebay.get("/").text(), "not told");
    forebay.reload(&config().group("send_proxy_protocol: v1").yaml());
    assert_eq!(forebay.get("/").text(), "told");
}

/// HAProxy with this configuration behind its defaults.
fn haproxy(scratch: &Scratch, more: &str) -> Process {
    let text = format!(
        "defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 10s\n  timeout server 10s\n{more}\n"
    );
    let file = scratch.write("haproxy.cfg", &text);
    Process::start("haproxy", &["-db", "-f", &file])
}

#[test]
fn haproxy_tells_and_is_told() {
    // curl, HAProxy, Forebay, HAProxy, a backend: each is told of curl.
    let scratch = Scratch::new();
    let socket = |name: &str| scratch.path(name).display().to_string();
    let backend = Backend::answering(|request| {
        Reply::ok(request.head.get("X-Forwarded-For").unwrap_or_default())
    });
    let address = backend.address();
    let (behind, front) = (socket("behind"), socket("front"));
    let _behind = haproxy(
        &scratch,
        &format!(
            "frontend f\n  mode http\n  bind unix@{behind} accept-proxy\n  option forwardfor\n  default_backend b\nbackend b\n  mode http\n  server s {address}\n"
        ),
    );
    forebay_e2e::until("HAProxy listens", || {
        std::os::unix::net::UnixStream::connect(&behind).ok()
    });
    for version in ["v1", "v2"] {
        let forebay: Forebay = Tunnel::to_urls([format!("unix:{behind}")])
            .top("trusted_proxies: [ 127.0.0.1 ]")
            .server("proxy_protocol: require")
            .group(&format!("send_proxy_protocol: {version}"))
            .start();
        let scratch = Scratch::new();
        let address = forebay.address();
        for options in [
            "send-proxy",
            "send-proxy-v2",
            "send-proxy-v2 proxy-v2-options crc32c,unique-id",
        ] {
            let _ = std::fs::remove_file(&front);
            let _front = haproxy(
                &scratch,
                &format!(
                    "frontend f\n  bind unix@{front} accept-proxy\n  default_backend b\nbackend b\n  server s {address} {options}\n"
                ),
            );
            forebay_e2e::until("HAProxy listens", || {
                std::os::unix::net::UnixStream::connect(&front).ok()
            });
            let mut client = std::os::unix::net::UnixStream::connect(&front).unwrap();
            use std::io::{Read, Write};
            let said = "PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
            client.write_all(said.as_bytes()).unwrap();
            let mut answer = String::new();
            client.read_to_string(&mut answer).unwrap();
            assert!(
                answer.ends_with("192.0.2.7"),
                "{version} {options}: {answer}"
            );
        }
    }
}

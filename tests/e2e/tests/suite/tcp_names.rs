//! TLS that is passed on by the name that it asks for.

use std::sync::Arc;
use std::time::Duration;

use forebay_e2e::rustls::ClientConfig;
use forebay_e2e::{Authority, Backend, Client, Config, Forebay, rustls};

const SNI: &str = r#"sni: { a.test: a, "*.apps.test": b }, handshake_timeout: 2s"#;

/// Two Forebays that end TLS and answer with a name of their own.
struct Ends {
    authority: Authority,
    backends: [(Backend, Forebay); 3],
}

impl Ends {
    fn new() -> Self {
        let authority = Authority::new();
        let names = ["a.test", "x.apps.test", "other.test", "c.b.apps.test"];
        let issued = authority.issue(&names);
        let backends = ["a", "b", "c"].map(|name| {
            let backend = Backend::saying(name);
            let forebay = Config::to(&backend).server(&issued.entries()).start();
            (backend, forebay)
        });
        Self {
            authority,
            backends,
        }
    }

    fn tunnel(&self, more: &str) -> Forebay {
        let url = |at: usize| format!("tcp://{}", self.backends[at].1.address());
        let yaml = format!(
            "listeners: [ {{ id: front, address: \"127.0.0.1:0\", protocol: tcp, {SNI}{more} }} ]\n\
             backend_groups: [ {{ id: a, backends: [ {:?} ] }}, {{ id: b, backends: [ {:?} ] }}, {{ id: c, backends: [ {:?} ] }} ]\n\
             telemetry: {{ metrics: {{ enabled: true, port: 0 }} }}\n",
            url(0),
            url(1),
            url(2)
        );
        Forebay::start(&yaml)
    }

    fn client(&self) -> Arc<ClientConfig> {
        Arc::new(self.authority.client())
    }
}

/// Who answers under a name.
fn asked(forebay: &Forebay, config: &Arc<ClientConfig>, name: &str) -> std::io::Result<String> {
    let mut client = Client::secure(forebay.address(), config, name)?;
    Ok(client.get("/").text().to_owned())
}

#[test]
fn a_name_then_a_wildcard_then_the_default() {
    let ends = Ends::new();
    let forebay = ends.tunnel(", group: c");
    for (name, expected) in [
        ("a.test", "a"),
        ("x.apps.test", "b"),
        ("c.b.apps.test", "c"),
        ("other.test", "c"),
    ] {
        assert_eq!(asked(&forebay, &ends.client(), name).unwrap(), expected);
    }
    let lines = forebay.access_log(4);
    for (name, group) in [("a.test", "a"), ("c.b.apps.test", "c")] {
        let line = lines.iter().find(|line| line["host"] == name).unwrap();
        assert_eq!(line["group"], group, "{line}");
        assert_eq!(line["scheme"], "tcp", "{line}");
    }
}

#[test]
fn other_names_are_refused_with_an_alert_and_counted() {
    let ends = Ends::new();
    let forebay = ends.tunnel("");
    let refused = asked(&forebay, &ends.client(), "other.test").unwrap_err();
    assert!(
        refused.to_string().contains("UnrecognisedName"),
        "{refused}"
    );
    let line = &forebay.access_log(1)[0];
    assert_eq!(line["failure"], "unknown_server_name", "{line}");
    assert_eq!(line["host"], "other.test", "{line}");
    let reason = [("reason", "unknown_server_name")];
    forebay.wait_metric("forebay_tcp_failures_total", &reason, 1.0);
    forebay.stderr_line("the refusal", |line| {
        let why = "unknown_server_name (the client asks for `other.test`)";
        let parts = [why, "listener=\"front\"", "client=127.0.0.1:"];
        parts.iter().all(|part| line.contains(part)).then_some(())
    });
    assert_eq!(asked(&forebay, &ends.client(), "a.test").unwrap(), "a");
}

/// What a client says first.
fn hello(config: &Arc<ClientConfig>, name: &str) -> (rustls::ClientConnection, Vec<u8>) {
    let name = rustls::pki_types::ServerName::try_from(name.to_owned()).unwrap();
    let mut session = rustls::ClientConnection::new(Arc::clone(config), name).unwrap();
    let mut bytes = Vec::new();
    session.write_tls(&mut bytes).unwrap();
    (session, bytes)
}

#[test]
fn a_hello_may_come_in_small_pieces_and_reaches_the_backend_as_it_was() {
    let ends = Ends::new();
    let forebay = ends.tunnel("");
    let (_, bytes) = hello(&ends.client(), "a.test");
    assert!(bytes.len() > 1400, "{}", bytes.len());
    let mut client = forebay.client();
    for piece in bytes.chunks(100) {
        client.send(piece).unwrap();
        std::thread::sleep(Duration::from_millis(5));
    }
    // The backend's answer to it.
    assert_eq!(client.exactly(3).unwrap(), [22, 3, 3]);
    drop(client);
    assert_eq!(forebay.access_log(1)[0]["request_bytes"], bytes.len());
}

#[test]
fn what_is_no_tls_and_what_does_not_come_are_told_apart() {
    let ends = Ends::new();
    let forebay = ends.tunnel(", group: c");
    let (_, bytes) = hello(&ends.client(), "a.test");
    for (sent, finishes, reason) in [
        (
            &b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"[..],
            false,
            "tls_client_hello_error",
        ),
        (&bytes[..500], false, "tls_client_hello_timeout"),
        (&b""[..], false, "tls_client_hello_timeout"),
        (&bytes[..500], true, "client_disconnected"),
    ] {
        let mut client = forebay.client();
        client.send(sent).unwrap();
        if finishes {
            client.finish();
        }
        assert!(client.until_gone().is_empty());
        drop(client);
        let reason = [("reason", reason), ("backend", "none")];
        forebay_e2e::until("it is counted", || {
            let counted = forebay.metrics().sum("forebay_tcp_failures_total", &reason);
            (counted > 0.0).then_some(())
        });
    }
    assert_eq!(ends.backends[2].0.accepted(), 0);
}

#[test]
fn half_a_hello_costs_no_buffer() {
    let ends = Ends::new();
    let forebay = ends.tunnel("");
    let (_, bytes) = hello(&ends.client(), "a.test");
    assert_eq!(asked(&forebay, &ends.client(), "a.test").unwrap(), "a");
    let before = forebay.resident();
    let clients: Vec<Client> = (0..400)
        .map(|_| {
            let mut client = forebay.client();
            client.send(&bytes[..1000]).unwrap();
            client
        })
        .collect();
    let open = [("listener", "front"), ("state", "active")];
    forebay.wait_metric("forebay_client_connections", &open, 400.0);
    let grown = forebay.resident().saturating_sub(before);
    // A block each would be 27 MB.
    assert!(grown < 8 << 20, "{grown}");
    drop(clients);
}

//! TLS of listeners, with clients of several makes.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use forebay_e2e::rustls::{HandshakeKind, ProtocolVersion, version};
use forebay_e2e::{
    Authority, Backend, Client, Config, Forebay, Gate, Generations, Issued, Process, Reply,
    Scratch, bytes, curl, rcgen, rustls, until,
};

/// A listener with TLS before this backend.
fn secure(backend: &Backend, authority: &Authority) -> Config {
    let issued = authority.issue(&["a.test", "localhost"]);
    Config::to(backend).server(&issued.entries())
}

fn client(forebay: &Forebay, authority: &Authority) -> Client {
    let config = Arc::new(authority.client());
    Client::secure(forebay.address(), &config, "a.test").unwrap()
}

const VERSIONS: [&forebay_e2e::rustls::SupportedProtocolVersion; 2] =
    [&version::TLS12, &version::TLS13];

/// Gives each body back as it came, in the framing that the target names.
fn mirror() -> Backend {
    Backend::answering(|request| match request.target() {
        "/length" => Reply::ok(&request.body),
        "/chunked" => {
            let mut bytes = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
            for chunk in request.body.chunks(7000) {
                bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                bytes.extend_from_slice(chunk);
                bytes.extend_from_slice(b"\r\n");
            }
            bytes.extend_from_slice(b"0\r\n\r\n");
            Reply::raw(bytes)
        }
        _ => {
            let mut bytes = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
            bytes.extend_from_slice(&request.body);
            Reply::raw(bytes).then_close()
        }
    })
}

#[test]
fn bodies_pass_bit_for_bit_in_both_versions() {
    let (backend, authority) = (mirror(), Authority::new());
    let forebay = secure(&backend, &authority).start();
    for version in VERSIONS {
        let config = Arc::new(authority.client_of(&[version], None));
        for size in [0, 1, 4096, 16_383, 16_384, 16_385, 65_537, 1 << 20] {
            let body = bytes(size);
            for target in ["/length", "/chunked", "/close"] {
                let mut client = Client::secure(forebay.address(), &config, "a.test").unwrap();
                let head = format!(
                    "POST {target} HTTP/1.1\r\nHost: a.test\r\nContent-Length: {size}\r\n\r\n"
                );
                client.send_beside([head.as_bytes(), &body].concat());
                let response = client.response();
                assert!(
                    response.body == body,
                    "{size} bytes to {target} came back changed"
                );
                let agreed = client.session(|session| session.protocol_version());
                assert_eq!(agreed, Some(version.version));
            }
        }
    }
}

#[test]
fn a_connection_serves_many_requests_and_ends_with_a_word() {
    let (backend, authority) = (Backend::saying("hello"), Authority::new());
    let forebay = secure(&backend, &authority).start();
    let mut client = client(&forebay, &authority);
    for _ in 0..3 {
        assert_eq!(client.get("/").text(), "hello");
    }
    let first = &backend.requests()[0];
    assert_eq!(first.head.get("x-forwarded-proto"), Some("https"));
    let last = "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n";
    assert_eq!(client.ask(last).text(), "hello");
    // An end without the word would be an error.
    assert_eq!(client.rest().unwrap(), b"");
}

#[test]
fn an_idle_connection_ends_with_a_word() {
    let (backend, authority) = (Backend::saying("hello"), Authority::new());
    let config = secure(&backend, &authority).server("keep_alive_timeout: 100ms");
    let forebay = config.start();
    let mut client = client(&forebay, &authority);
    client.get("/");
    assert_eq!(client.rest().unwrap(), b"");
}

#[test]
fn pipelined_requests_in_one_record_are_answered_in_their_order() {
    let backend = Backend::answering(|request| Reply::ok(request.target()));
    let authority = Authority::new();
    let forebay = secure(&backend, &authority).start();
    let mut client = client(&forebay, &authority);
    let requests: String = (0..10)
        .map(|n| format!("GET /{n} HTTP/1.1\r\nHost: a.test\r\n\r\n"))
        .collect();
    client.send(requests).unwrap();
    for n in 0..10 {
        assert_eq!(client.response().text(), format!("/{n}"));
    }
}

#[test]
fn an_answer_that_breaks_off_never_ends_with_a_word() {
    let authority = Authority::new();
    let gate = Gate::default();
    let held = gate.clone();
    let backend = Backend::scripted(move |conn| {
        conn.head().unwrap();
        let half = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n";
        conn.send(half).unwrap();
        held.pass();
    });
    let forebay = secure(&backend, &authority).start();
    // For HTTP/1.0 the end of the answer is the end of the connection.
    let mut client = client(&forebay, &authority);
    client
        .send("GET / HTTP/1.0\r\nHost: a.test\r\n\r\n")
        .unwrap();
    client.head().unwrap();
    assert_eq!(client.exactly(4).unwrap(), b"half");
    gate.open();
    assert_cut(&mut client);
}

#[test]
fn an_answer_cut_at_the_end_of_the_process_never_ends_with_a_word() {
    let (gate, authority) = (Gate::default(), Authority::new());
    let held = gate.clone();
    let backend = Backend::scripted(move |conn| {
        conn.head().unwrap();
        conn.send("HTTP/1.0 200 OK\r\n\r\nhalf").unwrap();
        held.pass();
    });
    let config = secure(&backend, &authority).top("drain_timeout: 100ms\nshutdown_timeout: 100ms");
    let forebay = config.start();
    let mut client = client(&forebay, &authority);
    client
        .send("GET / HTTP/1.0\r\nHost: a.test\r\n\r\n")
        .unwrap();
    client.head().unwrap();
    assert_eq!(client.exactly(4).unwrap(), b"half");
    forebay.terminate();
    assert_cut(&mut client);
    gate.open();
}

/// It ends, and not as one that is whole.
fn assert_cut(client: &mut Client) {
    let end = client.rest().unwrap_err();
    let kinds = [ErrorKind::UnexpectedEof, ErrorKind::ConnectionReset];
    assert!(kinds.contains(&end.kind()), "{end}");
}

#[test]
fn a_client_that_has_said_its_end_gets_its_answer() {
    let (backend, authority) = (Backend::saying("hello"), Authority::new());
    let forebay = secure(&backend, &authority).start();
    let mut client = client(&forebay, &authority);
    client
        .send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
        .unwrap();
    assert_eq!(client.response().text(), "hello");
    client.finish();
    assert_eq!(client.rest().unwrap(), b"");
}

#[test]
fn who_speaks_http_is_told_that_this_is_https() {
    let (backend, authority) = (Backend::saying("hello"), Authority::new());
    let forebay = secure(&backend, &authority).start();
    let mut plain = forebay.client();
    let told = plain.get("/");
    assert_eq!(told.status, 400);
    assert!(told.text().contains("https://"), "{}", told.text());
    plain.finish();
    plain.assert_closed();
    failed(&forebay, "plain_http");
    assert_eq!(backend.accepted(), 0);
}

fn failed(forebay: &Forebay, reason: &str) {
    failed_often(forebay, reason, 1.0);
}

fn failed_often(forebay: &Forebay, reason: &str, count: f64) {
    let labels = [("reason", reason)];
    forebay.wait_metric("forebay_tls_handshake_failures_total", &labels, count);
}

#[test]
fn bytes_that_are_no_tls_are_answered_with_an_alert_or_nothing() {
    let (backend, authority) = (Backend::saying("hello"), Authority::new());
    let forebay = secure(&backend, &authority).start();
    for garbage in [
        &b"\x00\x01\x02\x03\x04\x05\x06\x07"[..],
        &[0xff; 70_000],
        b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00",
        b"\x17\x03\x03\x00\x01\x00",
        b"\x15\x03\x03\x00\x02\x02\x28",
        b"\x80\x2e\x01\x00\x02",
    ] {
        let mut raw = forebay.client();
        // It may be closed before all has been sent.
        let _ = raw.send(garbage);
        raw.finish();
        let said = raw.until_gone();
        let is_alert = matches!(said[..], [] | [21, 3, _, 0, 2, 2, _]);
        assert!(is_alert, "{}", said.escape_ascii());
    }
    assert_eq!(client(&forebay, &authority).get("/").text(), "hello");
}

#[test]
fn a_handshake_that_takes_too_long_is_cut() {
    let (backend, authority) = (Backend::saying("hello"), Authority::new());
    let forebay = secure(&backend, &authority)
        .server("handshake_timeout: 100ms")
        .start();
    let mut silent = forebay.client();
    silent.assert_closed();
    let mut begun = forebay.client();
    begun.send(b"\x16\x03\x01\x02\x00\x01\x00").unwrap();
    begun.assert_closed();
    forebay.wait_metric(
        "forebay_tls_handshake_failures_total",
        &[("reason", "timeout")],
        2.0,
    );
}

#[test]
fn one_connection_too_many_is_closed_and_counted() {
    let (backend, authority) = (Backend::saying("hello"), Authority::new());
    let config = secure(&backend, &authority).server("max_connections: 1");
    let forebay = config.start();
    let mut first = client(&forebay, &authority);
    forebay.client().assert_closed();
    let labels = [("reason", "too_many_connections")];
    forebay.wait_metric("forebay_errors_total", &labels, 1.0);
    assert_eq!(first.get("/").text(), "hello");
}

#[test]
fn connections_outlast_a_reload_and_a_drain_is_polite() {
    let (backend, authority) = (Backend::saying("hello"), Authority::new());
    let config = secure(&backend, &authority);
    let forebay = config.start();
    let mut client = client(&forebay, &authority);
    client.get("/");
    forebay.reload(&config.server("header_timeout: 7s").yaml());
    assert_eq!(client.get("/").text(), "hello");
    forebay.terminate();
    assert_eq!(client.rest().unwrap(), b"");
}

#[test]
fn curl_and_openssl_speak_both_versions() {
    let (backend, authority) = (Backend::saying("hello"), Authority::new());
    let forebay = secure(&backend, &authority).start();
    let (ca, port) = (authority.file(), forebay.address().port());
    let url = format!("https://localhost:{port}/");
    let resolve = format!("localhost:{port}:127.0.0.1");
    for (tls, openssl) in [("1.2", "-tls1_2"), ("1.3", "-tls1_3")] {
        let version = format!("--tlsv{tls}");
        let arguments = [
            "--cacert",
            &ca,
            "--resolve",
            &resolve,
            &version,
            "--tls-max",
            tls,
            &url,
        ];
        let said = curl(&arguments);
        assert_eq!(said.stdout, "hello", "{}", said.stderr);
        let connect = format!("127.0.0.1:{port}");
        let script = format!(
            "printf 'GET / HTTP/1.1\\r\\nHost: a.test\\r\\nConnection: close\\r\\n\\r\\n' | \
             openssl s_client -quiet -verify_return_error -CAfile {ca} -servername a.test \
             -connect {connect} {openssl}"
        );
        let said = Process::start("sh", &["-c", &script]).finish();
        assert!(
            said.stdout.ends_with("hello"),
            "{} {}",
            said.stdout,
            said.stderr
        );
    }
}

#[test]
fn each_name_has_its_certificate_and_strangers_the_first_or_none() {
    let (backend, authority) = (Backend::saying("hello"), Authority::new());
    let [first, wild, exact] =
        [&["a.test"], &["*.b.test"], &["x.b.test"]].map(|names: &[&str; 1]| authority.issue(names));
    let listed = [&wild, &exact].map(|issued| format!("{{ {} }}", issued.entries()));
    let config = |strict: bool| {
        let tls = format!(
            "tls: {{ certificates: [ {} ], sni_strict: {strict} }}",
            listed.join(", ")
        );
        let config = Config::to(&backend).server(&first.entries()).server(&tls);
        config
            .server("id: front")
            .telemetry("logging: { level: debug }")
    };
    let forebay = config(false).start();
    let trusting = Arc::new(authority.client());
    for (name, expected) in [
        ("a.test", true),
        ("y.b.test", true),
        ("x.b.test", true),
        ("c.test", false),
    ] {
        let client = Client::secure(forebay.address(), &trusting, name);
        assert_eq!(client.is_ok(), expected, "{name}");
    }
    failed(&forebay, "refused_by_client");
    forebay.reload(&config(true).yaml());
    let refused = Client::secure(forebay.address(), &trusting, "c.test")
        .err()
        .unwrap();
    assert!(
        refused.to_string().contains("UnrecognisedName"),
        "{refused}"
    );
    failed(&forebay, "unknown_name");
    for expected in [
        &["reason=\"refused_by_client\""][..],
        &["reason=\"unknown_name\"", "server_name=\"c.test\""],
    ] {
        forebay.stderr_line("where it failed, for whom and why", |line| {
            let of_all = [
                "TLS handshake failed",
                "listener=\"front\"",
                "client=127.0.0.1:",
            ];
            let mut parts = of_all.iter().chain(expected);
            parts.all(|part| line.contains(part)).then_some(())
        });
    }
    assert!(Client::secure(forebay.address(), &trusting, "z.b.test").is_ok());
}

#[test]
fn versions_suites_and_groups_are_as_the_configuration_says() {
    let (backend, authority) = (Backend::saying("hello"), Authority::new());
    let config = |tls: &str| secure(&backend, &authority).server(&format!("tls: {{ {tls} }}"));
    let forebay = config("min_version: \"1.3\"").start();
    let of = |version| Arc::new(authority.client_of(&[version], None));
    let shake = |version| Client::secure(forebay.address(), &of(version), "a.test");
    assert!(shake(&version::TLS12).is_err());
    let group = |client: &Client| {
        client.session(|session| {
            format!(
                "{:?}",
                session.negotiated_key_exchange_group().unwrap().name()
            )
        })
    };
    let agreed = shake(&version::TLS13).unwrap();
    assert_eq!(group(&agreed), "X25519MLKEM768");
    failed(&forebay, "nothing_in_common");
    let tls = "max_version: \"1.2\", key_exchange_groups: [ secp384r1 ], \
               cipher_suites: [ TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 ]";
    forebay.reload(&config(tls).yaml());
    let client = client(&forebay, &authority);
    let agreed = client.session(|session| session.protocol_version());
    assert_eq!(agreed, Some(ProtocolVersion::TLSv1_2));
    let suite = client.session(|session| session.negotiated_cipher_suite());
    let suite = format!("{:?}", suite.unwrap().suite());
    assert_eq!(suite, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256");
    assert_eq!(group(&client), "secp384r1");
}

#[test]
fn sessions_are_taken_up_again_by_every_worker_and_after_a_reload() {
    let (backend, authority) = (Backend::saying("hello"), Authority::new());
    let config = secure(&backend, &authority).top("workers: 2");
    let forebay = config.start();
    for version in VERSIONS {
        let own = Arc::new(authority.client_of(&[version], None));
        let mut kinds = Vec::new();
        for _ in 0..8 {
            let mut client = Client::secure(forebay.address(), &own, "a.test").unwrap();
            client.get("/");
            kinds.push(client.session(|session| session.handshake_kind()).unwrap());
        }
        assert_ne!(kinds.remove(0), HandshakeKind::Resumed);
        assert!(
            kinds.iter().all(|kind| *kind == HandshakeKind::Resumed),
            "{kinds:?}"
        );
    }
    let own = Arc::new(authority.client());
    let resumes = || {
        let mut client = Client::secure(forebay.address(), &own, "a.test").unwrap();
        client.get("/");
        client.session(|session| session.handshake_kind()) == Some(HandshakeKind::Resumed)
    };
    assert!(!resumes());
    forebay.reload(&config.server("header_timeout: 7s").yaml());
    assert!(resumes());
    forebay.wait_metric("forebay_tls_handshakes_total", &[("resumed", "true")], 15.0);
    forebay.wait_metric("forebay_tls_handshakes_total", &[("version", "1.2")], 8.0);
    let off = secure(&backend, &authority).top("session_tickets: { enabled: false }");
    forebay.reload(&off.yaml());
    assert!(!resumes());
    assert!(!resumes());
}

#[test]
fn a_large_answer_to_a_slow_reader_waits_for_it() {
    let big = bytes(8 << 20);
    let answer = big.clone();
    let backend = Backend::answering(move |_| Reply::ok(&answer));
    let authority = Authority::new();
    let forebay = secure(&backend, &authority).start();
    let mut client = client(&forebay, &authority);
    client.shrink_window();
    client
        .send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
        .unwrap();
    // The pause is the subject: meanwhile nothing more can leave.
    std::thread::sleep(Duration::from_millis(100));
    assert!(client.response().body == big);
}

#[test]
fn clients_without_tls_are_sent_to_where_it_is() {
    let (backend, authority) = (Backend::saying("hello"), Authority::new());
    let plain = |address: &str| {
        format!("listeners: [ {{ id: plain, address: {address:?}, redirect_to_https: true }} ]")
    };
    let config = secure(&backend, &authority)
        .server("id: secure")
        .server("hsts: { max_age: 1h, include_subdomains: true, preload: true }")
        .top(&plain("127.0.0.1:0"))
        .top("trusted_proxies: [ 127.0.0.2 ]");
    let forebay = config.start();
    let (port, redirecting) = (forebay.address().port(), forebay.address_of(1));
    // The port is not in the file.
    let moved =
        Client::connect(redirecting).ask("GET /a/%2e?b=c&d HTTP/1.1\r\nHost: A.test:80\r\n\r\n");
    assert_eq!(moved.status, 308);
    assert_eq!(moved.get("location"), Some("https://a.test/a/%2e?b=c&d"));
    assert_eq!(moved.get("strict-transport-security"), None);
    // Now it is.
    let known = config
        .yaml()
        .replacen("127.0.0.1:0", &format!("127.0.0.1:{port}"), 1);
    let known = match known.contains(&plain("127.0.0.1:0")) {
        true => known,
        false => config.yaml().replace(
            "server: { address: \"127.0.0.1:0\"",
            &format!("server: {{ address: \"127.0.0.1:{port}\""),
        ),
    };
    forebay.reload(&known);
    let mut client = Client::connect(redirecting);
    let moved = client.ask("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\n\r\nhi");
    assert_eq!(
        moved.get("location"),
        Some(&*format!("https://a.test:{port}/"))
    );
    let nameless = Client::connect(redirecting).ask("GET / HTTP/1.1\r\nHost:\r\n\r\n");
    assert_eq!(
        (nameless.status, nameless.reason()),
        (400, Some("invalid_host"))
    );
    assert_eq!(backend.accepted(), 0);
    let mut secure =
        Client::secure(forebay.address(), &Arc::new(authority.client()), "a.test").unwrap();
    let expected = Some("max-age=3600; includeSubDomains; preload");
    assert_eq!(secure.get("/").get("strict-transport-security"), expected);
}

/// As certbot does it: links that are pointed elsewhere.
fn point_to(folder: &Scratch, issued: &Issued) {
    for (file, link) in [
        (&issued.key_file, "live.key"),
        (&issued.cert_file, "live.crt"),
    ] {
        let _ = std::fs::remove_file(folder.path("new"));
        std::os::unix::fs::symlink(file, folder.path("new")).unwrap();
        std::fs::rename(folder.path("new"), folder.path(link)).unwrap();
    }
}

/// The certificate that a new session is shown, after an answer.
fn shown(forebay: &Forebay, authority: &Authority) -> Vec<u8> {
    let mut client = client(forebay, authority);
    assert_eq!(client.get("/").text(), "hello");
    client.session(|session| session.peer_certificates().unwrap()[0].to_vec())
}

#[test]
fn renewed_certificates_are_taken_up_under_handshakes_and_bad_ones_are_not() {
    let (backend, authority) = (Backend::saying("hello"), Authority::new());
    let folder = Scratch::new();
    let first = authority.issue(&["a.test"]);
    point_to(&folder, &first);
    let [chain, key] = ["live.crt", "live.key"].map(|name| folder.path(name));
    let entries = format!("cert_file: {chain:?}, key_file: {key:?}");
    let forebay = Config::to(&backend).server(&entries).start();
    let before = shown(&forebay, &authority);
    let mut open = client(&forebay, &authority);
    let renewals = "forebay_certificate_renewals_total";
    // What was changed in the configuration meanwhile is for whoever asks for it.
    forebay.write_config("nonsense");
    let is_over = AtomicBool::new(false);
    let handshakes = std::thread::scope(|scope| {
        let load = scope.spawn(|| {
            let mut handshakes = 0;
            while !is_over.load(Ordering::Relaxed) {
                shown(&forebay, &authority);
                handshakes += 1;
            }
            handshakes
        });
        point_to(&folder, &authority.issue(&["a.test"]));
        forebay.wait_metric(renewals, &[("result", "taken")], 1.0);
        is_over.store(true, Ordering::Relaxed);
        load.join().unwrap()
    });
    assert!(handshakes > 10, "{handshakes}");
    let renewed = shown(&forebay, &authority);
    assert!(before != renewed);
    assert_eq!(open.get("/").text(), "hello");
    std::fs::remove_file(&key).unwrap();
    std::fs::write(&key, &first.key).unwrap();
    forebay.wait_metric(renewals, &[("result", "refused")], 1.0);
    for expected in [
        "the private key is not the one of the certificate",
        "the one from before stays",
    ] {
        forebay.stderr_line(expected, |line| line.contains(expected).then_some(()));
    }
    assert!(shown(&forebay, &authority) == renewed);
}

#[test]
fn a_bad_renewal_of_one_certificate_keeps_nothing_else_from_a_reload() {
    let (backend, authority) = (Backend::saying("hello"), Authority::new());
    let folder = Scratch::new();
    let first = authority.issue(&["a.test"]);
    point_to(&folder, &first);
    let [chain, key] = ["live.crt", "live.key"].map(|name| folder.path(name));
    let other = authority.issue(&["b.test"]);
    let config = Config::to(&backend)
        .server(&format!("cert_file: {chain:?}, key_file: {key:?}"))
        .server(&format!(
            "tls: {{ certificates: [ {{ {} }} ] }}",
            other.entries()
        ));
    let forebay = config.start();
    let before = shown(&forebay, &authority);
    // Others may be told; so is everything else that has changed since.
    std::fs::remove_file(&key).unwrap();
    std::fs::write(&key, "nonsense").unwrap();
    let changed = config.server("hsts: { max_age: 60s }").yaml();
    forebay.reload(&changed);
    assert!(shown(&forebay, &authority) == before);
    let answer = client(&forebay, &authority).get("/");
    assert_eq!(answer.get("strict-transport-security"), Some("max-age=60"));
    let labels = [("result", "refused")];
    forebay.wait_metric("forebay_certificate_renewals_total", &labels, 1.0);
    let expected = "the one from before stays: `";
    forebay.stderr_line(expected, |line| line.contains(expected).then_some(()));
    let file = folder.write("forebay.yaml", &changed);
    let checked = forebay_e2e::forebay(&["check", "-c", &file]);
    assert_eq!(checked.code, Some(1));
    let expected = "there is no private key in the file";
    assert!(checked.stderr.contains(expected), "{}", checked.stderr);
    // A good one is taken up without being asked for.
    point_to(&folder, &authority.issue(&["a.test"]));
    let labels = [("result", "taken")];
    forebay.wait_metric("forebay_certificate_renewals_total", &labels, 1.0);
    assert!(shown(&forebay, &authority) != before);
}

#[test]
fn certificates_that_run_out_and_keys_that_all_may_read_are_told() {
    let (backend, authority) = (Backend::saying("hello"), Authority::new());
    let issued = authority.issue_with(&["a.test"], |params| {
        params.not_after = params.not_before;
        &rcgen::PKCS_ECDSA_P384_SHA384
    });
    std::fs::write(authority.path("open.key"), &issued.key).unwrap();
    let (chain, key) = (&issued.cert_file, authority.path("open.key"));
    let entries = format!("cert_file: {chain:?}, key_file: {key:?}");
    let forebay = Config::to(&backend).server(&entries).start();
    let said = forebay.stderr();
    for expected in [
        "the certificate has expired, on 2020-01-01 00:00 UTC: clients will refuse it",
        "anybody on this machine may read the private key",
    ] {
        assert!(said.contains(expected), "{said}");
    }
    forebay.stderr_line("it is told again", |line| {
        line.contains("the certificate has expired: /")
            .then_some(())
    });
    let end_of_2019 = 1_577_836_800.0;
    forebay.wait_metric(
        "forebay_certificate_expiry_timestamp_seconds",
        &[],
        end_of_2019,
    );
}

#[test]
fn sessions_are_taken_up_again_after_an_upgrade() {
    let (backend, authority) = (Backend::saying("hello"), Authority::new());
    let forebay = Generations::start(&secure(&backend, &authority).yaml());
    let own = Arc::new(authority.client());
    let resumes = || {
        let mut client = Client::secure(forebay.address(), &own, "a.test").unwrap();
        client.get("/");
        client.session(|session| session.handshake_kind()) == Some(HandshakeKind::Resumed)
    };
    assert!(!resumes());
    let mut open = Client::secure(forebay.address(), &own, "a.test").unwrap();
    open.get("/");
    forebay.upgrade();
    assert!(resumes());
    // The one before says that it ends.
    assert_eq!(open.rest().unwrap(), b"");
}

/// Whether a request is answered; with TLS 1.3 a client hears only then that it
/// was turned down.
fn serves(forebay: &Forebay, config: &Arc<rustls::ClientConfig>) -> bool {
    let Ok(mut client) = Client::secure(forebay.address(), config, "a.test") else {
        return false;
    };
    let sent = client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    sent.is_ok() && client.try_response(false).is_ok()
}

#[test]
fn only_clients_with_good_certificates_are_served() {
    let (backend, authority, clients) =
        (Backend::saying("hello"), Authority::new(), Authority::new());
    let [good, revoked] = [
        clients.issue(&["good.test"]),
        clients.issue(&["revoked.test"]),
    ];
    let foreign = Authority::new().issue(&["good.test"]);
    let (ca, crl) = (clients.file(), clients.revoke(&[&revoked]));
    let issued = authority.issue(&["a.test"]);
    let config = |demand: &str| {
        let tls = format!(
            "tls: {{ client_certificates: {demand}, client_ca_file: {ca:?}, client_crl_files: [ {crl:?} ] }}"
        );
        Config::to(&backend).server(&issued.entries()).server(&tls)
    };
    let off = Config::to(&backend).server(&issued.entries());
    let forebay = off.start();
    let returning = Arc::new(authority.client());
    assert!(serves(&forebay, &returning));
    for (demand, expected) in [
        ("require", [true, false, false, false]),
        ("request", [true, true, false, false]),
    ] {
        forebay.reload(&config(demand).yaml());
        for version in VERSIONS {
            let shown = [Some(&good), None, Some(&revoked), Some(&foreign)];
            for (shown, expected) in shown.into_iter().zip(expected) {
                let client = Arc::new(authority.client_of(&[version], shown));
                let names = shown.map(|issued| &issued.cert_file);
                assert_eq!(serves(&forebay, &client), expected, "{demand} {names:?}");
            }
        }
        // Its ticket is from a time when nobody was asked.
        assert_eq!(serves(&forebay, &returning), demand == "request");
    }
    failed_often(&forebay, "no_client_certificate", 3.0);
    failed_often(&forebay, "client_certificate_refused", 8.0);
    // It is said whom, from where and why; of many within a second some.
    for (name, why) in [("revoked.test", "Revoked"), ("good.test", "BadSignature")] {
        let shown = if why == "Revoked" { &revoked } else { &foreign };
        let client = Arc::new(authority.client_of(&[&version::TLS13], Some(shown)));
        until(why, || {
            assert!(!serves(&forebay, &client));
            let is_it = |line: &str| {
                line.contains("the client's certificate is refused")
                    && line.contains("client=127.0.0.1:")
                    && line.contains("listener=\"127.0.0.1:0\"")
                    && line.contains(&format!("subject=\"CN={name}\""))
                    && line.contains(why)
            };
            forebay.stderr().lines().any(is_it).then_some(())
        });
    }
}

#[test]
fn what_a_client_has_shown_can_be_routed_by_and_told() {
    let (backend, authority, clients) =
        (Backend::saying("hello"), Authority::new(), Authority::new());
    let shown = clients.issue(&["billing.test", "second.test"]);
    let tls = format!(
        "tls: {{ client_certificates: request, client_ca_file: {:?}, forward_client_certificate: true }}",
        clients.file()
    );
    let told = "request_headers: { set: { X-Subject: \"${client_certificate_subject}\", \
                X-Names: \"${client_certificate_names}\", X-Serial: \"${client_certificate_serial}\", \
                X-Print: \"${client_certificate_fingerprint}\" } }";
    let forebay = secure(&backend, &authority)
        .server(&tls)
        .add_route(&format!(
            "id: known, client_certificate: {{ name: \"prefix:second.\" }}, backend_group: app, {told}"
        ))
        .add_route("id: stranger, backend_group: app")
        .start();
    let ask = |shown: Option<&Issued>| {
        let config = Arc::new(authority.client_of(rustls::ALL_VERSIONS, shown));
        let mut client = Client::secure(forebay.address(), &config, "a.test").unwrap();
        let head =
            "GET / HTTP/1.1\r\nHost: a.test\r\nClient-Cert: :AAAA:\r\nClient_Cert: x\r\n\r\n";
        client.ask(head);
        backend.requests().pop().unwrap()
    };
    let known = ask(Some(&shown));
    let serial = format!("{:04x}", shown.serial);
    for (name, expected) in [
        ("x-subject", "CN=billing.test"),
        ("x-names", "billing.test, second.test"),
        ("x-serial", &serial),
    ] {
        assert_eq!(known.head.get(name), Some(expected), "{name}");
    }
    assert_eq!(known.head.get("x-print").map(str::len), Some(64));
    let der: String = shown
        .chain
        .lines()
        .skip(1)
        .take_while(|line| !line.starts_with('-'))
        .collect();
    assert_eq!(known.head.get("client-cert"), Some(&*format!(":{der}:")));
    assert_eq!(known.head.get("client_cert"), None);
    let stranger = ask(None);
    assert_eq!(stranger.head.get("client-cert"), None);
    assert_eq!(stranger.head.get("x-subject"), None);
}

#[test]
fn connections_for_which_there_is_no_room_are_told_with_their_listener() {
    let (backend, authority) = (Backend::saying("hello"), Authority::new());
    let forebay = secure(&backend, &authority)
        .server("id: front, max_connections: 1")
        .start();
    let trusting = Arc::new(authority.client());
    let mut held = Client::secure(forebay.address(), &trusting, "a.test").unwrap();
    assert_eq!(held.get("/").text(), "hello");
    assert!(Client::secure(forebay.address(), &trusting, "a.test").is_err());
    forebay.stderr_line("the refusal", |line| {
        let parts = [
            "connections refused",
            "WARN",
            "listener=\"front\"",
            "client=127.0.0.1:",
        ];
        parts.iter().all(|part| line.contains(part)).then_some(())
    });
    assert_eq!(held.get("/").text(), "hello");
}

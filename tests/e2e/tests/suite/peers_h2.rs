//! Real programs that speak HTTP/2, on both sides: grpcio, httpx, h2, Chromium, nginx.

use std::collections::HashSet;
use std::process::Command;

use forebay_e2e::{
    Authority, Backend, Config, DeadAddress, Finished, Gate, Issued, Nginx, Process, PythonPeer,
    Reply, Scratch, curl,
};

/// The certificate of whoever listens on this machine.
fn local(authority: &Authority) -> Issued {
    authority.issue(&["localhost", "127.0.0.1"])
}

#[track_caller]
fn assert_passed(finished: &Finished, checks: &[&str]) {
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert_eq!(finished.stdout.lines().collect::<Vec<_>>(), checks);
}

const CALLS: [&str; 10] = [
    "echoes",
    "large",
    "many",
    "streams_down",
    "streams_up",
    "chats",
    "fails",
    "deadlines",
    "cancels",
    "is_refused",
];

/// Everything that one makes of gRPC's calls, with grpcio on both sides.
#[track_caller]
fn makes_calls(config: Config, server: &Process, authority: &str) {
    let dead = DeadAddress::new();
    let forebay = config
        .top("workers: 1")
        .group("health_check: { enabled: true, protocol: grpc, service: test.Calls, interval: 50ms, assume_healthy: false, healthy_threshold: 1 }")
        .add_route("id: calls, path: \"/test.Calls/*\", backend_group: app")
        .add_route("id: dead, path: \"/dead.Calls/*\", backend_group: dead")
        .add_group_of(&format!(
            "id: dead, retry: {{ max_attempts: 1 }}, backends: [ {{ url: \"http://{}\" }} ]",
            dead.address()
        ))
        .start();
    forebay.wait_metric("forebay_backend_up", &[("group", "app")], 1.0);
    let address = forebay.address().to_string();
    let client = PythonPeer::start(
        "calls.py",
        &[&["client", &address, authority], &CALLS[..]].concat(),
    );
    assert_passed(&client.finish(), &CALLS);
    let lines = server.stdout_lines(3);
    assert_eq!(
        lines[1..],
        ["gone", "gone"],
        "after a deadline and a cancel"
    );
    let accepted = forebay
        .metrics()
        .sum("forebay_client_connections_accepted_total", &[]);
    assert_eq!(accepted, 1.0);
}

#[test]
fn grpcio_calls_over_tls_what_is_behind_in_the_clear() {
    let authority = Authority::new();
    let (server, port) = PythonPeer::server("calls.py", &["server", "plain"]);
    let config = Config::to_urls([format!("http://127.0.0.1:{port}")])
        .group("protocol: h2c")
        .server(&local(&authority).entries());
    makes_calls(config, &server, &authority.file());
}

#[test]
fn grpcio_calls_in_the_clear_what_is_behind_tls() {
    let authority = Authority::new();
    let issued = local(&authority);
    let (server, port) =
        PythonPeer::server("calls.py", &["server", &issued.cert_file, &issued.key_file]);
    let config = Config::to_urls([format!("https://127.0.0.1:{port}")])
        .group(&format!("tls: {{ ca_file: {:?} }}", authority.file()));
    makes_calls(config, &server, "plain");
}

fn large() -> Vec<u8> {
    (0..1u32 << 20).map(|i| (i ^ (i >> 9)) as u8).collect()
}

#[test]
fn httpx_and_h2_find_no_fault() {
    let gate = Gate::default();
    let together = gate.clone();
    let backend = Backend::answering(move |request| match request.target() {
        "/large" => Reply::ok(large()),
        "/back" => Reply::ok(&request.body),
        "/letters" => Reply::ok("x".repeat(300)),
        "/trailers" => Reply::raw(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\nX-After: all\r\n\r\n",
        ),
        target => {
            if target.starts_with("/together/") {
                together.pass();
            }
            Reply::ok(format!("GET {target}"))
        }
    });
    let authority = Authority::new();
    let forebay = Config::to(&backend)
        .server(&local(&authority).entries())
        .start();
    let checks = [
        "asks",
        "byte_by_byte",
        "shrinks",
        "resets",
        "pings",
        "trailers",
    ];
    let (port, authority) = (forebay.address().port().to_string(), authority.file());
    let arguments = [&[&*port, &*authority], &checks[..]].concat();
    let client = PythonPeer::start("streams.py", &arguments);
    gate.wait_for(100);
    gate.open();
    assert_passed(&client.finish(), &checks);
    let metrics = forebay.metrics();
    let accepted = metrics.sum("forebay_client_connections_accepted_total", &[]);
    assert_eq!(accepted, checks.len() as f64, "one connection for each");
    assert_eq!(metrics.sum("forebay_http2_floods_total", &[]), 0.0);
}

/// A page and the 20 scripts and styles that it takes, each of which leaves its mark.
fn page(target: &str) -> Option<(&'static str, String)> {
    const COUNT: usize = 10;
    if target == "/" {
        let parts: String = (0..COUNT)
            .map(|i| {
                format!("<link rel=stylesheet href=/{i}.css><script defer src=/{i}.js></script>")
            })
            .collect();
        return Some(("text/html", format!("<!doctype html>{parts}<body>")));
    }
    let (number, kind) = target.strip_prefix('/')?.split_once('.')?;
    let number: usize = number.parse().ok()?;
    match kind {
        "css" => Some(("text/css", format!("body {{ --mark-{number}: here }}"))),
        "js" => {
            let script = format!(
                "{{ const mark = getComputedStyle(document.body).getPropertyValue('--mark-{number}').trim();\n\
                 document.body.append('script {number}, style ' + mark + '; ') }}"
            );
            Some(("text/javascript", script))
        }
        _ => None,
    }
}

#[test]
fn chromium_loads_a_page_over_one_connection() {
    let backend = Backend::answering(|request| match page(request.target()) {
        Some((kind, text)) => Reply::with("200 OK", &[("Content-Type", kind)], text),
        None => Reply::with("404 Not Found", &[], ""),
    });
    let authority = Authority::new();
    let forebay = Config::to(&backend)
        .server(&local(&authority).entries())
        .start();
    let scratch = Scratch::new();
    let own = scratch.as_path().display();
    let mut chromium = Command::new("chromium");
    chromium
        .args(
            "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking"
                .split(' '),
        )
        .args(
            "--disable-component-update --disable-sync --disable-breakpad --disable-dev-shm-usage"
                .split(' '),
        )
        .args(["--ignore-certificate-errors", "--no-proxy-server"])
        .arg("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")
        .arg(format!("--user-data-dir={own}/profile"))
        .args(["--dump-dom", &format!("https://{}/", forebay.address())])
        .env("HOME", scratch.as_path());
    let shown = Process::spawn(&mut chromium).finish();
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    for i in 0..10 {
        let mark = format!("script {i}, style here; ");
        assert!(shown.stdout.contains(&mark), "{mark}: {}", shown.stdout);
    }
    let log = forebay.access_log(21);
    let ports: HashSet<String> = log
        .iter()
        .map(|line| {
            assert_eq!(line["version"], "HTTP/2.0", "{line}");
            line["client_port"].to_string()
        })
        .collect();
    assert_eq!(ports.len(), 1, "{ports:?}");
}

#[test]
fn nginx_behind_agrees_on_http2() {
    let authority = Authority::new();
    let files = Scratch::new();
    let root = files.as_path().display();
    let server = format!(
        "root {root}; client_max_body_size 0; dav_methods PUT; \
         location /seen {{ return 200 \"$server_protocol $connection $arg_n;\"; }}"
    );
    let nginx = Nginx::secure_with(&local(&authority), "http2", &server);
    let forebay = Config::to_urls([nginx.url()])
        .group(&format!("tls: {{ ca_file: {:?} }}", authority.file()))
        .top("workers: 1")
        .start();
    let url = |target: &str| format!("http://{}{target}", forebay.address());
    let (up, down) = (files.path("up"), files.path("down"));
    std::fs::write(&up, large()).unwrap();
    let sent = curl(&[
        "-sS",
        "-T",
        up.to_str().unwrap(),
        &url("/kept"),
        "-w",
        "%{http_code}",
    ]);
    assert_eq!(sent.stdout, "201", "{sent:?}");
    let got = curl(&["-sS", "-o", down.to_str().unwrap(), &url("/kept")]);
    assert_eq!(got.code, Some(0), "{got:?}");
    assert!(
        std::fs::read(&down).unwrap() == large(),
        "it came back changed"
    );

    let many = curl(&["-sS", "-Z", "--parallel-max", "50", &url("/seen?n=[1-50]")]);
    let mut seen: Vec<&str> = many.stdout.split_terminator(';').collect();
    seen.sort_unstable();
    let connection = seen[0].split(' ').nth(1).unwrap();
    let mut expected: Vec<String> = (1..=50)
        .map(|n| format!("HTTP/2.0 {connection} {n}"))
        .collect();
    expected.sort_unstable();
    assert_eq!(seen, expected, "{many:?}");
}

//! Changing the configuration while it serves.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use forebay_e2e::{Backend, Client, Config, Forebay, Scratch, StopAtEnd, forebay, get, until};
use socket2::{Domain, Socket, Type};

fn answering(body: &str) -> String {
    let respond = format!("id: all, respond: {{ body: {body} }}");
    Config::default().add_route(&respond).yaml()
}

#[test]
fn a_connection_stays_and_its_next_request_goes_by_the_new_configuration() {
    let forebay = Forebay::start(&answering("one"));
    let mut client = forebay.client();
    assert_eq!(client.get("/").text(), "one");
    forebay.reload(&answering("two"));
    assert_eq!(client.get("/").text(), "two");
    let said = forebay.stderr();
    assert!(
        said.contains("route all: respond body one -> two"),
        "{said}"
    );
    assert!(
        said.contains("configuration taken up: routes: 1 changed"),
        "{said}"
    );
}

#[test]
fn connections_to_backends_and_counters_stay() {
    let backend = Backend::saying("x");
    let config = Config::to(&backend).top("workers: 1");
    let forebay = config.start();
    for n in 1..=5 {
        assert_eq!(forebay.get("/").text(), "x");
        forebay.reload(
            &config
                .yaml()
                .replace("id: all", &format!("id: all, path: /*, max_body: {n}KiB")),
        );
    }
    assert_eq!(backend.accepted(), 1);
    assert_eq!(forebay.get("/").text(), "x");
    forebay.wait_metric("forebay_http_requests_total", &[("route", "all")], 6.0);
}

/// Configurations that are refused, each with what is said of it.
fn bad_ones(good: &str, taken: SocketAddr) -> Vec<(Vec<u8>, Vec<&'static str>)> {
    let telemetry = |more: &str| good.replace("telemetry: {", &format!("telemetry: {{ {more},"));
    let route = |more: &str| good.replace("id: all,", &format!("id: all, {more},"));
    let group = |text: &str| {
        format!("{good}backend_groups: [ {text} ]\n").replace("backend_groups: [  ]\n", "")
    };
    let app = |more: &str| {
        group(&format!(
            "{{ id: app, backends: [ {{ url: \"http://127.0.0.1:1\" }} ], {more} }}"
        ))
    };
    let texts: Vec<(String, Vec<&str>)> = vec![
        ("routes: [".to_owned(), vec!["not valid YAML"]),
        (String::new(), vec!["there is no listener"]),
        (
            "server: { adress: x }\nroutes: [ { id: a, backend_group: none } ]\nnonsense: 1\n"
                .to_owned(),
            vec!["adress", "nonsense", "3 errors"],
        ),
        (good.replace("127.0.0.1:0", "localhost"), vec!["address"]),
        (
            good.replace("127.0.0.1:0", &taken.to_string()),
            vec!["cannot listen on"],
        ),
        (
            good.replace("server: {", "server: { cert_file: x.pem,"),
            vec!["TLS takes both"],
        ),
        (
            good.replace("server: {", "server: { header_timeout: soon,"),
            vec!["header_timeout"],
        ),
        (
            format!(
                "{good}listeners: [ {{ id: a, address: \"127.0.0.1:9\" }}, {{ id: b, address: \"127.0.0.1:9\" }} ]\n"
            ),
            vec!["two listeners have the address"],
        ),
        (route("backend_group: none"), vec!["none"]),
        (route("path: \"regex:(\""), vec!["regex"]),
        (route("path: nowhere"), vec!["nowhere"]),
        (
            route("add_headers: { X-A: \"${nothing}\" }"),
            vec!["nothing"],
        ),
        (route("add_headers: { \"no name\": x }"), vec!["no name"]),
        (route("max_body: much"), vec!["much"]),
        (
            route("error_pages: [ { status: 503, file: none.html } ]"),
            vec!["none.html"],
        ),
        (
            good.replace("routes: [ ", "routes: [ { id: all, respond: {} }, "),
            vec!["all", "twice"],
        ),
        (app("strategy: best"), vec!["expected one of"]),
        (
            app("health_check: { expected_status: [ 99 ] }"),
            vec!["a status such as"],
        ),
        (group("{ id: app, backends: [] }"), vec!["has no backends"]),
        (
            group("{ id: app, backends: [ { url: \"ftp://a\" } ] }"),
            vec!["ftp"],
        ),
        (format!("{good}include: [ none.yaml ]\n"), vec!["none.yaml"]),
        (telemetry("logging: { level: loud }"), vec!["loud"]),
        (
            telemetry("access_log: { output: /etc/passwd/log }"),
            vec!["the access log cannot be opened"],
        ),
        (
            good.replace("port: 0", &format!("port: {}", taken.port())),
            vec!["the metrics endpoint cannot listen on"],
        ),
        (
            format!("{good}trusted_proxies: [ \"${{env:FOREBAY_NO_SUCH_VARIABLE}}\" ]\n"),
            vec!["FOREBAY_NO_SUCH_VARIABLE"],
        ),
    ];
    let mut all: Vec<_> = texts
        .into_iter()
        .map(|(text, said)| (text.into_bytes(), said))
        .collect();
    all.push((b"server: \xff\xfe\n".to_vec(), vec!["not UTF-8"]));
    all
}

#[test]
fn a_bad_configuration_changes_nothing_and_every_problem_is_told() {
    let good = answering("one");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap();
    let forebay = Forebay::start(&good);
    let success = "forebay_config_last_reload_success";
    forebay.wait_metric(success, &[], 1.0);
    let bad_ones = bad_ones(&good, taken);
    assert!(bad_ones.len() >= 20);
    let refused = [("result", "refused")];
    for (n, (bad, problems)) in (1..).zip(bad_ones) {
        forebay.refuse(&bad, &problems);
        assert_eq!(forebay.get("/").text(), "one");
        forebay.wait_metric(success, &[], 0.0);
        forebay.wait_metric("forebay_config_reloads_total", &refused, f64::from(n));
    }
    forebay.remove_configuration();
    forebay.reload(&answering("two"));
    assert_eq!(forebay.get("/").text(), "two");
    forebay.wait_metric(success, &[], 1.0);
}

/// A second listener at this address.
fn with_listener(config: &str, address: SocketAddr) -> String {
    format!("{config}listeners: [ {{ id: second, address: \"{address}\" }} ]\n")
}

fn free_address() -> SocketAddr {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap()
}

#[test]
fn listeners_come_and_go_and_what_they_have_begun_is_finished() {
    let (backend, gate) = Backend::holding("/slow", "x");
    let config = Config::to(&backend).yaml();
    let forebay = Forebay::start(&config);
    let address = free_address();
    forebay.reload(&with_listener(&config, address));

    let mut idle = Client::connect(address);
    assert_eq!(idle.get("/").text(), "x");
    let slow = std::thread::spawn(move || get(address, "/slow"));
    gate.wait_for(1);
    forebay.reload(&config);
    until("the listener is gone", || {
        std::net::TcpStream::connect(address).is_err().then_some(())
    });
    gate.open();
    let slow = slow.join().unwrap();
    assert_eq!((slow.status, slow.text()), (200, "x"));
    idle.assert_closed();
    assert_eq!(forebay.get("/").text(), "x");
    // The same address again.
    forebay.reload(&with_listener(&config, address));
    assert_eq!(get(address, "/").text(), "x");
}

#[test]
fn a_listener_moves_to_an_overlapping_address_and_back_and_no_connection_is_lost() {
    let config = answering("x");
    let address = free_address();
    let everywhere = SocketAddr::from(([0, 0, 0, 0], address.port()));
    let forebay = Forebay::start(&with_listener(&config, address));
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut answered = 0;
                    while !stop.load(Ordering::Relaxed) {
                        assert_eq!(get(address, "/").text(), "x");
                        answered += 1;
                    }
                    answered
                })
            })
            .collect();
        let end = StopAtEnd(&stop);
        for _ in 0..10 {
            forebay.reload(&with_listener(&config, everywhere));
            forebay.reload(&with_listener(&config, address));
        }
        drop(end);
        for client in clients {
            assert!(client.join().unwrap() > 30);
        }
    });
    // A socket with this address is still being closed.
    forebay.reload(&with_listener(&config, everywhere));
    forebay.reload(&config);
    forebay.reload(&with_listener(&config, address));
    assert_eq!(get(address, "/").text(), "x");
}

#[test]
fn a_stream_of_a_removed_listener_is_cut_after_the_drain_timeout() {
    let backend = Backend::scripted(|conn| {
        conn.request();
        let _ = conn.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n");
        conn.until_gone();
    });
    let config = Config::to(&backend).top("drain_timeout: 200ms").yaml();
    let address = free_address();
    let forebay = Forebay::start(&with_listener(&config, address));
    let mut wire = Client::connect(address).into_wire();
    wire.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    assert!(wire.head().unwrap().is_some());
    forebay.reload(&config);
    let rest = wire.until_gone();
    assert!(!rest.ends_with(b"0\r\n\r\n"), "{rest:?}");
    let cut = |line: &str| line.contains("connections are cut").then_some(());
    forebay.stderr_line("connections are cut", cut);
}

#[test]
fn logs_levels_and_the_metrics_page_move() {
    let scratch = Scratch::new();
    let log = scratch.path("access.log");
    let config = answering("x");
    let forebay = Forebay::start(&config);
    let metrics = free_address();
    let (port, log_name) = (metrics.port(), log.display());
    forebay.reload(&config.replace(
        "enabled: true, port: 0 }",
        &format!("enabled: true, port: {port}, path: /m }}, access_log: {{ output: {log_name:?}, format: \"${{target}}\" }}, logging: {{ level: debug }}", log_name = log_name.to_string()),
    ));
    assert_eq!(forebay.get("/logged").text(), "x");
    until("the line is in the new log", || {
        let text = std::fs::read_to_string(&log).ok()?;
        text.contains("/logged").then_some(())
    });
    assert_eq!(get(metrics, "/m").status, 200);
    let debug = |line: &str| line.contains("DEBUG").then_some(());
    forebay.stderr_line("the level has changed", debug);
    forebay.reload(&config.replace("path: /m", "path: /n"));
}

#[test]
fn files_are_watched_when_told_so() {
    let scratch = Scratch::new();
    std::fs::create_dir_all(scratch.path("one/routes.d")).unwrap();
    std::fs::create_dir_all(scratch.path("two/routes.d")).unwrap();
    for version in ["one", "two"] {
        let main = format!("include: [ \"routes.d/*.yaml\" ]\n{}", answering(version));
        scratch.write(&format!("{version}/forebay.yaml"), &main);
    }
    // As Kubernetes does it: files are links through one that is replaced.
    let link = |to: &str| {
        std::os::unix::fs::symlink(scratch.path(to), scratch.path("new")).unwrap();
        std::fs::rename(scratch.path("new"), scratch.path("data")).unwrap();
    };
    link("one");
    let file = scratch.path("data/forebay.yaml").display().to_string();
    let forebay = Forebay::with_arguments(&["run", "--watch", "-c", &file]);
    assert_eq!(forebay.get("/").text(), "one");
    link("two");
    until("the link is followed", || {
        (forebay.get("/").text() == "two").then_some(())
    });
    scratch.write(
        "two/routes.d/a.yaml",
        "routes: [ { id: a, path: /a, respond: { body: a } } ]",
    );
    until("the new file is included", || {
        (forebay.get("/a").text() == "a").then_some(())
    });
}

/// Small; `bench/` has the one that lasts.
#[test]
fn reloads_under_load_lose_nothing() {
    let backends = [Backend::saying("x"), Backend::saying("x")];
    let config = |n: usize| {
        let weight = n % 3 + 1;
        Config::default()
            .backend(&backends[0].url(), &format!("weight: {weight}"))
            .backend(&backends[1].url(), "weight: 2")
            .group("strategy: weighted")
            .add_route(&format!(
                "id: \"r{}\", path: \"/*\", backend_group: app",
                n % 5
            ))
            .yaml()
    };
    let forebay = Forebay::start(&config(0));
    let address = forebay.address();
    let stop = Arc::new(AtomicBool::new(false));
    let answered = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let (stop, answered) = (Arc::clone(&stop), Arc::clone(&answered));
            std::thread::spawn(move || {
                let mut client = Client::connect(address);
                while !stop.load(Ordering::Relaxed) {
                    let answer = client.get("/");
                    assert_eq!((answer.status, answer.text()), (200, "x"));
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for n in 1..=40 {
        forebay.reload(&with_listener(&config(n), free_address()));
    }
    stop.store(true, Ordering::Relaxed);
    clients
        .into_iter()
        .for_each(|client| client.join().unwrap());
    assert!(answered.load(Ordering::Relaxed) > 200);
}

#[test]
fn turns_go_on_through_reloads() {
    let backends = [
        Backend::saying("0"),
        Backend::saying("1"),
        Backend::saying("2"),
    ];
    let config = Config::to_all(&backends).top("workers: 1").yaml();
    let forebay = Forebay::start(&config);
    let mut order = String::new();
    for n in 0..6 {
        order.push_str(forebay.get("/").text());
        forebay.reload(&config.replace("id: all", &format!("id: all{n}")));
    }
    assert_eq!(order, "012012");
}

/// The narrower one comes first, after a start and after a reload.
#[test]
fn listeners_that_overlap_are_told_and_each_takes_its_own() {
    // Kept, so that nobody else gets the port; who listens is not in its way.
    let kept = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    kept.set_reuse_address(true).unwrap();
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    kept.bind(&any.into()).unwrap();
    let port = kept.local_addr().unwrap().as_socket().unwrap().port();
    let listener = |ip: &str| format!("{{ id: {ip:?}, address: \"{ip}:{port}\" }}");
    let config = |listeners: &[String]| {
        format!(
            "listeners: [ {} ]\nroutes: [ {{ id: all, respond: {{ body: x }} }} ]\n\
             telemetry: {{ metrics: {{ enabled: true, port: 0 }} }}\n",
            listeners.join(", ")
        )
    };
    let (narrow, wide) = (listener("127.0.0.1"), listener("0.0.0.0"));
    let both = config(&[wide.clone(), narrow.clone()]);
    let told = format!(
        "two listeners share a port: 127.0.0.1:{port} takes what comes to that address, and \
         0.0.0.0:{port} everything else"
    );
    let scratch = Scratch::new();
    let checked = forebay(&["check", "-c", &scratch.write("forebay.yaml", &both)]);
    assert_eq!(checked.code, Some(0));
    assert!(checked.stderr.contains(&told), "{}", checked.stderr);

    let started = Forebay::start(&both);
    assert!(started.stderr().contains(&told), "{}", started.stderr());
    each_takes_its_own(&started, port);
    drop(started);
    let reloaded = Forebay::start(&config(&[narrow]));
    reloaded.reload(&both);
    reloaded.stderr_line(&told, |line| line.contains(&told).then_some(()));
    each_takes_its_own(&reloaded, port);
}

fn each_takes_its_own(forebay: &Forebay, port: u16) {
    let accepted = |listener: &str| {
        let labels = [("listener", listener)];
        let metrics = forebay.metrics();
        metrics.sum("forebay_client_connections_accepted_total", &labels)
    };
    for (ip, expected) in [([127, 0, 0, 1], (1.0, 0.0)), ([127, 0, 0, 2], (1.0, 1.0))] {
        assert_eq!(get((ip, port).into(), "/").text(), "x");
        assert_eq!((accepted("127.0.0.1"), accepted("0.0.0.0")), expected);
    }
}

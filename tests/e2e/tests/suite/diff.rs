//! `forebay diff` decides recorded requests as the running program did, and as
//! the next one will.

use forebay_e2e::{Backend, Config, Scratch, forebay};

/// Requests as a client sends them: method, target and further lines.
const REQUESTS: &[(&str, &str, &str)] = &[
    ("GET", "/api/users?id=1", ""),
    ("GET", "/api/./users", ""),
    ("GET", "/api/%75sers", ""),
    ("GET", "http://shop.example/api/x", ""),
    ("GET", "/api/beta", "X-Beta: 1\r\n"),
    ("PUT", "/api/x", "Content-Length: 5\r\n"),
    ("DELETE", "/api/x", ""),
    ("GET", "/bots", "User-Agent: a bot\r\n"),
    ("GET", "/nowhere/../there", ""),
    ("GET", "/gone", ""),
    ("GET", "/api/../../x", ""),
    ("OPTIONS", "*", ""),
];

fn before(backend: &Backend) -> Config {
    Config::to(backend)
        .top("trusted_proxies: [ 127.0.0.1 ]")
        .add_route("id: api, path: /api/*, methods: [ GET, PUT ], backend_group: app, strip_prefix: /api")
        .add_route("id: beta, path: /api/*, headers: { X-Beta: \"1\" }, methods: [ GET ], backend_group: app")
        .add_route("id: bots, headers: { User-Agent: \"regex:bot\" }, respond: { status: 403 }")
        .add_route("id: gone, path: /gone, respond: { status: 410 }")
}

/// Sends every request to the program, and gives its access log.
fn record(config: &Config) -> (Vec<u16>, Vec<serde_json::Value>) {
    let running = config.start();
    let statuses = REQUESTS.iter().map(|(method, target, fields)| {
        let head = format!("{method} {target} HTTP/1.1\r\nHost: shop.example\r\n{fields}");
        let body = if fields.contains("Length") {
            "hello"
        } else {
            ""
        };
        let from = "X-Forwarded-For: 192.0.2.7\r\n";
        running
            .client()
            .ask(format!("{head}{from}\r\n{body}"))
            .status
    });
    let statuses = statuses.collect();
    (statuses, running.access_log(REQUESTS.len()))
}

#[test]
fn a_log_is_decided_as_the_running_program_did_and_as_the_next_one_will() {
    let backend = Backend::saying("ok");
    let old = before(&backend);
    let new = before(&backend)
        .add_route("id: there, path: /there, backend_group: app")
        .server("max_body: 4B");
    let (old_statuses, log) = record(&old);
    let (new_statuses, _) = record(&new);
    let scratch = Scratch::new();
    let lines: String = log.iter().map(|line| format!("{line}\n")).collect();
    let recorded = scratch.write("access.log", &lines);
    let [old, new] = [("old", old), ("new", new)]
        .map(|(name, config)| scratch.write(&format!("{name}.yaml"), &config.yaml()));

    let same = forebay(&["diff", &old, &old, "--requests", &recorded]).stdout;
    // Whether it asked for the beta is not in the log.
    assert!(
        same.contains("note: 1 request took another route"),
        "{same}"
    );
    assert!(same.contains("0 of 12 requests fare differently"), "{same}");

    let differing = old_statuses
        .iter()
        .zip(&new_statuses)
        .filter(|(a, b)| a != b);
    assert_eq!(differing.count(), 2, "{old_statuses:?} {new_statuses:?}");
    let shown = forebay(&["diff", &old, &new, "--requests", &recorded]).stdout;
    for words in [
        "/there GET: 1 request goes from 404 (no_route) to route there (group app)",
        "/api/x PUT: 1 request goes from route api (group app) to route api (refused: 413 request_body_too_large)",
        "2 of 12 requests fare differently",
    ] {
        assert!(shown.contains(words), "{words}\n{shown}");
    }
}

//! What clients and operators are told: answers, access log, request ids.

use forebay_e2e::{Backend, Client, Config, DeadAddress, Forebay, Reply, Scratch, until};
use serde_json::Value;

#[test]
fn every_failure_gives_its_reason_in_answer_log_and_metrics() {
    let backend = Backend::answering(|request| match request.target() {
        "/dies" => Reply::raw("").then_close(),
        "/odd" => Reply::raw("HTTP/1.1 200 OK\r\nX : y\r\n\r\n"),
        "/silent" => Reply::raw("HTTP/1.1 103 Early Hints\r\n\r\n"),
        _ => Reply::ok("ok"),
    });
    let dead = DeadAddress::new();
    let forebay = Config::to(&backend)
        .group("timeout: { request: 200ms }")
        .add_route("id: some, path: /some/*, respond: { status: 200 }")
        .add_route("id: all, host: test.example, backend_group: app")
        .start();
    let refused = Config::to_urls([dead.url()]).start();
    for (forebay, request, status, reason) in [
        (
            &forebay,
            "GET / HTTP/1.1\r\nHost: other\r\n\r\n",
            404,
            "no_route",
        ),
        (&forebay, "GET / HTTP/1.1\r\n\r\n", 400, "invalid_host"),
        (
            &forebay,
            "GET /.. HTTP/1.1\r\nHost: a\r\n\r\n",
            400,
            "invalid_path",
        ),
        (
            &forebay,
            "GET / HTTP/1.1\nHost: a\r\n\r\n",
            400,
            "http_request_error",
        ),
        (
            &forebay,
            "GET /dies HTTP/1.1\r\nHost: test.example\r\n\r\n",
            502,
            "connection_terminated",
        ),
        (
            &forebay,
            "GET /odd HTTP/1.1\r\nHost: test.example\r\n\r\n",
            502,
            "http_protocol_error",
        ),
        (
            &forebay,
            "GET /silent HTTP/1.1\r\nHost: test.example\r\n\r\n",
            504,
            "http_response_timeout",
        ),
        (
            &refused,
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            502,
            "connection_refused",
        ),
    ] {
        let response = forebay.client().ask(request);
        assert_eq!((response.status, response.reason()), (status, Some(reason)));
        assert!(response.text().contains(reason), "{}", response.text());
        assert!(
            !response.text().contains("127.0.0.1"),
            "{}",
            response.text()
        );
        forebay.wait_metric("forebay_errors_total", &[("reason", reason)], 1.0);
        let id = response.get("x-request-id").unwrap();
        let line = log_line(forebay, id);
        assert_eq!(
            (&line["failure"], &line["status"]),
            (&reason.into(), &status.into())
        );
    }
}

/// The access log's line about one request.
#[track_caller]
fn log_line(forebay: &Forebay, id: &str) -> Value {
    until("the request's line in the log", || {
        forebay
            .access_log(0)
            .into_iter()
            .find(|line| line["request_id"] == id)
    })
}

/// A worker keeps the normal form of the host that was asked for last.
#[test]
fn a_refused_request_is_logged_with_its_own_host() {
    let backend = Backend::saying("ok");
    let forebay = Config::to(&backend).top("workers: 1").start();
    let both = "Content-Length: 0\r\nTransfer-Encoding: chunked";
    let good = "GET / HTTP/1.1\r\nHost: last.example\r\n\r\n";
    for (request, host) in [
        (
            format!("GET / HTTP/1.1\r\nHost: a\r\n{both}\r\n\r\n"),
            Some("a"),
        ),
        (
            "CONNECT / HTTP/1.1\r\nHost: b\r\n\r\n".to_owned(),
            Some("b"),
        ),
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), None),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n".to_owned(),
            None,
        ),
        ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n".to_owned(), None),
        (
            "GET http://a/ HTTP/1.1\r\nHost: a/b\r\n\r\n".to_owned(),
            None,
        ),
        ("GET / HTTP/1.1\r\nHost : a\r\n\r\n".to_owned(), None),
    ] {
        assert_eq!(forebay.client().ask(good).status, 200);
        let refused = forebay.client().ask(&request);
        let line = log_line(&forebay, refused.get("x-request-id").unwrap());
        assert_eq!(line.get("host").and_then(Value::as_str), host, "{request}");
    }
}

#[test]
fn a_client_that_is_turned_away_is_logged_without_a_host() {
    let backend = Backend::saying("ok");
    let forebay = Config::to(&backend)
        .top("workers: 1")
        .server("max_connections: 1")
        .start();
    let mut first = forebay.client();
    assert_eq!(first.get("/").status, 200);
    let turned_away = forebay.client().response();
    let line = log_line(&forebay, turned_away.get("x-request-id").unwrap());
    assert_eq!((&line["status"], line.get("host")), (&503.into(), None));
}

#[test]
fn one_id_names_a_request_everywhere() {
    let backend = Backend::answering(|request| match request.target() {
        "/dies" => Reply::raw("").then_close(),
        _ => Reply::ok("ok"),
    });
    let forebay = Config::to(&backend).start();
    // One connection and thereby one worker: their lines come in order.
    let mut client = forebay.client();
    assert_eq!(client.get("/fine").status, 200);
    let answered = client.get("/dies");
    let requests = backend.requests();
    let ids: Vec<&str> = requests
        .iter()
        .map(|r| r.head.get("x-request-id").unwrap())
        .collect();
    let lines = forebay.access_log(2);
    assert_ne!(ids[0], ids[1]);
    assert_eq!(
        (&lines[0]["request_id"], &lines[1]["request_id"]),
        (&ids[0].into(), &ids[1].into())
    );
    assert_eq!(answered.get("x-request-id"), Some(ids[1]));
    assert!(answered.text().contains(ids[1]));
    // So does the line about the failure in the runtime log.
    forebay.stderr_line("the failure", |line| line.contains(ids[1]).then_some(()));
}

#[test]
fn a_failure_is_told_in_json_or_html_to_those_who_ask_for_it() {
    let forebay = Config::default()
        .add_route("id: a, path: /a, respond: {}")
        .start();
    let ask = |accept: &str| {
        forebay.client().ask(format!(
            "GET /x HTTP/1.1\r\nHost: a\r\nAccept: {accept}\r\n\r\n"
        ))
    };
    let json = ask("application/json, text/html;q=0.9");
    assert_eq!(json.get("content-type"), Some("application/json"));
    let body: Value = serde_json::from_slice(&json.body).unwrap();
    assert_eq!(
        (&body["status"], &body["reason"]),
        (&404.into(), &"no_route".into())
    );
    assert_eq!(body["request_id"], json.get("x-request-id").unwrap());
    let html = ask("text/html, application/xhtml+xml, */*;q=0.8");
    assert_eq!(html.get("content-type"), Some("text/html; charset=utf-8"));
    assert!(html.text().contains("reason: no_route"), "{}", html.text());
    let text = ask("*/*");
    assert_eq!(text.get("content-type"), Some("text/plain; charset=utf-8"));
    assert!(text.text().starts_with("404 Not Found\n"));
    assert_eq!(text.get("cache-control"), Some("no-store"));
}

#[test]
fn the_json_access_log_says_what_happened() {
    let backend = Backend::answering(|_| Reply::with("201 Created", &[], "12345"));
    let forebay = Config::to(&backend).start();
    let request = "POST /a?b=c HTTP/1.1\r\nHost: Shop.example:80\r\nUser-Agent: say \"hi\"\r\n\
        Referer: http://r/\r\nContent-Length: 3\r\n\r\nabc";
    let mut client: Client = forebay.client();
    client.ask(request);
    client.ask(request);
    let lines = forebay.access_log(2);
    for (line, reused) in lines.iter().zip([false, true]) {
        for (key, expected) in [
            ("client_ip", Value::from("127.0.0.1")),
            ("method", "POST".into()),
            ("scheme", "http".into()),
            ("host", "shop.example".into()),
            ("target", "/a?b=c".into()),
            ("version", "HTTP/1.1".into()),
            ("status", 201.into()),
            ("request_bytes", 3.into()),
            ("response_bytes", 5.into()),
            ("route", "all".into()),
            ("group", "app".into()),
            ("backend", backend.url().into()),
            ("attempts", 1.into()),
            ("reused", reused.into()),
            ("user_agent", "say \"hi\"".into()),
            ("referer", "http://r/".into()),
        ] {
            assert_eq!(line[key], expected, "{key}");
        }
        assert!(line["duration_ms"].as_f64().unwrap() >= line["head_ms"].as_f64().unwrap());
        assert_eq!(line.get("failure"), None);
    }
}

/// One request, logged to a file in this format.
fn logged(format: &str) -> String {
    let scratch = Scratch::new();
    let path = scratch.path("access.log");
    let backend = Backend::saying("hello");
    let forebay = Config::to(&backend)
        .telemetry(&format!(
            "access_log: {{ output: {path:?}, format: {format:?} }}"
        ))
        .start();
    let request = "GET /a HTTP/1.1\r\nHost: h\r\nUser-Agent: ua\r\nReferer: \"r\"\r\n\r\n";
    assert_eq!(forebay.client().ask(request).status, 200);
    until("a line in the file", || {
        let text = std::fs::read_to_string(&path).ok()?;
        text.ends_with('\n').then_some(text)
    })
}

#[test]
fn the_access_log_may_be_combined_or_a_template() {
    let combined = logged("combined");
    let (start, end) = combined.split_once(']').unwrap();
    assert!(start.starts_with("127.0.0.1 - - ["), "{combined}");
    assert_eq!(end, " \"GET /a HTTP/1.1\" 200 5 \"\\x22r\\x22\" \"ua\"\n");
    let template = logged("${status} ${request_line} ${response_bytes} ${route} ${failure}");
    assert_eq!(template, "200 GET /a HTTP/1.1 5 all -\n");
}

#[test]
fn the_access_log_may_be_off() {
    let backend = Backend::saying("ok");
    let mut forebay = Config::to(&backend)
        .telemetry("access_log: { output: off }")
        .start();
    assert_eq!(forebay.get("/").status, 200);
    forebay.terminate();
    assert_eq!(forebay.wait_exit(), Some(0));
    assert!(forebay.access_log(0).is_empty());
}

/// Nobody reads the log: requests go on, and what is lost is counted.
#[test]
fn a_log_that_takes_nothing_never_blocks() {
    let scratch = Scratch::new();
    let (path, pipe) = scratch.full_pipe("pipe");
    let forebay = Config::default()
        .add_route("id: a, respond: { status: 200 }")
        .telemetry(&format!("access_log: {{ output: {path:?} }}"))
        .start();
    let long = "x".repeat(8000);
    let mut client = forebay.client();
    until("lines are dropped", || {
        for _ in 0..100 {
            assert_eq!(client.get(&format!("/{long}")).status, 200);
        }
        let dropped = forebay
            .metrics()
            .sum("forebay_access_log_dropped_total", &[]);
        (dropped > 0.0).then_some(())
    });
    drop(pipe);
}

/// Waiting for a reader would hold up a start, and whoever asks while it reloads.
#[test]
fn a_pipe_that_nobody_reads_is_no_log() {
    let scratch = Scratch::new();
    let path = scratch.pipe("pipe");
    let config = Config::default().add_route("id: a, respond: { status: 200 }");
    let forebay = config.start();
    let with_pipe = config.telemetry(&format!("access_log: {{ output: {path:?} }}"));
    forebay.refuse(with_pipe.yaml(), &["it is a pipe that nobody reads"]);
    assert_eq!(forebay.get("/").status, 200);
}

/// The same where every write fails at once.
#[test]
fn a_log_on_a_full_disk_never_blocks() {
    let forebay = Config::default()
        .add_route("id: a, respond: { status: 200 }")
        .telemetry("access_log: { output: /dev/full }")
        .start();
    for _ in 0..3 {
        assert_eq!(forebay.get("/").status, 200);
    }
    forebay.wait_metric("forebay_access_log_dropped_total", &[], 3.0);
    forebay.stderr_line("the trouble", |line| {
        line.contains("No space left").then_some(())
    });
    assert_eq!(forebay.get("/").status, 200);
}

//! The admin API of the real program.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use forebay_e2e::{
    Backend, Client, Config, DeadAddress, Forebay, Generations, Reply, Response, Scratch, curl,
    forebay, until,
};
use serde_json::{Value, json};

const ADMIN: &str = r#"admin: { address: "127.0.0.1:0" }"#;
const TOKEN: &str = "0123456789abcdef-admin";

/// One request with a connection of its own, and nothing that is not said.
fn ask(address: SocketAddr, method: &str, target: &str, fields: &str, body: &str) -> Response {
    let length = body.len();
    let mut client = Client::connect(address);
    client.ask(format!(
        "{method} {target} HTTP/1.1\r\nHost: {address}\r\n{fields}Content-Length: {length}\r\n\r\n{body}"
    ))
}

struct Admin(Forebay);

impl Admin {
    fn of(config: Config) -> Self {
        Self(config.top(ADMIN).start())
    }

    #[track_caller]
    fn ask(&self, method: &str, target: &str, body: &str) -> (u16, Value) {
        let response = ask(self.0.admin_address(), method, target, "", body);
        let text = response.text();
        let json = match text.is_empty() {
            true => Value::Null,
            false => serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}")),
        };
        if response.status >= 400 {
            assert_eq!(
                response.get("content-type"),
                Some("application/problem+json")
            );
            assert_eq!(json["status"], response.status);
            assert!(!json["detail"].as_str().unwrap().is_empty());
        }
        assert_eq!(response.get("cache-control"), Some("no-store"));
        (response.status, json)
    }

    #[track_caller]
    fn get(&self, target: &str) -> Value {
        let (status, json) = self.ask("GET", target, "");
        assert_eq!(status, 200, "{json}");
        json
    }
}

#[test]
fn it_says_what_runs() {
    let backend = Backend::saying("x");
    let admin = Admin::of(Config::to(&backend).top("workers: 2"));
    assert_eq!(admin.get("/health")["status"], "alive");
    assert_eq!(admin.get("/ready")["status"], "ready");
    assert_eq!(admin.0.get("/").text(), "x");
    let status = admin.get("/status");
    assert_eq!(status["pid"], admin.0.id());
    assert_eq!(status["workers"], 2);
    assert_eq!(status["state"], "serving");
    assert_eq!(
        status["listeners"][0]["address"],
        admin.0.address().to_string()
    );
    let shown = &status["groups"][0]["backends"][0];
    assert_eq!(shown["url"], backend.url());
    assert_eq!(shown["state"], "up");
    let routes = admin.get("/routes");
    assert_eq!(routes[0]["id"], "all");
    assert_eq!(routes[0]["group"], "app");
    let config = admin.get("/config");
    assert_eq!(config["hash"], status["configuration"]["hash"]);
    assert!(config["text"].as_str().unwrap().contains("group app"));
}

#[test]
fn routes_come_in_the_order_in_which_they_are_decided() {
    let config = Config::default()
        .add_route("id: wide, respond: { body: w }")
        .add_route("id: narrow, path: /a/*, respond: { body: n }")
        .add_route("id: exact, path: /a/b, methods: GET, respond: { body: e }");
    let admin = Admin::of(config);
    let routes = admin.get("/routes");
    let ids: Vec<&str> = routes
        .as_array()
        .unwrap()
        .iter()
        .map(|route| route["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["exact", "narrow", "wide"]);
    assert_eq!(routes[0]["conditions"].as_array().unwrap().len(), 2);
}

#[test]
fn it_is_off_unless_it_is_asked_for() {
    let forebay = Config::default()
        .add_route("id: all, respond: { body: x }")
        .start();
    assert!(!forebay.stderr().contains("admin API"));
}

#[test]
fn mistakes_of_requests_are_told_as_problems() {
    let admin = Admin::of(Config::default().add_route("id: all, respond: { body: x }"));
    for (method, target, body, status, said) in [
        ("GET", "/nothing", "", 404, "nothing at /nothing"),
        ("POST", "/status", "", 405, "takes GET"),
        ("GET", "/reload", "", 405, "takes POST"),
        ("POST", "/explain", "", 400, "a body of JSON"),
        ("POST", "/explain", "{", 400, "EOF"),
        (
            "POST",
            "/explain",
            "{\"url\": \"/\", \"x\": 1}",
            422,
            "unknown field `x`",
        ),
        (
            "POST",
            "/explain",
            "{\"url\": \"/\\n\"}",
            422,
            "control characters",
        ),
        ("GET", "/backends?group=nix", "", 404, "no group `nix`"),
        ("GET", "/backends?grp=app", "", 400, "unknown field `grp`"),
        ("POST", "/config/check?format=xml", "", 400, "xml"),
        (
            "PUT",
            "/log",
            "{\"level\": \"loud\"}",
            422,
            "unknown variant `loud`",
        ),
        ("GET", "/v1/services/nix", "", 404, "no service `nix`"),
        ("GET", "/v1/services/watch?cursor=x", "", 400, "a cursor is"),
        (
            "GET",
            "/v1/services/watch?cursor=1-1",
            "",
            410,
            "new cursor",
        ),
    ] {
        let (found, json) = admin.ask(method, target, body);
        assert_eq!(found, status, "{method} {target}: {json}");
        let detail = json["detail"].as_str().unwrap();
        assert!(detail.contains(said), "{method} {target}: {detail}");
    }
    let response = ask(admin.0.admin_address(), "DELETE", "/status", "", "");
    assert_eq!(response.get("allow"), Some("GET,HEAD"));
    let large = format!("{{\"level\": \"{}\"}}", "x".repeat(17 << 10));
    assert_eq!(admin.ask("PUT", "/log", &large).0, 413);
    let long = format!("# {}\n", "x".repeat(17 << 10));
    assert_eq!(admin.ask("POST", "/config/check", &long).0, 422);
}

#[test]
fn tokens_open_it_and_secrets_stay() {
    let admin = format!(
        r#"admin: {{ address: "127.0.0.1:0", token: {TOKEN}, tokens: [ {{ token: 0123456789-services, scope: registry }} ] }}"#
    );
    let backend = Backend::saying("x");
    let forebay = Config::to(&backend)
        .top(&admin)
        .route(
            r#"request_headers: { set: { Authorization: "Basic c2VjcmV0", X-Backend-Key: c2VjcmV1, X-A: shown } }"#,
        )
        .route(r#"rewrite: "/there?of=c2VjcmV2", not: { headers: { X-Token: c2VjcmV3 } }"#)
        .group("sticky: { secret: sticky-0123456789abcdef }")
        .group(r#"health_check: { enabled: true, path: "/ping?key=c2VjcmV4", headers: { X-P: c2VjcmV5 } }"#)
        .start();
    let address = forebay.admin_address();
    let with = |target: &str, token: &str| {
        let field = format!("Authorization: Bearer {token}\r\n");
        ask(address, "GET", target, &field, "")
    };
    let refused = ask(address, "GET", "/status", "", "");
    assert_eq!(refused.status, 401);
    assert_eq!(
        refused.get("www-authenticate"),
        Some("Bearer realm=\"forebay\"")
    );
    assert_eq!(with("/status", "0123456789abcdef-admim").status, 401);
    assert_eq!(with("/status", "0123456789-services").status, 403);
    assert_eq!(with("/v1/services", "0123456789-services").status, 200);
    assert_eq!(with("/status", TOKEN).status, 200);
    assert_eq!(ask(address, "GET", "/health", "", "").status, 200);
    for target in ["/config", "/routes", "/status", "/stats"] {
        let response = with(target, TOKEN);
        for secret in [
            TOKEN,
            "0123456789-services",
            // Every one of the configuration.
            "c2Vjcm",
            "sticky-0123456789",
        ] {
            assert!(!response.text().contains(secret), "{target}: {secret}");
        }
    }
    assert!(with("/routes", TOKEN).text().contains("X-A: shown"));
    let field = format!("Authorization: Bearer {TOKEN}\r\n");
    let explained = ask(address, "POST", "/explain", &field, "{\"url\": \"/\"}");
    let text = explained.text();
    for shown in [
        "GET /there?of=(hidden) HTTP/1.1",
        "X-Backend-Key: (hidden)",
        "X-A: shown",
    ] {
        assert!(text.contains(shown), "{text}");
    }
    assert!(!text.contains("c2Vjcm"), "{text}");
    let config = with("/config", TOKEN);
    assert!(
        config
            .text()
            .contains("GET /ping?key=(hidden) with X-P: (hidden)")
    );
    let route = "id: all, redirect: { to: \"https://me:c2VjcmV6@a.example/?x=c2VjcmV7\" }";
    let other = Config::default().add_route(route).top(&admin).yaml();
    let diff = ask(address, "POST", "/config/diff", &field, &other);
    assert_eq!(diff.status, 200, "{}", diff.text());
    assert!(!diff.text().contains("c2Vjcm"), "{}", diff.text());
}

#[test]
fn it_does_not_open_to_others_without_a_token() {
    let forebay = Config::default()
        .add_route("id: all, respond: { body: x }")
        .start();
    let yaml = Config::default()
        .add_route("id: all, respond: { body: x }")
        .top(r#"admin: { address: "0.0.0.0:0" }"#)
        .yaml();
    forebay.refuse(&yaml, &["open to others, and there is no token"]);
}

#[test]
fn browsers_that_were_tricked_are_turned_away() {
    let admin = Admin::of(Config::default().add_route("id: all, respond: { body: x }"));
    let address = admin.0.admin_address();
    let status = |method: &str, host: &str, more: &str| {
        let request =
            format!("{method} /reload HTTP/1.1\r\nHost: {host}\r\n{more}Content-Length: 0\r\n\r\n");
        Client::connect(address).ask(request).status
    };
    let own = address.to_string();
    assert_eq!(status("POST", &own, ""), 200);
    assert_eq!(
        status("POST", &own, &format!("Origin: http://{own}\r\n")),
        200
    );
    assert_eq!(status("POST", &own, "Origin: http://evil.example\r\n"), 403);
    assert_eq!(status("POST", "evil.example", ""), 421);
    assert_eq!(status("GET", "evil.example", ""), 421);
}

#[test]
fn who_asks_whom_is_said_once() {
    let admin = Admin::of(Config::default().add_route("id: all, respond: { body: x }"));
    let address = admin.0.admin_address();
    for field in [
        format!("Host: {address}"),
        "Host: evil.example".to_owned(),
        format!("Origin: http://{address}\r\nOrigin: http://evil.example"),
        "Authorization: Bearer a\r\nAuthorization: Bearer b".to_owned(),
    ] {
        for target in ["/health", "/status"] {
            let response = ask(address, "GET", target, &format!("{field}\r\n"), "");
            assert_eq!(response.status, 400, "{field}");
            assert!(response.text().contains("more than once"), "{field}");
        }
    }
}

#[test]
fn many_backends_are_added_at_once_or_none() {
    let backend = Backend::saying("x");
    let admin = Admin::of(Config::to(&backend));
    let url = |n: usize| format!("http://127.1.{}.{}:1", n / 250, n % 250);
    let list = |urls: &[String]| -> String {
        let urls = urls.iter().map(|url| json!({"group": "app", "url": url}));
        Value::from(urls.collect::<Vec<_>>()).to_string()
    };
    let mut many: Vec<String> = (0..3000).map(url).collect();
    many.push(backend.url());
    let (status, json) = admin.ask("POST", "/backends", &list(&many));
    assert_eq!(status, 409, "{json}");
    many.pop();
    many.push(many[0].clone());
    assert_eq!(admin.ask("POST", "/backends", &list(&many)).0, 409);
    assert_eq!(admin.get("/backends").as_array().unwrap().len(), 1);
    many.pop();
    let (status, added) = admin.ask("POST", "/backends", &list(&many));
    assert_eq!(status, 201, "{added}");
    assert_eq!(added.as_array().unwrap().len(), 3000);
    assert_eq!(admin.get("/backends").as_array().unwrap().len(), 3001);
    let said = admin.0.stderr_line("what was added", |line| {
        line.contains("now backend").then(|| line.to_owned())
    });
    assert!(said.contains("and 2,990 more changes"), "{said}");
    for (body, status, wrong) in [
        ("[{\"group\": \"app\"}]", 422, "missing field `url`"),
        ("{\"group\": \"app\"}", 422, "missing field `url`"),
        (
            "[{\"group\": \"app\", \"url\": \"x\", \"w\": 1}]",
            422,
            "unknown field `w`",
        ),
        ("[1]", 422, "invalid type"),
        ("[", 400, "EOF"),
    ] {
        let (found, json) = admin.ask("POST", "/backends", body);
        assert_eq!(found, status, "{json}");
        let detail = json["detail"].as_str().unwrap();
        assert!(detail.contains(wrong), "{body}: {detail}");
    }
}

/// More of them than there is room for, all from one address.
#[test]
fn silent_connections_keep_nobody_out() {
    let admin = format!(r#"admin: {{ address: "127.0.0.1:0", token: {TOKEN} }}"#);
    let route = "id: all, respond: { body: x }";
    let forebay = Config::default().add_route(route).top(&admin).start();
    let address = forebay.admin_address();
    let token = format!("Authorization: Bearer {TOKEN}\r\n");
    let mut known = Client::connect(address);
    let status = format!("GET /status HTTP/1.1\r\nHost: {address}\r\n{token}\r\n");
    assert_eq!(known.ask(&status).status, 200);
    let before = forebay.resident();
    let mut silent: Vec<Client> = Vec::new();
    for number in 0..2500 {
        let mut client = Client::connect(address);
        match number % 3 {
            0 => {}
            1 => client.send("GET /status HTTP/1.1\r\nHost: a").unwrap(),
            // Whoever has no token can say something, too.
            _ => client
                .send("GET /health HTTP/1.1\r\nHost: ::1\r\n\r\n")
                .unwrap(),
        }
        silent.push(client);
        if number % 500 == 499 {
            for target in ["/health", "/ready"] {
                let asked = Instant::now();
                assert_eq!(ask(address, "GET", target, "", "").status, 200);
                let took = asked.elapsed();
                assert!(took < Duration::from_secs(1), "{target} took {took:?}");
            }
        }
    }
    assert_eq!(ask(address, "GET", "/status", &token, "").status, 200);
    // Who was let in before has kept the place, and the first of the others not.
    assert_eq!(known.ask(&status).status, 200);
    silent[0].assert_closed();
    let grown = forebay.resident().saturating_sub(before);
    assert!(grown < 96 << 20, "{grown} bytes");
}

#[test]
fn who_says_nothing_is_gone_after_a_moment() {
    let admin = Admin::of(Config::default().add_route("id: all, respond: { body: x }"));
    let began = Instant::now();
    let mut client = Client::connect(admin.0.admin_address());
    client
        .send("GET /health HTTP/1.1\r\nHost: 127.0.0.1")
        .unwrap();
    client.assert_closed();
    assert!(began.elapsed() < Duration::from_secs(9));
}

#[test]
fn a_reload_says_what_changed_or_what_is_wrong() {
    let yaml = |body: &str| {
        let route = format!("id: all, respond: {{ body: {body} }}");
        Config::default().add_route(&route).top(ADMIN).yaml()
    };
    let admin = Admin(Forebay::start(&yaml("one")));
    let write = |text: &str| admin.0.write_config(text);
    write(&yaml("two"));
    let (status, json) = admin.ask("POST", "/reload", "");
    assert_eq!(status, 200, "{json}");
    assert_eq!(
        json["changes"],
        json!(["route all: respond body one -> two"])
    );
    assert_eq!(admin.0.get("/").text(), "two");
    write("nonsense: 1\n");
    let (status, json) = admin.ask("POST", "/reload", "");
    assert_eq!(status, 422);
    assert_eq!(json["type"], "urn:forebay:configuration-refused");
    let first = &json["problems"][0];
    assert_eq!((&first["line"], &first["column"]), (&json!(1), &json!(1)));
    assert!(first["file"].as_str().unwrap().ends_with("forebay.yaml"));
    let status = admin.get("/status");
    assert_eq!(status["configuration"]["refused"], 1);
    assert_eq!(status["configuration"]["taken"], 1);
    assert!(status["configuration"]["failure"].is_string());
    admin.0.stderr_line("the refusal", |line| {
        line.contains("configuration is refused").then_some(())
    });
}

#[test]
fn it_moves_with_the_configuration() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let yaml = |admin: &str| {
        let config = Config::default().add_route("id: all, respond: { body: x }");
        config.top(admin).yaml()
    };
    let forebay = Forebay::start(&yaml(ADMIN));
    let first = forebay.admin_address();
    let busy = format!(r#"admin: {{ address: "{}" }}"#, taken.local_addr().unwrap());
    forebay.refuse(yaml(&busy), &["the admin API cannot listen on"]);
    assert_eq!(ask(first, "GET", "/health", "", "").status, 200);
    forebay.reload(&yaml(r#"admin: { address: "127.0.0.2:0" }"#));
    until("it has moved", || {
        (forebay.admin_address() != first).then_some(())
    });
    assert_eq!(
        ask(forebay.admin_address(), "GET", "/health", "", "").status,
        200
    );
    until("the first one is gone", || {
        std::net::TcpStream::connect(first).is_err().then_some(())
    });
    let same = r#"admin: { address: "127.0.0.2:0", token: 0123456789abcdef }"#;
    forebay.reload(&yaml(same));
    assert_eq!(
        ask(forebay.admin_address(), "GET", "/status", "", "").status,
        401
    );
}

#[test]
fn it_moves_to_another_address_of_the_same_port_at_once() {
    let yaml = |address: &str| {
        let config = Config::default().add_route("id: all, respond: { body: x }");
        let admin = format!(r#"admin: {{ address: "{address}", token: {TOKEN} }}"#);
        config.top(&admin).yaml()
    };
    let forebay = Forebay::start(&yaml("127.0.0.1:0"));
    let port = forebay.admin_address().port();
    let is_open = |address: [u8; 4]| {
        let address = SocketAddr::from((address, port));
        let mut client = Client::connect(address);
        let sent = client.send("GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
        let answer = sent.ok().and_then(|()| client.try_response(false).ok());
        answer.map(|answer| answer.status)
    };
    for (written, open, closed) in [
        ("0.0.0.0", [127, 0, 0, 2], None),
        ("127.0.0.2", [127, 0, 0, 2], Some([127, 0, 0, 1])),
        ("127.0.0.1", [127, 0, 0, 1], Some([127, 0, 0, 2])),
    ] {
        forebay.reload(&yaml(&format!("{written}:{port}")));
        // The one before may answer for a moment, or hang up.
        until("it is open", || (is_open(open) == Some(200)).then_some(()));
        if let Some(closed) = closed {
            until("it is closed", || {
                let closed = SocketAddr::from((closed, port));
                std::net::TcpStream::connect(closed).is_err().then_some(())
            });
        }
    }
}

#[test]
fn an_upgrade_moves_it_to_another_address_of_the_same_port() {
    let yaml = |address: &str| {
        let config = Config::default().add_route("id: all, respond: { body: x }");
        let admin = format!(r#"admin: {{ address: "{address}", token: {TOKEN} }}"#);
        config.top(&admin).yaml()
    };
    let generations = Generations::start(&yaml("127.0.0.1:0"));
    let port = generations.admin_address().port();
    generations.configure(&yaml(&format!("0.0.0.0:{port}")));
    generations.succeed();
    let other = SocketAddr::from(([127, 0, 0, 2], port));
    assert_eq!(ask(other, "GET", "/health", "", "").status, 200);
}

#[test]
fn configurations_are_checked_and_compared_without_being_taken_up() {
    let config = |body: &str| {
        let route = format!("id: all, respond: {{ body: {body} }}");
        Config::default().add_route(&route).top(ADMIN)
    };
    let admin = Admin(config("one").start());
    let (status, json) = admin.ask("POST", "/config/diff", &config("two").yaml());
    assert_eq!(status, 200, "{json}");
    assert_eq!(
        json["changes"],
        json!(["route all: respond body one -> two"])
    );
    let (status, json) = admin.ask("POST", "/config/check", &config("two").yaml());
    assert_eq!((status, json), (200, json!({"warnings": []})));
    let (status, json) = admin.ask("POST", "/config/check?format=json", "{\"servr\": 1}");
    assert_eq!(status, 422);
    assert!(
        json["problems"][0]["message"]
            .as_str()
            .unwrap()
            .contains("servr")
    );
    assert_eq!(admin.0.get("/").text(), "one");
}

/// What an operator knows better: the ejection ends, and the breaker closes.
#[test]
fn a_backend_that_is_enabled_is_given_requests_again() {
    let backend = Backend::answering(|_| Reply::with("500 Broken", &[], ""));
    let config = Config::to(&backend)
        .group("when_all_unhealthy: fail_open, health_check: { passive: { enabled: false } }")
        .group("circuit_breaker: { failure_threshold: 2, open_timeout: 1h }");
    let admin = Admin::of(config);
    for _ in 0..2 {
        assert_eq!(admin.0.get("/").status, 500);
    }
    let (_, explained) = admin.ask("POST", "/explain", r#"{"url": "/"}"#);
    let note = explained["candidates"][0]["note"].as_str().unwrap();
    let said = "chosen, for none is well and the group fails open; breaker open: 2 failures";
    assert!(note.contains(said), "{note}");
    let url = backend.url().replace(':', "%3A").replace('/', "%2F");
    let target = format!("/backends/app/{url}");
    let (_, json) = admin.ask("PATCH", &target, "{\"enabled\": true}");
    assert_eq!(json["state"], "warming", "{json}");
    assert!(json["warning"].is_null(), "{json}");
}

#[test]
fn the_adaptive_limit_is_explained_while_it_runs() {
    let backend = Backend::saying("x");
    let admin = Admin::of(Config::to(&backend).group("adaptive_concurrency: \"on\""));
    let (_, explained) = admin.ask("POST", "/explain", r#"{"url": "/"}"#);
    let limit = explained["limit"].as_str().unwrap();
    assert!(
        limit.starts_with("adaptive limit 10000, 0 under way"),
        "{limit}"
    );
    let url = format!("http://{}", admin.0.admin_address());
    let shown = forebay(&["ctl", "--admin", &url, "explain", "/"]);
    assert!(shown.stdout.contains(limit), "{}", shown.stdout);
}

#[test]
fn explaining_takes_nobodys_turn() {
    let backends = [Backend::saying("a"), Backend::saying("b")];
    let admin = Admin::of(Config::to_all(&backends).top("workers: 1"));
    assert_eq!(admin.0.get("/").text(), "a");
    // The client has its answer a moment before the backend is free again.
    admin
        .0
        .wait_metric("forebay_http_requests_in_flight", &[], 0.0);
    for _ in 0..3 {
        let asked = json!({"url": "http://x.example/p?q", "headers": {"X-A": ["1", "2"]}});
        let (status, json) = admin.ask("POST", "/explain", &asked.to_string());
        assert_eq!(status, 200, "{json}");
        assert_eq!(json["route"], "all");
        assert_eq!(json["host"], "x.example");
        assert_eq!(json["candidates"][1]["chosen"], true);
        assert_eq!(
            json["candidates"][0]["note"],
            "weight 1, 0 in flight: not its turn"
        );
        assert_eq!(json["upstream"][0], "GET /p?(hidden) HTTP/1.1");
    }
    assert_eq!(admin.0.get("/").text(), "b");
}

#[test]
fn counters_and_exchanges_are_shown() {
    let dead = DeadAddress::new();
    let backend = Backend::saying("x");
    let config = Config::to(&backend)
        .add_route("id: good, path: /good, backend_group: app")
        .add_route("id: bad, path: /bad, backend_group: dead")
        .add_group_of(&format!(
            "id: dead, retry: {{ max_attempts: 1 }}, backends: [ {{ url: \"http://{}\" }} ]",
            dead.address()
        ));
    let admin = Admin::of(config);
    assert_eq!(admin.0.get("/good?token=secret").status, 200);
    assert_eq!(admin.0.get("/bad").status, 502);
    let stats = admin.get("/stats");
    assert_eq!(stats["routes"]["good"]["statuses"], json!({"2xx": 1}));
    assert!(stats["routes"]["good"]["latency"]["p99"].as_f64().unwrap() > 0.0);
    assert_eq!(stats["failures"]["connection_refused"], 1);
    let exchanges = admin.get("/exchanges");
    let failed = &exchanges["failed"][0];
    assert_eq!(failed["route"], "bad");
    assert_eq!(failed["reason"], "connection_refused");
    assert_eq!(failed["side"], "upstream");
    assert_eq!(exchanges["slowest"].as_array().unwrap().len(), 2);
    assert!(!exchanges.to_string().contains("secret"));
}

#[test]
fn events_come_as_they_happen_and_again_for_who_comes_back() {
    let admin = Admin::of(Config::default().add_route("id: all, respond: { body: x }"));
    let url = format!("http://{}/events", admin.0.admin_address());
    let watching = Client::connect(admin.0.admin_address());
    let mut watching = watching.into_wire();
    let head = format!(
        "GET /events HTTP/1.1\r\nHost: {}\r\n\r\n",
        admin.0.admin_address()
    );
    watching.send(head).unwrap();
    let mut seen = String::new();
    let mut wait_for = |what: &str| {
        until(what, || {
            let bytes = watching.some(1024).unwrap_or_default();
            seen.push_str(&String::from_utf8_lossy(&bytes));
            seen.contains(what).then_some(())
        });
        seen.clone()
    };
    wait_for(": connected");
    assert_eq!(admin.ask("POST", "/reload", "").0, 200);
    let seen = wait_for("\"outcome\":\"taken\"");
    assert!(seen.contains("event: reload"));
    let id = seen.split("id: ").nth(1).unwrap().lines().next().unwrap();
    let (epoch, _) = id.split_once('-').unwrap();
    let first = format!("Last-Event-ID: {epoch}-0");
    let again = curl(&["--max-time", "1", "-N", "-H", &first, &url]);
    assert!(
        again.stdout.contains(&format!("id: {id}")),
        "{}",
        again.stdout
    );
    let gap = curl(&["--max-time", "1", "-N", "-H", "Last-Event-ID: 0-7", &url]);
    assert!(gap.stdout.contains("event: gap"), "{}", gap.stdout);
}

#[test]
fn the_level_of_the_log_is_set() {
    let admin = Admin::of(Config::default().add_route("id: a, path: /a, respond: { body: x }"));
    assert_eq!(admin.0.get("/none").status, 404);
    assert!(!admin.0.stderr().contains("exchange failed"));
    let (status, json) = admin.ask("PUT", "/log", "{\"level\": \"debug\"}");
    assert_eq!((status, json), (200, json!({"level": "debug"})));
    assert_eq!(admin.0.get("/none").status, 404);
    admin.0.stderr_line("the failure", |line| {
        line.contains("exchange failed").then_some(())
    });
}

#[test]
fn services_register_and_leave() {
    let admin = Admin::of(Config::default().add_route("id: all, respond: { body: x }"));
    let web = r#"{"id": "web-1", "name": "web", "address": "10.0.0.1:80", "tags": ["a", "b"]}"#;
    let (status, json) = admin.ask("POST", "/v1/services", web);
    assert_eq!(status, 201, "{json}");
    assert_eq!(admin.ask("POST", "/v1/services", web).0, 200);
    assert_eq!(json["ttl"], "30s");
    let listed = admin.get("/v1/services?name=web&tag=a&tag=b");
    assert_eq!(listed["services"][0]["id"], "web-1");
    assert_eq!(admin.get("/v1/services?tag=c")["services"], json!([]));
    assert_eq!(
        admin.get("/v1/services/web-1")["address"]["host"],
        "10.0.0.1"
    );
    let beat = admin.ask("PUT", "/v1/services/web-1/heartbeat", "");
    assert_eq!(beat, (200, json!({"ttl_seconds": 30.0})));
    let (status, json) = admin.ask("POST", "/v1/services", r#"{"name": "", "address": "x"}"#);
    assert_eq!(status, 422);
    assert_eq!(json["fields"][0]["field"], "name");

    let cursor = listed["cursor"].as_str().unwrap();
    assert_eq!(admin.ask("DELETE", "/v1/services/web-1", "").0, 204);
    assert_eq!(admin.ask("DELETE", "/v1/services/web-1", "").0, 404);
    let short = r#"{"id": "web-2", "name": "web", "address": "10.0.0.1:80", "ttl": 1}"#;
    assert_eq!(admin.ask("POST", "/v1/services", short).0, 201);
    let watch = format!(
        "http://{}/v1/services/watch?name=web&cursor={cursor}",
        admin.0.admin_address()
    );
    let seen = curl(&["--max-time", "3", "-N", &watch]).stdout;
    for event in ["deregistered", "registered", "expired"] {
        assert!(seen.contains(&format!("event: {event}\n")), "{seen}");
    }
    assert!(seen.contains("id: "));
}

#[test]
fn backends_are_changed_while_it_runs() {
    let [a, b] = [Backend::saying("a"), Backend::saying("b")];
    let admin = Admin::of(Config::to(&a).top("workers: 1"));
    let (status, json) = admin.ask(
        "POST",
        "/backends",
        &json!({"group": "app", "url": b.url()}).to_string(),
    );
    assert_eq!(status, 201, "{json}");
    assert_eq!(json["origin"], "api");
    let answers = |n| -> String { (0..n).map(|_| admin.0.get("/").text().to_owned()).collect() };
    let both = answers(4);
    assert_eq!(both.matches('a').count(), 2, "{both}");
    let again = json!({"group": "app", "url": b.url()}).to_string();
    assert_eq!(admin.ask("POST", "/backends", &again).0, 409);
    for (body, status) in [
        (json!({"group": "nix", "url": "http://127.0.0.1:1"}), 404),
        (json!({"group": "app", "url": "ftp://x"}), 422),
        (
            json!({"group": "app", "url": "http://127.0.0.1:1", "weight": 1001}),
            422,
        ),
    ] {
        assert_eq!(
            admin.ask("POST", "/backends", &body.to_string()).0,
            status,
            "{body}"
        );
    }
    let of = |backend: &Backend| {
        let url = backend.url().replace(':', "%3A").replace('/', "%2F");
        format!("/backends/app/{url}")
    };
    let (status, json) = admin.ask("PATCH", &of(&a), "{\"drain\": true}");
    assert_eq!((status, &json["state"]), (200, &json!("draining")));
    assert_eq!(answers(3), "bbb");
    let (_, json) = admin.ask("PATCH", &of(&a), "{\"enabled\": true, \"weight\": 7}");
    assert_eq!(
        (&json["state"], &json["weight"], &json["why"]),
        (
            &json!("warming"),
            &json!(7),
            &json!("enabled by an operator; warming up for 10 s")
        )
    );
    let warning = "the strategy `round_robin` does not look at weights";
    assert_eq!(json["warning"], warning);
    admin
        .0
        .stderr_line("a warning", |line| line.contains(warning).then_some(()));
    let (_, json) = admin.ask("PATCH", &of(&b), "{\"enabled\": false}");
    assert_eq!(json["state"], "disabled");
    assert_eq!(answers(3), "aaa");
    assert_eq!(admin.ask("PATCH", &of(&b), "{}").0, 422);
    assert_eq!(
        admin.ask("PATCH", "/backends/app/x", "{\"weight\": 1}").0,
        404
    );
    let gone = format!("/backends?group=app&url={}", b.url());
    assert_eq!(admin.ask("DELETE", &gone, ""), (204, Value::Null));
    assert_eq!(admin.ask("DELETE", &gone, "").0, 404);
    // Of whatever group it is.
    let gone = format!("/backends?url={}", a.url());
    assert_eq!(admin.ask("DELETE", &gone, "").0, 204);
    assert_eq!(admin.ask("DELETE", &gone, "").0, 404);
    assert_eq!(admin.0.get("/").reason(), Some("destination_unavailable"));
    let back = json!({"group": "app", "url": a.url()}).to_string();
    let (status, json) = admin.ask("POST", "/backends", &back);
    assert_eq!((status, &json["origin"]), (201, &json!("file")), "{json}");
    assert_eq!(answers(1), "a");
    assert_eq!(admin.ask("POST", &format!("{}/check", of(&a)), "").0, 409);
}

#[test]
fn a_backend_is_checked_on_demand() {
    let backend = Backend::saying("x");
    let health = "health_check: { enabled: true, path: /ping, interval: 1h }";
    let admin = Admin::of(Config::to(&backend).group(health));
    let url = backend.url().replace(':', "%3A").replace('/', "%2F");
    let (status, json) = admin.ask("POST", &format!("/backends/app/{url}/check"), "");
    assert_eq!((status, &json["good"]), (200, &json!(true)), "{json}");
    assert_eq!(json["backend"]["state"], "up");
}

#[test]
fn changes_of_services_are_events() {
    let admin = Admin::of(Config::default().add_route("id: all, respond: { body: x }"));
    let web = r#"{"id": "web-1", "name": "web", "address": "10.0.0.1:80"}"#;
    assert_eq!(admin.ask("POST", "/v1/services", web).0, 201);
    let url = format!("http://{}/events", admin.0.admin_address());
    let seen = curl(&["--max-time", "1", "-N", "-H", "Last-Event-ID: 0-0", &url]).stdout;
    assert!(seen.contains("event: service"), "{seen}");
    assert!(seen.contains("\"change\":\"registered\""), "{seen}");
}

#[test]
fn ctl_shows_and_changes() {
    let backend = Backend::saying("x");
    let token = format!(r#"admin: {{ address: "127.0.0.1:0", token: {TOKEN} }}"#);
    let started = Config::to(&backend).top(&token).start();
    let admin = format!("http://{}", started.admin_address());
    let scratch = Scratch::new();
    let file = scratch.write("token", &format!("{TOKEN}\n"));
    let ctl = |arguments: &[&str]| {
        let mut all = vec!["ctl", "--admin", &admin, "--token-file", &file];
        all.extend(arguments);
        forebay(&all)
    };
    let url = backend.url();
    for (arguments, said) in [
        (vec!["status"], "is serving, pid"),
        (vec!["backends", "app"], &*url),
        (vec!["routes"], "any request"),
        (vec!["drain", "app", &url], "draining"),
        (vec!["enable", "app", &url], "warming"),
        (vec!["weight", "app", &url, "5"], "5"),
        (vec!["add", "app", "http://127.0.0.1:1"], "ctl or API"),
        (vec!["remove", "app", "http://127.0.0.1:1"], "removed"),
        (vec!["explain", "-H", "X-A: 1", "/x"], "X-A: 1"),
        (vec!["reload"], "it means the same as before"),
        (vec!["log", "debug"], "debug"),
        (
            vec!["services", "register", "web", "10.0.0.1:80"],
            "10.0.0.1:80",
        ),
        (vec!["services"], "web"),
        (vec!["stats"], "ROUTE"),
        (vec!["exchanges"], "the slowest"),
        (vec!["--json", "status"], "\"pid\""),
    ] {
        let done = ctl(&arguments);
        assert_eq!(done.code, Some(0), "{arguments:?}: {}", done.stderr);
        assert!(done.stdout.contains(said), "{arguments:?}: {}", done.stdout);
    }
    let refused = ctl(&["drain", "nix", &url]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("there is no group `nix`"));
    let refused = forebay(&["ctl", "--admin", &admin, "status"]);
    assert!(
        refused.stderr.contains("FOREBAY_ADMIN_TOKEN"),
        "{}",
        refused.stderr
    );
    let nobody = DeadAddress::new();
    let refused = forebay(&["ctl", "--admin", &nobody.url(), "status"]);
    assert!(
        refused.stderr.contains("switches the admin API on"),
        "{}",
        refused.stderr
    );
}

#[test]
fn an_upgrade_takes_it_along_with_changes_and_services() {
    let backend = Backend::saying("x");
    let generations = Generations::start(&Config::to(&backend).top(ADMIN).yaml());
    let address = generations.admin_address();
    let added = json!({"group": "app", "url": "http://127.0.0.1:1", "weight": 0}).to_string();
    assert_eq!(ask(address, "POST", "/backends", "", &added).status, 201);
    let web = r#"{"id": "web-1", "name": "web", "address": "10.0.0.1:80"}"#;
    assert_eq!(ask(address, "POST", "/v1/services", "", web).status, 201);
    let old = generations.pid();
    let upgrade = generations.upgrade();
    assert_eq!(upgrade.code, Some(0), "{}", upgrade.stderr);
    // The old one may still answer for a moment, or hang up.
    let status = until("the new one answers", || {
        let mut client = Client::connect(address);
        let head = format!("GET /status HTTP/1.1\r\nHost: {address}\r\n\r\n");
        client.send(head).ok()?;
        let status = client.try_response(false).ok()?;
        let json: Value = serde_json::from_str(status.text()).ok()?;
        (json["pid"] != old).then_some(json)
    });
    assert_eq!(status["groups"][0]["backends"][1]["origin"], "api");
    let service = ask(address, "GET", "/v1/services/web-1", "", "");
    assert_eq!(service.status, 200);
}

#[test]
fn every_path_that_is_described_is_served() {
    let admin = Admin::of(Config::default().add_route("id: all, respond: { body: x }"));
    let document = admin.get("/openapi.json");
    const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];
    for (path, methods) in document["paths"].as_object().unwrap() {
        let target = path.replace(['{', '}'], "");
        for method in METHODS {
            let name = method.to_uppercase();
            // A stream has a head only, as far as this looks.
            if method == "get" && (path.ends_with("/watch") || path == "/events") {
                continue;
            }
            let response = ask(admin.0.admin_address(), &name, &target, "", "");
            let is_described = methods.get(method).is_some();
            assert_eq!(response.status != 405, is_described, "{method} {path}");
            if response.status == 404 {
                assert!(
                    !response.text().contains("there is nothing at"),
                    "{method} {path}"
                );
            }
        }
    }
}

#[test]
fn what_was_changed_is_there_after_a_restart() {
    let backends = [
        Backend::saying("0"),
        Backend::saying("1"),
        Backend::saying("2"),
    ];
    let scratch = Scratch::new();
    let file = scratch.path("state.json");
    let admin = format!(
        "admin: {{ address: \"127.0.0.1:0\", state_file: {:?} }}",
        file.display().to_string()
    );
    let config = Config::to_all(&backends[..2]).top(&admin);
    let first = Admin(config.start());
    let url = |at: usize| backends[at].url();
    let escaped = |at: usize| url(at).replace(':', "%3A").replace('/', "%2F");
    let (status, _) = first.ask(
        "POST",
        "/backends",
        &format!("{{\"group\":\"app\",\"url\":\"{}\",\"weight\":3}}", url(2)),
    );
    assert_eq!(status, 201);
    let (status, _) = first.ask(
        "PATCH",
        &format!("/backends/app/{}", escaped(0)),
        "{\"drain\":true}",
    );
    assert_eq!(status, 200);
    let service = r#"{"id":"s","name":"x","address":"127.0.0.1:9","ttl":"60s"}"#;
    assert_eq!(first.ask("POST", "/v1/services", service).0, 201);
    // Killed at any moment, it is there within a second; told to end, at once.
    first.0.terminate();
    until("the state is kept", || file.exists().then_some(()));
    drop(first);

    let second = Admin(config.start());
    let shown = second.get("/backends").to_string();
    assert!(
        shown.contains(&url(2)) && shown.contains("draining"),
        "{shown}"
    );
    assert_eq!(second.ask("GET", "/v1/services/s", "").0, 200);
    for _ in 0..4 {
        assert_ne!(second.0.get("/").text(), "0");
    }
    // What was changed before can be changed again.
    let added = format!("{{\"group\":\"app\",\"url\":\"{}\"}}", url(2));
    let remove = format!("/backends?group=app&url={}", escaped(2));
    for (method, target, body, expected) in [
        (
            "PATCH",
            &*format!("/backends/app/{}", escaped(2)),
            "{\"weight\":5}",
            200,
        ),
        ("DELETE", &remove, "", 204),
        ("POST", "/backends", &added, 201),
    ] {
        let (status, answer) = second.ask(method, target, body);
        assert_eq!(status, expected, "{method}: {answer}");
    }
    // What the file says is no reason not to start.
    drop(second);
    std::fs::write(&file, "{ no json").unwrap();
    let third = Admin(config.start());
    assert!(!third.get("/backends").to_string().contains(&url(2)));
    assert!(third.0.stderr().contains("what was changed before is lost"));
}

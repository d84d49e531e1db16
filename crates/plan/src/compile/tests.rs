use super::*;
use config::{AcmeChallenge, Severity};

mod acme;
mod warnings;

/// Compiles a text; every problem as `line:column message (help)`.
fn compiled(text: &str) -> (Option<Plan>, Vec<String>) {
    let config::Reading {
        settings,
        mut problems,
        ..
    } = config::read("test.yaml", text, &|_| None);
    let plan = {
        let open = |name: &str| match name {
            "page.html" => Ok(b"page ${status}".to_vec()),
            "bytes" => Ok(vec![0xff]),
            _ => Err(std::io::ErrorKind::NotFound.into()),
        };
        compile(&settings, &mut problems, &Heritage::default(), &open)
    };
    let shown = problems.iter().map(|problem| {
        let place = problems.position(problem.span);
        let level = match problem.severity {
            Severity::Error => "",
            Severity::Warning => "warning: ",
        };
        let help = problem
            .help
            .as_ref()
            .map(|h| format!(" ({h})"))
            .unwrap_or_default();
        format!(
            "{}:{} {level}{}{help}",
            place.line, place.column, problem.message
        )
    });
    let shown = shown.collect();
    (plan, shown)
}

const SERVER: &str = "server: { address: \"127.0.0.1:80\" }\n";
const GROUP: &str =
    "backend_groups: [ { id: g, backends: [ { url: \"http://127.0.0.1:3000\" } ] } ]\n";

#[test]
fn what_only_shows_when_settings_are_seen_together() {
    for (text, expected) in [
        (
            "routes: [ { id: a, backend_group: gg } ]\n",
            "3:35 there is no backend group `gg` (the groups are: g)",
        ),
        (
            "routes: [ { id: a, backend_group: g }, { id: a, backend_group: g } ]\n",
            "3:46 the route `a` is defined twice (give each route a name of its own)",
        ),
        (
            "routes: [ { id: a } ]\n",
            "3:17 the route `a` leads nowhere (give it a `backend_group`, a `respond` or a `redirect`)",
        ),
        (
            "routes: [ { id: a, backend_group: g, respond: {} } ]\n",
            "3:47 the route has both `backend_group` and `respond` (keep the one that is meant)",
        ),
        (
            "routes: [ { id: a, backend_group: g, add_headers: { X-A: \"x ${client_pi}\" } } ]\n",
            "3:61 unknown variable `${client_pi}` (did you mean `${client_ip}`?)",
        ),
        (
            "routes: [ { id: a, backend_group: g, not: {} } ]\n",
            "3:43 `not` has no conditions in it (leave it out, or name what the route is to refuse)",
        ),
        (
            "routes: [ { id: a, backend_group: g, not: { query: { a: \"regex:(\" } } } ]\n",
            "3:54 `(` is not a regular expression: unclosed group",
        ),
        (
            "routes: [ { id: a, backend_group: g, rewrite: \"/x/${capture.id}\" } ]\n",
            "3:47 `${capture.id}` is no part of the route's path (make the path a `regex:` with groups)",
        ),
        (
            "routes: [ { id: a, path: \"regex:^/(?<i>.)\", redirect: { to: \"/${capture.id}\" } } ]\n",
            "3:61 `${capture.id}` is no part of the route's path (the path has the groups 0, 1, i)",
        ),
        (
            "routes: [ { id: a, backend_group: g, rewrite: \"x\" } ]\n",
            "3:47 `x` must begin with `/`",
        ),
        (
            "routes: [ { id: a, backend_group: g, replace_prefix: { from: /a/../b, to: / } } ]\n",
            "3:62 the prefix `/a/../b` has an empty or dot segment, which no path has in its normal form",
        ),
        (
            "routes: [ { id: a, backend_group: g, request_headers: { remove: [ Host ] } } ]\n",
            "3:67 `Host` must be there exactly once; it can only be set",
        ),
        (
            "routes: [ { id: a, backend_group: g, response_headers: { append: { Connection: x } } } ]\n",
            "3:68 `Connection` concerns one connection only; Forebay writes it itself",
        ),
        (
            "routes: [ { id: a, backend_group: g, filter_lists: [ secur ] } ]\nfilter_lists: [ { id: secure, strip_prefix: /a } ]\n",
            "3:54 there is no list of filters `secur` (did you mean `secure`?)",
        ),
        (
            "routes: [ { id: a, backend_group: g, filter_lists: [ l ] } ]\nfilter_lists: [ { id: l, add_headers: { X: \"${capture.1}\" } } ]\n",
            "3:54 `${capture.1}` is no part of the route's path (make the path a `regex:` with groups)",
        ),
        (
            "routes: [ { id: a, backend_group: g, error_pages: [ { status: [ 404 ], file: none.html } ] } ]\n",
            "3:78 the page `none.html` cannot be used: entity not found",
        ),
        (
            "routes: [ { id: a, backend_group: g } ]\nerror_pages: [ { status: [ 404 ], file: bytes } ]\n",
            "4:41 the page `bytes` cannot be used: it is not UTF-8 text",
        ),
        (
            "routes: [ { id: a, backend_group: g } ]\nerror_pages: [ { status: [ 404 ] } ]\n",
            "4:16 the page is empty (add `body` or `file`)",
        ),
        (
            "routes: [ { id: a, backend_group: g } ]\nerror_pages: [ { body: x } ]\n",
            "4:16 the page is for no status (add `status`, such as `status: [404, \"5xx\"]`)",
        ),
        (
            "routes: [ { id: a, backend_group: g } ]\nlisteners: [ { address: \"127.0.0.1:80\" } ]\n",
            "4:25 two listeners have the address 127.0.0.1:80",
        ),
    ] {
        let (plan, problems) = compiled(&format!("{SERVER}{GROUP}{text}"));
        assert!(plan.is_none(), "{text}");
        assert_eq!(problems, [expected], "{text}");
    }
}

#[test]
fn an_adaptive_limit_has_its_bounds_in_order() {
    let with = |adaptive: &str| {
        compiled(&format!(
            "{SERVER}routes: [ {{ id: a, backend_group: g }} ]\nbackend_groups: [ {{ id: g, backends: [ {{ url: \"http://a\" }} ], adaptive_concurrency: {adaptive} }} ]\n"
        ))
    };
    let (plan, problems) = with("{ min_limit: 20, max_limit: 10 }");
    assert!(plan.is_none());
    let said = "`min_limit` (20) is above `max_limit` (10)";
    assert!(problems[0].contains(said), "{problems:?}");
    for (adaptive, mode) in [
        ("\"off\"", None),
        ("shadow", Some(upstream::AdaptiveMode::Shadow)),
        ("on", Some(upstream::AdaptiveMode::On)),
        ("{}", Some(upstream::AdaptiveMode::On)),
    ] {
        let (plan, problems) = with(adaptive);
        let plan = plan.unwrap_or_else(|| panic!("{problems:?}"));
        let limit = plan.groups[0].balance.adaptive.as_ref();
        assert_eq!(limit.map(|limit| limit.mode), mode, "{adaptive}");
    }
}

#[test]
fn groups_need_backends_each_only_once() {
    let routes = "routes: [ { id: a, backend_group: g } ]\n";
    let groups = "backend_groups:\n  - { id: g, backends: [ { url: \"http://a:80\" }, { url: \"http://A\" } ] }\n  - { id: h, backends: [] }\n";
    let (plan, problems) = compiled(&format!("{SERVER}{routes}{groups}"));
    assert!(plan.is_none());
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(
        problems[0].starts_with("4:57 the group has the backend http://a:80 twice"),
        "{problems:?}"
    );
    assert!(
        problems[1].starts_with("5:11 the backend group `h` has no backends"),
        "{problems:?}"
    );
}

#[test]
fn one_mistake_has_no_false_consequences() {
    // A group with a misspelt strategy is still the group that routes mean,
    // and a backend with a bad URL is still a backend.
    let text = format!(
        "{SERVER}routes: [ {{ id: a, backend_group: g }} ]\nbackend_groups: [ {{ id: g, strategy: round-robin, backends: [ {{ url: \"ftp://x\" }} ] }} ]\n"
    );
    let (plan, problems) = compiled(&text);
    assert!(plan.is_none());
    assert_eq!(problems.len(), 2, "{problems:?}");
}

#[test]
fn an_empty_file_is_told_what_is_missing() {
    let (plan, problems) = compiled("");
    assert!(plan.is_none());
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].contains("there is no listener"), "{problems:?}");
}

#[test]
fn what_does_not_act_yet_is_a_warning() {
    let text = format!(
        "{SERVER}routes: [ {{ id: a, backend_group: g }} ]\nbackend_groups:\n  - id: g\n    backends: [ {{ url: \"http://a\" }} ]\n    health_check: {{ enabled: true }}\n    retry: {{ retry_on: [5xx] }}\ntelemetry: {{ tracing: {{ enabled: true }} }}\n"
    );
    let (plan, problems) = compiled(&text);
    let plan = plan.unwrap();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(
        problems.iter().all(|p| p.contains(" warning: ")),
        "{problems:?}"
    );
    let retry = &plan.groups[0].retry;
    assert!(retry.on_server_error && !retry.on_connection_error && !retry.on_timeout);
}

#[test]
fn the_access_log_follows_a_runtime_log_that_goes_to_a_file() {
    for (telemetry, expected) in [
        ("{}", Some("standard output")),
        (
            "{ logging: { output: \"logs/x.log\" } }",
            Some("logs/x.log"),
        ),
        (
            "{ logging: { output: \"logs/x.log\" }, access_log: { output: \"-\" } }",
            Some("standard output"),
        ),
        ("{ access_log: { output: \"a.log\" } }", Some("a.log")),
        ("{ access_log: { output: \"off\" } }", None),
    ] {
        let text = format!(
            "{SERVER}{GROUP}routes: [ {{ id: a, backend_group: g }} ]\ntelemetry: {telemetry}\n"
        );
        let (plan, problems) = compiled(&text);
        assert!(problems.is_empty(), "{problems:?}");
        let output = plan.unwrap().access_log.map(|log| log.output.to_string());
        assert_eq!(output.as_deref(), expected, "{telemetry}");
    }
}

#[test]
fn checks_that_nobody_switched_on_are_a_warning() {
    for (checks, warned) in [
        ("path: /ping", true),
        ("interval: 2s", true),
        ("expected_status: [\"200\"]", true),
        ("path: /health", true),
        ("enabled: true, path: /ping", false),
        ("enabled: false, path: /ping", false),
        ("passive: { max_failures: 2 }, slow_start: 1s", false),
        ("", false),
    ] {
        let text = format!(
            "{SERVER}routes: [ {{ id: a, backend_group: g }} ]\nbackend_groups:\n  - id: g\n    health_check: {{ {checks} }}\n    backends: [ {{ url: \"http://a\" }} ]\n"
        );
        let (plan, problems) = compiled(&text);
        assert!(plan.is_some());
        assert_eq!(
            problems.len(),
            usize::from(warned),
            "{checks}: {problems:?}"
        );
        assert!(problems.iter().all(|p| p.contains("no checks are made")));
    }
}

#[test]
fn weights_that_a_strategy_does_not_look_at_are_a_warning() {
    for (strategy, weights, warned) in [
        ("round_robin", [1, 2], true),
        ("random", [0, 1], true),
        ("least_connections", [100, 100], false),
        ("weighted", [1, 2], false),
        ("least_connections", [1, 2], false),
        ("ip_hash", [0, 1], false),
        ("hash", [0, 1], false),
    ] {
        let [a, b] = weights;
        let text = format!(
            "{SERVER}routes: [ {{ id: a, backend_group: g }} ]\nbackend_groups:\n  - id: g\n    strategy: {strategy}\n    backends: [ {{ url: \"http://a\", weight: {a} }}, {{ url: \"http://b\", weight: {b} }} ]\n"
        );
        let (plan, problems) = compiled(&text);
        assert!(plan.is_some());
        assert_eq!(
            problems.len(),
            usize::from(warned),
            "{strategy}: {problems:?}"
        );
        assert!(
            problems
                .iter()
                .all(|p| p.contains("does not look at weights"))
        );
    }
}

#[test]
fn a_route_may_have_times_of_its_own() {
    let text = format!(
        "{SERVER}routes: [ {{ id: a, backend_group: g, timeout: {{ request: 7s }} }}, {{ id: b, path: /b, backend_group: g }} ]\nbackend_groups: [ {{ id: g, backends: [ {{ url: \"http://a\" }} ], timeout: {{ connect: 1s, total: 9s }} }} ]\n"
    );
    let (plan, problems) = compiled(&text);
    assert!(problems.is_empty(), "{problems:?}");
    let plan = plan.unwrap();
    let of_group = plan.groups[0].times;
    let seconds = std::time::Duration::from_secs;
    assert_eq!(
        plan.routes[0].times,
        Some(crate::Times {
            response: seconds(7),
            ..of_group
        })
    );
    assert_eq!(
        (of_group.connect, of_group.total),
        (seconds(1), Some(seconds(9)))
    );
    assert_eq!(plan.routes[1].times, None);
}

#[test]
fn what_a_listener_lets_clients_do_beyond_requests_is_checked() {
    for (listener, expected) in [
        ("upgrades: [websocket, h2c]", "expected a protocol"),
        ("upgrades: [TLS/1.0]", "expected a protocol"),
        ("forward: { allow: [example.com] }", "has no port"),
        ("forward: { allow: [\"example.com:https\"] }", "is no port"),
        ("forward: { allow: [\"10.0.0.0/33:*\"] }", "is no host"),
        ("forward: { allow: [\"http://a:80\"] }", "is no host"),
    ] {
        let text = format!(
            "server: {{ address: \"127.0.0.1:1\", {listener} }}\nroutes: [ {{ id: a, respond: {{ body: x }} }} ]\n"
        );
        let (_, problems) = compiled(&text);
        assert_eq!(problems.len(), 1, "{listener}: {problems:?}");
        assert!(problems[0].contains(expected), "{listener}: {problems:?}");
    }
}

#[test]
fn hash_and_sticky_are_checked() {
    for (group, expected) in [
        (
            "hash: { key: \"${client_ip}\" }",
            "warning: `hash` is for the strategy `hash` only",
        ),
        (
            "strategy: hash, hash: { key: fixed }",
            "warning: the key is the same for all requests",
        ),
        (
            "strategy: hash, hash: { key: \"${capture.1}\" }",
            "`${capture.1}` is part of a route's path",
        ),
        (
            "strategy: hash, hash: { key: \"${client}\" }",
            "unknown variable `${client}`",
        ),
        (
            "sticky: { secret: short }",
            "the secret is shorter than 16 bytes",
        ),
        (
            "sticky: { same_site: none, secure: never }",
            "browsers refuse a cookie",
        ),
        ("sticky: { path: \"/a;b\" }", "expected a path"),
        ("sticky: { name: \"a b\" }", "expected the name of a cookie"),
    ] {
        let text = format!(
            "{SERVER}routes: [ {{ id: a, backend_group: g }} ]\nbackend_groups:\n  - {{ id: g, backends: [ {{ url: \"http://a\" }} ], {group} }}\n"
        );
        let (_, problems) = compiled(&text);
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].contains(expected), "{group}: {problems:?}");
    }
}

#[test]
fn the_cookie_of_a_session_has_a_name_and_attributes() {
    for (sticky, expected) in [
        ("{}", "forebay_g_h=; Path=/; HttpOnly; SameSite=Lax"),
        (
            "{ name: s, ttl: 1h, path: /x, http_only: false, same_site: strict }",
            "s=; Path=/x; Max-Age=3600; SameSite=Strict",
        ),
    ] {
        let text = format!(
            "{SERVER}routes: [ {{ id: a, backend_group: \"g/h\" }} ]\nbackend_groups:\n  - {{ id: \"g/h\", backends: [ {{ url: \"http://a\" }} ], sticky: {sticky} }}\n"
        );
        let (plan, problems) = compiled(&text);
        assert!(problems.is_empty(), "{problems:?}");
        match &plan.unwrap().groups[0].sticky {
            Some(crate::Sticky::Cookie(cookie)) => {
                assert_eq!(format!("{}={}", cookie.name, cookie.attributes), expected);
            }
            _ => panic!("no cookie"),
        }
    }
}

#[test]
fn what_sources_may_say() {
    for (sources, expected) in [
        ("[ {} ]", "this one has none of them"),
        ("[ { dns: a, port: 1, file: f } ]", "this one has several"),
        ("[ { dns: a } ]", "need a `port`"),
        (
            "[ { dns: \"a:80\", port: 1 } ]",
            "a port is a key of its own",
        ),
        ("[ { dns: a..b, port: 1 } ]", "between its dots"),
        (
            "[ { dns: a, type: srv, port: 1 } ]",
            "warning: services have ports",
        ),
        (
            "[ { dns: a, port: 1, min_interval: 2s, max_interval: 1s } ]",
            "is longer than",
        ),
        (
            "[ { dns: a, port: 1, tags: [ x ] } ]",
            "`tags` is for sources with `registry`",
        ),
        (
            "[ { file: f, port: 1 } ]",
            "`port` is for sources with `dns`",
        ),
        ("[ { file: f }, { file: f } ]", "the source `file f` twice"),
    ] {
        let text = format!(
            "{SERVER}routes: [ {{ id: a, backend_group: g }} ]\nbackend_groups: [ {{ id: g, sources: {sources} }} ]\n"
        );
        let (_, problems) = compiled(&text);
        assert_eq!(problems.len(), 1, "{sources}: {problems:?}");
        assert!(problems[0].contains(expected), "{sources}: {problems:?}");
    }
}

/// Before anything is found, and after all of it is gone.
#[test]
fn a_group_may_be_empty_for_now() {
    for strategy in [
        "round_robin",
        "weighted",
        "least_connections",
        "random",
        "two_choices",
        "ip_hash",
        "hash",
    ] {
        for more in [
            "",
            ", sticky: {}",
            ", sticky: { by: client_ip }",
            ", hedge: {}",
        ] {
            let text = format!(
                "{SERVER}routes: [ {{ id: a, backend_group: g }} ]\nbackend_groups: [ {{ id: g, strategy: {strategy}, sources: [ {{ file: f }} ]{more} }} ]\n"
            );
            let (plan, problems) = compiled(&text);
            assert!(problems.is_empty(), "{problems:?}");
            let plan = plan.unwrap();
            assert!(plan.groups[0].balance.backends.is_empty());
            assert!(plan.to_string().contains("found by file f"));
            let tried = upstream::Excluded::default();
            let choice = crate::Choice {
                client: "::1".parse().unwrap(),
                random: 7,
                affinity: crate::Affinity {
                    key: Some(3),
                    session: Some(0),
                },
                tried: &tried,
                now: None,
            };
            assert!(crate::take_backend(&plan.groups[0], &choice).is_none());
        }
    }
}

#[test]
fn the_admin_api_is_open_to_no_one_by_mistake() {
    let route = "routes: [ { id: a, respond: {} } ]\n";
    for (admin, expected) in [
        (
            "{ address: \"0.0.0.0:1\" }",
            "at 0.0.0.0:1 the admin API is open to others, and there is no token (add `token:",
        ),
        (
            "{ address: \"[::]:1\" }",
            "at [::]:1 the admin API is open to others",
        ),
        ("{ token: short }", "the token is shorter than 16 bytes"),
        (
            "{ token: \"0123456789 abcdef\" }",
            "letters that cannot be sent",
        ),
        (
            "{ tokens: [ { token: short, scope: registry } ] }",
            "shorter than 16 bytes",
        ),
        (
            "{ address: \"0.0.0.0:1\", token: short }",
            "shorter than 16 bytes",
        ),
    ] {
        let (plan, problems) = compiled(&format!("{SERVER}{route}admin: {admin}\n"));
        assert!(plan.is_none());
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].contains(expected), "{admin}: {problems:?}");
    }
    for (admin, address, tokens) in [
        ("{}", "127.0.0.1:8081", 0),
        ("{ address: \"[::1]:1\" }", "[::1]:1", 0),
        (
            "{ address: \"0.0.0.0:1\", token: 0123456789abcdef }",
            "0.0.0.0:1",
            1,
        ),
        (
            "{ tokens: [ { token: 0123456789abcdef } ] }",
            "127.0.0.1:8081",
            1,
        ),
    ] {
        let (plan, problems) = compiled(&format!("{SERVER}{route}admin: {admin}\n"));
        assert!(problems.is_empty(), "{problems:?}");
        let admin = plan.unwrap().admin.unwrap();
        assert_eq!(
            (admin.address.to_string(), admin.tokens.len()),
            (address.to_owned(), tokens)
        );
        assert!(!format!("{admin:?}").contains("0123456789"));
    }
    assert!(
        compiled(&format!("{SERVER}{route}"))
            .0
            .unwrap()
            .admin
            .is_none()
    );
}

#[test]
fn what_is_spoken_with_backends_goes_with_their_urls() {
    use upstream::Protocol::{Agreed, Http1, Http2};
    for (protocol, url, expected) in [
        ("auto", "http://a", Ok(Http1)),
        ("auto", "https://a", Ok(Agreed)),
        ("auto", "unix:/a", Ok(Http1)),
        ("h1", "https://a", Ok(Http1)),
        ("h2", "https://a", Ok(Http2)),
        ("h2c", "http://a", Ok(Http2)),
        ("h2c", "unix:/a", Ok(Http2)),
        ("h2", "http://a", Err("`protocol: h2` is HTTP/2 with TLS")),
        ("h2", "unix:/a", Err("`protocol: h2` is HTTP/2 with TLS")),
        (
            "h2c",
            "https://a",
            Err("`protocol: h2c` is HTTP/2 without TLS"),
        ),
    ] {
        let text = format!(
            "{SERVER}routes: [ {{ id: a, backend_group: g }} ]\nbackend_groups:\n  - id: g\n    protocol: {protocol}\n    backends: [ {{ url: \"{url}\" }} ]\n    tls: {{ verify: false }}\n"
        );
        let (plan, problems) = compiled(&text);
        match expected {
            Ok(expected) => {
                let plan = plan.unwrap_or_else(|| panic!("{problems:?}"));
                let backend = &plan.groups[0].balance.backends[0];
                assert_eq!(backend.options.protocol, expected, "{protocol} {url}");
            }
            Err(message) => {
                assert!(plan.is_none(), "{protocol} {url}");
                assert!(problems.iter().any(|p| p.contains(message)), "{problems:?}");
            }
        }
    }
}

#[test]
fn grpc_web_takes_backends_that_speak_http2() {
    for (protocol, url, is_fine) in [
        ("auto", "http://a", false),
        ("h1", "https://a", false),
        ("auto", "https://a", true),
        ("h2c", "http://a", true),
    ] {
        let text = format!(
            "{SERVER}routes: [ {{ id: a, backend_group: g, grpc_web: true }} ]\nbackend_groups: [ {{ id: g, protocol: {protocol}, backends: [ {{ url: \"{url}\" }} ] }} ]\n"
        );
        let (plan, problems) = compiled(&text);
        assert_eq!(plan.is_some(), is_fine, "{protocol} {url}: {problems:?}");
    }
    let text = format!("{SERVER}routes: [ {{ id: a, respond: {{}}, grpc_web: true }} ]\n");
    let (plan, problems) = compiled(&text);
    assert!(plan.is_none());
    assert!(problems[0].contains("the route has none"), "{problems:?}");
}

#[test]
fn checks_with_grpc_take_http2() {
    for (protocol, is_fine) in [("auto", false), ("h1", false), ("h2c", true)] {
        let text = format!(
            "{SERVER}routes: [ {{ id: a, backend_group: g }} ]\nbackend_groups:\n  - id: g\n    protocol: {protocol}\n    backends: [ {{ url: \"http://a\" }} ]\n    health_check: {{ enabled: true, protocol: grpc }}\n"
        );
        let (plan, problems) = compiled(&text);
        assert_eq!(plan.is_some(), is_fine, "{protocol}: {problems:?}");
    }
}

use super::*;
use crate::{Outside, read};

fn plan(text: &str) -> Plan {
    let text = format!("server: {{ id: s, address: \"127.0.0.1:80\", max_body: 1k }}\n{text}");
    let read = read("test.yaml", &text, &Outside::nothing());
    let problems = read.problems.render(false);
    read.plan.unwrap_or_else(|| panic!("{problems}"))
}

const GROUPS: &str = "backend_groups:
  - { id: app, backends: [ { url: \"http://a\" } ] }
  - { id: app2, backends: [ { url: \"http://b\" } ] }\n";

fn line(method: &str, host: &str, target: &str) -> String {
    format!(
        "{{\"client_ip\":\"192.0.2.7\",\"method\":\"{method}\",\"host\":\"{host}\",\"target\":\"{target}\"}}\n"
    )
}

/// Every shift in a line, and the rest as it is.
fn shifts(old: &str, new: &str, log: &str) -> (Replayed, Vec<String>) {
    let [old, new] = [old, new].map(|text| plan(&format!("{GROUPS}{text}")));
    let replayed = replay(&old, &new, &mut log.as_bytes()).unwrap();
    let shift = |shift: &Shift| {
        let Example { url, old, new } = &shift.example;
        format!(
            "{} {} {}: {} -> {} (for example {url}: {old} -> {new})",
            shift.count, shift.paths, shift.method, shift.old, shift.new
        )
    };
    let shown = replayed.shifts.iter().map(shift).collect();
    (replayed, shown)
}

#[test]
fn requests_that_fare_differently_are_counted_together() {
    let old = "routes:
  - { id: api, path: /api/*, backend_group: app, strip_prefix: /api }
  - { id: gone, path: /gone, backend_group: app }
  - { id: away, path: /away/*, redirect: { to: \"https://a${path}\" } }
  - { id: rest, path: /files/*, backend_group: app }";
    let new = "routes:
  - { id: api, path: /api/*, backend_group: app, methods: [ GET ] }
  - { id: v2, path: /api/v2/*, backend_group: app2 }
  - { id: gone, path: /gone, respond: { status: 410 } }
  - { id: away, path: /away/*, redirect: { to: \"https://b${path}\" } }
  - { id: rest, path: /files/*, backend_group: app, max_body: 10B }";
    let log = [
        line("GET", "h", "/api/v2/x"),
        line("GET", "h", "/api/v2/y?z"),
        line("GET", "h", "/api/x"),
        line("DELETE", "h", "/api/./x"),
        line("GET", "h", "/gone"),
        line("GET", "h", "/away/1"),
        line("GET", "h", "/nowhere"),
        "{\"method\":\"PUT\",\"host\":\"h\",\"target\":\"/files/a\",\"request_bytes\":11}\n".into(),
        "{\"method\":\"PUT\",\"host\":\"h\",\"target\":\"/files/b\",\"request_bytes\":10}\n".into(),
    ]
    .concat();
    let (replayed, shown) = shifts(old, new, &log);
    assert_eq!(
        shown,
        [
            "2 /api/v2/* GET: route api (group app) -> route v2 (group app2) \
             (for example http://h/api/v2/x: /v2/x -> /api/v2/x)",
            "1 /api/x DELETE: route api (group app) -> 405 (method_not_allowed) \
             (for example http://h/api/./x: /./x -> )",
            "1 /api/x GET: route api (group app) -> route api (group app) \
             (for example http://h/api/x: /x -> /api/x)",
            "1 /away/1 GET: route away (answers 308) -> route away (answers 308) \
             (for example http://h/away/1: https://a/away/1 -> https://b/away/1)",
            "1 /files/a PUT: route rest (group app) -> route rest (refused: 413 request_body_too_large) \
             (for example http://h/files/a: /files/a -> )",
            "1 /gone GET: route gone (group app) -> route gone (answers 410) \
             (for example http://h/gone: /gone -> )",
        ]
    );
    assert_eq!((replayed.requests, replayed.differing), (9, 7));
}

#[test]
fn what_the_log_does_not_hold_makes_decisions_uncertain() {
    let old = "routes:
  - { id: beta, path: /api/*, headers: { X-Beta: \"1\" }, backend_group: app2 }
  - { id: bots, path: /api/*, headers: { User-Agent: \"regex:bot\" }, backend_group: app2 }
  - { id: api, path: /api/*, backend_group: app }
  - { id: rest, backend_group: app }";
    let new = old.replace(
        "id: rest, backend_group: app",
        "id: rest, backend_group: app2",
    );
    let new = new.replace(
        "id: api, path: /api/*, backend_group: app",
        "id: api, path: /api/*, methods: [ GET ], backend_group: app",
    );
    let log = [
        line("GET", "h", "/api/x"),
        line("PUT", "h", "/api/x"),
        line("PUT", "h", "/x"),
    ]
    .concat();
    let (replayed, _) = shifts(old, &new, &log);
    assert_eq!((replayed.requests, replayed.differing), (3, 2));
    let expected = Uncertain {
        differing: 1,
        alike: 1,
    };
    assert_eq!(replayed.uncertain, expected);
    assert_eq!(replayed.recorded_otherwise, 3);
}

#[test]
fn a_proxy_in_front_is_believed_as_each_plan_says() {
    let routes = "routes:
  - { id: near, client: [ 192.0.2.0/24 ], backend_group: app }
  - { id: far, backend_group: app }";
    let trusting = format!("trusted_proxies: [ 10.0.0.0/8 ]\n{routes}");
    let log = "{\"method\":\"GET\",\"target\":\"/\",\"host\":\"h\",\"client_ip\":\"192.0.2.7\",\
               \"peer_ip\":\"10.0.0.1\",\"route\":\"near\"}\n";
    let (replayed, shown) = shifts(&trusting, routes, log);
    assert_eq!(
        shown,
        [
            "1 / GET: route near (group app) -> route far (group app) (for example http://h/: / -> /)"
        ]
    );
    assert_eq!(replayed.recorded_otherwise, 0);
}

#[test]
fn lines_that_cannot_be_used_are_counted() {
    let routes = "routes: [ { id: a, backend_group: app } ]";
    let long = |spare: usize| {
        let rest = LONGEST_LINE - line("GET", "h", "/").trim_end().len();
        line("GET", "h", &format!("/{}", "x".repeat(rest + spare)))
    };
    let log = format!(
        "\n  \nnonsense\n{}{}{{\"status\":400}}\n{}",
        long(0),
        long(1),
        line("GET", "h", "/").trim_end()
    );
    let (replayed, shown) = shifts(routes, routes, &log);
    assert_eq!(shown, [""; 0]);
    assert_eq!(replayed.requests, 2);
    assert_eq!(replayed.unreadable, 2);
    assert_eq!(replayed.without_request, 1);
}

#[test]
fn memory_is_bounded_however_many_kinds_of_requests_there_are() {
    let old = "routes: [ { id: a, backend_group: app } ]";
    let new = "routes: [ { id: a, backend_group: app2 } ]";
    let log: String = (0..5000)
        .map(|n| line("GET", "h", &format!("/{n}")))
        .collect();
    let (replayed, shown) = shifts(old, new, &log);
    assert_eq!((replayed.differing, shown.len()), (5000, 4096));
    assert_eq!(replayed.ungrouped, 5000 - 4096);
}

#[test]
fn a_request_is_decided_as_it_is_explained() {
    let plan = plan(&format!(
        "{GROUPS}routes:
  - {{ id: api, path: /api/*, methods: [ GET ], backend_group: app, strip_prefix: /api }}
  - {{ id: beta, path: /api/*, cookies: {{ beta: \"1\" }}, methods: [ GET ], backend_group: app2 }}
  - {{ id: away, path: /away/*, redirect: {{ to: \"https://a${{path}}\" }} }}"
    ));
    for (method, target, fields) in [
        ("GET", "/api/x?y", &[][..]),
        ("GET", "/api/x", &[("Cookie", "beta=1")]),
        ("PUT", "/api/x", &[]),
        ("GET", "/away/%41", &[]),
        ("GET", "/nowhere", &[]),
        ("GET", "/../x", &[]),
        ("no method", "/", &[]),
    ] {
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, value): &(&str, &str)| (name.to_string(), value.to_string()))
            .collect();
        let head = proxy::request_head(method, target, "h", &fields);
        let question = proxy::Question {
            head: &head,
            client: "192.0.2.7:5000".parse().unwrap(),
            listener: 0,
            certificate: None,
            unix_micros: 0,
            random: (0, 0),
            now: None,
            takes_turn: false,
        };
        let (decided, explained) = (
            decide(&plan, &question, &[]),
            proxy::explain(&plan, &question),
        );
        assert_eq!(fate(&plan, &decided), fate(&plan, &explained), "{target}");
        assert_eq!(decided.upstream, explained.upstream, "{target}");
        assert_eq!(
            (decided.path, decided.host),
            (explained.path, explained.host)
        );
        assert!(decided.misses.is_empty() && decided.candidates.is_empty());
    }
}

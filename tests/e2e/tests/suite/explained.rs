//! What `explain` says is what happens: over many random requests, the route,
//! the refusal and the backend that it names are those of the running program.

use std::fmt::Write;
use std::net::SocketAddr;

use fastrand::Rng;
use forebay::{Explanation, Outside, Plan, Question, explain};
use forebay_e2e::{Backend, Client, Config, Forebay, Reply, Response};

const REQUESTS: usize = 100_000;
/// Sent at once; a connection's requests are answered in turn.
const BATCH: usize = 50;

const HOSTS: &[&str] = &["a.test", "b.test", "x.b.test", "y.x.b.test", "other"];
const PATHS: &[&str] = &[
    "/",
    "/x",
    "/x/",
    "/x/y",
    "/x/y/z",
    "/x/../y",
    "/%78/y",
    "//x/y",
    "/api",
    "/api/v1/u/7",
    "/api/v1/u/12/z",
    "/api/v2/u",
    "/apis",
    "/w",
];
const ROUTE_PATHS: &[&str] = &[
    "/",
    "/x",
    "/x/*",
    "/x/y/*",
    "/api/*",
    "/api/v1/*",
    "prefix:/x",
    "prefix:/api",
    "regex:^/api/v[0-9]+/u/[0-9]+$",
    "regex:y",
];
const METHODS: &[&str] = &["GET", "GET", "GET", "POST", "DELETE"];
const GROUPS: &[(&str, &str)] = &[
    ("turns", "strategy: round_robin"),
    ("weighted", "strategy: weighted"),
    ("least", "strategy: least_connections"),
    ("address", "strategy: ip_hash"),
    (
        "key",
        "strategy: hash, hash: { key: \"${header.X-User}${query.u}${path}\" }",
    ),
    ("sticky", "sticky: { name: s, secret: 0123456789abcdef }"),
];

/// One of the items, or none.
fn maybe<'a>(random: &mut Rng, items: &[&'a str]) -> Option<&'a str> {
    random.bool().then(|| items[random.usize(..items.len())])
}

/// A route with a random part of every kind of condition.
fn route(random: &mut Rng, number: usize) -> String {
    let mut route = format!("id: r{number}");
    if let Some(host) = maybe(random, &["a.test", "*.test", "*.b.test", "x.b.test"]) {
        write!(route, ", host: {host:?}").unwrap();
    }
    write!(
        route,
        ", path: {:?}",
        ROUTE_PATHS[random.usize(..ROUTE_PATHS.len())]
    )
    .unwrap();
    if let Some(methods) = maybe(random, &["GET", "POST", "GET, DELETE"]) {
        write!(route, ", methods: [ {methods} ]").unwrap();
    }
    for further in [
        "headers: { X-Env: blue }",
        "query: { v: \"regex:^[12]$\" }",
        "cookies: { beta: \"*\" }",
        "client: [ 192.0.2.0/25 ]",
        "not: { headers: { X-Env: \"*\" } }",
    ] {
        if random.u8(..6) == 0 {
            write!(route, ", {further}").unwrap();
        }
    }
    match random.u8(..8) {
        0 => write!(route, ", respond: {{ body: r{number} }}").unwrap(),
        _ => {
            let (group, _) = GROUPS[random.usize(..GROUPS.len())];
            let seen = format!("set: {{ X-Route: r{number} }}");
            write!(
                route,
                ", backend_group: {group}, response_headers: {{ {seen} }}"
            )
            .unwrap();
        }
    }
    route
}

fn config(random: &mut Rng, backends: &[Backend]) -> String {
    let mut config = Config::default()
        .top("workers: 1")
        .top("trusted_proxies: [ 127.0.0.1 ]")
        .telemetry("access_log: { output: \"off\" }");
    for (id, balance) in GROUPS {
        // Where chance would break ties, the weights are even.
        let weights = match *id {
            "weighted" | "address" | "key" => [3, 1, 2],
            _ => [1; 3],
        };
        let each = backends.iter().zip(weights);
        let each: Vec<String> = each
            .map(|(backend, weight)| format!("{{ url: {:?}, weight: {weight} }}", backend.url()))
            .collect();
        let each = each.join(", ");
        // A test's backends do not live with one connection for ever.
        let pool = "connection_pool: { max_age: 4s }";
        config = config.add_group_of(&format!(
            "id: {id}, backends: [ {each} ], {pool}, {balance}"
        ));
    }
    for number in 0..40 {
        config = config.add_route(&route(random, number));
    }
    config.yaml()
}

/// A request's head, and the address it comes from.
fn request(random: &mut Rng, cookies: &[String]) -> String {
    let method = METHODS[random.usize(..METHODS.len())];
    let mut path = PATHS[random.usize(..PATHS.len())].to_owned();
    if random.bool() {
        write!(path, "?v={}&u=u{}", random.u8(1..4), random.u8(..9)).unwrap();
    }
    let host = HOSTS[random.usize(..HOSTS.len())];
    let client = random.u8(..);
    let mut head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-For: 192.0.2.{client}\r\n"
    );
    for field in ["X-Env: blue", "X-Env: green", "Cookie: beta=1"] {
        if random.u8(..4) == 0 {
            write!(head, "{field}\r\n").unwrap();
        }
    }
    if random.bool() {
        write!(head, "X-User: {}\r\n", random.u8(..30)).unwrap();
    }
    if let Some(cookie) = cookies.get(random.usize(..6)) {
        write!(head, "Cookie: {cookie}\r\n").unwrap();
    }
    head + "\r\n"
}

/// What happened, in one line.
fn seen(response: &Response) -> String {
    match (response.get("x-route"), response.reason()) {
        (Some(route), _) => format!("{route} at {}", response.text()),
        (None, Some(reason)) => format!("{} {reason}", response.status),
        (None, None) => response.text().to_owned(),
    }
}

/// What was foretold, in the same words.
fn foretold(plan: &Plan, explanation: &Explanation) -> String {
    if let Some(failure) = &explanation.failure {
        return format!("{} {}", failure.status(), failure.kind.reason());
    }
    let route = explanation.route.map_or("", |i| &*plan.routes[i].id);
    match explanation.candidates.iter().find(|c| c.is_chosen) {
        Some(candidate) => format!("{route} at {}", candidate.url),
        None => route.to_owned(),
    }
}

fn plan_of(yaml: &str) -> Plan {
    let read = forebay::read("test.yaml", yaml, &Outside::nothing());
    let shown = read.problems.render(false);
    read.plan.unwrap_or_else(|| panic!("{shown}"))
}

#[test]
fn the_explained_backend_is_the_chosen_one() {
    let seed = std::env::var("SEED").map_or_else(|_| fastrand::u64(..), |s| s.parse().unwrap());
    println!("replay with SEED={seed}");
    let mut random = Rng::with_seed(seed);
    let backends: Vec<Backend> = (0..3).map(|_| telling_its_address()).collect();
    let yaml = config(&mut random, &backends);
    let plan = plan_of(&yaml);
    let forebay = Forebay::start(&yaml);
    let peer: SocketAddr = "127.0.0.1:1".parse().unwrap();
    let mut cookies = Vec::new();
    let mut client = forebay.client();
    let (mut answered, mut refused) = (0, 0);
    for batch in 0..REQUESTS / BATCH {
        // No connection lives for ever.
        if batch % 100 == 0 {
            client = forebay.client();
        }
        let requests: Vec<String> = (0..BATCH).map(|_| request(&mut random, &cookies)).collect();
        client.send(requests.concat()).unwrap();
        for request in requests {
            let question = Question {
                head: request.as_bytes(),
                client: peer,
                listener: 0,
                certificate: None,
                now: None,
                takes_turn: true,
                unix_micros: 0,
                random: (random.u64(..), random.u64(..)),
            };
            let expected = foretold(&plan, &explain(&plan, &question));
            let response = answer(&mut client);
            assert_eq!(seen(&response), expected, "{request}\n{yaml}");
            if let Some((cookie, _)) = response.get("set-cookie").and_then(|c| c.split_once(';')) {
                cookies.push(cookie.to_owned());
                cookies.truncate(3);
            }
            answered += usize::from(response.status == 200);
            refused += usize::from(response.status != 200);
        }
    }
    assert!(
        answered > REQUESTS / 10 && refused > 0,
        "{answered} {refused}"
    );
}

#[track_caller]
fn answer(client: &mut Client) -> Response {
    client.try_response(false).expect("an answer")
}

fn telling_its_address() -> Backend {
    Backend::scripted(|conn| {
        let url = format!("http://{}", conn.local_address());
        while let Ok(Some(_)) = conn.head() {
            if conn.send(Reply::ok(&url).into_bytes()).is_err() {
                return;
            }
        }
    })
}

use std::net::{IpAddr, Ipv4Addr};

use message::{Fields, Method};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::*;
use crate::{Condition, Demand, Explained, PathPattern, Silent};

mod ways;

fn route(hosts: &[&str], path: &str, methods: &[&str], headers: &[(&str, &str)]) -> Conditions {
    Conditions {
        id: path.into(),
        hosts: hosts
            .iter()
            .map(|h| HostPattern::parse(h).unwrap())
            .collect(),
        path: PathPattern::parse(path).unwrap(),
        methods: methods.iter().map(|&m| m.into()).collect(),
        further: headers
            .iter()
            .map(|(name, value)| Condition::Header(Demand::header(name, value).unwrap()))
            .collect(),
    }
}

#[derive(Debug, Clone)]
struct Request {
    host: String,
    path: String,
    query: String,
    method: String,
    client: IpAddr,
    fields: Fields,
}

impl Request {
    fn new(method: &str, host: &str, path: &str, fields: &[(&str, &str)]) -> Self {
        let mut all = Fields::default();
        for (name, value) in fields {
            all.push(name.as_bytes(), value.as_bytes());
        }
        Self {
            host: host.to_owned(),
            path: path.to_owned(),
            query: String::new(),
            method: method.to_owned(),
            client: Ipv4Addr::LOCALHOST.into(),
            fields: all,
        }
    }

    fn facts(&self) -> Facts<'_> {
        Facts {
            host: self.host.as_bytes(),
            path: self.path.as_bytes(),
            query: self.query.as_bytes(),
            client: self.client,
            method: Method::of(self.method.as_bytes()),
            method_text: self.method.as_bytes(),
            fields: &self.fields,
            certificate: None,
        }
    }
}

/// One table whose every route can win; each request names the route it gets,
/// first by specificity and then by file order.
#[test]
fn the_order_of_routes() {
    let routes = vec![
        route(&[], "/*", &[], &[]),
        route(&[], "/api/*", &[], &[]),
        route(&[], "/api/v1/*", &[], &[]),
        route(&[], "/api/v1/*", &["GET"], &[]),
        route(&[], "/api/v1/*", &["GET"], &[("X-Env", "blue")]),
        route(&[], "/api/v1/users", &[], &[]),
        route(&["*.example.com"], "/*", &[], &[]),
        route(&["*.eu.example.com"], "/*", &[], &[]),
        route(&["a.eu.example.com"], "/only", &[], &[]),
        route(&["b.example.com", "*.example.org"], "/*", &[], &[]),
        route(&["www.example.org"], "/*", &["POST"], &[]),
        route(&[], "/api/*", &[], &[]),
    ];
    let specific = Table::new(routes.clone(), Order::Specific);
    let ordered = Table::new(routes[1..].to_vec(), Order::Ordered);
    let blue: &[(&str, &str)] = &[("x-env", "blue")];
    for (method, host, path, fields, best, first) in [
        ("GET", "x", "/", &[][..], Some(0), None),
        ("GET", "", "/", &[], Some(0), None),
        ("OPTIONS", "x", "*", &[], Some(0), None),
        ("GET", "x", "/api", &[], Some(0), None),
        ("GET", "x", "/apiv1/x", &[], Some(0), None),
        ("GET", "x", "/api/", &[], Some(1), Some(1)),
        ("POST", "x", "/api/v1/x", &[], Some(2), Some(1)),
        ("HEAD", "x", "/api/v1/x", &[], Some(2), Some(1)),
        ("GET", "x", "/api/v1/x", &[], Some(3), Some(1)),
        ("GET", "x", "/api/v1/x", blue, Some(4), Some(1)),
        ("GET", "x", "/api/v1/users", blue, Some(5), Some(1)),
        ("GET", "example.com", "/y", &[], Some(0), None),
        ("GET", "c.example.com", "/y", &[], Some(6), Some(6)),
        (
            "GET",
            "c.example.com",
            "/api/v1/users",
            &[],
            Some(6),
            Some(1),
        ),
        ("GET", "c.eu.example.com", "/y", &[], Some(7), Some(6)),
        ("GET", "a.eu.example.com", "/only", &[], Some(8), Some(6)),
        ("GET", "a.eu.example.com", "/y", &[], Some(7), Some(6)),
        ("GET", "b.example.com", "/y", &[], Some(9), Some(6)),
        ("POST", "www.example.org", "/y", &[], Some(10), Some(9)),
        ("GET", "www.example.org", "/y", &[], Some(9), Some(9)),
    ] {
        let request = Request::new(method, host, path, fields);
        let what = format!("{method} {host}{path}");
        assert_eq!(specific.find(&request.facts(), &mut Silent), best, "{what}");
        let found = ordered.find(&request.facts(), &mut Silent);
        assert_eq!(found.map(|route| route + 1), first, "ordered: {what}");
    }
}

#[test]
fn no_routes_match_nothing() {
    let table = Table::new(Vec::new(), Order::Specific);
    assert!(table.is_empty());
    let request = Request::new("GET", "a", "/", &[]);
    assert_eq!(table.find(&request.facts(), &mut Silent), None);
}

#[test]
fn every_route_gets_a_reason() {
    let table = Table::new(
        vec![
            route(&["other.example"], "/*", &[], &[]),
            route(&[], "/other", &[], &[]),
            route(&[], "/api/*", &["GET"], &[]),
            route(&[], "/api/*", &["POST"], &[("X-A", "1"), ("X-B", "1")]),
            route(&[], "/*", &[], &[]),
            route(&[], "/api/*", &[], &[]),
        ],
        Order::Specific,
    );
    let request = Request::new("POST", "a.example", "/api/x", &[("X-A", "1")]);
    let mut reasons = Explained::default();
    assert_eq!(table.find(&request.facts(), &mut reasons), Some(5));
    let expected = Explained {
        misses: vec![
            (0, Miss::Host),
            (1, Miss::Path),
            (2, Miss::Method),
            (3, Miss::Further { which: 1 }),
            (4, Miss::Outranked),
        ],
        matched: Some(5),
    };
    assert_eq!(reasons, expected);
}

/// Ten thousand routes, each of which must find itself.
#[test]
fn a_large_table_finds_each_of_its_routes() {
    let routes: Vec<_> = (0..10_000)
        .map(|i| {
            let host = format!("h{}.example", i % 100);
            let path = match i % 2 {
                0 => format!("/r{i}"),
                _ => format!("/s{i}/*"),
            };
            route(&[&host], &path, &[], &[])
        })
        .collect();
    let table = Table::new(routes, Order::Specific);
    for i in 0..10_000 {
        let path = match i % 2 {
            0 => format!("/r{i}"),
            _ => format!("/s{i}/x"),
        };
        let host = format!("h{}.example", i % 100);
        let facts = Request::new("GET", &host, &path, &[]);
        assert_eq!(table.find(&facts.facts(), &mut Silent), Some(i));
    }
}

const HOSTS: &[&str] = &[
    "*", "a", "b.a", "c.b.a", "*.a", "*.b.a", "*.c.b.a", "x.a", "*.d",
];
const PATHS: &[&str] = &[
    "/*",
    "/",
    "/x",
    "/x/*",
    "/x/y",
    "/x/y/*",
    "/x/y/z",
    "/xy/*",
    "/x/yz/*",
    "prefix:/x",
    "prefix:/x/y",
    "regex:y",
    "regex:^/x/?y?$",
];
const METHODS: &[&str] = &["GET", "POST", "PURGE"];

fn any_route() -> impl Strategy<Value = Conditions> {
    (
        subsequence(HOSTS.to_vec(), 0..=3),
        select(PATHS),
        subsequence(METHODS.to_vec(), 0..=2),
        subsequence(further_conditions(), 0..=3),
    )
        .prop_map(|(hosts, path, methods, further)| Conditions {
            further,
            ..route(&hosts, path, &methods, &[])
        })
}

/// Any of these can be fixed without breaking another.
fn further_conditions() -> Vec<Condition> {
    let demand = |name, value| Demand::parse(name, value).unwrap();
    let not = |condition| Condition::Not(Box::new(condition));
    vec![
        Condition::Header(demand("X-A", "1")),
        Condition::Header(demand("X-A", "*")),
        Condition::Header(demand("Accept", "1")),
        Condition::Query(demand("v", "2")),
        Condition::Query(demand("w", "*")),
        Condition::Cookie(demand("c", "3")),
        Condition::Client(vec!["10.0.0.0/8".parse().unwrap()]),
        not(Condition::Header(demand("X-Not", "*"))),
        not(Condition::Query(demand("not", "*"))),
    ]
}

fn any_request() -> impl Strategy<Value = Request> {
    let host = select(vec!["", "a", "b.a", "c.b.a", "d.c.b.a", "x.a", "ba", "e.d"]);
    let path = select(vec![
        "*", "/", "/x", "/x/", "/x/y", "/x/y/", "/x/y/z", "/x/y/z/w", "/xy/", "/x/yz/w", "/w",
    ]);
    let fields = vec![
        ("X-A", "1"),
        ("x-a", "2"),
        ("Accept", "1"),
        ("X-Not", "1"),
        ("Cookie", "c=3"),
    ];
    let fields = subsequence(fields, 0..=4);
    let query = select(vec!["", "v=2", "w", "v=1&not=1"]);
    let client = select(vec![[10, 0, 0, 1], [127, 0, 0, 1]]);
    (select(METHODS), host, path, query, client, fields).prop_map(
        |(method, host, path, query, client, fields)| Request {
            query: query.to_owned(),
            client: client.into(),
            ..Request::new(method, host, path, &fields)
        },
    )
}

/// The rule as a person would state it: of the routes whose conditions hold,
/// the most specific one, reached by its most specific host; then the first.
fn naive(routes: &[Conditions], order: Order, facts: &Facts<'_>) -> Option<usize> {
    let mut taking = routes
        .iter()
        .enumerate()
        .filter(|(_, route)| route.check(facts).is_ok());
    if order == Order::Ordered {
        return taking.next().map(|(at, _)| at);
    }
    let key = |route: &Conditions| {
        let hosts = route.hosts.iter().filter(|h| h.takes(facts.host));
        let host = hosts.map(HostPattern::specificity).max().unwrap_or(0);
        let methods = usize::from(!route.methods.is_empty());
        [host, route.path.specificity(), methods, route.further.len()]
    };
    taking
        .max_by_key(|(at, route)| (key(route), Reverse(*at)))
        .map(|(at, _)| at)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn the_index_finds_what_a_scan_finds(
        routes in vec(any_route(), 0..24),
        requests in vec(any_request(), 1..8),
        order in select(vec![Order::Specific, Order::Ordered]),
    ) {
        let table = Table::new(routes.clone(), order);
        for request in &requests {
            let facts = request.facts();
            let found = table.find(&facts, &mut Silent);
            prop_assert_eq!(found, naive(&routes, order, &facts));
            let mut reasons = Explained::default();
            prop_assert_eq!(table.find(&facts, &mut reasons), found);
            prop_assert_eq!(reasons.matched, found);
            prop_assert_eq!(reasons.misses.len() + usize::from(found.is_some()), routes.len());
        }
    }
}

/// The request with the named condition fixed.
fn fixed(request: &Request, route: &Conditions, miss: Miss) -> Request {
    let mut fixed = request.clone();
    match route.missed(miss).unwrap() {
        Condition::Host(hosts) => fixed.host = hosts[0].to_string().replace('*', "any"),
        Condition::Path(path) => fixed.path = taken_by(&path),
        Condition::Method(methods) => fixed.method = methods[0].to_string(),
        Condition::Header(Demand { name, value }) => {
            let value = value.to_string();
            fixed.fields.push(name.as_bytes(), value.as_bytes());
        }
        Condition::Query(demand) => {
            fixed.query = format!("{}={}&{}", demand.name, demand.value, fixed.query);
        }
        Condition::Cookie(demand) => {
            let cookie = format!("{}={}", demand.name, demand.value);
            fixed.fields.push(b"Cookie", cookie.as_bytes());
        }
        Condition::Client(networks) => fixed.client = networks[0].addr(),
        Condition::Certificate(_) => unreachable!("no route here asks for one"),
        Condition::Not(condition) => match *condition {
            Condition::Header(demand) => {
                fixed.fields.remove_named(demand.name.as_bytes());
            }
            Condition::Query(demand) => {
                let named = |p: &&str| p.split('=').next() != Some(&*demand.name);
                let kept: Vec<&str> = request.query.split('&').filter(named).collect();
                fixed.query = kept.join("&");
            }
            other => panic!("{other}"),
        },
    }
    fixed
}

fn taken_by(path: &PathPattern) -> String {
    match path {
        PathPattern::Regex(_) => "/x/y".to_owned(),
        PathPattern::Tree(root) => root.to_string(),
        path => path.to_string().replace('*', "any"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// Each fix brings the route nearer, and if nothing else was wrong, the
    /// route takes the request.
    #[test]
    fn who_fixes_the_named_condition_gets_on(route in any_route(), request in any_request()) {
        let mut request = request;
        let mut last = None;
        while let Err(miss) = route.check(&request.facts()) {
            prop_assert!(last < Some(miss), "{last:?} was fixed, but {miss:?}");
            last = Some(miss);
            request = fixed(&request, &route, miss);
        }
        let table = Table::new(vec![route], Order::Specific);
        prop_assert_eq!(table.find(&request.facts(), &mut Silent), Some(0));
    }

    /// Another method is offered exactly where it would be taken.
    #[test]
    fn the_other_methods_are_those_that_a_route_takes(
        routes in vec(any_route(), 0..12),
        request in any_request(),
    ) {
        let table = Table::new(routes, Order::Specific);
        let facts = request.facts();
        let found = table.find(&facts, &mut Silent);
        let offered = table.other_methods(&facts);
        if found.is_none() {
            for method in METHODS {
                let other = Request { method: (*method).to_owned(), ..request.clone() };
                let taken = table.find(&other.facts(), &mut Silent).is_some();
                prop_assert_eq!(offered.contains(method), taken, "{}", method);
            }
        }
    }
}

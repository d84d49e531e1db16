//! Unit tests of a configuration, on the data plane's own code.

use std::fmt::Display;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use config::{Pair, Spanned, Test};
use plan::Plan;
use proxy::{Explanation, Question, explain, request_head};

use crate::{ClientCertificate, host_and_target};

/// Everything in which the outcome differs from what the test expects; empty
/// for a test that passes.
pub fn check(plan: &Plan, test: &Test) -> Vec<String> {
    let request = &test.request;
    let client = match request.client.as_ref().map(|text| text.parse()) {
        None => IpAddr::V4(Ipv4Addr::LOCALHOST),
        Some(Ok(address)) => address,
        Some(Err(_)) => return vec!["its `client` is no IP address".to_owned()],
    };
    let listener = match &request.listener {
        None => 0,
        Some(id) => match plan.listeners.iter().position(|l| *l.id == *id.value) {
            Some(at) => at,
            None => return vec![format!("there is no listener `{}`", id.value)],
        },
    };
    let certificate = request.client_certificate.as_ref().map(|shown| {
        let shown = shown.value.clone();
        ClientCertificate {
            subject: shown.subject.unwrap_or_default(),
            names: shown.names,
            fingerprint: shown.fingerprint.unwrap_or_default(),
            serial: shown.serial.unwrap_or_default(),
            ..ClientCertificate::default()
        }
    });
    let pairs = |pair: &Pair| (pair.name.to_string(), pair.value.to_string());
    let fields: Vec<_> = request.headers.iter().map(pairs).collect();
    let (host, target) = host_and_target(&request.url);
    let question = Question {
        head: &request_head(&request.method, target, host, &fields),
        client: SocketAddr::new(client, 0),
        listener,
        certificate,
        now: None,
        takes_turn: false,
        unix_micros: 0,
        random: (0, 0),
    };
    compare(plan, test, &explain(plan, &question))
}

fn compare(plan: &Plan, test: &Test, found: &Explanation) -> Vec<String> {
    let expect = &test.expect;
    let upstream = Upstream::of(&found.upstream);
    let route = found.route.and_then(|i| plan.routes.get(i));
    let group = found.group.and_then(|i| plan.groups.get(i));
    let mut faults = Faults::default();
    faults.compare("route", text(&expect.route), route.map(|r| &*r.id));
    faults.compare("group", text(&expect.group), group.map(|g| &*g.balance.id));
    faults.compare("status", expect.status.as_ref(), status(found).as_ref());
    let reason = found.failure.as_ref().map(|f| f.kind.reason());
    faults.compare("reason", text(&expect.reason), reason);
    faults.compare("target", text(&expect.target), upstream.target);
    for pair in expect.headers.iter() {
        let answer = found.answer.iter().flat_map(|a| a.fields.iter());
        let values = answer
            .filter(|(name, _)| name.eq_ignore_ascii_case(&pair.name))
            .map(|(_, value)| String::from_utf8_lossy(value).into_owned());
        faults.field("the answer's", pair, values.collect());
    }
    for pair in expect.upstream_headers.iter() {
        let values = upstream
            .fields
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case(&pair.name))
            .map(|(_, value)| (*value).to_owned());
        faults.field("the backend's", pair, values.collect());
    }
    if faults.looked_at == 0 {
        faults.found.push("it expects nothing".to_owned());
    }
    let went_astray = found.route.is_none()
        || expect.route.is_some() && text(&expect.route) != route.map(|r| &*r.id);
    if went_astray && !faults.found.is_empty() {
        faults.found.extend(near_misses(plan, found));
    }
    faults.found
}

fn text(expected: &Option<Spanned<String>>) -> Option<&str> {
    expected.as_ref().map(|text| text.as_str())
}

/// Of the answer that Forebay would give itself.
fn status(found: &Explanation) -> Option<u16> {
    let answer = found.answer.as_ref().map(|answer| answer.status);
    answer.or(found.failure.as_ref().map(|failure| failure.status()))
}

fn near_misses<'a>(plan: &'a Plan, found: &'a Explanation) -> impl Iterator<Item = String> + 'a {
    found.misses.iter().take(3).map(|(i, why)| {
        let id = plan.routes.get(*i).map_or("", |route| &*route.id);
        format!("not {id}: {why}")
    })
}

#[derive(Default)]
struct Faults {
    found: Vec<String>,
    looked_at: usize,
}

impl Faults {
    fn compare<T: Display + PartialEq + ?Sized>(
        &mut self,
        what: &str,
        expected: Option<&T>,
        found: Option<&T>,
    ) {
        let Some(expected) = expected else {
            return;
        };
        self.looked_at += 1;
        match found {
            Some(found) if found == expected => {}
            Some(found) => self
                .found
                .push(format!("{what}: expected {expected}, found {found}")),
            None => self
                .found
                .push(format!("{what}: expected {expected}, found none")),
        }
    }

    fn field(&mut self, whose: &str, expected: &Pair, found: Vec<String>) {
        self.looked_at += 1;
        let (name, value) = (&*expected.name, &*expected.value);
        if found.iter().any(|found| value == "*" || found == value) {
            return;
        }
        let found = match &found[..] {
            [] => "none".to_owned(),
            values => values.join(" and "),
        };
        self.found
            .push(format!("{whose} {name}: expected {value}, found {found}"));
    }
}

/// The request that the backend would get.
#[derive(Default)]
struct Upstream<'a> {
    target: Option<&'a str>,
    fields: Vec<(&'a str, &'a str)>,
}

impl<'a> Upstream<'a> {
    fn of(head: &'a [u8]) -> Self {
        let head = std::str::from_utf8(head).unwrap_or_default();
        let mut lines = head.lines();
        Self {
            target: lines.next().and_then(|line| line.split(' ').nth(1)),
            fields: lines.filter_map(|line| line.split_once(": ")).collect(),
        }
    }
}

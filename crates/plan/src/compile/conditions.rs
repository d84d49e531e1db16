//! What routes ask of requests.

use config::{Pair, Problems, Spanned};
use routing::{Condition, Conditions, Demand, HostPattern, PathPattern};

use super::checked::parsed;

pub(super) fn conditions(route: &config::Route, problems: &mut Problems) -> Conditions {
    let written = &route.conditions;
    let mut further = demands(written, problems);
    if let Some(not) = &route.not {
        let refused = refused(not, problems);
        further.extend(refused.into_iter().map(|c| Condition::Not(Box::new(c))));
    }
    Conditions {
        id: route.id.as_str().into(),
        hosts: hosts(written, problems),
        path: path(written, problems).unwrap_or(PathPattern::Any),
        methods: methods(written),
        further,
    }
}

/// Every condition by itself, since each of them is refused by itself.
fn refused(not: &Spanned<config::Conditions>, problems: &mut Problems) -> Vec<Condition> {
    let mut refused = Vec::new();
    let hosts = hosts(not, problems);
    if !hosts.is_empty() {
        refused.push(Condition::Host(hosts));
    }
    refused.extend(path(not, problems).map(Condition::Path));
    if !not.methods.is_empty() {
        refused.push(Condition::Method(methods(not)));
    }
    refused.extend(demands(not, problems));
    if refused.is_empty() && !problems.has_errors() {
        problems
            .error(not.span, "`not` has no conditions in it")
            .help("leave it out, or name what the route is to refuse");
    }
    refused
}

fn hosts(written: &config::Conditions, problems: &mut Problems) -> Vec<HostPattern> {
    let hosts = written.host.iter();
    hosts
        .filter_map(|host| parsed(host, HostPattern::parse(host), problems))
        .collect()
}

fn path(written: &config::Conditions, problems: &mut Problems) -> Option<PathPattern> {
    let path = written.path.as_ref()?;
    parsed(path, PathPattern::parse(path), problems)
}

fn methods(written: &config::Conditions) -> Vec<Box<str>> {
    written.methods.iter().map(|m| m.as_str().into()).collect()
}

fn demands(written: &config::Conditions, problems: &mut Problems) -> Vec<Condition> {
    type Parse = fn(&str, &str) -> Result<Demand, String>;
    let mut demands = Vec::new();
    for (pairs, parse, condition) in [
        (
            &written.headers,
            Demand::header as Parse,
            Condition::Header as fn(Demand) -> Condition,
        ),
        (&written.query, Demand::parse, Condition::Query),
        (&written.cookies, Demand::cookie, Condition::Cookie),
        (
            &written.client_certificate,
            Demand::parse,
            Condition::Certificate,
        ),
    ] {
        for Pair { name, value } in pairs {
            demands.extend(parsed(name, parse(name, value), problems).map(condition));
        }
    }
    if !written.client.is_empty() {
        demands.push(Condition::Client(written.client.clone()));
    }
    demands
}

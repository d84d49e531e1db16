//! `routes`: conditions, filters and where each leads.

use std::collections::HashMap;

use ::telemetry::Names;
use config::{Pair, Problems, Settings, Span, Spanned, suggest};
use filters::{AddHeaders, Filter, Redirect, Respond, StripPrefix, Template, check_request_field};
use routing::{Condition, Conditions, Demand, HostPattern, PathPattern};

use super::unique::Unique;
use crate::Route;

pub(super) fn compile(
    settings: &Settings,
    problems: &mut Problems,
    names: &mut Names,
) -> (Vec<Route>, Vec<Conditions>) {
    let groups = GroupsById::new(settings);
    let mut ids = Unique::default();
    let mut routes = Vec::new();
    let mut conditions = Vec::new();
    for written in &settings.routes {
        ids.check("route", &written.id, problems);
        check_one_end(written, problems);
        conditions.push(conditions_of(written, problems));
        names.route(&written.id);
        routes.push(Route {
            id: written.id.as_str().into(),
            filters: filters_of(written, problems),
            group: written
                .backend_group
                .as_ref()
                .and_then(|id| groups.find(id, problems)),
        });
    }
    if routes.is_empty() && !problems.has_errors() {
        problems
            .error(
                Span::default(),
                "there are no routes, so every request would be answered with 404",
            )
            .help("add `routes: [{ id: \"all\", backend_group: \"...\" }]`");
    }
    (routes, conditions)
}

/// A route leads to exactly one of a group, a fixed answer and a redirect.
fn check_one_end(route: &Spanned<config::Route>, problems: &mut Problems) {
    let ends: Vec<(&str, Span)> = [
        (
            "backend_group",
            route.backend_group.as_ref().map(|e| e.span),
        ),
        ("respond", route.respond.as_ref().map(|e| e.span)),
        ("redirect", route.redirect.as_ref().map(|e| e.span)),
    ]
    .into_iter()
    .filter_map(|(name, span)| Some((name, span?)))
    .collect();
    match ends[..] {
        [_] => {}
        [] => {
            let place = route.id.written().map_or(route.span, |_| route.id.span);
            problems
                .error(
                    place,
                    format!("the route `{}` leads nowhere", route.id.value),
                )
                .help("give it a `backend_group`, a `respond` or a `redirect`");
        }
        [(first, place), (second, other), ..] => {
            problems
                .error(
                    other,
                    format!("the route has both `{first}` and `{second}`"),
                )
                .help("keep the one that is meant")
                .also(place, format!("`{first}` is here"));
        }
    }
}

/// The groups as routes name them.
struct GroupsById<'a> {
    ids: Vec<&'a str>,
    /// An id given twice, which is an error of its own, is that of the first.
    indices: HashMap<&'a str, usize>,
}

impl<'a> GroupsById<'a> {
    /// Ids listed to help someone who has named none of them.
    const LISTED: usize = 10;

    fn new(settings: &'a Settings) -> Self {
        let ids: Vec<&str> = settings
            .backend_groups
            .iter()
            .map(|group| group.id.as_str())
            .collect();
        let indices = ids.iter().enumerate().rev().map(|(i, id)| (*id, i));
        Self {
            indices: indices.collect(),
            ids,
        }
    }

    fn find(&self, id: &Spanned<String>, problems: &mut Problems) -> Option<usize> {
        let found = self.indices.get(id.as_str()).copied();
        if found.is_none() && id.is_written() {
            let known = || self.ids.iter().copied().filter(|id| !id.is_empty());
            let problem =
                problems.error(id.span, format!("there is no backend group `{}`", id.value));
            match suggest(id, known()) {
                Some(word) => problem.suggest(Some(word)),
                None if known().next().is_none() => {
                    problem.help("define it under `backend_groups`")
                }
                None => {
                    let listed: Vec<_> = known().take(Self::LISTED).collect();
                    let more = match known().count() - listed.len() {
                        0 => String::new(),
                        more => format!(" and {more} more"),
                    };
                    problem.help(format!("the groups are: {}{more}", listed.join(", ")))
                }
            };
        }
        found
    }
}

fn conditions_of(route: &config::Route, problems: &mut Problems) -> Conditions {
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

fn filters_of(route: &config::Route, problems: &mut Problems) -> Vec<Box<dyn Filter>> {
    let strip = route.filters.strip_prefix.as_ref();
    let strip = strip.and_then(|prefix| parsed(prefix, StripPrefix::new(prefix), problems));
    let add = add_headers(route, problems);
    let respond = route.respond.as_ref();
    let respond = respond.and_then(|respond| fixed_answer(respond, problems));
    let redirect = route.redirect.as_ref();
    let redirect = redirect.and_then(|redirect| redirect_of(redirect, problems));
    [boxed(strip), boxed(add), boxed(respond), boxed(redirect)]
        .into_iter()
        .flatten()
        .collect()
}

fn boxed<F: Filter + 'static>(filter: Option<F>) -> Option<Box<dyn Filter>> {
    filter.map(|filter| Box::new(filter) as Box<dyn Filter>)
}

fn add_headers(route: &config::Route, problems: &mut Problems) -> Option<AddHeaders> {
    let mut fields = Vec::new();
    for Pair { name, value } in &route.filters.add_headers {
        let name_is_fine = parsed(name, check_request_field(name), problems).is_some();
        if let (true, Some(template)) = (name_is_fine, template(value, problems)) {
            fields.push((name.value.clone(), template));
        }
    }
    if fields.is_empty() {
        return None;
    }
    match AddHeaders::new(fields) {
        Ok(filter) => Some(filter),
        Err(fault) => {
            let place = route
                .filters
                .add_headers
                .get(fault.which)
                .map_or(route.id.span, |p| p.name.span);
            problems.error(place, fault.message);
            None
        }
    }
}

fn fixed_answer(respond: &Spanned<config::Respond>, problems: &mut Problems) -> Option<Respond> {
    let mut fields = Vec::new();
    if !respond.body.is_empty() || respond.content_type.is_written() {
        fields.push((
            "Content-Type".to_owned(),
            respond.content_type.value.clone(),
        ));
    }
    for Pair { name, value } in &respond.headers {
        parsed(name, filters::check_response_field(name), problems)?;
        fields.push((name.value.clone(), value.value.clone()));
    }
    let built = Respond::new(respond.status, fields, respond.body.clone().into_bytes());
    match built {
        Ok(filter) => Some(filter),
        Err(message) => {
            problems.error(respond.span, message);
            None
        }
    }
}

fn redirect_of(redirect: &Spanned<config::Redirect>, problems: &mut Problems) -> Option<Redirect> {
    let to = template(&redirect.to, problems)?;
    parsed(&redirect.to, Redirect::new(redirect.status, to), problems)
}

/// A template; its fault is shown at the exact character where the text in the
/// file is the text of the value.
fn template(text: &Spanned<String>, problems: &mut Problems) -> Option<Template> {
    match Template::parse(text) {
        Ok(template) => Some(template),
        Err(fault) => {
            let place = place_within(text, fault.at, problems);
            let problem = problems.error(place, fault.message);
            if let Some(help) = fault.help {
                problem.help(help);
            }
            None
        }
    }
}

/// The rest of a value from a byte on, as a place in the file.
fn place_within(text: &Spanned<String>, at: usize, problems: &Problems) -> Span {
    let written = problems
        .text()
        .get(text.span.start..text.span.end)
        .unwrap_or_default();
    match written.find(text.as_str()) {
        Some(skip) => Span::new(
            text.span.start + skip + at,
            text.span.start + skip + text.len(),
        ),
        None => text.span,
    }
}

/// The value, or its fault reported where it was written.
fn parsed<T>(
    at: &Spanned<String>,
    result: Result<T, String>,
    problems: &mut Problems,
) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(message) => {
            if at.is_written() {
                problems.error(at.span, message);
            }
            None
        }
    }
}

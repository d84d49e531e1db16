//! `routes`: conditions, filters and where each leads.

use std::collections::HashMap;
use std::sync::Arc;

use ::telemetry::Names;
use config::{Problems, Protocol, Settings, Span, Spanned, suggest};
use filters::Filter;
use routing::{Conditions, Pattern};

use super::conditions::conditions;
use super::filters::{Lists, of_route};
use super::groups::speaks_http2;
use super::unique::Unique;
use super::{Open, client_certificates, pages};
use crate::{Group, Route, Times};

pub(super) fn compile(
    settings: &Settings,
    compiled: &[Group],
    open: &Open<'_>,
    problems: &mut Problems,
    names: &mut Names,
) -> (Vec<Route>, Vec<Conditions>) {
    let groups = GroupsById::new(settings);
    let lists = Lists::new(settings, problems);
    let mut ids = Unique::default();
    let mut routes = Vec::new();
    let mut all_conditions = Vec::new();
    for written in &settings.routes {
        ids.check("route", &written.id, problems);
        check_one_end(written, problems);
        let conditions = conditions(written, problems);
        let filters = of_route(written, &lists, problems);
        let looked_at = client_certificates::looked_at(written);
        let quoted = filters.certificates.iter().copied();
        client_certificates::warn_of_none(settings, looked_at.chain(quoted), problems);
        let expression = conditions.path.pattern().cloned();
        check_captures(expression.as_ref(), &filters.captures, problems);
        let group = written.backend_group.as_ref();
        let group = group.and_then(|id| groups.find(id, problems));
        let written_group = group.and_then(|at| settings.backend_groups.get(at));
        check_grpc_web(written, written_group, problems);
        routes.push(Route {
            id: written.id.as_str().into(),
            number: names.route(&written.id),
            expression,
            own_fields: own_fields(&filters.filters),
            filters: filters.filters,
            group,
            max_body: written.max_body.map(config::Size::as_bytes),
            grpc_web: *written.grpc_web,
            times: group
                .and_then(|group| compiled.get(group))
                .and_then(|group| times(written, group)),
            error_pages: pages::compile(&written.error_pages, open, problems),
        });
        all_conditions.push(conditions);
    }
    let mut listeners = settings.server.iter().chain(&settings.listeners);
    let takes_requests = listeners.any(|l| *l.protocol == Protocol::Http && l.forward.is_none());
    if routes.is_empty() && takes_requests && !problems.has_errors() {
        problems
            .error(
                Span::default(),
                "there are no routes, so every request would be answered with 404",
            )
            .help("add `routes: [{ id: \"all\", backend_group: \"...\" }]`");
    }
    (routes, all_conditions)
}

/// Templates can only quote what the expression of the path has.
fn check_captures(
    expression: Option<&Pattern>,
    captures: &[Spanned<String>],
    problems: &mut Problems,
) {
    let known: Vec<String> = expression.map_or_else(Vec::new, |e| e.captures().collect());
    for name in captures.iter().filter(|name| !known.contains(name)) {
        let message = format!(
            "`${{capture.{}}}` is no part of the route's path",
            name.value
        );
        let problem = problems.error(name.span, message);
        match expression {
            Some(_) => problem.help(format!("the path has the groups {}", known.join(", "))),
            None => problem.help("make the path a `regex:` with groups"),
        };
    }
}

/// Calls of gRPC take backends, and those HTTP/2.
fn check_grpc_web(
    route: &config::Route,
    group: Option<&Spanned<config::BackendGroup>>,
    problems: &mut Problems,
) {
    if !*route.grpc_web {
        return;
    }
    let place = route.grpc_web.span;
    if route.backend_group.is_none() {
        problems
            .error(
                place,
                "gRPC-Web is bridged to backends, and the route has none",
            )
            .help("take `grpc_web` out, or give the route a `backend_group`");
    }
    if group.is_some_and(|group| !speaks_http2(group)) {
        problems
            .error(place, "gRPC-Web is bridged to backends that speak HTTP/2")
            .help("write `protocol: h2c` in the group, or `protocol: h2` for those at `https://`");
    }
}

fn own_fields(filters: &[Arc<dyn Filter>]) -> Option<Arc<[Box<str>]>> {
    let fields = filters.iter().flat_map(|filter| filter.own_fields());
    let fields: Vec<Box<str>> = fields.map(Box::from).collect();
    (!fields.is_empty()).then(|| fields.into())
}

/// The group's times with those of the route in their place.
fn times(route: &config::Route, group: &Group) -> Option<Times> {
    let written = route.timeout.as_ref()?;
    let of_group = group.times;
    Some(Times {
        connect: written.connect.unwrap_or(of_group.connect),
        response: written.request.unwrap_or(of_group.response),
        idle: written.idle.unwrap_or(of_group.idle),
        tunnel: written.tunnel.unwrap_or(of_group.tunnel),
        wait: of_group.wait,
        total: written.total.or(of_group.total),
    })
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

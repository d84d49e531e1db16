//! Exchanges and how they failed.

use std::collections::BTreeMap;
use std::fmt;

use message::{Kind, Method};
use prometheus_client::encoding::{EncodeLabelValue, LabelValueEncoder};
use prometheus_client::registry::Unit;

use super::family::{Family, Labels, Page};
use crate::metrics::Snapshot;
use crate::metrics::cells::RouteCells;
use crate::metrics::series::Key;

/// The label of what is not there: no route matched, no backend was tried.
const NONE: &str = "none";

/// The label of what is too unusual to be told apart.
const OTHER: &str = "other";

const REQUESTS: Family = Family::new("forebay_http_requests", "Exchanges that have settled.");
const DURATION: Family = Family::in_unit(
    "forebay_http_request_duration",
    Unit::Seconds,
    "From the first byte of the request to the last byte of the answer.",
);
const REQUEST_BYTES: Family = Family::in_unit(
    "forebay_http_request",
    Unit::Bytes,
    "Bytes of request bodies received.",
);
const RESPONSE_BYTES: Family = Family::in_unit(
    "forebay_http_response",
    Unit::Bytes,
    "Bytes of response bodies sent.",
);
const ERRORS: Family = Family::new(
    "forebay_errors",
    "Failures by the side at fault and the reason.",
);

pub(super) fn write(page: &mut Page<'_>, snapshot: &Snapshot) -> fmt::Result {
    requests(page, snapshot)?;
    let routes = by_route(snapshot);
    let each = || routes.iter().map(|(&id, cells)| ([("route", id)], cells));
    page.histograms(&DURATION, each().map(|(l, c)| (l, &c.duration)))?;
    page.counters(&REQUEST_BYTES, each().map(|(l, c)| (l, c.request_bytes)))?;
    page.counters(&RESPONSE_BYTES, each().map(|(l, c)| (l, c.response_bytes)))?;
    page.counters(&ERRORS, errors(snapshot))
}

/// Adds up by label, not by number: a URL may serve in several groups, and a
/// route may be called `none`.
fn requests(page: &mut Page<'_>, snapshot: &Snapshot) -> fmt::Result {
    let mut counts: BTreeMap<(&str, &str, &str, Option<u16>), u64> = BTreeMap::new();
    for &(key, count) in &snapshot.requests {
        let (route, backend) = names(snapshot, key);
        let labels = (route, backend, key.method().label(), key.status());
        *counts.entry(labels).or_default() += count;
    }
    if snapshot.requests_beyond > 0 {
        let labels = (OTHER, OTHER, Method::Other.label(), None);
        *counts.entry(labels).or_default() += snapshot.requests_beyond;
    }
    let samples = counts
        .iter()
        .map(|(&(route, backend, method, status), &n)| {
            let names = [("method", method), ("route", route), ("backend", backend)];
            ((names, [("status", StatusLabel(status))]), n)
        });
    page.counters(&REQUESTS, samples)
}

/// A status, or that it was none.
struct StatusLabel(Option<u16>);

impl EncodeLabelValue for StatusLabel {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        match self.0 {
            Some(status) => status.encode(encoder),
            None => OTHER.encode(encoder),
        }
    }
}

fn names(snapshot: &Snapshot, key: Key) -> (&str, &str) {
    let names = &snapshot.names;
    let route = key.route().and_then(|n| names.route_name(n));
    let backend = key.backend().and_then(|n| names.backend_name(n));
    (route.unwrap_or(NONE), backend.map_or(NONE, |(_, url)| url))
}

/// The routes that have served, by name; `none` for exchanges without one.
fn by_route(snapshot: &Snapshot) -> BTreeMap<&str, RouteCells> {
    let named = (0..).map(|number| snapshot.names.route_name(number).unwrap_or(NONE));
    let cells = named
        .zip(&snapshot.routes)
        .chain([(NONE, &snapshot.routeless)]);
    let mut routes: BTreeMap<&str, RouteCells> = BTreeMap::new();
    for (id, cells) in cells.filter(|(_, cells)| cells.duration.count() > 0) {
        routes.entry(id).or_default().merge(cells);
    }
    routes
}

/// Every kind, also those that have not occurred: they are few, and a rate can
/// then be computed from the first failure on.
fn errors(snapshot: &Snapshot) -> impl Iterator<Item = (Labels<'static, 2>, u64)> {
    Kind::ALL
        .iter()
        .zip(snapshot.failures)
        .map(|(kind, count)| {
            let labels = [("side", kind.side().label()), ("reason", kind.reason())];
            (labels, count)
        })
}

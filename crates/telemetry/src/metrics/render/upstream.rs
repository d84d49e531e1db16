//! The backends' side: connections, and how often they were waited for.

use std::fmt;

use super::family::{Family, Labels, Page};
use crate::metrics::{Retried, Snapshot, UpstreamFigures};

const CONNECTIONS: Family = Family::new(
    "forebay_upstream_connections",
    "Open connections to backends, serving an exchange (active) or pooled (idle).",
);

const SHARED: Family = Family::new(
    "forebay_upstream_http2_connections",
    "Those of the open connections to backends that carry several exchanges at a time.",
);
const STREAMS: Family = Family::new(
    "forebay_upstream_http2_streams",
    "Exchanges under way on connections that carry several.",
);

const RETRIES: Family = Family::new(
    "forebay_retries",
    "Further attempts at a request, by what went wrong with the one before.",
);
const RETRIES_REFUSED: Family = Family::new(
    "forebay_retries_refused",
    "Further attempts not made because the group's retry budget was spent.",
);

/// A counter and where its number is.
type Counter = (Family, fn(&UpstreamFigures) -> u64);

const COUNTERS: [Counter; 6] = [
    (
        Family::new(
            "forebay_upstream_connections_created",
            "Connections to backends opened.",
        ),
        |figures| figures.created,
    ),
    (
        Family::new(
            "forebay_upstream_connections_reused",
            "Times an open connection to a backend was used again.",
        ),
        |figures| figures.reused,
    ),
    (
        Family::new(
            "forebay_upstream_waits",
            "Times an exchange had to wait for a connection to a backend.",
        ),
        |figures| figures.waits,
    ),
    (
        Family::new(
            "forebay_upstream_queue_full",
            "Times too many exchanges already waited for a connection to a backend.",
        ),
        |figures| figures.queue_full,
    ),
    (
        Family::new(
            "forebay_upstream_stale_connections",
            "Pooled connections closed because they were dead, idle for too long or too old.",
        ),
        |figures| figures.stale,
    ),
    (
        Family::new(
            "forebay_upstream_http2_refused_streams",
            "Times a backend refused an exchange on a connection that carries several.",
        ),
        |figures| figures.refused,
    ),
];

pub(super) fn write(page: &mut Page<'_>, snapshot: &Snapshot) -> fmt::Result {
    page.gauges(
        &CONNECTIONS,
        backends(snapshot).flat_map(|([group, backend], figures)| {
            [("active", figures.active), ("idle", figures.idle)]
                .map(|(state, n)| ([group, backend, ("state", state)], n))
        }),
    )?;
    let each = || backends(snapshot);
    page.gauges(
        &SHARED,
        each().map(|(labels, figures)| (labels, figures.shared)),
    )?;
    page.gauges(
        &STREAMS,
        each().map(|(labels, figures)| (labels, figures.streams)),
    )?;
    for (family, value) in &COUNTERS {
        page.counters(
            family,
            backends(snapshot).map(|(labels, figures)| (labels, value(figures))),
        )?;
    }
    page.counters(
        &RETRIES,
        Retried::ALL
            .iter()
            .zip(snapshot.retries)
            .map(|(why, n)| ([("reason", why.label())], n)),
    )?;
    page.counter(&RETRIES_REFUSED, snapshot.retries_refused)
}

fn backends(snapshot: &Snapshot) -> impl Iterator<Item = (Labels<'_, 2>, &UpstreamFigures)> {
    let numbered = (0..).zip(&snapshot.upstream);
    numbered.filter_map(|(number, figures)| {
        let (group, url) = snapshot.names.backend_name(number)?;
        Some(([("group", group), ("backend", url)], figures))
    })
}

//! Connections that are passed on as they are.

use std::fmt;

use prometheus_client::registry::Unit;

use super::family::{Family, Page};
use crate::metrics::Snapshot;
use crate::metrics::tunnels::{TunnelCells, Way};

/// What stands for a backend where none was reached.
const NONE: &str = "none";

const RECEIVED: Family = Family::in_unit(
    "forebay_tcp_received",
    Unit::Bytes,
    "Bytes that clients have sent over TCP.",
);
const SENT: Family = Family::in_unit(
    "forebay_tcp_sent",
    Unit::Bytes,
    "Bytes that clients were sent over TCP.",
);
const DURATION: Family = Family::in_unit(
    "forebay_tcp_connection_duration",
    Unit::Seconds,
    "How long connections over TCP lasted that have ended.",
);
const FAILURES: Family = Family::new(
    "forebay_tcp_failures",
    "Connections over TCP that were refused or did not end by themselves.",
);

pub(super) fn write(page: &mut Page<'_>, snapshot: &Snapshot) -> fmt::Result {
    let ways = &snapshot.tunnels.0;
    if ways.is_empty() {
        return Ok(());
    }
    let labels = |&(listener, backend): &Way| {
        let listener = snapshot.names.listener_name(listener).unwrap_or(NONE);
        let backend = backend.and_then(|number| snapshot.names.backend_name(number));
        let (group, backend) = backend.unwrap_or((NONE, NONE));
        [
            ("listener", listener),
            ("group", group),
            ("backend", backend),
        ]
    };
    let count = |family, of: fn(&TunnelCells) -> u64| {
        (
            family,
            ways.iter()
                .map(move |(way, cells)| (labels(way), of(cells))),
        )
    };
    for (family, counts) in [
        count(&RECEIVED, |cells| cells.received),
        count(&SENT, |cells| cells.sent),
    ] {
        page.counters(family, counts)?;
    }
    page.histograms(
        &DURATION,
        ways.iter()
            .map(|(way, cells)| (labels(way), &cells.duration)),
    )?;
    page.counters(
        &FAILURES,
        ways.iter().flat_map(|(way, cells)| {
            let [listener, group, backend] = labels(way);
            let failures = cells.failures.iter();
            failures.map(move |&(kind, count)| {
                ([listener, group, backend, ("reason", kind.reason())], count)
            })
        }),
    )
}

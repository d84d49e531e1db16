//! The clients' side: connections and exchanges under way, per listener.

use std::fmt;

use super::family::{Family, Page};
use crate::metrics::Snapshot;
use crate::metrics::cells::ListenerCells;

const IN_FLIGHT: Family = Family::new("forebay_http_requests_in_flight", "Exchanges under way.");
const CONNECTIONS: Family = Family::new(
    "forebay_client_connections",
    "Open connections of clients, with an exchange under way (active) or without (idle).",
);
// Not `forebay_client_connections_total`: OpenMetrics wants the gauge above
// and a counter to differ in more than the suffix.
const ACCEPTED: Family = Family::new(
    "forebay_client_connections_accepted",
    "Connections of clients accepted.",
);

const FLOODS: Family = Family::new(
    "forebay_http2_floods",
    "HTTP/2 connections that were ended because the client did too much of something.",
);

pub(super) fn write(page: &mut Page<'_>, snapshot: &Snapshot) -> fmt::Result {
    page.gauges(
        &IN_FLIGHT,
        listeners(snapshot).map(|(name, cells)| ([("listener", name)], cells.in_flight)),
    )?;
    page.gauges(
        &CONNECTIONS,
        listeners(snapshot).flat_map(|(name, cells)| {
            let idle = cells.open.saturating_sub(cells.active);
            [("active", cells.active), ("idle", idle)]
                .map(|(state, n)| ([("listener", name), ("state", state)], n))
        }),
    )?;
    page.counters(
        &ACCEPTED,
        listeners(snapshot).map(|(name, cells)| ([("listener", name)], cells.accepted)),
    )?;
    if listeners(snapshot).all(|(_, cells)| cells.floods.is_empty()) {
        return Ok(());
    }
    page.counters(
        &FLOODS,
        listeners(snapshot).flat_map(|(name, cells)| {
            let floods = cells.floods.iter();
            floods.map(move |&(reason, count)| ([("listener", name), ("reason", reason)], count))
        }),
    )
}

fn listeners(snapshot: &Snapshot) -> impl Iterator<Item = (&str, &ListenerCells)> {
    let named = (0..).map_while(|n| snapshot.names.listener_name(n));
    named.zip(&snapshot.listeners)
}

//! The clients' side: connections and exchanges under way, per listener.

use std::fmt;

use prometheus_client::registry::Unit;

use super::family::{Family, Page};
use crate::Tunnel;
use crate::metrics::Snapshot;
use crate::metrics::cells::{ListenerCells, TunnelCells};

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

const REFUSED: Family = Family::new(
    "forebay_http2_refused_streams",
    "Requests refused because their HTTP/2 connection had as many as it may at a time.",
);

const TUNNELS: Family = Family::new(
    "forebay_tunnels",
    "Open connections of clients that were switched to another protocol.",
);
const RECEIVED: Family = Family::in_unit(
    "forebay_tunnel_received",
    Unit::Bytes,
    "Bytes that clients have sent through such connections.",
);
const SENT: Family = Family::in_unit(
    "forebay_tunnel_sent",
    Unit::Bytes,
    "Bytes that clients were sent through such connections.",
);
const DURATION: Family = Family::in_unit(
    "forebay_tunnel_duration",
    Unit::Seconds,
    "How long such connections lasted that have ended.",
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
    page.counters(
        &REFUSED,
        listeners(snapshot).map(|(name, cells)| ([("listener", name)], cells.refused)),
    )?;
    tunnels(page, snapshot)?;
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

fn tunnels(page: &mut Page<'_>, snapshot: &Snapshot) -> fmt::Result {
    let of_listener = |(listener, cells)| of_listener(listener, cells);
    let all: Vec<_> = listeners(snapshot).flat_map(of_listener).collect();
    if all.is_empty() {
        return Ok(());
    }
    let all = || all.iter().map(|&(labels, cells)| (labels, cells));
    page.gauges(&TUNNELS, all().map(|(labels, cells)| (labels, cells.open)))?;
    page.counters(
        &RECEIVED,
        all().map(|(labels, cells)| (labels, cells.received)),
    )?;
    page.counters(&SENT, all().map(|(labels, cells)| (labels, cells.sent)))?;
    page.histograms(
        &DURATION,
        all().map(|(labels, cells)| (labels, &cells.duration)),
    )
}

type Labelled<'s> = ([(&'static str, &'s str); 2], &'s TunnelCells);

/// The kinds of tunnels that a listener has had.
fn of_listener<'s>(
    listener: &'s str,
    cells: &'s ListenerCells,
) -> impl Iterator<Item = Labelled<'s>> {
    let kinds = Tunnel::ALL.iter().zip(&cells.tunnels);
    let used = kinds.filter(|(_, cells)| cells.open + cells.duration.count() > 0);
    used.map(move |(kind, cells)| ([("listener", listener), ("protocol", kind.label())], cells))
}

fn listeners(snapshot: &Snapshot) -> impl Iterator<Item = (&str, &ListenerCells)> {
    let named = (0..).map_while(|n| snapshot.names.listener_name(n));
    named.zip(&snapshot.listeners)
}

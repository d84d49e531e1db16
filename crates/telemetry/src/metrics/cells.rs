//! One worker's counters.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use message::Kind;

use super::histogram::Histogram;
use super::series::{Key, Series};
use super::tunnels::Tunnels;
use super::{Names, Snapshot};
use crate::{Record, Tunnel};

/// What is counted per route.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct RouteCells {
    pub(super) duration: Histogram,
    pub(super) request_bytes: u64,
    pub(super) response_bytes: u64,
}

impl RouteCells {
    pub(super) fn merge(&mut self, other: &Self) {
        self.duration.merge(&other.duration);
        self.request_bytes += other.request_bytes;
        self.response_bytes += other.response_bytes;
    }
}

/// What is counted per listener.
#[derive(Debug, Clone, Default)]
pub(super) struct ListenerCells {
    /// Connections open now.
    pub(super) open: u64,
    /// Of these, the ones with an exchange under way.
    pub(super) active: u64,
    /// Connections taken since the start.
    pub(super) accepted: u64,
    /// Exchanges under way; more than `active` where a connection carries many.
    pub(super) in_flight: u64,
    pub(super) handshakes: Handshakes,
    /// HTTP/2 connections that were ended, by what there was too much of.
    pub(super) floods: Vec<(&'static str, u64)>,
    /// Requests over HTTP/2 beside as many as there may be on a connection.
    pub(super) refused: u64,
    /// Connections switched to another protocol, by which.
    pub(super) tunnels: [TunnelCells; Tunnel::ALL.len()],
}

/// Connections of a listener that were switched to one protocol.
#[derive(Debug, Clone, Default)]
pub(super) struct TunnelCells {
    pub(super) open: u64,
    /// Bytes from clients, and to them.
    pub(super) received: u64,
    pub(super) sent: u64,
    /// How long those lasted that have ended.
    pub(super) duration: Histogram,
}

impl TunnelCells {
    fn merge(&mut self, other: &Self) {
        self.open += other.open;
        self.received += other.received;
        self.sent += other.sent;
        self.duration.merge(&other.duration);
    }
}

/// TLS handshakes of a listener.
#[derive(Debug, Clone, Default)]
pub(super) struct Handshakes {
    /// Done, by version and whether a session was taken up again.
    pub(super) done: Vec<((&'static str, bool), u64)>,
    /// By reason.
    pub(super) failed: Vec<(&'static str, u64)>,
    /// How long those that were done took.
    pub(super) duration: Histogram,
}

impl Handshakes {
    fn merge(&mut self, other: &Self) {
        for &(key, count) in &other.done {
            add(&mut self.done, key, count);
        }
        for &(reason, count) in &other.failed {
            add(&mut self.failed, reason, count);
        }
        self.duration.merge(&other.duration);
    }
}

/// Adds to the count of one of a few.
fn add<K: PartialEq>(counts: &mut Vec<(K, u64)>, key: K, more: u64) {
    match counts.iter_mut().find(|(known, _)| *known == key) {
        Some((_, count)) => *count += more,
        None => counts.push((key, more)),
    }
}

impl ListenerCells {
    pub(super) fn merge(&mut self, other: &Self) {
        self.open += other.open;
        self.active += other.active;
        self.accepted += other.accepted;
        self.in_flight += other.in_flight;
        self.handshakes.merge(&other.handshakes);
        for &(reason, count) in &other.floods {
            add(&mut self.floods, reason, count);
        }
        self.refused += other.refused;
        for (cells, more) in self.tunnels.iter_mut().zip(&other.tunnels) {
            cells.merge(more);
        }
    }
}

/// Failures by kind, indexed by the kind's number.
pub(super) type Failures = [u64; Kind::ALL.len()];

/// The counters of one worker. Nobody else touches them; whoever wants to see
/// them asks the worker for a [`Snapshot`].
///
/// A listener is given by its number in [`Names`].
#[derive(Debug)]
pub struct Metrics {
    names: Arc<Names>,
    requests: Series,
    routes: Vec<RouteCells>,
    /// Exchanges without a route.
    routeless: RouteCells,
    listeners: Vec<ListenerCells>,
    tunnels: Tunnels,
    failures: Failures,
    panics: u64,
    retries: [u64; Retried::ALL.len()],
    retries_refused: u64,
}

/// Why another attempt was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retried {
    ConnectionError,
    Timeout,
    ServerError,
    GrpcCancelled,
    GrpcDeadlineExceeded,
    GrpcResourceExhausted,
    GrpcInternal,
    GrpcUnavailable,
    /// A second backend was asked because the first took longer than is usual.
    Slow,
}

impl Retried {
    pub(super) const ALL: [Retried; 9] = [
        Retried::ConnectionError,
        Retried::Timeout,
        Retried::ServerError,
        Retried::GrpcCancelled,
        Retried::GrpcDeadlineExceeded,
        Retried::GrpcResourceExhausted,
        Retried::GrpcInternal,
        Retried::GrpcUnavailable,
        Retried::Slow,
    ];

    /// As the configuration calls it.
    pub fn label(self) -> &'static str {
        match self {
            Retried::ConnectionError => "connection_error",
            Retried::Timeout => "timeout",
            Retried::ServerError => "5xx",
            Retried::GrpcCancelled => "grpc_cancelled",
            Retried::GrpcDeadlineExceeded => "grpc_deadline_exceeded",
            Retried::GrpcResourceExhausted => "grpc_resource_exhausted",
            Retried::GrpcInternal => "grpc_internal",
            Retried::GrpcUnavailable => "grpc_unavailable",
            Retried::Slow => "hedge",
        }
    }

    /// For a `grpc-status` that may be worth another attempt.
    pub fn of_grpc(status: u8) -> Option<Self> {
        Some(match status {
            1 => Retried::GrpcCancelled,
            4 => Retried::GrpcDeadlineExceeded,
            8 => Retried::GrpcResourceExhausted,
            13 => Retried::GrpcInternal,
            14 => Retried::GrpcUnavailable,
            _ => return None,
        })
    }
}

impl Metrics {
    pub fn new(names: Arc<Names>) -> Self {
        let mut metrics = Self {
            names: Arc::default(),
            requests: Series::default(),
            routes: Vec::new(),
            routeless: RouteCells::default(),
            listeners: Vec::new(),
            tunnels: Tunnels::default(),
            failures: [0; Kind::ALL.len()],
            panics: 0,
            retries: [0; Retried::ALL.len()],
            retries_refused: 0,
        };
        metrics.adopt(names);
        metrics
    }

    /// Goes over to the names of a new plan, which must have grown out of the
    /// ones so far. Nothing counted is lost but what has not been used for longest.
    /// Exchanges that use a new name
    /// are to be recorded only after this.
    pub fn adopt(&mut self, names: Arc<Names>) {
        let routes = names.other_routes(&self.names);
        let backends = names.other_backends(&self.names);
        self.forget(&routes, &backends);
        let routes = self.routes.len().max(names.route_count());
        self.routes.resize_with(routes, RouteCells::default);
        let listeners = self.listeners.len().max(names.listener_count());
        self.listeners
            .resize_with(listeners, ListenerCells::default);
        self.names = names;
    }

    /// Counts of names that are forgotten, whose numbers are others' now.
    fn forget(&mut self, routes: &HashSet<u32>, backends: &HashSet<u32>) {
        if routes.is_empty() && backends.is_empty() {
            return;
        }
        for &route in routes {
            if let Some(cells) = self.routes.get_mut(route as usize) {
                *cells = RouteCells::default();
            }
        }
        self.tunnels.forget(backends);
        self.requests.retain(|key| !key.has_any(routes, backends));
    }

    /// Counts an exchange that has settled. What it had and is forgotten by now
    /// counts as none.
    pub fn record(&mut self, record: &Record<'_>) {
        let names = &self.names;
        let is_now = record.page == names.page();
        let route = record
            .route
            .filter(|&(number, id)| is_now || names.is_route(number, id));
        let route = route.map(|(number, _)| number);
        let is_known = |&(number, url): &(u32, &str)| is_now || names.is_backend(number, url);
        let backend = record.backend.filter(is_known).map(|(number, _)| number);
        self.requests
            .bump(Key::new(record.method, route, backend, record.status));
        let cells = self.route_cells(route);
        // How long a tunnel lasts says nothing about how long requests take.
        let duration = match record.tunnel {
            Some(_) => record.head_time.unwrap_or(record.duration),
            None => record.duration,
        };
        cells.duration.record(duration);
        cells.request_bytes += record.request_bytes;
        cells.response_bytes += record.response_bytes;
        if let Some(failure) = record.failure {
            self.failed(failure.kind);
        }
    }

    /// Counts bytes that a connection over TCP has moved: from the client, and to
    /// it.
    pub fn tunnel_moved(&mut self, listener: u32, backend: u32, bytes: (u64, u64)) {
        self.tunnels.moved((listener, Some(backend)), bytes);
    }

    /// Counts a connection over TCP that has ended, but for its bytes.
    pub fn tunnel_ended(&mut self, listener: u32, record: &Record<'_>) {
        let backend = record.backend.map(|(number, _)| number);
        self.tunnels.ended((listener, backend), record);
        if let Some(failure) = record.failure {
            self.failed(failure.kind);
        }
    }

    /// Counts a connection over TCP that was refused before it began.
    pub fn tunnel_refused(&mut self, listener: u32, why: Kind) {
        self.tunnels.refused((listener, None), why);
        self.failed(why);
    }

    /// Counts a failure that belongs to no recorded exchange, such as a
    /// connection that was refused.
    pub fn failed(&mut self, kind: Kind) {
        if let Some(count) = self.failures.get_mut(kind as usize) {
            *count += 1;
        }
    }

    /// Counts another attempt at a request.
    pub fn retried(&mut self, why: Retried) {
        if let Some(count) = self.retries.get_mut(why as usize) {
            *count += 1;
        }
    }

    /// Counts an attempt that was not made because the budget was spent.
    pub fn retry_refused(&mut self) {
        self.retries_refused += 1;
    }

    /// Counts a panic that failed an exchange.
    pub fn panicked(&mut self) {
        self.panics += 1;
    }

    /// A client's connection was taken; it is idle.
    pub fn client_opened(&mut self, listener: u32) {
        self.at(listener, |cells| {
            cells.open += 1;
            cells.accepted += 1;
        });
    }

    /// An idle connection of a client was closed.
    pub fn client_closed(&mut self, listener: u32) {
        self.at(listener, |cells| cells.open = cells.open.saturating_sub(1));
    }

    /// A TLS handshake was done: its version, and whether it took up an earlier
    /// session.
    pub fn handshake_done(
        &mut self,
        listener: u32,
        (version, is_resumed): (&'static str, bool),
        took: Duration,
    ) {
        self.at(listener, |cells| {
            add(&mut cells.handshakes.done, (version, is_resumed), 1);
            cells.handshakes.duration.record(took);
        });
    }

    /// A TLS handshake has failed, for one of a few reasons.
    pub fn handshake_failed(&mut self, listener: u32, reason: &'static str) {
        self.at(listener, |cells| {
            add(&mut cells.handshakes.failed, reason, 1);
        });
    }

    /// An HTTP/2 connection is ended, for one of a few reasons.
    pub fn http2_flood(&mut self, listener: u32, reason: &'static str) {
        self.at(listener, |cells| add(&mut cells.floods, reason, 1));
    }

    /// So many more requests came on an HTTP/2 connection than it may have at a time.
    pub fn http2_refused(&mut self, listener: u32, streams: u64) {
        self.at(listener, |cells| cells.refused += streams);
    }

    /// A connection is switched to another protocol.
    pub fn tunnel_began(&mut self, listener: u32, tunnel: Tunnel) {
        self.at_tunnels(listener, tunnel, |cells| cells.open += 1);
    }

    /// So many bytes more went through such a connection, from the client and to it.
    pub fn tunnel_passed(&mut self, listener: u32, tunnel: Tunnel, bytes: (u64, u64)) {
        self.at_tunnels(listener, tunnel, |cells| {
            cells.received += bytes.0;
            cells.sent += bytes.1;
        });
    }

    /// Such a connection has ended, after so long.
    pub fn tunnel_settled(&mut self, listener: u32, tunnel: Tunnel, lasted: Duration) {
        self.at_tunnels(listener, tunnel, |cells| {
            cells.open = cells.open.saturating_sub(1);
            cells.duration.record(lasted);
        });
    }

    /// The first exchange on an idle connection begins.
    pub fn client_active(&mut self, listener: u32) {
        self.at(listener, |cells| cells.active += 1);
    }

    /// The last exchange on an active connection has ended.
    pub fn client_idle(&mut self, listener: u32) {
        self.at(listener, |cells| {
            cells.active = cells.active.saturating_sub(1);
        });
    }

    /// An exchange begins.
    pub fn exchange_started(&mut self, listener: u32) {
        self.at(listener, |cells| cells.in_flight += 1);
    }

    /// An exchange has settled.
    pub fn exchange_settled(&mut self, listener: u32) {
        self.at(listener, |cells| {
            cells.in_flight = cells.in_flight.saturating_sub(1);
        });
    }

    /// All counters as they are now, for another thread.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            names: Arc::clone(&self.names),
            requests: self.requests.iter().collect(),
            requests_beyond: self.requests.overflow(),
            routes: self.routes.clone(),
            routeless: self.routeless,
            listeners: self.listeners.clone(),
            tunnels: self.tunnels.clone(),
            failures: self.failures,
            panics: self.panics,
            retries: self.retries,
            retries_refused: self.retries_refused,
            upstream: Vec::new(),
            standing: Vec::new(),
            limits: BTreeMap::new(),
        }
    }

    /// A number that has no name yet counts like no route at all.
    fn route_cells(&mut self, route: Option<u32>) -> &mut RouteCells {
        match route.and_then(|number| self.routes.get_mut(number as usize)) {
            Some(cells) => cells,
            None => &mut self.routeless,
        }
    }

    fn at_tunnels(&mut self, listener: u32, tunnel: Tunnel, change: impl FnOnce(&mut TunnelCells)) {
        self.at(listener, |cells| {
            if let Some(cells) = cells.tunnels.get_mut(tunnel as usize) {
                change(cells);
            }
        });
    }

    fn at(&mut self, listener: u32, change: impl FnOnce(&mut ListenerCells)) {
        if let Some(cells) = self.listeners.get_mut(listener as usize) {
            change(cells);
        }
    }
}

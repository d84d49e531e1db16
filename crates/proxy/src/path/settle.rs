//! Step 12: exactly once for every exchange, also for one that is dropped: the
//! counters, the access log, the runtime log. Never does I/O. The end.

use message::{Failure, Kind, Known, Side};
use telemetry::Record;
use tracing::{debug, error, warn};

use crate::exchange::Exchange;
use crate::tunnel;

/// What becomes of the client's connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    KeepAlive,
    Close,
    /// Closing alone would pass half an answer off as a whole one.
    Reset,
}

/// Settles an exchange that has ended.
pub(crate) fn settle(mut x: Exchange<'_>, end: Result<(), Failure>) -> After {
    x.progress.has_ended = true;
    if let Err(failure) = end {
        // Once the head is out, the status stands; without one, it says why.
        if x.progress.status == 0 {
            x.progress.status = failure.status();
        }
        x.progress.failure = Some(failure);
    }
    match (x.keep_alive, x.progress.must_reset) {
        (_, true) => After::Reset,
        (true, false) => After::KeepAlive,
        (false, false) => After::Close,
    }
}

/// What every exchange comes to.
pub(crate) fn on_drop(x: &mut Exchange<'_>) {
    if !x.take_settlement() {
        return;
    }
    // Only the end of its listener or worker drops an exchange before it has ended.
    if !x.progress.has_ended {
        let kind = match x.client.is_stream() {
            true => Kind::Drained,
            false => Kind::ShutDown,
        };
        x.progress.failure = Some(kind.into());
        if x.progress.status == 0 {
            x.progress.status = kind.status();
        }
        // Half an answer that lasts until the connection closes must not end
        // like a whole one.
        if x.progress.head_sent {
            x.client.outbound.io().reset_on_close();
        }
    }
    if let Some(failure) = &x.progress.failure {
        note(x, failure);
    }
    tunnel::tell(x);
    record(x);
}

/// One line in the runtime log for each failure, at the level of whose it is.
fn note(x: &Exchange<'_>, failure: &Failure) {
    let request_id = x.id.as_str();
    let backend = backend_of(x).map_or("", |(_, url)| url);
    let client = x.address;
    match failure.kind.side() {
        _ if failure.kind == Kind::Internal => {
            if failure.detail.starts_with("panic") {
                x.worker.metrics.borrow_mut().panicked();
            }
            error!(request_id, %client, backend, %failure, "exchange failed");
        }
        _ if is_for_want_of_room(failure.kind) => refused(x, failure),
        Side::Client => debug!(request_id, %client, backend, %failure, "exchange failed"),
        Side::Proxy if matches!(failure.kind, Kind::NoRoute | Kind::MethodNotAllowed) => {
            debug!(request_id, %client, %failure, "exchange failed")
        }
        Side::Proxy | Side::Upstream => {
            warn!(request_id, %client, backend, %failure, "exchange failed")
        }
    }
}

fn is_for_want_of_room(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Overloaded | Kind::TooManyRequests | Kind::QueueFull | Kind::TooManyConnections
    )
}

/// Under overload they come by the thousand, so that they are told of together:
/// for each group, or else for each worker, once a second.
#[cold]
fn refused(x: &Exchange<'_>, failure: &Failure) {
    let request_id = x.id.as_str();
    let client = x.address;
    let route = x.progress.route.and_then(|i| x.plan.routes.get(i as usize));
    let group = route.and_then(|route| x.plan.groups.get(route.group?));
    let of_group = group.and_then(|group| Some((group, group.balance.refusals()?)));
    let refusals = of_group.map_or(&x.worker.refusals, |(_, refusals)| refusals);
    let refused = refusals.count(x.worker.clock.coarse().into_std());
    match (refused, of_group) {
        (Some(refused), Some((group, _))) => {
            let group = &*group.balance.id;
            warn!(refused, group, request_id, %client, %failure, "requests refused, the latest");
        }
        (Some(refused), None) => {
            let listener = &*x.listener.id;
            warn!(refused, request_id, %client, listener, %failure, "connections refused, the latest");
        }
        (None, _) => debug!(request_id, %client, %failure, "exchange failed"),
    }
}

/// The latest backend's number in the metrics and its URL.
fn backend_of<'a>(x: &Exchange<'a>) -> Option<(u32, &'a str)> {
    let (group, index) = x.progress.backend?;
    let plan = x.plan;
    let group = plan.groups.get(group as usize)?;
    let backend = group.balance.backends.get(index as usize)?;
    Some((*group.numbers.get(index as usize)?, &backend.url))
}

fn record(x: &Exchange<'_>) {
    let request = &x.heads.request;
    let progress = &x.progress;
    let tunnel = progress.tunnel.as_deref();
    let plan = x.plan;
    let route = progress
        .route
        .and_then(|i| plan.routes.get(i as usize))
        .map(|route| (route.number, &*route.id));
    let group = progress
        .backend
        .and_then(|(g, _)| plan.groups.get(g as usize));
    let record = Record {
        started_unix_micros: x.started_unix_micros,
        duration: x.elapsed(),
        client: x.address,
        peer: x.client.peer,
        listener: &x.listener.id,
        request_id: x.id.as_bytes(),
        method: request.method,
        method_text: request.method_bytes(),
        scheme: x.client.scheme(),
        host: &x.heads.host,
        target: request.target_bytes(),
        version: Some(request.version),
        user_agent: request.fields.get(Known::UserAgent).unwrap_or_default(),
        referer: request.fields.get(Known::Referer).unwrap_or_default(),
        page: plan.names.page(),
        route,
        group: group.map(|g| &*g.balance.id),
        backend: backend_of(x),
        status: progress.status,
        grpc_status: x.heads.grpc.and_then(|call| call.status),
        failure: progress.failure.as_ref(),
        request_bytes: tunnel.map_or_else(|| x.client.body.received(), |passed| passed.bytes.0),
        response_bytes: progress.response_bytes,
        attempts: progress.attempts,
        reused: progress.reused,
        connect_time: progress.connect_time,
        head_time: progress.head_time,
        tunnel: tunnel.map(|passed| passed.protocol),
    };
    let mut metrics = x.worker.metrics.borrow_mut();
    metrics.exchange_settled(x.listener.number);
    if x.client.h2.is_none() {
        metrics.client_idle(x.listener.number);
    }
    metrics.record(&record);
    if let Some(passed) = tunnel {
        metrics.tunnel_settled(x.listener.number, passed.protocol, record.duration);
    }
    drop(metrics);
    x.worker.recent.borrow_mut().see(&record);
    #[cfg(feature = "sim")]
    if let Some(world) = x.worker.world.get() {
        world.settled(&record);
    }
    if let (Some(sink), Some(log)) = (x.worker.access_log.borrow_mut().as_mut(), &plan.access_log) {
        sink.push(&log.format, &record);
    }
}

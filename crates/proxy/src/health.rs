//! What an exchange tells of its backend: the standing of backends is learned
//! from ordinary requests.
//!
//! An attempt tells when it fails, an answer when its body has come to an end.
//! What is the client's doing or Forebay's own tells nothing, and neither does
//! an attempt that is cut off.

pub(crate) mod check;
pub(crate) mod checker;
pub(crate) mod overload;

use std::borrow::Cow;
use std::time::Instant;

use message::{Failure, Kind, Reset, Side};
use plan::Group;
use telemetry::{Breaker, Snapshot, StandingFigures};
use upstream::{Change, Fault, Probe, Standing, State};

use crate::backend::attempt::Attempt;
use crate::exchange::Exchange;
use crate::worker::Worker;

/// After an attempt; `probe` is the permission it had of a half-open breaker.
pub(crate) fn after_attempt(
    x: &Exchange<'_>,
    group: &Group,
    index: usize,
    probe: Option<Box<Probe>>,
    outcome: &Result<Attempt<'_>, Failure>,
) {
    match outcome {
        Ok(_) if x.heads.response.status >= 500 => {
            server_error(group, index, probe, x.heads.response.status, now(x));
        }
        Ok(_) => {
            if let Some(probe) = probe {
                group.balance.probe_succeeded(*probe, now(x));
            }
        }
        Err(failure) if is_cut_short(x, failure) || is_excused(x, failure) => {}
        Err(failure) => failed(group, index, probe, failure, now(x)),
    }
}

/// A timeout shows nothing where other attempts had used up the time for all,
/// and neither does a backend that hangs up on a client whose body does not come.
fn is_cut_short(x: &Exchange<'_>, failure: &Failure) -> bool {
    if failure.kind == Kind::Terminated && !x.client.body.is_end() {
        return !matches!(failure.reset, Some(reset) if is_fault(reset));
    }
    let total = times(x).and_then(|times| x.total(times));
    is_timeout(failure)
        && x.progress.attempts > 1
        && total.is_some_and(|total| x.elapsed() >= total)
}

/// A call that has gone on until the time has passed that its client gave shows
/// nothing, whoever has ended it: perhaps the client was in a hurry.
fn is_excused(x: &Exchange<'_>, failure: &Failure) -> bool {
    let has_ended = match failure.reset {
        Some(reset) => !is_fault(reset),
        None => is_timeout(failure),
    };
    has_ended && x.is_late()
}

fn is_timeout(failure: &Failure) -> bool {
    matches!(failure.kind, Kind::ConnectTimeout | Kind::ResponseTimeout)
}

/// Whether such a reset says that something has gone wrong.
fn is_fault(reset: Reset) -> bool {
    !matches!(reset, Reset::NoError | Reset::Cancel | Reset::Refused)
}

/// How long the exchange's backend is waited for.
pub(crate) fn times<'a>(x: &Exchange<'a>) -> Option<&'a plan::Times> {
    let (route, (group, _)) = (x.progress.route?, x.progress.backend?);
    let of_route = x.plan.routes.get(route as usize)?.times.as_ref();
    of_route.or_else(|| Some(&x.plan.groups.get(group as usize)?.times))
}

/// A backend has answered with a status of 500 or more.
pub(crate) fn server_error(
    group: &Group,
    index: usize,
    probe: Option<Box<Probe>>,
    status: u16,
    now: Instant,
) {
    let fault = Fault {
        why: &format!("status {status}"),
        is_unreachable: false,
    };
    group.balance.failed(index, probe, fault, now);
}

/// There was no answer, or not all of it.
pub(crate) fn failed(
    group: &Group,
    index: usize,
    probe: Option<Box<Probe>>,
    failure: &Failure,
    now: Instant,
) {
    // Who has no room now does not fail.
    if failure.kind.side() != Side::Upstream || failure.reset == Some(Reset::Refused) {
        return;
    }
    let why = match failure.kind.reason() {
        reason if reason.contains('_') => Cow::Owned(reason.replace('_', " ")),
        reason => Cow::Borrowed(reason),
    };
    let fault = Fault {
        why: &why,
        is_unreachable: matches!(
            failure.kind,
            Kind::NameFailed
                | Kind::ConnectRefused
                | Kind::Unroutable
                | Kind::ConnectTimeout
                | Kind::TlsProtocol
                | Kind::TlsCertificate
                | Kind::TlsAlert
        ),
    };
    group.balance.failed(index, probe, fault, now);
}

/// After the body of an answer.
pub(crate) fn after_body(x: &Exchange<'_>, attempt: &Attempt<'_>, result: &Result<(), Failure>) {
    match result {
        // Has been told already.
        _ if x.progress.status >= 500 => {}
        Ok(()) => {
            let standing = &attempt.conn.backend().standing;
            if standing.is_troubled() {
                recovered(x, standing);
            }
        }
        Err(failure) if is_excused(x, failure) => {}
        Err(failure) => body_failed(x, failure),
    }
}

#[cold]
fn recovered(x: &Exchange<'_>, standing: &Standing) {
    if let Some((group, _)) = x.progress.backend
        && let Some(group) = x.plan.groups.get(group as usize)
    {
        standing.succeeded(&group.balance.health, now(x));
    }
}

#[cold]
fn body_failed(x: &Exchange<'_>, failure: &Failure) {
    if let Some((group, index)) = x.progress.backend
        && let Some(group) = x.plan.groups.get(group as usize)
    {
        failed(group, index as usize, None, failure, now(x));
    }
}

fn now(x: &Exchange<'_>) -> Instant {
    x.worker.clock.coarse().into_std()
}

/// Lets end what ends by itself, and be told what is left to tell, also where
/// there are no requests.
pub(crate) fn tick(worker: &Worker, now: Instant) {
    for group in &worker.current().plan.groups {
        group.balance.tick(now);
        if let Some(refused) = group.balance.refusals().and_then(|of| of.due(now)) {
            let group = &*group.balance.id;
            tracing::warn!(refused, group, "requests refused");
        }
    }
    if let Some(refused) = worker.refusals.due(now) {
        tracing::warn!(refused, "connections refused");
    }
}

/// Tells the metrics how all backends stand.
pub(crate) fn count(worker: &Worker, snapshot: &mut Snapshot) {
    let now = worker.clock.now().into_std();
    for group in &worker.current().plan.groups {
        for (backend, &number) in group.balance.backends.iter().zip(&group.numbers) {
            let view = backend.standing.view(&group.balance.health, now);
            let figures = StandingFigures {
                is_up: view.state.is_up(),
                breaker: match view.breaker {
                    Some(State::BreakerOpen) => Breaker::Open,
                    Some(_) => Breaker::HalfOpen,
                    None => Breaker::Closed,
                },
                ejections: view.ejections,
            };
            snapshot.put_standing(number, figures);
        }
    }
}

/// Writes changes to the runtime log.
pub fn log_change(change: &Change) {
    let (group, backend) = (&*change.group, &*change.url);
    let (from, to) = (change.from.label(), change.to.label());
    match (change.from.is_up(), change.to.is_up()) {
        (true, true) => tracing::debug!(group, backend, from, to, "{change}"),
        (_, false) if change.to != State::HalfOpen => {
            tracing::warn!(group, backend, from, to, "{change}");
        }
        _ => tracing::info!(group, backend, from, to, "{change}"),
    }
}

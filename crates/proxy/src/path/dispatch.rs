//! Step 8: a backend is chosen and asked until one answers or none is left.
//!
//! Attempts follow each other as far as the group's retry policy goes, and only
//! where repeating the request is safe. Never touches the answer but for its framing. Next: `store`.

use std::cell::Cell;
use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use message::{Failure, Kind, Side};
use plan::{Choice, Group, take_backend};
use telemetry::Retried;
use tracing::info;
use upstream::{Backend, Crowded, Excluded, Taken, UnderWay};
use wire::h1::Framing;

use crate::backend::affinity;
use crate::backend::ask::{ask, unless_gone};
use crate::backend::attempt::Attempt;
use crate::backend::hedge::{Hedge, Won};
use crate::backend::introduced::introduction;
use crate::backend::retry;
use crate::client::ip_text::IpText;
use crate::exchange::Exchange;
use crate::exchange::forward::{Forwarding, forward, told_certificate};
use crate::health;
use crate::health::overload;
use crate::path::filter_request::Who;
use crate::path::route::{Destination, Routed};

pub(crate) async fn dispatch<'a>(
    x: &mut Exchange<'a>,
    routed: &Routed<'a>,
) -> Result<Attempt<'a>, Failure> {
    let to = routed.destination.as_ref().ok_or(Kind::Internal)?;
    x.heads.place = enter(to.group)?;
    feel_drawn(x, routed, to.group);
    let mut tried = Excluded::new();
    let mut taken = take(x, to.group, &tried).ok_or_else(|| nobody(to.group))?;
    if to.group.retry.max_attempts > 1 {
        let now = x.worker.clock.coarse().into_std();
        to.group.retry.budget.deposit(now);
        // What a backend refuses unseen may be sent again whatever the method is.
        let may_repeat = x.heads.request.method.is_idempotent()
            || backend_of(to.group, &taken).is_some_and(|b| b.options.protocol.may_share());
        x.client
            .replay
            .keep_if(routed.framing != Framing::Empty && may_repeat);
    }
    loop {
        let backend = begin_attempt(x, routed, to.group, &taken)?;
        let outcome = match hedge(x, routed, &taken, &tried) {
            None => {
                let outcome = ask(x, routed.framing, to.times, backend).await;
                health::after_attempt(x, to.group, taken.index, taken.probe.take(), &outcome);
                outcome
            }
            Some(hedge) => Box::pin(race(x, routed.framing, hedge, &mut tried)).await,
        };
        let reason = match &outcome {
            Err(failure) => retry::after_failure(x, to.group, failure),
            Ok(_) => retry::after_answer(x, to.group),
        };
        let next = reason.and_then(|reason| {
            tried.insert(taken.index);
            next(x, to, &mut tried, &reason)
        });
        let Some(next) = next else {
            overload::learn(x, to.group, routed.framing, &outcome);
            keep(x, to.group, &outcome);
            return outcome;
        };
        give_up(x, to.group, &taken, outcome, next.why);
        if !next.wait.is_zero() {
            let pause = tokio::time::sleep(next.wait);
            Box::pin(unless_gone(x, pin!(pause))).await?;
        }
        x.client.replay.rewind();
        taken = next.taken;
    }
}

/// Returns the backend of the attempt that begins.
fn begin_attempt<'a>(
    x: &mut Exchange<'a>,
    routed: &Routed<'a>,
    group: &'a Group,
    taken: &Taken,
) -> Result<&'a Arc<Backend>, Failure> {
    let backend = backend_of(group, taken).ok_or(Kind::Internal)?;
    x.progress.attempts += 1;
    x.progress.backend = routed
        .route
        .group
        .map(|group| (group as u32, taken.index as u32));
    if x.progress.attempts == 1 {
        prepare(x, backend);
    }
    Ok(backend)
}

fn backend_of<'a>(group: &'a Group, taken: &Taken) -> Option<&'a Arc<Backend>> {
    group.balance.backends.get(taken.index)
}

/// A place among the group's requests under way.
fn enter(group: &Group) -> Result<Option<UnderWay>, Failure> {
    group
        .balance
        .enter()
        .map_err(|crowded| refusal(group, crowded))
}

#[cold]
pub(crate) fn refusal(group: &Group, crowded: Crowded) -> Failure {
    let balance = &group.balance;
    let (kind, most, why) = match crowded {
        Crowded::Most => (Kind::TooManyRequests, balance.max_requests, ""),
        Crowded::Adaptive => {
            let figures = balance.adaptive.as_ref().map(|a| a.limit.figures());
            let why = ", and takes longer than is usual";
            (Kind::Overloaded, figures.map(|f| f.limit), why)
        }
    };
    let (id, most) = (&balance.id, most.unwrap_or(0));
    let detail = format!("the group {id} has {most} requests under way already{why}");
    Failure::new(kind, detail)
}

/// What draws the request to one backend, for groups in which something does.
fn feel_drawn(x: &mut Exchange<'_>, routed: &Routed<'_>, group: &Group) {
    if group.hash_key.is_none() && group.sticky.is_none() {
        return;
    }
    let now = x.worker.clock.coarse().into_std();
    let who = Who::new(x.address, &x.id, x.client.scheme(), x.listener);
    x.heads.affinity = affinity::of(group, routed, &who, Some(now), x.heads);
}

/// Remembers which backend has answered.
fn keep(x: &mut Exchange<'_>, group: &Group, outcome: &Result<Attempt<'_>, Failure>) {
    if let (Some(_), Some((_, index)), Ok(_)) = (&group.sticky, x.progress.backend, outcome) {
        let now = x.worker.clock.coarse().into_std();
        affinity::keep(group, index as usize, x.address.ip(), now, x.heads);
    }
}

pub(crate) fn nobody(group: &Group) -> Failure {
    let (id, states) = (&group.balance.id, group.balance.states());
    let detail = match group.balance.backends.is_empty() {
        true => format!("the group {id} has no backends now"),
        false => format!("the group {id} has no backend to choose: {states}"),
    };
    Failure::new(Kind::NoBackend, detail)
}

/// What it takes to ask a second backend as well, if the group does so for
/// such requests. A client's session is not moved for it.
fn hedge<'a>(
    x: &Exchange<'a>,
    routed: &Routed<'a>,
    first: &Taken,
    tried: &Excluded,
) -> Option<Box<Hedge<'a>>> {
    let to = routed.destination.as_ref()?;
    let policy = to.group.hedge.as_ref()?;
    let request = &x.heads.request;
    let is_harmless =
        request.method.is_safe() && routed.framing == Framing::Empty && x.heads.upgrade.is_none();
    // What a half-open breaker lets through is asked alone.
    if !is_harmless || x.heads.affinity.session.is_some() || first.probe.is_some() {
        return None;
    }
    let now = x.worker.clock.coarse().into_std();
    policy.budget.deposit(now);
    let delay = policy.delay(&to.group.balance, now);
    let mut others = tried.clone();
    others.insert(first.index);
    let Taken { index, probe: None } = take(x, to.group, &others)? else {
        return None;
    };
    let backends = &to.group.balance.backends;
    Some(Box::new(Hedge {
        worker: x.worker,
        group: to.group,
        times: to.times,
        first: backends.get(first.index)?,
        second: backends.get(index)?,
        index,
        delay,
        head: request.clone(),
        introduction: introduction(x),
    }))
}

async fn race<'a>(
    x: &mut Exchange<'a>,
    framing: Framing,
    hedge: Box<Hedge<'a>>,
    tried: &mut Excluded,
) -> Result<Attempt<'a>, Failure> {
    let (second, times, backend) = (hedge.index, hedge.times, hedge.first);
    let (group, index) = (
        hedge.group,
        x.progress.backend.map_or(0, |(_, index)| index as usize),
    );
    let lost = Cell::new(None);
    let first = async {
        match ask(x, framing, times, backend).await {
            Err(failure) if failure.kind.side() != Side::Client => {
                let now = x.worker.clock.coarse().into_std();
                health::failed(group, index, None, &failure, now);
                lost.set(Some(failure));
                unless_gone(x, pin!(pending())).await?
            }
            outcome => outcome,
        }
    };
    let (won, asked) = hedge.race(first, &lost).await;
    if asked {
        x.progress.attempts += 1;
        tried.insert(second);
    }
    match won {
        Won::First(Err(failure)) => Err(failure),
        Won::First(Ok(attempt)) => {
            let outcome = Ok(attempt);
            health::after_attempt(x, group, index, None, &outcome);
            outcome
        }
        Won::Second(answer) => {
            x.progress.backend = x.progress.backend.map(|(group, _)| (group, second as u32));
            x.progress.reused = answer.reused;
            x.progress.connect_time = None;
            x.progress.head_time = Some(x.elapsed());
            x.heads.response = answer.head;
            Ok(answer.attempt)
        }
    }
}

fn take(x: &Exchange<'_>, group: &Group, tried: &Excluded) -> Option<Taken> {
    let choice = Choice {
        client: x.address.ip(),
        random: x.worker.random(),
        affinity: x.heads.affinity,
        tried,
        now: Some(x.worker.clock.coarse().into_std()),
    };
    take_backend(group, &choice)
}

/// Another attempt.
struct Next {
    why: Retried,
    taken: Taken,
    wait: Duration,
}

/// The next attempt, if the group's policy affords one: at a backend that has
/// not been asked yet, or else at any, later.
fn next(
    x: &Exchange<'_>,
    to: &Destination<'_>,
    tried: &mut Excluded,
    reason: &retry::Reason,
) -> Option<Next> {
    let Destination { group, times, .. } = *to;
    let policy = &group.retry;
    let made = usize::from(x.progress.attempts);
    if made >= policy.max_attempts {
        return None;
    }
    let other = take(x, group, tried);
    let is_other = other.is_some();
    let backoff = || policy.wait(made, x.worker.random());
    let (taken, wait) = match other {
        Some(taken) if reason.why == Retried::ConnectionError => (taken, Duration::ZERO),
        Some(taken) => (taken, backoff()),
        None if !reason.may_heal => return None,
        None => {
            *tried = Excluded::new();
            let wait = backoff().max(reason.not_before);
            (take(x, group, tried)?, wait)
        }
    };
    let in_time = x
        .total(times)
        .is_none_or(|total| x.elapsed() + wait < total);
    if !in_time {
        return None;
    }
    // Going on from a backend that got nothing puts no more load on any.
    let is_free = is_other && reason.got_nothing;
    let now = x.worker.clock.coarse().into_std();
    if !(is_free || policy.budget.withdraw(now)) {
        x.worker.metrics.borrow_mut().retry_refused();
        return None;
    }
    let why = reason.why;
    Some(Next { why, taken, wait })
}

/// Ends an attempt after which another is made.
fn give_up(
    x: &Exchange<'_>,
    group: &Group,
    taken: &Taken,
    outcome: Result<Attempt<'_>, Failure>,
    why: Retried,
) {
    let request_id = x.id.as_str();
    let backend = group.balance.backends.get(taken.index);
    let backend = backend.map_or("", |backend| &*backend.url);
    match outcome {
        Err(failure) => info!(request_id, backend, %failure, "attempt failed; making another"),
        Ok(attempt) => {
            let status = x.heads.response.status;
            info!(
                request_id,
                backend, status, "attempt failed; making another"
            );
            attempt.discard(x.worker);
        }
    }
    x.worker.metrics.borrow_mut().retried(why);
}

/// Brings the request's head into the form in which every backend gets it.
fn prepare(x: &mut Exchange<'_>, backend: &Backend) {
    let other;
    let peer = &x.client.peer_text;
    let client = if x.address == x.client.peer {
        peer
    } else {
        other = IpText::new(x.address.ip());
        &other
    };
    let shown = told_certificate(x.listener, x.heads);
    let forwarding = Forwarding {
        peer,
        client,
        is_trusted: x.is_trusted,
        scheme: x.client.scheme(),
        request_id: x.id.as_bytes(),
        authority: &backend.authority,
        certificate: shown.as_deref().map(|shown| &*shown.field),
        upgrade: x.heads.upgrade.as_ref().map(|upgrade| &*upgrade.protocol),
    };
    forward(&mut x.heads.request, &forwarding);
}

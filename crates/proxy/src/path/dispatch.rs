//! Step 8: a backend is chosen and asked until one answers or none is left.
//!
//! Attempts follow each other as far as the group's retry policy goes, and only
//! where repeating the request is safe. Never touches the answer but for its framing. Next: `store`.

use std::future::poll_fn;
use std::io::ErrorKind;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use message::{Failure, Kind, Known, Retry};
use plan::{Choice, Group, Times, choose_backend};
use telemetry::Retried;
use tracing::info;
use upstream::{Backend, Checkout, Conn, Excluded, Full, InFlight, Permit, QueueFull, Silent};
use wire::h1::{
    Framing, HeadError, Limits, response_framing, say_length_once, take_connection,
    write_request_head,
};

use crate::affinity;
use crate::attempt::{Attempt, Upload};
use crate::backend_conn::BackendConn;
use crate::connect::connect;
use crate::exchange::Exchange;
use crate::forward::{Forwarding, forward};
use crate::ip_text::IpText;
use crate::path::filter_request::Who;
use crate::path::reply;
use crate::path::route::{Destination, Routed};
use crate::retry;

/// How large a response's head may be. Backends send larger ones than clients.
const RESPONSE_LIMITS: Limits = Limits {
    line: 8 * 1024,
    fields: 64 * 1024,
    count: 256,
};

/// Interim responses to one request beyond this many are refused.
const MAX_INTERIM: usize = 32;

pub(crate) async fn dispatch<'a>(
    x: &mut Exchange<'a>,
    routed: &Routed<'a>,
) -> Result<Attempt<'a>, Failure> {
    let to = routed.destination.as_ref().ok_or(Kind::Internal)?;
    feel_drawn(x, routed, to.group);
    let mut tried = Excluded::new();
    let mut index = choose(x, to.group, &tried).ok_or(Kind::NoBackend)?;
    if to.group.retry.max_attempts > 1 {
        let now = x.worker.clock.coarse().into_std();
        to.group.retry.budget.deposit(now);
        x.client
            .replay
            .keep_if(routed.framing != Framing::Empty && x.heads.request.method.is_idempotent());
    }
    loop {
        let backend = to.group.balance.backends.get(index).ok_or(Kind::Internal)?;
        x.progress.attempts += 1;
        x.progress.backend = routed.route.group.map(|group| (group as u32, index as u32));
        let outcome = ask(x, routed.framing, to.times, backend).await;
        let reason = match &outcome {
            Err(failure) => retry::after_failure(x, to.group, failure),
            Ok(_) => retry::after_answer(x, to.group),
        };
        let Some(reason) = reason else {
            return kept(x, to.group, index, outcome);
        };
        tried.insert(index);
        let Some(next) = next(x, to, &mut tried, &reason) else {
            return kept(x, to.group, index, outcome);
        };
        tell_of_retry(x, backend, &outcome);
        x.worker.metrics.borrow_mut().retried(reason.why);
        if let Ok(attempt) = outcome {
            attempt.discard(x.worker);
        }
        if !next.wait.is_zero() {
            let pause = tokio::time::sleep(next.wait);
            Box::pin(unless_gone(x, pin!(pause))).await?;
        }
        x.client.replay.rewind();
        index = next.index;
    }
}

/// What draws the request to one backend, for groups in which something does.
fn feel_drawn(x: &mut Exchange<'_>, routed: &Routed<'_>, group: &Group) {
    if group.hash_key.is_none() && group.sticky.is_none() {
        return;
    }
    let now = x.worker.clock.coarse().into_std();
    let who = Who::new(x.address, &x.id, x.client.scheme, x.listener);
    x.heads.affinity = affinity::of(group, routed, &who, Some(now), x.heads);
}

/// Remembers which backend has answered.
fn kept<'a>(
    x: &mut Exchange<'_>,
    group: &Group,
    index: usize,
    outcome: Result<Attempt<'a>, Failure>,
) -> Result<Attempt<'a>, Failure> {
    if group.sticky.is_some() && outcome.is_ok() {
        let now = x.worker.clock.coarse().into_std();
        affinity::keep(group, index, x.address.ip(), now, x.heads);
    }
    outcome
}

fn choose(x: &Exchange<'_>, group: &Group, tried: &Excluded) -> Option<usize> {
    let choice = Choice {
        client: x.address.ip(),
        random: x.worker.random(),
        affinity: x.heads.affinity,
        tried,
    };
    choose_backend(group, &choice, &mut Silent)
}

/// Another attempt.
struct Next {
    index: usize,
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
    let other = choose(x, group, tried);
    let backoff = || policy.wait(made, x.worker.random());
    let (index, wait) = match other {
        Some(index) if reason.why == Retried::ConnectionError => (index, Duration::ZERO),
        Some(index) => (index, backoff()),
        None => {
            *tried = Excluded::new();
            let wait = backoff().max(reason.not_before);
            (choose(x, group, tried)?, wait)
        }
    };
    let in_time = times.total.is_none_or(|total| x.elapsed() + wait < total);
    if !in_time {
        return None;
    }
    // Going on from a backend that got nothing puts no more load on any.
    let is_free = other.is_some() && reason.got_nothing;
    let now = x.worker.clock.coarse().into_std();
    if !(is_free || policy.budget.withdraw(now)) {
        x.worker.metrics.borrow_mut().retry_refused();
        return None;
    }
    Some(Next { index, wait })
}

fn tell_of_retry(x: &Exchange<'_>, backend: &Backend, outcome: &Result<Attempt<'_>, Failure>) {
    let request_id = x.id.as_str();
    let backend = &*backend.url;
    match outcome {
        Err(failure) => info!(request_id, backend, %failure, "attempt failed; making another"),
        Ok(_) => {
            let status = x.heads.response.status;
            info!(
                request_id,
                backend, status, "attempt failed; making another"
            );
        }
    }
}

/// What is left of a time limit within the request's own.
fn within_total(x: &Exchange<'_>, times: &Times, limit: Duration) -> Duration {
    match times.total {
        Some(total) => limit.min(total.saturating_sub(x.elapsed())),
        None => limit,
    }
}

/// Asks one backend: on a connection that lies ready, and if that proves stale
/// before it has answered anything, once more on a fresh one.
async fn ask<'a>(
    x: &mut Exchange<'a>,
    framing: Framing,
    times: &Times,
    backend: &'a Arc<Backend>,
) -> Result<Attempt<'a>, Failure> {
    if x.progress.attempts == 1 {
        prepare(x, backend);
    }
    // From the moment of the choice, so that the next choice sees it.
    let load = InFlight::new(&**backend);
    let mut reuse = Reuse::Allowed;
    loop {
        let conn = connection(x, times, backend, reuse).await?;
        let mut attempt = Attempt { conn, load: None };
        match send(x, framing, times, &mut attempt).await {
            Err(failure) if failure.retry == Retry::FreshConnection => {
                reuse = Reuse::Refused;
                x.client.replay.rewind();
            }
            Err(failure) => return Err(failure),
            Ok(()) => {
                attempt.load = Some(load);
                return Ok(attempt);
            }
        }
    }
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
    let forwarding = Forwarding {
        peer,
        client,
        is_trusted: x.is_trusted,
        scheme: x.client.scheme,
        request_id: x.id.as_bytes(),
        authority: &backend.authority,
    };
    forward(&mut x.heads.request, &forwarding);
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reuse {
    Allowed,
    Refused,
}

/// A connection to the backend: idle, new, or waited for. The latter two are
/// rare and large, so they are kept out of every exchange's memory.
async fn connection(
    x: &mut Exchange<'_>,
    times: &Times,
    backend: &Arc<Backend>,
    reuse: Reuse,
) -> Result<Conn<Box<BackendConn>>, Failure> {
    let worker = x.worker;
    let now = worker.clock.coarse().into_std();
    let alive = |conn: &mut Box<BackendConn>| reuse == Reuse::Allowed && conn.is_alive();
    let checkout = match worker.pool.checkout(backend, now, alive) {
        Ok(checkout) => checkout,
        Err(Full) => match Box::pin(wait(x, times, backend)).await? {
            // One that has just been returned has not been looked at since.
            Checkout::Reused(mut conn) => match alive(&mut conn) {
                true => Checkout::Reused(conn),
                false => Checkout::Connect(conn.close()),
            },
            connect => connect,
        },
    };
    match checkout {
        Checkout::Reused(conn) => {
            x.progress.reused = true;
            Ok(conn)
        }
        Checkout::Connect(permit) => Box::pin(open(x, times, permit)).await,
    }
}

/// Waits in the queue for a connection, unless the client leaves.
async fn wait(
    x: &mut Exchange<'_>,
    times: &Times,
    backend: &Arc<Backend>,
) -> Result<Checkout<Box<BackendConn>>, Failure> {
    let now = x.worker.clock.now().into_std();
    let limit = within_total(x, times, times.wait);
    let waiting = tokio::time::timeout(limit, x.worker.pool.wait(backend, now));
    match unless_gone(x, pin!(waiting)).await? {
        Ok(Ok(checkout)) => Ok(checkout),
        Ok(Err(QueueFull)) => Err(Kind::QueueFull.into()),
        Err(_) => Err(Kind::QueueTimeout.into()),
    }
}

async fn open(
    x: &mut Exchange<'_>,
    times: &Times,
    permit: Permit,
) -> Result<Conn<Box<BackendConn>>, Failure> {
    let worker = x.worker;
    let began = worker.clock.now();
    let backend = Arc::clone(permit.backend());
    let limit = within_total(x, times, times.connect);
    let connecting = connect(&worker.resolver, &backend, limit);
    let stream = unless_gone(x, pin!(connecting)).await??;
    let now = worker.clock.now();
    x.progress.reused = false;
    x.progress.connect_time = Some(now.saturating_duration_since(began));
    Ok(worker
        .pool
        .opened(permit, BackendConn::new(worker, stream), now.into_std()))
}

/// Runs a future for as long as the client stays.
async fn unless_gone<T>(
    x: &mut Exchange<'_>,
    mut future: Pin<&mut impl Future<Output = T>>,
) -> Result<T, Failure> {
    let has_body = !x.client.body.is_end();
    poll_fn(|cx| {
        if let Poll::Ready(value) = future.as_mut().poll(cx) {
            return Poll::Ready(Ok(value));
        }
        // A body that has not been asked for yet stays in the socket.
        if !has_body && x.client.inbound.poll_gone(cx).is_ready() {
            return Poll::Ready(Err(client_gone()));
        }
        Poll::Pending
    })
    .await
}

fn client_gone() -> Failure {
    Failure::new(Kind::ClientGone, "the client left before the answer")
}

/// Sends the request and waits for the head of the final response; interim
/// responses are passed on as they come.
async fn send(
    x: &mut Exchange<'_>,
    framing: Framing,
    times: &Times,
    attempt: &mut Attempt<'_>,
) -> Result<(), Failure> {
    let conn = &mut attempt.conn;
    conn.outbound.io().deadline.silence(times.idle);
    // Until the request has been sent, its time in all is the only one that runs.
    let deadline = &conn.inbound.io().deadline;
    match times.total {
        Some(total) => deadline.within(total.saturating_sub(x.elapsed())),
        None => deadline.clear(),
    }
    write_request_head(conn.outbound.buffer(), &x.heads.request, framing);
    conn.upload = Upload::new(framing);
    for _ in 0..=MAX_INTERIM {
        x.heads.response.clear();
        let mut deadline_is_set = false;
        poll_fn(|cx| poll_response(x, times, attempt, &mut deadline_is_set, cx)).await?;
        if !x.heads.response.is_interim() {
            if x.plan.access_log.is_some() {
                x.progress.head_time = Some(x.elapsed());
            }
            return begin_response(x, times, attempt);
        }
        reply::interim(x).await?;
    }
    Err(Failure::new(
        Kind::BadResponse,
        "too many interim responses",
    ))
}

/// Moves the request's body up while waiting for the response's head. The time
/// for the response runs from the moment the request has been sent.
fn poll_response(
    x: &mut Exchange<'_>,
    times: &Times,
    attempt: &mut Attempt<'_>,
    deadline_is_set: &mut bool,
    cx: &mut Context<'_>,
) -> Poll<Result<(), Failure>> {
    if let Err(failure) = attempt.poll_upload(cx, x.client) {
        return Poll::Ready(Err(failure));
    }
    if attempt.conn.upload.is_over() && !std::mem::replace(deadline_is_set, true) {
        let limit = within_total(x, times, times.response);
        attempt.conn.inbound.io().deadline.within(limit);
    }
    let client = &mut *x.client;
    let conn = &mut **attempt.conn;
    match conn
        .inbound
        .poll_head(cx, &RESPONSE_LIMITS, &mut x.heads.response)
    {
        Poll::Ready(Ok(())) => return Poll::Ready(Ok(())),
        Poll::Ready(Err(error)) => return Poll::Ready(Err(head_failure(x, attempt, error))),
        Poll::Pending => {}
    }
    if attempt.client_has_gone(cx, client) {
        return Poll::Ready(Err(client_gone()));
    }
    Poll::Pending
}

/// What it means that no response head came.
fn head_failure(x: &Exchange<'_>, attempt: &Attempt<'_>, error: HeadError) -> Failure {
    let (error, began) = match error {
        HeadError::Refused(failure) => return failure,
        HeadError::Stream { error, began } => (error, began),
    };
    if error.kind() == ErrorKind::TimedOut {
        let failure = Failure::new(Kind::ResponseTimeout, "no response head in time");
        return failure.retry(Retry::IfIdempotent);
    }
    let detail = format!(
        "{}: closed before a complete response head",
        attempt.conn.backend().url
    );
    let retry = match began {
        true => Retry::Never,
        false if x.progress.reused && retry::may_repeat(x) => Retry::FreshConnection,
        false => Retry::IfIdempotent,
    };
    Failure::new(Kind::Terminated, detail).retry(retry)
}

/// The final response's head has arrived: where does its body end, and what
/// does it say about the connection?
fn begin_response(
    x: &mut Exchange<'_>,
    times: &Times,
    attempt: &mut Attempt<'_>,
) -> Result<(), Failure> {
    let head = &mut x.heads.response;
    let framing = response_framing(x.heads.request.method, head)?;
    let persistence = take_connection(head.version, &mut head.fields);
    say_length_once(&mut head.fields, framing);
    if head.status == 204 {
        head.fields.remove(Known::ContentLength);
    }
    let conn = &mut **attempt.conn;
    conn.keep_alive = persistence.keep_alive && framing != Framing::UntilClose;
    conn.inbound.io().deadline.silence(times.idle);
    conn.body.begin(framing, RESPONSE_LIMITS, u64::MAX);
    conn.framing = framing;
    Ok(())
}

//! Asks one backend: gets a connection, sends the request, waits for the head
//! of the answer. Nothing here chooses, and nothing tries again but for a
//! connection that proved stale.

use std::future::poll_fn;
use std::io::ErrorKind;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use message::{Failure, Kind, Known, Method, ResponseHead, Retry};
use plan::Times;
use upstream::{Backend, Full, InFlight, Permit, Protocol, QueueFull};
use wire::h1::{
    Framing, HeadError, Limits, response_framing, say_length_once, take_connection,
    tidy_idle_length,
};

use crate::backend::attempt::{Attempt, Upload};
use crate::backend::backend_conn::{BackendConn, Conn};
use crate::backend::connect::{Beginning, connect};
use crate::backend::extended_connect;
use crate::backend::h2_backend::{self, Link, speaks_h2};
use crate::backend::introduced::introduction;
use crate::backend::retry;
use crate::exchange::Exchange;
use crate::exchange::grpc;
use crate::exchange::upgrade;
use crate::path::reply;

type Checkout = upstream::Checkout<Box<BackendConn>, Link>;

/// How large a response's head may be. Backends send larger ones than clients.
pub(crate) const RESPONSE_LIMITS: Limits = Limits {
    line: 8 * 1024,
    fields: 64 * 1024,
    count: 256,
};

/// Interim responses to one request beyond this many are refused.
pub(crate) const MAX_INTERIM: usize = 32;

/// Asks one backend: on a connection that lies ready, and if that proves stale
/// before it has answered anything, once more on a fresh one.
pub(crate) async fn ask<'a>(
    x: &mut Exchange<'a>,
    framing: Framing,
    times: &Times,
    backend: &'a Arc<Backend>,
) -> Result<Attempt<'a>, Failure> {
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

/// What is left of a time limit within the request's own.
fn within_total(x: &Exchange<'_>, times: &Times, limit: Duration) -> Duration {
    match x.total(times) {
        Some(total) => limit.min(total.saturating_sub(x.elapsed())),
        None => limit,
    }
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
) -> Result<Conn, Failure> {
    let worker = x.worker;
    let now = worker.clock.coarse().into_std();
    let is_http1 = x.heads.upgrade.is_some() && !extended_connect::is_used(x.heads, backend)?;
    if is_http1 && backend.options.protocol.may_share() {
        return Box::pin(of_its_own(x, times, backend)).await;
    }
    let alive = |conn: &mut Box<BackendConn>| reuse == Reuse::Allowed && conn.is_alive();
    let checkout = match worker.pool.checkout(backend, now, alive) {
        Ok(Checkout::Connect(permit)) if worker.pool.is_opening(backend) => {
            drop(permit);
            Box::pin(wait_opened(x, times, backend)).await?
        }
        Ok(checkout) => checkout,
        Err(Full) => match Box::pin(wait(x, times, backend)).await? {
            // One that has just been returned has not been looked at since.
            Checkout::Reused(mut conn) => match alive(&mut conn) {
                true => Checkout::Reused(conn),
                false => Checkout::Connect(conn.close().ok_or(Kind::Internal)?),
            },
            other => other,
        },
    };
    match checkout {
        Checkout::Reused(conn) => {
            x.progress.reused = true;
            Ok(conn)
        }
        Checkout::Stream(link) => {
            // The second time it is not the connection's fault.
            x.progress.reused = reuse == Reuse::Allowed;
            Ok(BackendConn::on(worker, link))
        }
        Checkout::Connect(permit) => Box::pin(open(x, times, permit)).await,
    }
}

/// What goes on with another protocol over HTTP/1.1 does so on a connection that
/// nobody shares.
async fn of_its_own(
    x: &mut Exchange<'_>,
    times: &Times,
    backend: &Arc<Backend>,
) -> Result<Conn, Failure> {
    let permit = x.worker.pool.permit(backend);
    let permit = permit.map_err(|_| overload(Kind::QueueFull, backend))?;
    open(x, times, permit).await
}

/// Waits for a connection that another request is opening and that may be shared,
/// for as long as one of its own might take.
async fn wait_opened(
    x: &mut Exchange<'_>,
    times: &Times,
    backend: &Arc<Backend>,
) -> Result<Checkout, Failure> {
    let worker = x.worker;
    let limit = within_total(x, times, times.connect);
    let opened = async {
        loop {
            if worker.pool.wait_opened(backend).await.is_err() {
                return Err(overload(Kind::QueueFull, backend));
            }
            let now = worker.clock.coarse().into_std();
            match worker.pool.checkout(backend, now, |conn| conn.is_alive()) {
                Ok(Checkout::Connect(permit)) if worker.pool.is_opening(backend) => drop(permit),
                found => return Ok(found),
            }
        }
    };
    let opened = tokio::time::timeout(limit, opened);
    match unless_gone(x, pin!(opened)).await? {
        Ok(Ok(Ok(checkout))) => Ok(checkout),
        Ok(Ok(Err(Full))) => wait(x, times, backend).await,
        Ok(Err(failure)) => Err(failure),
        Err(_) => {
            let detail = format!("{}: no connection within {limit:?}", backend.url);
            Err(Failure::new(Kind::ConnectTimeout, detail).retry(Retry::OtherBackend))
        }
    }
}

/// Waits in the queue for a connection, unless the client leaves.
async fn wait(
    x: &mut Exchange<'_>,
    times: &Times,
    backend: &Arc<Backend>,
) -> Result<Checkout, Failure> {
    let now = x.worker.clock.now().into_std();
    let limit = within_total(x, times, times.wait);
    let waiting = tokio::time::timeout(limit, x.worker.pool.wait(backend, now));
    match unless_gone(x, pin!(waiting)).await? {
        Ok(Ok(checkout)) => Ok(checkout),
        Ok(Err(QueueFull)) => Err(overload(Kind::QueueFull, backend)),
        Err(_) => Err(overload(Kind::QueueTimeout, backend)),
    }
}

pub(crate) fn overload(kind: Kind, backend: &Backend) -> Failure {
    let (url, most) = (&backend.url, backend.options.max_connections);
    let detail = match kind {
        Kind::QueueFull => format!(
            "{url}: all of {most} connections are in use, and {} requests wait for one",
            backend.options.max_waiting
        ),
        _ => format!("{url}: none of {most} connections came free in time"),
    };
    Failure::new(kind, detail)
}

async fn open(x: &mut Exchange<'_>, times: &Times, permit: Permit) -> Result<Conn, Failure> {
    let worker = x.worker;
    let began = worker.clock.now();
    let backend = Arc::clone(permit.backend());
    let limit = within_total(x, times, times.connect);
    let header = introduction(x);
    let opening = worker.pool.opening(&backend);
    let beginning = Beginning {
        first: &header,
        is_http1: x.heads.upgrade.is_some() && backend.options.protocol == Protocol::Agreed,
    };
    let connecting = connect(worker, &backend, limit, beginning);
    let stream = unless_gone(x, pin!(connecting)).await??;
    let now = worker.clock.now();
    x.progress.reused = false;
    x.progress.connect_time = Some(now.saturating_duration_since(began));
    if speaks_h2(&backend, &stream)? {
        let link = h2_backend::begin(worker, stream, permit, opening)?;
        return Ok(BackendConn::on(worker, link));
    }
    let mut conn = BackendConn::new(&worker.timers, &worker.blocks, stream);
    conn.is_introduced = !header.is_empty();
    Ok(worker.pool.opened(permit, conn, now.into_std()))
}

/// Runs a future for as long as the client stays.
pub(crate) async fn unless_gone<T>(
    x: &mut Exchange<'_>,
    mut future: Pin<&mut impl Future<Output = T>>,
) -> Result<T, Failure> {
    poll_fn(|cx| {
        if let Poll::Ready(value) = future.as_mut().poll(cx) {
            return Poll::Ready(Ok(value));
        }
        // A body that has not been asked for yet stays in the socket.
        if x.client.poll_gone(cx).is_ready() {
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
pub(crate) async fn send(
    x: &mut Exchange<'_>,
    framing: Framing,
    times: &Times,
    attempt: &mut Attempt<'_>,
) -> Result<(), Failure> {
    let conn = &mut attempt.conn;
    conn.outbound.io().deadline.silence(times.idle);
    // Until the request has been sent, its time in all is the only one that runs.
    let deadline = &conn.inbound.io().deadline;
    match x.total(times) {
        Some(total) => deadline.within(total.saturating_sub(x.elapsed())),
        None => deadline.clear(),
    }
    if let Some(timeout) = x.heads.grpc.and_then(|call| call.timeout) {
        let left = timeout.saturating_sub(x.elapsed());
        grpc::set_timeout(&mut x.heads.request.fields, left);
    }
    let switches = x.heads.upgrade.is_some() && conn.is_stream();
    if switches {
        let limit = within_total(x, times, times.connect);
        Box::pin(extended_connect::ask(x, limit, attempt)).await?;
    } else {
        let is_secure = conn.backend().tls.is_some();
        conn.ask(&x.heads.request, framing, is_secure);
        conn.upload = Upload::new(conn.framing(framing));
        if (x.heads.grpc).is_some_and(|call| call.is_sent_as_text()) {
            conn.upload.decode();
        }
    }
    for _ in 0..=MAX_INTERIM {
        x.heads.response.clear();
        let mut deadline_is_set = false;
        poll_fn(|cx| poll_response(x, times, attempt, &mut deadline_is_set, cx)).await?;
        if switches {
            extended_connect::take_answer(x.heads);
        }
        if !x.heads.response.is_interim() || upgrade::is_agreed(x.heads)? {
            if x.plan.access_log.is_some() || x.plan.admin.is_some() {
                x.progress.head_time = Some(x.elapsed());
            }
            let method = x.heads.request.method;
            return begin_response(method, &mut x.heads.response, times, &mut attempt.conn);
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
    match attempt.conn.poll_head(cx, &mut x.heads.response) {
        Poll::Ready(Ok(())) => return Poll::Ready(Ok(())),
        Poll::Ready(Err(error)) => return Poll::Ready(Err(head_failure(x, attempt, error))),
        Poll::Pending => {}
    }
    if x.client.poll_gone(cx).is_ready() {
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
        BackendConn::suspect(&attempt.conn);
        let failure = Failure::new(Kind::ResponseTimeout, "no response head in time");
        return failure.retry(Retry::IfIdempotent);
    }
    let url = &attempt.conn.backend().url;
    if let Some(failure) = h2_backend::failure(&error, &attempt.conn) {
        return match failure.retry {
            Retry::OtherBackend if !retry::is_whole(x) => failure.retry(Retry::Never),
            Retry::OtherBackend if x.progress.reused => failure.retry(Retry::FreshConnection),
            _ => failure,
        };
    }
    let detail = format!("{url}: closed before a complete response head");
    let retry = match began {
        true => Retry::Never,
        false if x.progress.reused && retry::may_repeat(x) => Retry::FreshConnection,
        false => Retry::IfIdempotent,
    };
    Failure::new(Kind::Terminated, detail).retry(retry)
}

/// The final response's head has arrived: where does its body end, and what
/// does it say about the connection?
pub(crate) fn begin_response(
    method: Method,
    head: &mut ResponseHead,
    times: &Times,
    conn: &mut BackendConn,
) -> Result<(), Failure> {
    let framing = response_framing(method, head)?;
    let persistence = take_connection(head.version, &mut head.fields, Kind::BadResponse)?;
    say_length_once(&mut head.fields, framing);
    if matches!(head.status, 101 | 204) {
        head.fields.remove(Known::ContentLength);
    } else if framing == Framing::Empty {
        tidy_idle_length(&mut head.fields);
    }
    let goes_on = framing != Framing::UntilClose && head.status != 101;
    conn.keep_alive = persistence.keep_alive && goes_on;
    conn.inbound.io().deadline.silence(times.idle);
    conn.body
        .begin(conn.framing(framing), RESPONSE_LIMITS, u64::MAX);
    conn.framing = framing;
    Ok(())
}

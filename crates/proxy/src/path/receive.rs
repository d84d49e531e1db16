//! Step 3: the next request's head. Never looks at what it asks for.
//! Next: `admit`.

use std::future::poll_fn;
use std::io::ErrorKind;
use std::task::{Context, Poll};
use std::time::Duration;

use message::{Failure, Kind};
use plan::Listener;
use wire::h1::HeadError;
use wire::h2::PREFACE;

use crate::client::Client;
use crate::client::http2::Arrived;
use crate::exchange::heads::Heads;
use crate::exchange::upgrade;
use crate::worker::Worker;

/// How long a connection without a request may still send one once its door is
/// closed. A request that is already on its way is then still answered.
const GRACE: Duration = Duration::from_secs(1);

/// Whether a client speaks HTTP/2 on a listener that takes it: TLS has agreed on
/// it or not; elsewhere it begins with it (RFC 9113 section 3), as no other request does. Waits for as many
/// bytes as it takes to tell. None where the client is done, or nothing has come
/// in time.
pub(crate) async fn begins_h2(worker: &Worker, client: &mut Client) -> Option<bool> {
    if let Some(has_agreed) = client.outbound.io().has_agreed_on_h2() {
        return Some(has_agreed);
    }
    let current = client.door.plan(worker);
    let takes_it = client.door.listener(&current)?.http2.is_some();
    drop(current);
    if !takes_it {
        return Some(false);
    }
    match expect(worker, client, true) {
        true => poll_fn(|cx| poll_preface(client, cx)).await,
        false => None,
    }
}

fn poll_preface(client: &mut Client, cx: &mut Context<'_>) -> Poll<Option<bool>> {
    loop {
        let arrived = client.inbound.buffered();
        let common = arrived.len().min(PREFACE.len());
        let is_alike = arrived.get(..common) == PREFACE.get(..common);
        if !is_alike || common == PREFACE.len() {
            return Poll::Ready(Some(is_alike));
        }
        match client.inbound.poll_more(cx) {
            Poll::Ready(Ok(n)) if n > 0 => {}
            // Half a preface is half a request, and is told so.
            Poll::Ready(_) => return Poll::Ready((common > 0).then_some(false)),
            Poll::Pending => break,
        }
    }
    hurry(client);
    Poll::Pending
}

/// Once its door is closed, a connection without a request has little time left.
fn hurry(client: &Client) {
    if client.door.is_closed() {
        client.inbound.io().deadline.no_later_than(GRACE);
    }
}

/// Waits for the first byte of a request for as long as the connection may be
/// idle. False when the client is done, was idle for too long, or its listener
/// is no more. Holds no plan meanwhile: it may be a long time.
pub(crate) async fn first_byte(worker: &Worker, client: &mut Client, is_first: bool) -> bool {
    if !expect(worker, client, is_first) {
        return false;
    }
    let came = poll_fn(|cx| poll_first_byte(client, cx)).await;
    if came && !is_first {
        let current = client.door.plan(worker);
        if let Some(listener) = client.door.listener(&current) {
            client.inbound.io().deadline.within(listener.header_timeout);
        }
    }
    came
}

/// Sets the deadlines of a connection without a request.
pub(crate) fn expect(worker: &Worker, client: &mut Client, is_first: bool) -> bool {
    let current = client.door.plan(worker);
    let Some(listener) = client.door.listener(&current) else {
        return false;
    };
    client
        .outbound
        .io()
        .deadline
        .trickle(listener.write_timeout, listener.min_rate);
    let idle = if is_first {
        listener.header_timeout
    } else {
        listener.keep_alive_timeout
    };
    client.inbound.io().deadline.within(idle);
    true
}

/// Waits for the rest of a request's head. A failure means that what came is
/// no acceptable request.
pub(crate) async fn head(
    listener: &Listener,
    client: &mut Client,
    heads: &mut Heads,
) -> Result<(), Failure> {
    let inbound = &mut client.inbound;
    let failure =
        match poll_fn(|cx| inbound.poll_head(cx, &listener.limits, &mut heads.request)).await {
            Ok(()) => return Ok(()),
            Err(HeadError::Refused(failure)) => failure,
            Err(HeadError::Stream { error, .. }) => match error.kind() {
                ErrorKind::TimedOut => Kind::HeadTimeout.into(),
                _ => Failure::new(Kind::ClientGone, "the client left within its request head"),
            },
        };
    heads.forget_host();
    Err(failure)
}

/// Takes up a head that has come whole.
pub(crate) fn arrived(
    worker: &Worker,
    listener: &Listener,
    arrived: &mut Arrived,
    heads: &mut Heads,
) -> Result<(), Failure> {
    let mut read = std::mem::replace(&mut arrived.verdict, Ok(()));
    if let (Ok(()), Some(protocol)) = (&read, &arrived.protocol) {
        let random = (worker.random(), worker.random());
        read = upgrade::translate(heads, protocol, listener, random);
    }
    if read.is_err() {
        heads.forget_host();
    }
    read
}

/// True once a byte of a request has arrived; false when none will.
fn poll_first_byte(client: &mut Client, cx: &mut Context<'_>) -> Poll<bool> {
    loop {
        client.inbound.skip_empty_lines();
        if !matches!(client.inbound.buffered(), [] | [b'\r']) {
            return Poll::Ready(true);
        }
        match client.inbound.poll_more(cx) {
            Poll::Ready(Ok(n)) if n > 0 => {}
            Poll::Ready(_) => return Poll::Ready(false),
            Poll::Pending => break,
        }
    }
    hurry(client);
    Poll::Pending
}

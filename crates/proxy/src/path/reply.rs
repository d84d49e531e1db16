//! Step 11: the answer goes to the client, at the client's pace: a backend's,
//! a filter's, or Forebay's own about a failure. Never chooses what to answer.
//! Next: `settle`.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use filters::{Answer, ErrorPage};
use message::{Failure, Fields, Kind, Known, Method, Relay, Side, Sink, Source, Version};
use plan::Plan;
use wire::h1::{
    Announce, Encoder, Framing, Incoming, Outgoing, take_connection, write_response_head,
};

use crate::backend::attempt::Attempt;
use crate::client::Client;
use crate::exchange::grpc;
use crate::exchange::heads::Heads;
use crate::exchange::refusal;
use crate::exchange::upgrade;
use crate::exchange::{Exchange, Progress};
use crate::health;
use crate::listening::door::Door;
use crate::path::route::facts;
use crate::sockets::stream::{Reader, Stream};
use crate::tunnel;
use crate::worker::Worker;

/// How long a connection is kept after its last answer, so that a client still
/// sending can read it.
const LINGER: Duration = Duration::from_secs(2);

/// What a body passes on its way from the backend to the client.
pub(crate) trait Passage {
    fn through<'a>(&'a mut self, body: Incoming<'a, Reader>) -> impl Source + 'a;
}

struct AsItIs;

impl Passage for AsItIs {
    fn through<'a>(&'a mut self, body: Incoming<'a, Reader>) -> impl Source + 'a {
        body
    }
}

/// Relays a backend's answer while whatever is left of the request goes up.
pub(crate) fn relay(
    x: &mut Exchange<'_>,
    attempt: Attempt<'_>,
) -> impl Future<Output = Result<(), Failure>> {
    relay_through(AsItIs, x, attempt)
}

/// The same where the body becomes another one.
pub(crate) async fn relay_through(
    mut passage: impl Passage,
    x: &mut Exchange<'_>,
    mut attempt: Attempt<'_>,
) -> Result<(), Failure> {
    let framing = client_framing(x, attempt.conn.framing);
    if framing == Framing::UntilClose || !attempt.conn.upload.is_done() {
        x.keep_alive = false;
    }
    let sent_before = x.client.outbound.sent();
    grpc::begin_answer(x, &mut attempt.conn);
    write_head(x, framing)?;
    let mut down = Relay::default();
    let mut encoder = Encoder::new(framing, Side::Client);
    let result =
        poll_fn(|cx| poll_both(x, &mut attempt, &mut passage, (&mut down, &mut encoder), cx)).await;
    x.progress.response_bytes = encoder.written();
    if let Some(call) = &mut x.heads.grpc {
        // Without a body it is in the head.
        call.status = grpc::status(attempt.conn.body.trailers()).or(call.status);
    }
    health::after_body(x, &attempt, &result);
    let is_unseen = x.client.outbound.sent() == sent_before && !x.client.has_begun();
    if result.is_err() && is_unseen {
        // The client has seen nothing of it: there is still time for an answer.
        x.progress.head_sent = false;
        x.progress.response_bytes = 0;
    } else if let Err(failure) = &result {
        let has_ended = x.heads.grpc.is_some() && grpc::end(x, &mut encoder, failure);
        x.progress.must_reset = framing == Framing::UntilClose && !has_ended;
    }
    result?;
    if attempt.conn.is_reusable() {
        attempt.conn.rest();
        let now = x.worker.clock.coarse().into_std();
        x.worker.pool.give_back(attempt.conn, now);
    }
    Ok(())
}

/// Lets the client and the backend, which has agreed to another protocol, go on
/// with that.
pub(crate) async fn switch(x: &mut Exchange<'_>, mut attempt: Attempt<'_>) -> Result<(), Failure> {
    let idle = health::times(x).ok_or(Kind::Internal)?.tunnel;
    let upgrade = x.heads.upgrade.as_ref().ok_or(Kind::Internal)?;
    let protocol = upgrade.tunnel();
    upgrade::agree(x.heads);
    write_head(x, Framing::Empty)?;
    health::after_body(x, &attempt, &Ok(()));
    if has_adaptive_limit(x) {
        // How many are under way follows how long answers take; this one is here.
        x.heads.place = None;
    }
    let _lasting = attempt.conn.lasting();
    tunnel::run(x, &mut attempt.conn, protocol, idle).await
}

fn has_adaptive_limit(x: &Exchange<'_>) -> bool {
    let group = x.progress.backend.map(|(group, _)| group as usize);
    let group = group.and_then(|group| x.plan.groups.get(group));
    group.is_some_and(|group| group.balance.adaptive.is_some())
}

/// The same body for this client: what has a length keeps it; what has none is
/// chunked, or ends with the connection for HTTP/1.0.
fn client_framing(x: &Exchange<'_>, framing: Framing) -> Framing {
    match (framing, x.heads.request.version) {
        (Framing::Empty | Framing::Length(_), _) => framing,
        (_, Version::Http11) => Framing::Chunked,
        (_, Version::Http10 | Version::Http2) => Framing::UntilClose,
    }
}

/// Writes the response's head; it leaves with the first piece of body.
pub(crate) fn write_head(x: &mut Exchange<'_>, framing: Framing) -> Result<(), Failure> {
    x.keep_alive &= !x.client.door.is_closed();
    let announce = match (x.keep_alive, x.heads.request.version) {
        // It is another protocol's from now on.
        _ if becomes_tunnel(x.heads) => Announce::Nothing,
        (false, _) => Announce::Close,
        (true, Version::Http10) => Announce::KeepAlive,
        (true, Version::Http11 | Version::Http2) => Announce::Nothing,
    };
    if let Some(hsts) = &x.listener.hsts {
        let fields = &mut x.heads.response.fields;
        fields.set(b"Strict-Transport-Security", hsts.as_bytes());
    }
    let head = &x.heads.response;
    match &x.client.h2 {
        None => write_response_head(x.client.outbound.buffer(), head, framing, announce),
        Some(stream) => {
            let out = x.client.outbound.buffer();
            let before = out.len();
            wire::h2::write_response(out, head);
            stream.borrow_mut().expect_head(out.len() - before, true);
        }
    }
    x.progress.status = head.status;
    x.progress.head_sent = true;
    Ok(())
}

/// Whether what follows this answer is no HTTP.
fn becomes_tunnel(heads: &Heads) -> bool {
    match heads.response.status {
        101 => true,
        200 => heads.request.method == Method::Connect,
        _ => false,
    }
}

fn poll_both(
    x: &mut Exchange<'_>,
    attempt: &mut Attempt<'_>,
    passage: &mut impl Passage,
    (down, encoder): (&mut Relay, &mut Encoder),
    cx: &mut Context<'_>,
) -> Poll<Result<(), Failure>> {
    if let Err(failure) = attempt.poll_upload(cx, x.client) {
        return Poll::Ready(Err(failure));
    }
    let client = &mut *x.client;
    let conn = &mut **attempt.conn;
    let mut source = passage.through(Incoming {
        inbound: &mut conn.inbound,
        body: &mut conn.body,
    });
    let mut sink = Outgoing {
        outbound: &mut client.outbound,
        encoder,
    };
    let moved = down.poll(cx, &mut source, &mut sink);
    drop(source);
    if moved.is_ready() {
        return moved;
    }
    if client.poll_gone(cx).is_ready() {
        let detail = "the client left within the answer";
        return Poll::Ready(Err(Failure::new(Kind::ClientGone, detail)));
    }
    client.mark(true);
    if conn.is_late(cx) {
        let detail = "the time that the call gives has passed within the answer";
        return Poll::Ready(Err(Failure::new(Kind::ResponseTimeout, detail)));
    }
    // The exchange may be dropped here: see `settle::on_drop`.
    x.progress.response_bytes = encoder.written();
    Poll::Pending
}

/// Passes an interim response on (RFC 9110 section 15.2); HTTP/1.0 knows none.
pub(crate) async fn interim(x: &mut Exchange<'_>) -> Result<(), Failure> {
    let heads = &mut *x.heads;
    if heads.response.status == 101 {
        return Err(Failure::new(
            Kind::BadResponse,
            "the backend switches protocols unasked",
        ));
    }
    if heads.request.version == Version::Http10 {
        return Ok(());
    }
    take_connection(
        heads.response.version,
        &mut heads.response.fields,
        Kind::BadResponse,
    )?;
    heads.response.fields.remove(Known::ContentLength);
    let out = x.client.outbound.buffer();
    match &x.client.h2 {
        None => write_response_head(out, &heads.response, Framing::Empty, Announce::Nothing),
        Some(stream) => {
            wire::h2::write_response(out, &heads.response);
            stream.borrow_mut().expect_head(out.len(), false);
        }
    }
    flush(x, false).await
}

/// Sends what has been written: all there is, or something before it.
async fn flush(x: &mut Exchange<'_>, is_all: bool) -> Result<(), Failure> {
    let mut encoder = Encoder::new(Framing::Empty, Side::Client);
    let mut sink = Outgoing {
        outbound: &mut x.client.outbound,
        encoder: &mut encoder,
    };
    if is_all {
        sink.finish(&Fields::default())?;
    }
    poll_fn(|cx| sink.poll_flush(cx)).await
}

/// Sends a filter's answer.
pub(crate) async fn answer(x: &mut Exchange<'_>, answer: Answer) -> Result<(), Failure> {
    let head = &mut x.heads.response;
    head.clear();
    head.status = answer.status;
    for (name, value) in answer.fields.iter() {
        head.fields.push(name.as_bytes(), value);
    }
    own(x, &answer.body).await
}

/// Tells the client about a failure, unless there is no client any more.
pub(crate) async fn failure(x: &mut Exchange<'_>, failure: Failure) -> Result<(), Failure> {
    x.client.outbound.discard();
    if let Some(stream) = &x.client.h2 {
        stream.borrow_mut().discard();
    }
    let has_gone = matches!(failure.kind, Kind::ClientGone | Kind::ClientStalled);
    // After a fault of its own Forebay does not trust what it knows of the connection.
    x.keep_alive &= !has_gone && failure.kind != Kind::Internal;
    if has_gone {
        return Err(failure);
    }
    let retry_after = retry_after(x, &failure);
    let is_late = x.is_late();
    let heads = &mut *x.heads;
    let accept = heads.request.fields.get(Known::Accept).unwrap_or_default();
    let format = refusal::Format::wanted(accept);
    let style = refusal::Style {
        format,
        tells: x.plan.debug_errors || x.plan.trusted.contains(x.address.ip()),
        page: page(x.plan, &x.progress, failure.status(), format),
        retry_after,
    };
    let mut body = refusal::write(&failure, x.id.as_str(), &style, &mut heads.response);
    if let Some(call) = &mut heads.grpc {
        let code = grpc::code(&failure, is_late);
        grpc::refuse(failure.kind, code, call.web, &mut heads.response);
        call.status = Some(code);
        body.clear();
    }
    if failure.kind == Kind::MethodNotAllowed {
        let methods = x
            .plan
            .table
            .other_methods(&facts(heads, x.address.ip()))
            .join(", ");
        heads.response.fields.push(b"Allow", methods.as_bytes());
    }
    if own(x, &body).await.is_err() {
        x.keep_alive = false;
    }
    Err(failure)
}

/// How long until a backend is back, where that is what is missing.
fn retry_after(x: &Exchange<'_>, failure: &Failure) -> Option<Duration> {
    if failure.kind != Kind::NoBackend {
        return None;
    }
    let route = x.plan.routes.get(x.progress.route? as usize)?;
    let now = x.worker.clock.coarse().into_std();
    x.plan.groups.get(route.group?)?.balance.retry_after(now)
}

/// The route's own page for a failure, or else everybody's.
fn page<'a>(
    plan: &'a Plan,
    progress: &Progress,
    status: u16,
    format: refusal::Format,
) -> Option<&'a ErrorPage> {
    let route = progress.route.and_then(|i| plan.routes.get(i as usize));
    let wants_json = format == refusal::Format::Json;
    route
        .and_then(|route| route.error_pages.find(status, wants_json))
        .or_else(|| plan.error_pages.find(status, wants_json))
}

/// Sends an answer that Forebay makes itself. The rest of the request's body
/// is skipped where it has arrived already; otherwise the connection ends, for
/// waiting for it could take for ever.
async fn own(x: &mut Exchange<'_>, body: &[u8]) -> Result<(), Failure> {
    let mut rest = Incoming {
        inbound: &mut x.client.inbound,
        body: &mut x.client.body,
    };
    x.keep_alive &= rest.skip_arrived();
    let status = x.heads.response.status;
    let fields = &mut x.heads.response.fields;
    let has_body = !matches!(status, 204 | 304) && x.heads.request.method != Method::Head;
    // An answer to a call ends with its head.
    let is_call = x.heads.grpc.is_some() && x.client.h2.is_some();
    if !matches!(status, 204 | 304) && !is_call {
        fields.push_with(Known::ContentLength, |text| {
            text.extend_from_slice(body.len().to_string().as_bytes());
        });
    }
    refusal::push_date(fields, x.worker.clock.unix_micros(x.worker.clock.now()));
    let sent = if has_body { body } else { &[] };
    let framing = Framing::Length(sent.len() as u64);
    write_head(x, framing)?;
    x.client.outbound.buffer().extend_from_slice(sent);
    x.progress.response_bytes = sent.len() as u64;
    flush(x, true).await
}

/// Ends a connection so that the client gets everything that was sent: what it
/// still sends is read and thrown away for a while, since closing with unread
/// bytes would make the kernel take back the answer (RFC 9112 section 9.6).
pub(crate) async fn close(client: &mut Client) {
    client.inbound.io().deadline.within(LINGER);
    let _ = poll_fn(|cx| client.poll_close(cx)).await;
}

/// Who is turned away has no place at the door.
const NOWHERE: u32 = u32::MAX;

/// Tells a client that the listener is full, without reading its request.
pub(crate) async fn turn_away(
    worker: Rc<Worker>,
    stream: Stream,
    peer: std::net::SocketAddr,
    door: Rc<Door>,
) {
    let mut client = Client::new(&worker, stream, (door, NOWHERE), peer);
    let current = client.door.plan(&worker);
    let Some(options) = client.door.listener(&current) else {
        return;
    };
    client.outbound.io().deadline.within(LINGER);
    let mut heads = worker.heads.take();
    heads.forget_host();
    let mut x = Exchange::begin(&worker, &current, options, &mut client, &mut heads);
    let detail = format!(
        "the listener {} has {} connections already",
        options.id, options.max_connections
    );
    let full = Failure::new(Kind::TooManyConnections, detail);
    let end = failure(&mut x, full).await;
    super::settle::settle(x, end);
    worker.heads.give(heads);
    close(&mut client).await;
}

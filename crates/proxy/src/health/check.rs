//! One active check of one backend, on a connection of its own.

use std::future::poll_fn;
use std::rc::Rc;

use message::{Failure, Fields, Kind, Known, Method, RequestHead, ResponseHead, Source};
use plan::{Check, HttpProbe, Probe};
use tokio::task::JoinSet;
use upstream::Backend;
use wire::blocks::Blocks;
use wire::h1::{Framing, HeadError, Incoming, response_framing};
use wire::proxy_protocol::write_local;

use crate::backend::ask::{MAX_INTERIM, RESPONSE_LIMITS};
use crate::backend::backend_conn::BackendConn;
use crate::backend::connect::open;
use crate::backend::h2_backend::{Driver, speaks_h2};
use crate::backend::names::Resolver;
use crate::sockets::timers::Timers;

/// How much of an answer's body is looked at.
const LOOKED_AT: usize = 64 * 1024;

/// Characters of why TLS has failed, for a backend's certificate may have any number of names.
const LONGEST_WHY: usize = 300;

/// Asks what the probe says, however long it takes; an error says what was not
/// as expected.
pub(crate) async fn check(
    resolver: &Resolver,
    timers: &Rc<Timers>,
    backend: &Backend,
    how: &Check,
) -> Result<(), String> {
    let mut first = Vec::new();
    if let Some(version) = how.send_proxy_protocol {
        write_local(version, &mut first);
    }
    let blocks = Blocks::default();
    let opened = open(resolver, backend, &blocks, (&*first).into()).await;
    let stream = opened.map_err(told)?;
    let is_h2 = speaks_h2(backend, &stream).map_err(told)?;
    // Ends with the check.
    let mut driving = JoinSet::new();
    let stream = match (&how.probe, is_h2) {
        (Probe::Tcp, _) => return Ok(()),
        (_, false) => stream,
        (_, true) => {
            let driver = Driver::new(backend, stream, timers, &blocks);
            let stream = driver.stream();
            driving.spawn_local(driver.run(None));
            stream
        }
    };
    let mut conn = BackendConn::new(timers, &blocks, stream);
    match &how.probe {
        Probe::Tcp => Ok(()),
        Probe::Grpc(service) => serves(&mut conn, backend, service).await,
        Probe::Http(probe) => ask(&mut conn, backend, probe).await,
    }
}

/// What to call a failure; of TLS also why, which nothing else would say.
fn told(failure: Failure) -> String {
    let reason = failure.kind.reason().replace('_', " ");
    let is_tls = matches!(
        failure.kind,
        Kind::TlsCertificate | Kind::TlsAlert | Kind::TlsProtocol
    );
    match failure.detail.split_once(": TLS: ") {
        Some((_, why)) if is_tls => {
            let why: String = why.chars().take(LONGEST_WHY).collect();
            format!("{reason}: {why}")
        }
        _ => reason,
    }
}

async fn ask(conn: &mut BackendConn, backend: &Backend, probe: &HttpProbe) -> Result<(), String> {
    let request = request(backend, probe);
    let head = asked(conn, backend, &request, &[]).await?;
    if !probe
        .expected
        .iter()
        .any(|codes| codes.contains(&head.status))
    {
        return Err(format!("status {}", head.status));
    }
    let Some(wanted) = &probe.body else {
        return Ok(());
    };
    let framing = response_framing(request.method, &head).map_err(told)?;
    let text = body(conn, framing).await.map_err(told)?;
    let has_it = memchr::memmem::find(&text, wanted.as_bytes()).is_some();
    match has_it {
        true => Ok(()),
        false => Err(format!("the body has no {wanted:?} in it")),
    }
}

fn request(backend: &Backend, probe: &HttpProbe) -> RequestHead {
    let mut head = RequestHead::default();
    head.method = Method::of(probe.method.as_bytes());
    head.method_text = head.fields.intern(probe.method.as_bytes());
    head.path = head.fields.intern(probe.target.as_bytes());
    let host = probe.host.as_deref().unwrap_or(&backend.authority);
    head.fields.push(b"Host", host.as_bytes());
    let is_given = |name: &str| {
        let fields = probe.fields.iter();
        fields.map(|(n, _)| n).any(|n| n.eq_ignore_ascii_case(name))
    };
    if !is_given("User-Agent") {
        head.fields.push(b"User-Agent", b"forebay-health-check");
    }
    head.fields.push(b"Connection", b"close");
    for (name, value) in &probe.fields {
        head.fields.push(name.as_bytes(), value.as_bytes());
    }
    head
}

/// Sends a request and waits for the head of the final answer.
async fn asked(
    conn: &mut BackendConn,
    backend: &Backend,
    request: &RequestHead,
    body: &[u8],
) -> Result<ResponseHead, String> {
    let framing = match body {
        [] => Framing::Empty,
        body => Framing::Length(body.len() as u64),
    };
    let is_secure = backend.tls.is_some();
    conn.ask(request, framing, is_secure);
    conn.outbound.buffer().extend_from_slice(body);
    conn.outbound.end(&Fields::default());
    let sent = poll_fn(|cx| conn.outbound.poll_flush(cx)).await;
    sent.map_err(|error| error.to_string())?;
    let mut head = ResponseHead::default();
    for _ in 0..=MAX_INTERIM {
        head.clear();
        let came = poll_fn(|cx| conn.poll_head(cx, &mut head)).await;
        came.map_err(|error| match error {
            HeadError::Refused(failure) => told(failure),
            HeadError::Stream { .. } => told(Kind::Terminated.into()),
        })?;
        if !head.is_interim() {
            return Ok(head);
        }
    }
    Err("too many interim answers".to_owned())
}

/// The first of the body.
async fn body(conn: &mut BackendConn, framing: Framing) -> Result<Vec<u8>, Failure> {
    conn.body
        .begin(conn.framing(framing), RESPONSE_LIMITS, u64::MAX);
    let mut incoming = Incoming {
        inbound: &mut conn.inbound,
        body: &mut conn.body,
    };
    let mut text = Vec::new();
    while text.len() < LOOKED_AT {
        poll_fn(|cx| incoming.poll_fill(cx)).await?;
        if incoming.is_end() {
            break;
        }
        let piece = incoming.available();
        text.extend_from_slice(piece);
        let taken = piece.len();
        incoming.consume(taken);
    }
    Ok(text)
}

/// Asks as the gRPC health checking protocol says whether a service is served; an
/// empty name is the server as a whole.
async fn serves(conn: &mut BackendConn, backend: &Backend, service: &str) -> Result<(), String> {
    let mut head = RequestHead::default();
    head.method = Method::Post;
    head.method_text = head.fields.intern(b"POST");
    head.path = head.fields.intern(b"/grpc.health.v1.Health/Check");
    head.fields.push(b"Host", backend.authority.as_bytes());
    head.fields.push(b"User-Agent", b"forebay-health-check");
    head.fields.push(b"Content-Type", b"application/grpc");
    let asked = asked(conn, backend, &head, &health_request(service)).await?;
    if asked.status != 200 {
        return Err(format!("status {}", asked.status));
    }
    let message = body(conn, Framing::UntilClose).await.map_err(told)?;
    let fields = [&asked.fields, conn.body.trailers()];
    let status = fields
        .iter()
        .find_map(|fields| fields.get(Known::GrpcStatus));
    match status {
        Some(b"0") => health_answer(&message),
        Some(other) => Err(format!("grpc-status {}", other.escape_ascii())),
        None => Err("no grpc-status".to_owned()),
    }
}

/// `HealthCheckRequest`: its first field is the service's name.
fn health_request(service: &str) -> Vec<u8> {
    let mut message = Vec::new();
    if !service.is_empty() {
        message.push(0x0a);
        let mut length = service.len();
        while length >= 0x80 {
            message.push(length as u8 | 0x80);
            length >>= 7;
        }
        message.push(length as u8);
        message.extend_from_slice(service.as_bytes());
    }
    let mut framed = vec![0];
    framed.extend_from_slice(&(message.len() as u32).to_be_bytes());
    framed.extend_from_slice(&message);
    framed
}

/// `HealthCheckResponse`: its first field is the status, of which 1 is `SERVING`.
fn health_answer(framed: &[u8]) -> Result<(), String> {
    match framed.get(5..).unwrap_or_default() {
        [0x08, 1, ..] => Ok(()),
        [0x08, 2, ..] => Err("not serving".to_owned()),
        [0x08, 3, ..] => Err("the service is unknown".to_owned()),
        _ => Err("its status is unknown".to_owned()),
    }
}

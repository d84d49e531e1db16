//! One active check of one backend, on a connection of its own.

use std::future::poll_fn;
use std::rc::Rc;

use message::{Failure, Kind, Method, RequestHead, ResponseHead, Side, Source};
use plan::{Check, HttpProbe, Probe};
use upstream::Backend;
use wire::blocks::Blocks;
use wire::h1::{
    Body, Framing, HeadError, Inbound, Incoming, Outbound, response_framing, write_request_head,
};
use wire::proxy_protocol::write_local;

use crate::ask::{MAX_INTERIM, RESPONSE_LIMITS};
use crate::connect::open;
use crate::names::Resolver;
use crate::stream::{Reader, Stream};
use crate::timers::Timers;

/// How much of an answer's body is looked at.
const LOOKED_AT: usize = 64 * 1024;

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
    let opened = open(resolver, backend, &Blocks::default(), &first).await;
    let stream = opened.map_err(told)?;
    match &how.probe {
        Probe::Tcp => Ok(()),
        Probe::Http(probe) => ask(stream, timers, backend, probe).await,
    }
}

/// What to call a failure; its details are in the log.
fn told(failure: Failure) -> String {
    failure.kind.reason().replace('_', " ")
}

async fn ask(
    stream: Stream,
    timers: &Rc<Timers>,
    backend: &Backend,
    probe: &HttpProbe,
) -> Result<(), String> {
    let (reader, writer) = stream.split(timers);
    let blocks = Blocks::default();
    let mut inbound = Inbound::new(reader, blocks.clone());
    let mut outbound = Outbound::new(writer, blocks);
    let request = request(backend, probe);
    write_request_head(outbound.buffer(), &request, Framing::Empty);
    let sent = poll_fn(|cx| outbound.poll_flush(cx)).await;
    sent.map_err(|error| error.to_string())?;
    let head = answer(&mut inbound).await?;
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
    let text = body(&mut inbound, framing).await.map_err(told)?;
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

/// The head of the final answer.
async fn answer(inbound: &mut Inbound<Reader>) -> Result<ResponseHead, String> {
    let mut head = ResponseHead::default();
    for _ in 0..=MAX_INTERIM {
        head.clear();
        let came = poll_fn(|cx| inbound.poll_head(cx, &RESPONSE_LIMITS, &mut head)).await;
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
async fn body(inbound: &mut Inbound<Reader>, framing: Framing) -> Result<Vec<u8>, Failure> {
    let mut body = Body::new(Side::Upstream);
    body.begin(framing, RESPONSE_LIMITS, u64::MAX);
    let mut incoming = Incoming {
        inbound,
        body: &mut body,
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

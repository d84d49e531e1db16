//! Requests to go on with another protocol (RFC 9110 section 7.8), and whether a
//! backend agrees.

use message::{Failure, Fields, Kind, Known, Method, RequestHead, Version};
use plan::Listener;
use telemetry::Tunnel;
use wire::h1::{Framing, has_token};
use wire::websocket;

use crate::exchange::Exchange;
use crate::exchange::heads::Heads;

pub(crate) const WEBSOCKET: &str = "websocket";

/// What a client wants to go on with. Only what its listener allows is one.
pub(crate) struct Upgrade {
    /// As backends are asked for it.
    pub(crate) protocol: Box<str>,
    /// How a backend has to agree, where the client has not asked it in a way that
    /// only the client could check.
    accept: Option<String>,
}

impl Upgrade {
    pub(crate) fn tunnel(&self) -> Tunnel {
        match &*self.protocol {
            WEBSOCKET => Tunnel::WebSocket,
            _ => Tunnel::Other,
        }
    }
}

/// The first protocol of an HTTP/1.1 request that its listener allows. None where
/// the request is one that is answered as if it had not asked: with a body, after
/// which two readers could disagree about where the other protocol begins, or
/// with another method than GET. To be called before the fields between neighbours
/// are taken out.
pub(crate) fn asked(
    request: &RequestHead,
    framing: Framing,
    listener: &Listener,
) -> Option<Upgrade> {
    let fields = &request.fields;
    if !fields.has(Known::Upgrade)
        || request.version != Version::Http11
        || request.method != Method::Get
        || !matches!(framing, Framing::Empty | Framing::Length(0))
        || !has_token(fields, Known::Connection, b"upgrade")
    {
        return None;
    }
    let protocol = tokens(fields).find(|protocol| listener.allows_upgrade(protocol))?;
    Some(Upgrade {
        protocol: String::from_utf8_lossy(protocol)
            .to_ascii_lowercase()
            .into(),
        accept: None,
    })
}

fn tokens(fields: &Fields) -> impl Iterator<Item = &[u8]> {
    let all = fields.all(Known::Upgrade);
    all.flat_map(|value| value.split(|&b| b == b',').map(<[u8]>::trim_ascii))
}

/// Makes an HTTP/1.1 request of one that has come over HTTP/2 (RFC 8441
/// section 5), of which the head has been read.
pub(crate) fn translate(
    heads: &mut Heads,
    protocol: &[u8],
    listener: &Listener,
    random: (u64, u64),
) -> Result<(), Failure> {
    if protocol != WEBSOCKET.as_bytes() || !listener.allows_upgrade(protocol) {
        let name = String::from_utf8_lossy(protocol);
        let detail = format!("connections are not switched to {name} here");
        return Err(Failure::new(Kind::MethodRefused, detail));
    }
    let request = &mut heads.request;
    if request.fields.has(Known::ContentLength) {
        let detail = "Content-Length in a request to switch protocols";
        return Err(Failure::new(Kind::Malformed, detail));
    }
    let key = websocket::key(random);
    request.method = Method::Get;
    request.method_text = request.fields.intern(b"GET");
    request.fields.set(b"Sec-WebSocket-Key", key.as_bytes());
    heads.upgrade = Some(Upgrade {
        protocol: WEBSOCKET.into(),
        accept: Some(websocket::accept(&key)),
    });
    Ok(())
}

/// Whether the response is one by which the backend switches to what it was asked
/// for. To be called before the fields between neighbours are taken out.
pub(crate) fn is_agreed(heads: &Heads) -> Result<bool, Failure> {
    let response = &heads.response;
    let (101, Some(upgrade)) = (response.status, &heads.upgrade) else {
        return Ok(false);
    };
    let refuse = |detail| Err(Failure::new(Kind::BadResponse, detail));
    let fields = &response.fields;
    let mut agreed = tokens(fields);
    let protocol = upgrade.protocol.as_bytes();
    let is_it = agreed
        .next()
        .is_some_and(|a| a.eq_ignore_ascii_case(protocol));
    if !is_it || agreed.next().is_some() {
        return refuse("the backend switches to another protocol than it was asked for");
    }
    if response.version != Version::Http11 || !has_token(fields, Known::Connection, b"upgrade") {
        return refuse("the backend switches protocols without saying so in Connection");
    }
    let accept = fields.all_named(b"Sec-WebSocket-Accept").next();
    match &upgrade.accept {
        Some(wanted) if accept != Some(wanted.as_bytes()) => {
            refuse("the backend's Sec-WebSocket-Accept is not that of the key")
        }
        _ => Ok(true),
    }
}

/// Whether the connection is switched now. An answer that is none to what the
/// client has asked for is no answer: where it says that all is well, over HTTP/2,
/// the client would go on with the other protocol (RFC 8441 section 5).
pub(crate) fn is_switched(x: &Exchange<'_>) -> Result<bool, Failure> {
    let status = x.heads.response.status;
    if x.client.h2.is_some() && x.heads.upgrade.is_some() && (200..300).contains(&status) {
        let detail = format!("the backend answers {status} in place of switching protocols");
        return Err(Failure::new(Kind::BadResponse, detail));
    }
    Ok(status == 101)
}

/// The answer as this client is told of it.
pub(crate) fn agree(heads: &mut Heads) {
    let Some(upgrade) = &heads.upgrade else {
        return;
    };
    let response = &mut heads.response;
    if upgrade.accept.is_some() {
        response.status = 200;
        response.reason = message::Span::default();
        response.fields.remove_named(b"Sec-WebSocket-Accept");
        return;
    }
    let protocol = upgrade.protocol.as_bytes();
    response.fields.push_known(Known::Connection, b"upgrade");
    response.fields.push_known(Known::Upgrade, protocol);
}

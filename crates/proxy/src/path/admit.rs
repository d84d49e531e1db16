//! Step 4: only a request that everyone understands the same way goes on.
//!
//! Refuses what is ambiguous, brings host and path into normal
//! form, takes out the fields that concern this connection only, and decides
//! who the client is. Never looks at routes. Next: `route`.

use std::net::SocketAddr;

use message::{Failure, Fields, Form, Kind, Known, Method, Version};
use plan::{Listener, Plan};
use routing::normalise;
use wire::h1::{Framing, Persistence, request_framing, say_length_once, take_connection};

use crate::exchange::Exchange;
use crate::exchange::grpc;
use crate::exchange::heads::Heads;
use crate::exchange::request_id::RequestId;
use crate::exchange::upgrade;

/// A request that has been checked. Only `admit` makes one.
pub(crate) struct Admitted {
    /// Where the request's body ends.
    pub(crate) framing: Framing,
}

pub(crate) fn admit(x: &mut Exchange<'_>) -> Result<Admitted, Failure> {
    let (admitted, persistence) = check(x.heads, x.listener)?;
    x.heads.grpc = grpc::call(&x.heads.request);
    // Without a body nothing is due from the client, however long the answer takes.
    let deadline = &x.client.inbound.io().deadline;
    match admitted.framing {
        Framing::Empty => deadline.clear(),
        _ => deadline.trickle(x.listener.body_timeout, x.listener.min_rate),
    }
    let framing = x.client.framing(admitted.framing);
    x.client
        .body
        .begin(framing, x.listener.limits, x.listener.max_body);
    let fields = &x.heads.request.fields;
    let identity = identify(x.plan, x.client.peer, fields);
    x.is_trusted = identity.is_trusted;
    x.address = identity.client;
    x.id = identity.request_id.unwrap_or(x.id);
    // What comes next may be of the other protocol already, whatever the answer is.
    let is_connect = x.heads.request.method == Method::Connect;
    x.keep_alive = persistence.keep_alive && x.heads.upgrade.is_none() && !is_connect;
    Ok(admitted)
}

/// The checks themselves, without a connection: `explain` makes the same ones.
pub(crate) fn check(
    heads: &mut Heads,
    listener: &Listener,
) -> Result<(Admitted, Persistence), Failure> {
    // First, so that the log says at which host the others were aimed.
    admit_host(heads, listener)?;
    let is_connect = heads.request.method == Method::Connect;
    if is_connect && listener.forward.is_none() {
        return Err(Kind::MethodRefused.into());
    }
    let framing = request_framing(&heads.request)?;
    if is_connect && framing != Framing::Empty {
        // What comes behind it belongs to the tunnel (RFC 9110 section 9.3.6).
        return Err(Failure::new(Kind::Malformed, "CONNECT with a body"));
    }
    if let Some(upgrade) = upgrade::asked(&heads.request, framing, listener) {
        heads.upgrade = Some(upgrade);
    }
    let persistence = take_connection(
        heads.request.version,
        &mut heads.request.fields,
        Kind::Malformed,
    )?;
    say_length_once(&mut heads.request.fields, framing);
    admit_path(heads)?;
    Ok((Admitted { framing }, persistence))
}

fn admit_host(heads: &mut Heads, listener: &Listener) -> Result<(), Failure> {
    let admitted = normalise_host(heads, listener);
    if admitted.is_err() {
        // What stands there is the host of an earlier request.
        heads.forget_host();
    }
    admitted
}

/// Exactly one `Host` in HTTP/1.1, at most one in HTTP/1.0; the authority of
/// an absolute form takes its place, but a bad one is refused all the same
/// (RFC 9112 sections 3.2 and 3.2.2).
fn normalise_host(heads: &mut Heads, listener: &Listener) -> Result<(), Failure> {
    let request = &mut heads.request;
    let count = request.fields.all(Known::Host).count();
    if count > 1 || count == 0 && request.version != Version::Http10 {
        return Err(Failure::new(
            Kind::BadHost,
            format!("the request has {count} Host fields"),
        ));
    }
    let is_target = match request.form {
        Form::Absolute => true,
        // Elsewhere it is refused, whatever it is.
        Form::Authority => listener.forward.is_some(),
        Form::Origin | Form::Asterisk => false,
    };
    if is_target {
        let replaced = request.fields.get(Known::Host).unwrap_or_default();
        check_host(replaced, &mut Vec::new())?;
        let authority = request.fields.slice(request.authority).to_vec();
        request.fields.set(b"Host", &authority);
    }
    let host = request.fields.get(Known::Host).unwrap_or_default();
    if heads.host_received == host {
        return Ok(());
    }
    let host = host.to_vec();
    heads.forget_host();
    if !host.is_empty() {
        check_host(&host, &mut heads.host)?;
        heads.host_received = host;
    }
    Ok(())
}

fn check_host(host: &[u8], normal: &mut Vec<u8>) -> Result<(), Failure> {
    normalise::host(host, normal).map_err(|fault| Failure::new(Kind::BadHost, fault.to_string()))
}

fn admit_path(heads: &mut Heads) -> Result<(), Failure> {
    let path = heads.request.path_bytes();
    if heads.request.form == Form::Authority {
        return Ok(());
    }
    if heads.request.form == Form::Asterisk || path == b"*" {
        heads.path.extend_from_slice(b"*");
        return Ok(());
    }
    match normalise::path(path, &mut heads.path) {
        Ok(normalise::Path::Normalised) => Ok(()),
        Ok(normalise::Path::AsIs) => {
            heads.path.extend_from_slice(path);
            Ok(())
        }
        Err(fault) => Err(Failure::new(Kind::BadPath, fault.to_string())),
    }
}

/// Who asks, and under which id.
pub(crate) struct Identity {
    pub(crate) is_trusted: bool,
    pub(crate) client: SocketAddr,
    /// A trusted peer's id for the request.
    pub(crate) request_id: Option<RequestId>,
}

/// Decides who the client is and which id the request has: what a trusted peer
/// says, or else what can be seen.
pub(crate) fn identify(plan: &Plan, peer: SocketAddr, fields: &Fields) -> Identity {
    let mut identity = Identity {
        is_trusted: plan.trusted.contains(peer.ip()),
        client: peer,
        request_id: None,
    };
    if identity.is_trusted {
        let client = plan
            .trusted
            .client(peer.ip(), fields.all(Known::XForwardedFor));
        if client != peer.ip() {
            identity.client = SocketAddr::new(client, 0);
        }
        identity.request_id = fields.get(Known::XRequestId).and_then(RequestId::received);
    }
    identity
}

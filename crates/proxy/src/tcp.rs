//! Connections that are passed on as they are: from acceptance to the end.
//!
//! None of the twelve steps of a request is theirs but the first two. What they
//! share with requests is all that concerns groups and backends.

mod flow;
mod reach;
mod relay;
mod server_name;
mod session;

use std::net::SocketAddr;
use std::rc::Rc;

use message::{Failure, Kind};
use plan::{Group, Listener, Tcp};
use wire::proxy_protocol::Ends;

use crate::backend::introduced::{Introduction, write_header};
use crate::client::proxied;
use crate::listening::door::Door;
use crate::path::accept::{Accepted, tell_of_refused};
use crate::path::secure;
use crate::sockets::stream::Stream;
use crate::worker::{Current, Worker};
use relay::Relay;
use session::Session;

/// One client connection, from its acceptance to its end.
pub(crate) fn connection(worker: Rc<Worker>, accepted: Accepted) -> impl Future<Output = ()> {
    let Accepted { stream, peer, held } = accepted;
    async move {
        let mut session = Session::begin(worker, held, peer);
        // What it takes to come so far goes when it is over.
        let established = Box::pin(establish(&mut session, stream)).await;
        let ended = match established {
            Ok(mut relay) => relay.run(&mut session).await,
            Err(failure) => Err(failure),
        };
        session.end(ended);
    }
}

/// A connection for which the listener has no room.
pub(crate) fn refuse(worker: &Rc<Worker>, peer: SocketAddr, door: &Rc<Door>) {
    let current = door.plan(worker);
    let Some(listener) = door.listener(&current) else {
        return;
    };
    let mut metrics = worker.metrics.borrow_mut();
    metrics.tunnel_refused(listener.number, Kind::TooManyConnections);
    drop(metrics);
    tell_of_refused(worker, peer, door);
}

/// Everything until bytes flow both ways. Holds the plan for as long.
async fn establish(session: &mut Session, stream: Stream) -> Result<Relay, Failure> {
    let current = session.held.door.plan(&session.worker);
    let settings = session.held.door.listener(&current);
    let settings = settings.and_then(|listener| Some((listener, listener.tcp.as_ref()?)));
    let (listener, tcp) = settings.ok_or(Kind::Internal)?;
    let (stream, ends) = admit(session, &current, listener, stream).await?;
    let group = group(session, &current, tcp, &stream).await?;
    let client = stream.split(&session.worker.timers);
    let mut header = Vec::new();
    if let Some(version) = group.send_proxy_protocol {
        let who = Introduction {
            client: session.client,
            ends,
            name: &session.name,
            id: session.id.as_bytes(),
        };
        write_header(version, &who, &client.1, &mut header);
    }
    let backend = reach::reach(session, group, tcp, &header).await?;
    Ok(Relay::new(session, tcp.idle_timeout, client, backend))
}

/// The header of the PROXY protocol and TLS, as the listener has them.
async fn admit(
    session: &mut Session,
    current: &Current,
    listener: &Listener,
    stream: Stream,
) -> Result<(Stream, Option<Ends>), Failure> {
    let mut ends = None;
    if let (Some(header), Stream::Tcp(socket)) = (&listener.proxy_protocol, &stream) {
        let peer = session.peer;
        ends = proxied::take_header(&session.worker, &current.plan, header, socket, peer).await?;
        session.client = ends.map_or(peer, |ends| ends.source);
    }
    if let (Some(_), Some(tcp), Stream::Tcp(socket)) = (&listener.tls, &listener.tcp, &stream) {
        match server_name::asked_for(session, tcp, socket).await {
            Ok(name) => session.name = bytes(name),
            // The handshake says so.
            Err(failure) if failure.kind == Kind::BadHello => {}
            Err(failure) => return Err(failure),
        }
    }
    let held = &session.held;
    let stream = secure::secure(&session.worker, stream, session.client, held).await;
    let stream = stream.ok_or(Kind::HandshakeFailed)?;
    session.is_secure = matches!(stream, Stream::Tls(_));
    Ok((stream, ends))
}

/// The name has at most 253 characters, none of which is special in a log.
fn unknown_name(name: &[u8]) -> Failure {
    let why = match String::from_utf8_lossy(name) {
        name if name.is_empty() => "the client asks for no name".to_owned(),
        name => format!("the client asks for `{name}`"),
    };
    Failure::new(Kind::UnknownServerName, why)
}

fn bytes(name: Option<Box<str>>) -> Box<[u8]> {
    name.unwrap_or_default().into_boxed_bytes()
}

/// The group that the connection is for.
async fn group<'p>(
    session: &mut Session,
    current: &'p Current,
    tcp: &Tcp,
    stream: &Stream,
) -> Result<&'p Group, Failure> {
    let mut group = tcp.group;
    if let (false, Stream::Tcp(socket)) = (tcp.names.is_empty(), stream) {
        let name = server_name::asked_for(session, tcp, socket).await?;
        let found = name.as_deref().and_then(|name| tcp.names.find(name));
        group = found.or(group);
        session.name = bytes(name);
        if group.is_none() {
            server_name::refuse_name(socket);
            return Err(unknown_name(&session.name));
        }
    }
    let group = group.and_then(|at| current.plan.groups.get(at));
    group.ok_or(Kind::Internal.into())
}

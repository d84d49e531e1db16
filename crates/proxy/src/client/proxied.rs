//! Connections that begin with a header of the PROXY protocol: who the client
//! is says the proxy in front, if it is believed.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use message::{Failure, Kind};
use plan::{Plan, ProxyProtocol};
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tracing::{debug, warn};
use wire::proxy_protocol::{Beginning, Ends, LONGEST, read};

use crate::path;
use crate::path::accept::Accepted;
use crate::sockets::peek::peek;
use crate::sockets::stream::Stream;
use crate::worker::Worker;

/// One client connection of a listener for HTTP: like any other once its header
/// has been taken.
pub(crate) async fn connection(worker: Rc<Worker>, mut accepted: Accepted) {
    if let Stream::Tcp(socket) = &accepted.stream {
        let current = accepted.held.door.plan(&worker);
        let listener = accepted.held.door.listener(&current);
        let Some(header) = listener.and_then(|l| l.proxy_protocol.as_ref()) else {
            return;
        };
        let peer = accepted.peer;
        match take_header(&worker, &current.plan, header, socket, peer).await {
            Ok(ends) => accepted.peer = ends.map_or(peer, |ends| ends.source),
            Err(failure) => return refuse(&worker, &accepted, &failure),
        }
    }
    path::connection(worker, accepted).await;
}

fn refuse(worker: &Worker, accepted: &Accepted, failure: &Failure) {
    worker.metrics.borrow_mut().failed(failure.kind);
    let (client, listener) = (accepted.peer, accepted.held.door.name(worker));
    match worker.complaints.take(worker.clock.coarse()) {
        true => warn!(%client, listener, %failure, "connection refused"),
        false => debug!(%client, listener, %failure, "connection refused"),
    }
}

/// Takes the header off a connection's beginning, if there is one. None where
/// the peer speaks for itself.
pub(crate) async fn take_header(
    worker: &Worker,
    plan: &Plan,
    wanted: &ProxyProtocol,
    socket: &TcpStream,
    peer: SocketAddr,
) -> Result<Option<Ends>, Failure> {
    let is_trusted = plan.trusted.contains(peer.ip());
    if wanted.is_required && !is_trusted {
        return Err(untrusted(peer));
    }
    let look = |bytes: &[u8]| match read(bytes) {
        Ok(Beginning::Unfinished) => None,
        Ok(found) => Some(Ok(found)),
        Err(why) => Some(Err(Failure::new(Kind::BadProxyHeader, why.to_string()))),
    };
    let looking = peek(socket, &worker.blocks, LONGEST, look);
    let found = match timeout(wanted.timeout, looking).await {
        Ok(Ok(found)) => found?,
        Ok(Err(error)) => return Err(Failure::new(Kind::ClientGone, error.to_string())),
        // It may be that the server speaks first.
        Err(_) if !wanted.is_required && is_silent(socket) => return Ok(None),
        Err(_) => return Err(Kind::ProxyHeaderTimeout.into()),
    };
    match found {
        Beginning::Header { .. } if !is_trusted => Err(untrusted(peer)),
        Beginning::Header { ends, length } => {
            let mut header = [0; LONGEST];
            let header = header.get_mut(..length).ok_or(Kind::Internal)?;
            take(socket, header).map_err(|e| Failure::new(Kind::ClientGone, e.to_string()))?;
            Ok(ends)
        }
        _ if wanted.is_required => Err(Kind::NoProxyHeader.into()),
        _ => Ok(None),
    }
}

fn untrusted(peer: SocketAddr) -> Failure {
    let ip = peer.ip();
    let detail = format!("{ip} is not one of `trusted_proxies`");
    Failure::new(Kind::UntrustedProxy, detail)
}

/// Nothing at all has come.
fn is_silent(socket: &TcpStream) -> bool {
    // The event loop has forgotten by now what it knew of the socket.
    let look = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    let peeked = recv(socket, &mut [0][..], look);
    peeked.is_err_and(|error| error == Errno::WOULDBLOCK)
}

/// Takes bytes that have been seen to be there.
fn take(socket: &TcpStream, mut into: &mut [u8]) -> io::Result<()> {
    while !into.is_empty() {
        match socket.try_read(into)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => into = into.get_mut(count..).unwrap_or_default(),
        }
    }
    Ok(())
}

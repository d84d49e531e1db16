//! Step 2: a socket becomes a client connection: through TLS where its listener
//! has it, or as it is. Never reads a request. Next: `receive`.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::time::Duration;

use tls::{Fault, Handshake, Reason};
use tokio::net::TcpStream;
use tracing::{debug, warn};

use crate::sockets::stream::Stream;
use crate::sockets::tls_stream::{TlsStream, Unshaken, Wires};
use crate::worker::{Held, Worker};

/// None where a handshake has failed, or was all that the client wanted.
pub(crate) async fn secure(
    worker: &Worker,
    stream: Stream,
    peer: SocketAddr,
    held: &Held,
) -> Option<Stream> {
    let Stream::Tcp(socket) = stream else {
        return Some(stream);
    };
    let Some(begun) = begin(worker, held) else {
        return Some(Stream::Tcp(socket));
    };
    // What it needs goes when it is over.
    match Box::pin(shake_hands(worker, socket, begun, held.number)).await {
        Ok(mut stream) if stream.was_check() => {
            stream.say_end();
            None
        }
        Ok(stream) => Some(Stream::Tls(stream)),
        Err(why) => {
            let mut metrics = worker.metrics.borrow_mut();
            metrics.handshake_failed(held.number, why.label());
            drop(metrics);
            match &why {
                Unshaken::Refused(fault) if fault.reason() == Reason::Certificate => {
                    certificate_refused(worker, fault, peer, held);
                }
                _ => handshake_failed(worker, &why, peer, held),
            }
            None
        }
    }
}

/// Somebody looks for why a client is not served, but clients can make any number
/// of these.
#[cold]
fn certificate_refused(worker: &Worker, fault: &Fault, client: SocketAddr, held: &Held) {
    let listener = held.door.name(worker);
    let subject = fault.subject().unwrap_or_default();
    match worker.complaints.take(worker.clock.coarse()) {
        true => warn!(%client, listener, subject, "the client's certificate is refused: {fault}"),
        false => debug!(%client, listener, subject, "the client's certificate is refused: {fault}"),
    }
}

#[cold]
fn handshake_failed(worker: &Worker, why: &Unshaken, client: SocketAddr, held: &Held) {
    let server_name = match why {
        Unshaken::Refused(fault) => fault.server_name(),
        _ => None,
    };
    debug!(
        %client,
        listener = held.door.name(worker),
        reason = why.label(),
        server_name,
        "TLS handshake failed: {why}"
    );
}

type Begun = Result<(Handshake, Duration), Fault>;

/// A handshake and how long it may take, where the listener has TLS.
fn begin(worker: &Worker, held: &Held) -> Option<Begun> {
    let current = held.door.plan(worker);
    let tls = held.door.listener(&current)?.tls.as_ref()?;
    let handshake = tls.server.handshake();
    Some(handshake.map(|handshake| (handshake, tls.handshake_timeout)))
}

async fn shake_hands(
    worker: &Worker,
    socket: TcpStream,
    begun: Begun,
    listener: u32,
) -> Result<Box<TlsStream>, Unshaken> {
    let (mut handshake, time) = begun.map_err(Unshaken::Refused)?;
    let since = worker.clock.now();
    let mut wires = Wires::new(socket, worker.blocks.clone());
    let shaking = poll_fn(|cx| wires.poll_handshake(cx, &mut handshake));
    let shaken = tokio::time::timeout(time, shaking).await;
    if let Err(why) = shaken.unwrap_or(Err(Unshaken::Timeout)) {
        turn_down(&mut wires, &why).await;
        return Err(why);
    }
    let agreed = handshake.finish().map_err(Unshaken::Refused)?;
    let kind = (agreed.version.name(), agreed.is_resumed);
    let took = worker.clock.now() - since;
    let mut metrics = worker.metrics.borrow_mut();
    metrics.handshake_done(listener, kind, took);
    Ok(Box::new(TlsStream::new(wires, agreed)))
}

/// How long a client may take to hear why it is turned down.
const LINGER: Duration = Duration::from_secs(2);

const PLAIN_HTTP: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Content-Length: 66\r\nConnection: close\r\n\r\n\
    This port speaks HTTPS. Ask again with https:// in place of http:\n";

async fn turn_down(wires: &mut Wires, why: &Unshaken) {
    match why {
        Unshaken::PlainHttp => wires.say_instead(PLAIN_HTTP),
        Unshaken::Refused(_) => {}
        Unshaken::Gone | Unshaken::Timeout | Unshaken::Socket(_) => return,
    }
    let ending = poll_fn(|cx| wires.poll_end(cx));
    // Whoever does not listen is not told.
    let _ = tokio::time::timeout(LINGER, ending).await;
}

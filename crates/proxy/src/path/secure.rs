//! Step 2: a socket becomes a client connection: through TLS where its listener
//! has it, or as it is. Never reads a request. Next: `receive`.

use std::future::poll_fn;
use std::io;
use std::rc::Rc;

use plan::Tls;
use tokio::net::TcpStream;
use tracing::debug;

use crate::client::Client;
use crate::path::accept::Accepted;
use crate::stream::Stream;
use crate::tls_stream::{TlsStream, Wires};
use crate::worker::{Held, Worker};

/// A client's connection, and what is to be spoken there.
pub(crate) struct Secured {
    pub(crate) client: Box<Client>,
    pub(crate) held: Held,
    pub(crate) is_h2: bool,
}

/// None where a handshake has failed.
pub(crate) async fn secure(worker: &Worker, accepted: Accepted) -> Option<Secured> {
    let Accepted { stream, peer, held } = accepted;
    let current = held.door.plan(worker);
    let tls = held.door.listener(&current).and_then(|l| l.tls.clone());
    drop(current);
    let (stream, scheme, is_h2) = match (stream, tls) {
        (Stream::Tcp(socket), Some(tls)) => {
            match Box::pin(shake_hands(worker, socket, &tls)).await {
                Ok((stream, is_h2)) => (Stream::Tls(Box::new(stream)), "https", is_h2),
                Err(error) => {
                    debug!(client = %peer, %error, "TLS handshake failed");
                    return None;
                }
            }
        }
        (stream, _) => (stream, "http", false),
    };
    let client = Client::new(
        worker,
        stream,
        (Rc::clone(&held.door), held.place),
        peer,
        scheme,
    );
    Some(Secured {
        client: Box::new(client),
        held,
        is_h2,
    })
}

async fn shake_hands(
    worker: &Worker,
    socket: TcpStream,
    tls: &Tls,
) -> io::Result<(TlsStream, bool)> {
    let mut wires = Wires::new(socket, worker.blocks.clone());
    let mut handshake = tls.server.handshake().map_err(io::Error::other)?;
    let shaking = poll_fn(|cx| wires.poll_handshake(cx, &mut handshake));
    tokio::time::timeout(tls.handshake_timeout, shaking)
        .await
        .map_err(|_| io::ErrorKind::TimedOut)??;
    let agreed = handshake.finish().map_err(io::Error::other)?;
    let is_h2 = agreed.protocol.as_deref() == Some(b"h2");
    Ok((TlsStream::new(wires, agreed.records), is_h2))
}

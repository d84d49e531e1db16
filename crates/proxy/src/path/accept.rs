//! Step 1: a connection within limits. Never waits for a byte from the client.
//! Next: `secure`.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use message::Kind;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::spawn_local;
use tracing::{debug, warn};

use crate::client::proxied;
use crate::listening::door::{Door, Queue};
use crate::path;
use crate::sockets::stream::Stream;
use crate::tcp;
use crate::worker::{Held, TurnedAway, Worker};

/// A client's socket, counted.
pub(crate) struct Accepted {
    pub(crate) stream: Stream,
    pub(crate) peer: SocketAddr,
    pub(crate) held: Held,
}

/// How long a socket that new connections do not find any more is kept for those
/// whose handshake is under way.
const HANDSHAKE: Duration = Duration::from_secs(1);

/// Accepts until the door closes. What the kernel has already accepted for us by
/// then is still served, unless another process accepts from the same socket and
/// will.
pub(crate) async fn accept(worker: Rc<Worker>, socket: TcpListener, door: Rc<Door>) {
    let queue = tokio::select! {
        queue = door.closed() => queue,
        never = take_in(&worker, &socket, &door) => match never {},
    };
    if queue == Queue::Await {
        let _ = tokio::time::timeout(HANDSHAKE, take_in(&worker, &socket, &door)).await;
    }
    if queue != Queue::Leave {
        empty_queue(&worker, socket, &door);
    }
    door.end_accepting();
}

async fn take_in(worker: &Rc<Worker>, socket: &TcpListener, door: &Rc<Door>) -> Infallible {
    loop {
        match socket.accept().await {
            Ok((stream, peer)) => begin(worker, tcp(stream), peer, door),
            Err(error) => pause_after(worker, door, &error).await,
        }
    }
}

fn tcp(stream: TcpStream) -> Stream {
    // Without it small answers would wait for acknowledgements; a socket that refuses works all the same.
    let _ = stream.set_nodelay(true);
    Stream::Tcp(stream)
}

/// Takes what the kernel has accepted by now. Asks the socket itself: what the
/// event loop knows of it may be older.
fn empty_queue(worker: &Rc<Worker>, socket: TcpListener, door: &Rc<Door>) {
    let Ok(socket) = socket.into_std() else {
        return;
    };
    while let Ok((stream, peer)) = socket.accept() {
        let stream = stream
            .set_nonblocking(true)
            .and_then(|()| TcpStream::from_std(stream));
        // One that cannot be watched is closed.
        if let Ok(stream) = stream {
            begin(worker, tcp(stream), peer, door);
        }
    }
}

/// One connection begins: counted and served, or turned away.
pub(crate) fn begin(worker: &Rc<Worker>, stream: Stream, peer: SocketAddr, door: &Rc<Door>) {
    let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
    let speaks = Speaks::at(worker, door);
    let Some(held) = Held::new(worker, door) else {
        match speaks {
            Speaks::Http => {}
            // Being told would take a handshake, which is what there is no room for.
            Speaks::Tls | Speaks::ProxiedHttp => {
                worker.metrics.borrow_mut().failed(Kind::TooManyConnections);
                return tell_of_refused(worker, peer, door);
            }
            Speaks::Tcp => return tcp::refuse(worker, peer, door),
        }
        let Some(told) = TurnedAway::new(worker) else {
            return;
        };
        let (worker, door) = (Rc::clone(worker), Rc::clone(door));
        spawn_local(async move {
            path::reply::turn_away(worker, stream, peer, door).await;
            drop(told);
        });
        return;
    };
    debug!(client = %peer, listener = door.name(worker), "connection accepted");
    let accepted = Accepted { stream, peer, held };
    let place = accepted.held.place;
    let worker = Rc::clone(worker);
    let task = match speaks {
        Speaks::Http | Speaks::Tls => spawn_local(path::connection(worker, accepted)),
        Speaks::ProxiedHttp => spawn_local(proxied::connection(worker, accepted)),
        Speaks::Tcp => spawn_local(tcp::connection(worker, accepted)),
    };
    door.occupy(place, task.abort_handle());
}

/// Connections for which a listener has no room come by the thousand, so that they
/// are told of together.
pub(crate) fn tell_of_refused(worker: &Worker, client: SocketAddr, door: &Door) {
    let Some(refused) = worker.refusals.count(worker.clock.coarse().into_std()) else {
        return;
    };
    let current = door.plan(worker);
    if let Some(listener) = door.listener(&current) {
        let (listener, most) = (&*listener.id, listener.max_connections);
        warn!(refused, %client, listener, most, "connections refused, the latest");
    }
}

/// What a client is to begin with.
enum Speaks {
    Http,
    Tls,
    /// With a header of the PROXY protocol in front.
    ProxiedHttp,
    Tcp,
}

impl Speaks {
    fn at(worker: &Worker, door: &Door) -> Self {
        let current = door.plan(worker);
        match door.listener(&current) {
            Some(listener) if listener.tcp.is_some() => Self::Tcp,
            Some(listener) if listener.proxy_protocol.is_some() => Self::ProxiedHttp,
            Some(listener) if listener.tls.is_some() => Self::Tls,
            _ => Self::Http,
        }
    }
}

/// Running out of descriptors or memory passes; asking again at once would
/// only burn the core meanwhile.
async fn pause_after(worker: &Worker, door: &Door, error: &io::Error) {
    let is_clients_doing = matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    );
    if !is_clients_doing {
        let listener = door.name(worker);
        warn!(listener, %error, "connections cannot be accepted; trying again");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

//! Opening a connection to a backend, through TLS where it is spoken there.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use message::{Failure, Kind, Retry};
use tls::{Fault, Handshake, Reason};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpStream, UnixStream};
use upstream::{Address, Backend};
use wire::blocks::Blocks;

use crate::backend::names::Resolver;
use crate::sockets::stream::Stream;
use crate::sockets::tls_stream::{TlsStream, Unshaken, Wires};
use crate::worker::Worker;

/// How a connection begins.
#[derive(Clone, Copy)]
pub(crate) struct Beginning<'a> {
    /// What comes before any TLS.
    pub(crate) first: &'a [u8],
    /// HTTP/2 would be of no use on it.
    pub(crate) is_http1: bool,
}

impl<'a> From<&'a [u8]> for Beginning<'a> {
    fn from(first: &'a [u8]) -> Self {
        Self {
            first,
            is_http1: false,
        }
    }
}

/// Opens a connection within `timeout`, resolving the name and trying its
/// addresses in order where there are several. Every failure allows another backend:
/// nothing of the request has been sent.
pub(crate) async fn connect(
    worker: &Worker,
    backend: &Backend,
    timeout: Duration,
    beginning: Beginning<'_>,
) -> Result<Stream, Failure> {
    match tokio::time::timeout(timeout, open_of(worker, backend, beginning)).await {
        Ok(result) => result,
        Err(_) => {
            let detail = format!("{}: no connection within {timeout:?}", backend.url);
            Err(Failure::new(Kind::ConnectTimeout, detail).retry(Retry::OtherBackend))
        }
    }
}

async fn open_of(
    worker: &Worker,
    backend: &Backend,
    beginning: Beginning<'_>,
) -> Result<Stream, Failure> {
    #[cfg(feature = "sim")]
    if let Some(world) = worker.world.get() {
        let address = &backend.address;
        let opened = world.connect(address).await;
        return opened
            .map(Stream::Sim)
            .map_err(|error| failure(address, &error));
    }
    open(&worker.resolver, backend, &worker.blocks, beginning).await
}

/// Opens a connection, however long it takes.
pub(crate) async fn open(
    resolver: &Resolver,
    backend: &Backend,
    blocks: &Blocks,
    Beginning { first, is_http1 }: Beginning<'_>,
) -> Result<Stream, Failure> {
    let mut stream = open_socket(resolver, &backend.address).await?;
    if !first.is_empty() {
        let sent = match &mut stream {
            Stream::Tcp(socket) => socket.write_all(first).await,
            Stream::Unix(socket) => socket.write_all(first).await,
            _ => Ok(()),
        };
        sent.map_err(|error| failure(&backend.address, &error))?;
    }
    match (stream, &backend.tls) {
        (Stream::Tcp(socket), Some(peer)) => {
            let handshake = match is_http1 {
                true => peer.handshake_for_http1(),
                false => peer.handshake(),
            };
            secure(socket, handshake, backend, blocks).await
        }
        (stream, _) => Ok(stream),
    }
}

/// The client's side of a handshake.
async fn secure(
    socket: TcpStream,
    handshake: Result<Handshake, Fault>,
    backend: &Backend,
    blocks: &Blocks,
) -> Result<Stream, Failure> {
    let failed = |why: Unshaken| {
        let kind = match &why {
            Unshaken::Refused(fault) => match fault.reason() {
                Reason::Certificate => Kind::TlsCertificate,
                Reason::ByPeer => Kind::TlsAlert,
                _ => Kind::TlsProtocol,
            },
            _ => Kind::TlsProtocol,
        };
        let detail = format!("{}: TLS: {why}", backend.url);
        Failure::new(kind, detail).retry(Retry::OtherBackend)
    };
    let mut handshake = handshake.map_err(|fault| failed(Unshaken::Refused(fault)))?;
    let mut wires = Wires::new(socket, blocks.clone());
    let shaken = poll_fn(|cx| wires.poll_handshake(cx, &mut handshake)).await;
    shaken.map_err(failed)?;
    let agreed = handshake.finish();
    let agreed = agreed.map_err(|fault| failed(Unshaken::Refused(fault)))?;
    Ok(Stream::Tls(Box::new(TlsStream::new(wires, agreed))))
}

async fn open_socket(resolver: &Resolver, address: &Address) -> Result<Stream, Failure> {
    match address {
        Address::Ip(address) => open_tcp(*address).await,
        Address::Name { host, port } => open_first(&resolver.resolve(host, *port).await?).await,
        Address::Unix(path) => UnixStream::connect(path)
            .await
            .map(Stream::Unix)
            .map_err(|error| failure(address, &error)),
    }
}

/// Opens a connection to the first address that takes it.
pub(crate) async fn open_first(addresses: &[SocketAddr]) -> Result<Stream, Failure> {
    let mut last = Failure::new(Kind::NameFailed, "the name has no address");
    for &address in addresses {
        match open_tcp(address).await {
            Ok(stream) => return Ok(stream),
            Err(failure) => last = failure,
        }
    }
    Err(last)
}

async fn open_tcp(address: SocketAddr) -> Result<Stream, Failure> {
    let stream = TcpStream::connect(address)
        .await
        .map_err(|error| failure(&address, &error))?;
    // Without it small writes would wait for each other; a socket that refuses works all the same.
    let _ = stream.set_nodelay(true);
    Ok(Stream::Tcp(stream))
}

fn failure(address: &dyn std::fmt::Display, error: &io::Error) -> Failure {
    let kind = match error.kind() {
        io::ErrorKind::TimedOut => Kind::ConnectTimeout,
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => Kind::Unroutable,
        // Out of descriptors or ports: ours, not the backend's.
        _ if matches!(
            error.raw_os_error(),
            Some(libc::EMFILE | libc::ENFILE | libc::EADDRNOTAVAIL)
        ) =>
        {
            Kind::Internal
        }
        _ => Kind::ConnectRefused,
    };
    Failure::new(kind, format!("{address}: {error}")).retry(Retry::OtherBackend)
}

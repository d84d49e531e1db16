//! Opening listening sockets: one per worker on the same address
//! (`SO_REUSEPORT`), so that the kernel spreads connections and no lock is
//! shared.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

/// Connections the kernel keeps until a worker accepts them; it caps this at
/// its own limit.
const BACKLOG: i32 = 4096;

/// Opens `count` sockets on one address. With port 0 the kernel chooses once
/// for all of them.
pub(crate) fn listen(address: SocketAddr, count: usize) -> io::Result<Vec<TcpListener>> {
    let first = listen_once(address)?;
    let bound = first.local_addr()?;
    let mut sockets = vec![first];
    for _ in 1..count {
        sockets.push(listen_once(bound)?);
    }
    Ok(sockets)
}

/// `[::]` takes IPv4 as well, as people expect of "all addresses".
fn listen_once(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Says whether somebody else listens on an address already. `SO_REUSEPORT`
/// alone would let a second Forebay share the port without a word.
pub(crate) fn check_free(address: SocketAddr) -> io::Result<()> {
    if address.port() == 0 {
        return Ok(());
    }
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.bind(&address.into())
}

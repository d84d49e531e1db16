//! Opening listening sockets: one per worker on the same address
//! (`SO_REUSEPORT`), so that the kernel spreads connections and no lock is
//! shared.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroU32;

use socket2::{Domain, Protocol, SockRef, Socket, Type};

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
fn socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    Ok(socket)
}

fn listen_once(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket(address)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// An interface that no machine has: the largest index there can be.
const NOWHERE: Option<NonZeroU32> = NonZeroU32::new(i32::MAX as u32);

/// From now on new connections find another socket than this, as if it were
/// closed. Closing it would reset those whose handshake is under way; they still
/// come to it. There is no way back, and it is hidden for whoever else has it.
///
/// # Errors
///
/// Before Linux 5.7 only root may. The socket takes connections as before then.
pub(crate) fn hide(socket: &TcpListener) -> io::Result<()> {
    // The kernel looks for listeners at the interface where a packet comes in;
    // answers to a handshake find the handshake.
    SockRef::from(socket).bind_device_by_index_v4(NOWHERE)
}

/// Says whether somebody else listens on an address already. `SO_REUSEPORT`
/// alone would let a second Forebay share the port without a word.
pub(crate) fn check_free(address: SocketAddr) -> io::Result<()> {
    if address.port() == 0 {
        return Ok(());
    }
    socket(address)?.bind(&address.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind;
    use std::net::{Ipv4Addr, TcpStream};

    fn bound_to(ip: Ipv4Addr, port: u16) -> TcpListener {
        let mut sockets = listen((ip, port).into(), 1).unwrap();
        sockets.pop().unwrap()
    }

    #[test]
    fn a_hidden_socket_keeps_whom_it_has_and_gets_nobody_new() {
        let old = bound_to(Ipv4Addr::LOCALHOST, 0);
        let address = old.local_addr().unwrap();
        let new = bound_to(Ipv4Addr::UNSPECIFIED, address.port());
        let waits = TcpStream::connect(address).unwrap();
        hide(&old).unwrap();
        let comes = TcpStream::connect(address).unwrap();
        let accepted = |socket: &TcpListener| socket.accept().map(|(_, peer)| peer);
        assert_eq!(accepted(&old).unwrap(), waits.local_addr().unwrap());
        assert_eq!(accepted(&new).unwrap(), comes.local_addr().unwrap());
        assert_eq!(accepted(&old).unwrap_err().kind(), ErrorKind::WouldBlock);
        // Its address can be listened on again while it is still open.
        let again = bound_to(Ipv4Addr::LOCALHOST, address.port());
        let comes = TcpStream::connect(address).unwrap();
        assert_eq!(accepted(&again).unwrap(), comes.local_addr().unwrap());
    }
}

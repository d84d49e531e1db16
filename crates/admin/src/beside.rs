//! A socket for an address that another one of ours stands in the way of.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, SockRef, Socket, Type};

/// As the standard library has it.
const BACKLOG: i32 = 128;

/// Listens, also where `other` listens at the same port of all addresses, or of
/// one of them: the kernel lets sockets of one user share a port where both say
/// so (`SO_REUSEPORT`). Who does not say so, as any second Forebay, is refused.
///
/// # Errors
///
/// When the address cannot be listened on.
pub fn listen_beside(address: SocketAddr, other: &TcpListener) -> io::Result<TcpListener> {
    let (domain, protocol) = (Domain::for_address(address), Protocol::TCP);
    let socket = Socket::new(domain, Type::STREAM, Some(protocol))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    SockRef::from(other).set_reuse_port(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_and_all_of_them_are_open_at_once_and_closed_to_others() {
        let one = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = one.local_addr().unwrap().port();
        let all = SocketAddr::from(([0, 0, 0, 0], port));
        assert!(TcpListener::bind(all).is_err());
        let beside = listen_beside(all, &one).unwrap();
        assert!(TcpListener::bind(all).is_err());
        drop(one);
        assert!(TcpListener::bind(all).is_err());
        let back = SocketAddr::from(([127, 0, 0, 1], port));
        listen_beside(back, &beside).unwrap();
    }
}

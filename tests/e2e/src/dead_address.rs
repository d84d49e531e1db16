//! A backend that is down.

use std::net::SocketAddr;

use socket2::{Domain, Socket, Type};

/// An address where nobody listens, kept so that nobody else will.
pub struct DeadAddress(Socket);

impl DeadAddress {
    pub fn new() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        socket.bind(&any.into()).unwrap();
        Self(socket)
    }

    pub fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap().as_socket().unwrap()
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }
}

impl Default for DeadAddress {
    fn default() -> Self {
        Self::new()
    }
}

//! The name that a client's TLS asks for, where it is not ended here.

use message::{Failure, Kind};
use plan::Tcp;
use tls::{Hello, LONGEST_HELLO, UNRECOGNIZED_NAME, client_hello};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::session::Session;
use crate::sockets::peek::peek;

/// The name that the client's TLS asks for. All of what it has sent stays there
/// for the backend.
pub(super) async fn asked_for(
    session: &Session,
    tcp: &Tcp,
    socket: &TcpStream,
) -> Result<Option<Box<str>>, Failure> {
    let looking = peek(
        socket,
        &session.worker.blocks,
        LONGEST_HELLO,
        |bytes| match client_hello(bytes) {
            Ok(Hello::Unfinished) => None,
            Ok(Hello::Whole(name)) => Some(Ok(name)),
            Err(why) => Some(Err(why)),
        },
    );
    match timeout(tcp.hello_timeout, looking).await {
        Ok(Ok(Ok(name))) => Ok(name),
        Ok(Ok(Err(why))) => Err(Failure::new(Kind::BadHello, why.to_string())),
        Ok(Err(error)) => Err(Failure::new(Kind::ClientGone, error.to_string())),
        Err(_) => Err(Kind::HelloTimeout.into()),
    }
}

/// Tells a client that nothing is served under the name it asks for.
pub(super) fn refuse_name(socket: &TcpStream) {
    // Whoever does not take it at once learns from the end alone.
    let _ = socket.try_write(&UNRECOGNIZED_NAME);
}

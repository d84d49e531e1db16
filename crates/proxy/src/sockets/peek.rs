//! Looking at the first bytes of a connection without taking them.

use std::io;

use rustix::net::{RecvFlags, recv};
use tokio::io::Interest;
use tokio::net::TcpStream;
use wire::blocks::Blocks;

/// Looks at what has arrived, again whenever there is more, until `look` knows
/// enough. It is shown at most so many bytes, and has to know by then.
///
/// While nothing comes no buffer is held: what has come stays with the kernel.
///
/// # Errors
///
/// When the peer ends before `look` knows enough, of kind `UnexpectedEof`; or
/// as the socket says.
pub(crate) async fn peek<T>(
    socket: &TcpStream,
    blocks: &Blocks,
    most: usize,
    mut look: impl FnMut(&[u8]) -> Option<T>,
) -> io::Result<T> {
    let mut seen = 0;
    loop {
        let ready = socket.ready(Interest::READABLE).await?;
        let mut block = blocks.take();
        block.resize(most.min(block.capacity()), 0);
        let peeked = socket.try_io(Interest::READABLE, || {
            let (_, count) = recv(socket, block.as_mut_slice(), RecvFlags::PEEK)?;
            Ok(count)
        });
        let found = match &peeked {
            Ok(count) if *count > seen => block.get(..*count).and_then(&mut look),
            _ => None,
        };
        blocks.give(block);
        if let Some(found) = found {
            return Ok(found);
        }
        match peeked {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error),
            // Nothing more will come, or may.
            Ok(count) if count == 0 || count == most || ready.is_read_closed() => {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            Ok(count) => seen = count,
        }
        // There is something to read all the time; what counts is when more comes.
        let _ = socket.try_io(Interest::READABLE, || {
            io::Result::<()>::Err(io::ErrorKind::WouldBlock.into())
        });
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap());
        let (client, accepted) = tokio::join!(client, listener.accept());
        (client.unwrap(), accepted.unwrap().0)
    }

    fn whole(bytes: &[u8]) -> Option<usize> {
        bytes.ends_with(b".").then_some(bytes.len())
    }

    #[tokio::test]
    async fn it_waits_for_more_and_takes_nothing() {
        let (mut client, mut server) = pair().await;
        let blocks = Blocks::default();
        let sending = async {
            for byte in b"abc." {
                client.write_all(&[*byte]).await.unwrap();
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let mut looks = 0;
        let looking = peek(&server, &blocks, 100, |bytes| {
            looks += 1;
            whole(bytes)
        });
        let ((), found) = tokio::join!(sending, looking);
        assert_eq!(found.unwrap(), 4);
        assert!(looks <= 4, "{looks}");
        let mut all = [0; 4];
        server.read_exact(&mut all).await.unwrap();
        assert_eq!(&all, b"abc.");
    }

    #[tokio::test]
    async fn who_ends_or_goes_on_too_long_is_given_up() {
        for (sent, most, stays) in [
            (&b""[..], 100, false),
            (b"abc", 100, false),
            (b"abc", 3, true),
        ] {
            let (mut client, server) = pair().await;
            client.write_all(sent).await.unwrap();
            if !stays {
                client.shutdown().await.unwrap();
            }
            let found = peek(&server, &Blocks::default(), most, whole).await;
            let error = found.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{sent:?}");
        }
    }
}

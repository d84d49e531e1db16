//! Sockets as the codecs see them: two halves, each with its deadline.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use message::{ClientCertificate, Fields};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream, tcp, unix};
use wire::io::{Input, Output};

#[cfg(feature = "sim")]
use crate::sim::Socket;
use crate::sockets::h2_stream::H2Stream;
use crate::sockets::timers::{Deadline, Timers};
use crate::sockets::tls_stream::{Terms, TlsStream};

/// A connected socket.
pub(crate) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<TlsStream>),
    H2(Rc<RefCell<H2Stream>>),
    #[cfg(feature = "sim")]
    Sim(Rc<dyn Socket>),
}

impl Stream {
    /// Sends small writes at once, and splits the socket into its halves.
    pub(crate) fn split(self, timers: &Rc<Timers>) -> (Reader, Writer) {
        let (read, write) = match self {
            Stream::Tcp(stream) => {
                let (read, write) = stream.into_split();
                (ReadHalf::Tcp(read), WriteHalf::Tcp(write))
            }
            Stream::Unix(stream) => {
                let (read, write) = stream.into_split();
                (ReadHalf::Unix(read), WriteHalf::Unix(write))
            }
            Stream::Tls(stream) => {
                let stream = Rc::new(RefCell::new(*stream));
                (ReadHalf::Tls(Rc::clone(&stream)), WriteHalf::Tls(stream))
            }
            Stream::H2(stream) => (ReadHalf::H2(Rc::clone(&stream)), WriteHalf::H2(stream)),
            #[cfg(feature = "sim")]
            Stream::Sim(socket) => (ReadHalf::Sim(Rc::clone(&socket)), WriteHalf::Sim(socket)),
        };
        (
            Reader {
                half: read,
                deadline: timers.deadline(),
            },
            Writer {
                half: write,
                deadline: timers.deadline(),
            },
        )
    }
}

enum ReadHalf {
    Tcp(tcp::OwnedReadHalf),
    Unix(unix::OwnedReadHalf),
    Tls(Rc<RefCell<TlsStream>>),
    H2(Rc<RefCell<H2Stream>>),
    #[cfg(feature = "sim")]
    Sim(Rc<dyn Socket>),
}

impl ReadHalf {
    /// Apart from what all have most of, which stays small enough to stand inline.
    #[inline(never)]
    fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut Vec<u8>) -> Poll<io::Result<usize>> {
        match self {
            ReadHalf::Tcp(half) => poll_read(half, cx, into),
            ReadHalf::Unix(half) => poll_read(half, cx, into),
            ReadHalf::Tls(stream) => stream.borrow_mut().poll_read(cx, into),
            ReadHalf::H2(stream) => stream.borrow_mut().poll_read(cx, into),
            #[cfg(feature = "sim")]
            ReadHalf::Sim(socket) => socket.poll_read(cx, into),
        }
    }
}

impl Reader {
    /// The socket, where bytes are on it as they are.
    pub(crate) fn plain(&self) -> Option<&TcpStream> {
        match &self.half {
            ReadHalf::Tcp(half) => Some(half.as_ref()),
            _ => None,
        }
    }
}

enum WriteHalf {
    Tcp(tcp::OwnedWriteHalf),
    Unix(unix::OwnedWriteHalf),
    Tls(Rc<RefCell<TlsStream>>),
    H2(Rc<RefCell<H2Stream>>),
    #[cfg(feature = "sim")]
    Sim(Rc<dyn Socket>),
    /// Taken out to be dropped.
    Gone,
}

pub(crate) struct Reader {
    half: ReadHalf,
    pub(crate) deadline: Deadline,
}

impl Input for Reader {
    #[inline]
    fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut Vec<u8>) -> Poll<io::Result<usize>> {
        let result = match &mut self.half {
            ReadHalf::Tcp(half) => poll_read(half, cx, into),
            other => other.poll_read(cx, into),
        };
        match result {
            Poll::Ready(Ok(count)) => {
                self.deadline.progressed(count);
                Poll::Ready(Ok(count))
            }
            Poll::Ready(failed) => Poll::Ready(failed),
            Poll::Pending => in_time(&self.deadline, cx),
        }
    }

    fn take_trailers(&mut self, fields: &mut Fields) {
        if let ReadHalf::H2(stream) = &self.half {
            stream.borrow_mut().take_trailers(fields);
        }
    }

    fn poll_arrival(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let arrival = match &mut self.half {
            ReadHalf::Tcp(half) => half.as_ref().poll_read_ready(cx),
            ReadHalf::Unix(half) => half.as_ref().poll_read_ready(cx),
            ReadHalf::Tls(stream) => return stream.borrow_mut().poll_arrival(cx),
            ReadHalf::H2(stream) => return stream.borrow_mut().poll_reset(cx),
            #[cfg(feature = "sim")]
            ReadHalf::Sim(_) => return Poll::Ready(()),
        };
        arrival.map(drop)
    }

    fn is_quiet(&mut self) -> bool {
        let found = match &mut self.half {
            ReadHalf::Tcp(half) => half.try_read(&mut [0]),
            ReadHalf::Unix(half) => half.try_read(&mut [0]),
            ReadHalf::H2(stream) => {
                let mut cx = Context::from_waker(Waker::noop());
                return stream.borrow_mut().poll_reset(&mut cx).is_pending();
            }
            // What arrives may be something between the ends, not from the peer to us.
            ReadHalf::Tls(stream) => {
                let mut cx = Context::from_waker(Waker::noop());
                return stream
                    .borrow_mut()
                    .poll_read(&mut cx, &mut Vec::new())
                    .is_pending();
            }
            #[cfg(feature = "sim")]
            ReadHalf::Sim(socket) => {
                let mut cx = Context::from_waker(Waker::noop());
                return socket
                    .poll_read(&mut cx, &mut Vec::with_capacity(1))
                    .is_pending();
            }
        };
        matches!(found, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }
}

/// Nothing has come yet: an error if it is due.
fn in_time(deadline: &Deadline, cx: &Context<'_>) -> Poll<io::Result<usize>> {
    match deadline.has_passed(cx) {
        true => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
        false => Poll::Pending,
    }
}

fn poll_read<R: AsyncRead + Unpin>(
    half: &mut R,
    cx: &mut Context<'_>,
    into: &mut Vec<u8>,
) -> Poll<io::Result<usize>> {
    tokio_util::io::poll_read_buf(Pin::new(half), cx, into)
}

impl WriteHalf {
    /// As with reading.
    #[inline(never)]
    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self {
            WriteHalf::Tcp(half) => poll_write(half, cx, pieces),
            WriteHalf::Unix(half) => poll_write(half, cx, pieces),
            WriteHalf::Tls(stream) => stream.borrow_mut().poll_write(cx, pieces),
            WriteHalf::H2(stream) => stream.borrow_mut().poll_write(cx, pieces),
            #[cfg(feature = "sim")]
            WriteHalf::Sim(socket) => socket.poll_write(cx, pieces),
            WriteHalf::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

pub(crate) struct Writer {
    half: WriteHalf,
    pub(crate) deadline: Deadline,
}

impl Writer {
    /// When the connection is closed, the peer learns that it was cut.
    pub(crate) fn reset_on_close(&self) {
        match &self.half {
            // Where that cannot be set the connection closes as usual.
            WriteHalf::Tcp(half) => {
                let socket = socket2::SockRef::from(half.as_ref());
                let _ = socket.set_linger(Some(std::time::Duration::ZERO));
            }
            WriteHalf::Tls(stream) => stream.borrow().reset_on_close(),
            WriteHalf::H2(stream) => stream.borrow_mut().reset(),
            #[cfg(feature = "sim")]
            WriteHalf::Sim(socket) => socket.reset_on_close(),
            WriteHalf::Unix(_) | WriteHalf::Gone => {}
        }
    }

    /// The socket, where bytes are on it as they are.
    pub(crate) fn plain(&self) -> Option<&TcpStream> {
        match &self.half {
            WriteHalf::Tcp(half) => Some(half.as_ref()),
            _ => None,
        }
    }

    pub(crate) fn is_secure(&self) -> bool {
        match &self.half {
            WriteHalf::Tls(_) => true,
            WriteHalf::H2(stream) => stream.borrow().terms().is_some(),
            _ => false,
        }
    }

    /// What TLS has agreed on; None where there was nothing to agree on.
    pub(crate) fn has_agreed_on_h2(&self) -> Option<bool> {
        match &self.half {
            WriteHalf::Tls(stream) => Some(stream.borrow().speaks_h2()),
            _ => None,
        }
    }

    /// What the peer has shown, where it was asked to.
    pub(crate) fn certificate(&self) -> Option<Rc<ClientCertificate>> {
        match &self.half {
            WriteHalf::Tls(stream) => stream.borrow().certificate(),
            WriteHalf::H2(stream) => stream.borrow().certificate(),
            _ => None,
        }
    }

    #[inline(never)]
    fn in_time(&self, cx: &Context<'_>) -> Poll<io::Result<usize>> {
        let result = in_time(&self.deadline, cx);
        if let (WriteHalf::H2(stream), Poll::Ready(_)) = (&self.half, &result) {
            stream.borrow_mut().stall();
        }
        result
    }

    /// Where written bytes may be kept back at first.
    #[inline(never)]
    fn poll_flush_kept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = match &self.half {
            WriteHalf::Tls(stream) => stream.borrow_mut().poll_flush(cx),
            WriteHalf::H2(stream) => stream.borrow_mut().poll_flush(cx),
            _ => Poll::Ready(Ok(())),
        };
        match result {
            Poll::Ready(flushed) => {
                self.deadline.progressed(0);
                Poll::Ready(flushed)
            }
            Poll::Pending => self.in_time(cx).map_ok(drop),
        }
    }

    pub(crate) fn local_address(&self) -> Option<SocketAddr> {
        match &self.half {
            WriteHalf::Tcp(half) => half.local_addr().ok(),
            WriteHalf::Tls(stream) => stream.borrow().local_address(),
            WriteHalf::H2(stream) => stream.borrow().local_address(),
            _ => None,
        }
    }

    /// What has been agreed on with the peer, where it came with TLS.
    pub(crate) fn terms(&self) -> Option<Rc<Terms>> {
        match &self.half {
            WriteHalf::Tls(stream) => Some(stream.borrow().terms()),
            WriteHalf::H2(stream) => stream.borrow().terms(),
            _ => None,
        }
    }

    /// Tells the peer of TLS that this is the end; elsewhere closing says so.
    pub(crate) fn say_end(&self) {
        if let WriteHalf::Tls(stream) = &self.half {
            stream.borrow_mut().say_end();
        }
    }
}

/// A half that is dropped shuts its direction down. The other half goes with it
/// and closes the socket, which says the same, or resets the connection if told
/// to: so the half is made to forget.
impl Drop for Writer {
    fn drop(&mut self) {
        match std::mem::replace(&mut self.half, WriteHalf::Gone) {
            WriteHalf::Tcp(half) => half.forget(),
            WriteHalf::Unix(half) => half.forget(),
            WriteHalf::Tls(_) | WriteHalf::H2(_) => {}
            #[cfg(feature = "sim")]
            WriteHalf::Sim(_) => {}
            WriteHalf::Gone => {}
        }
    }
}

impl Output for Writer {
    #[inline]
    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = match &mut self.half {
            WriteHalf::Tcp(half) => poll_write(half, cx, pieces),
            other => other.poll_write(cx, pieces),
        };
        match result {
            Poll::Ready(Ok(count)) => {
                self.deadline.progressed(count);
                Poll::Ready(Ok(count))
            }
            Poll::Ready(failed) => Poll::Ready(failed),
            Poll::Pending => self.in_time(cx),
        }
    }

    fn end(&mut self, trailers: &Fields) {
        if let WriteHalf::H2(stream) = &self.half {
            stream.borrow_mut().end(trailers);
        }
    }

    #[inline]
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.half {
            WriteHalf::Tcp(_) => Poll::Ready(Ok(())),
            _ => self.poll_flush_kept(cx),
        }
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.half {
            WriteHalf::Tcp(half) => Pin::new(half).poll_shutdown(cx),
            WriteHalf::Unix(half) => Pin::new(half).poll_shutdown(cx),
            WriteHalf::Tls(stream) => stream.borrow_mut().poll_shutdown(cx),
            WriteHalf::H2(_) => Poll::Ready(Ok(())),
            #[cfg(feature = "sim")]
            WriteHalf::Sim(socket) => socket.poll_shutdown(cx),
            WriteHalf::Gone => Poll::Ready(Ok(())),
        }
    }
}

fn poll_write<W: AsyncWrite + Unpin>(
    half: &mut W,
    cx: &mut Context<'_>,
    pieces: &[IoSlice<'_>],
) -> Poll<io::Result<usize>> {
    match pieces {
        [one] => Pin::new(half).poll_write(cx, one),
        several => Pin::new(half).poll_write_vectored(cx, several),
    }
}

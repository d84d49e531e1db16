//! A socket of which the bytes are encrypted.
//!
//! It holds a block of what has arrived while that is no whole record, and one
//! of what the socket has not taken yet; an idle connection holds neither.

use std::fmt;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use message::ClientCertificate;
use tls::{Agreed, Fault, Records, Step};
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;
use tokio_util::io::poll_read_buf;
use wire::blocks::Blocks;

/// How much is encrypted before the socket has to take it: with its records'
/// frames it fits into a block.
const MOST: usize = 4 * tls::RECORD;

/// With less room than this, what has arrived is moved to the block's beginning.
const ROOM: usize = tls::RECORD + 1024;

pub(crate) struct TlsStream {
    wires: Wires,
    records: Records,
    certificate: Option<Rc<ClientCertificate>>,
    terms: Rc<Terms>,
    /// What has arrived holds no whole record.
    is_starving: bool,
}

/// What has been agreed on in the handshake, for whoever asks.
pub(crate) struct Terms {
    pub(crate) version: tls::Version,
    pub(crate) protocol: Option<Box<[u8]>>,
}

/// The socket, and ciphertext in both directions.
pub(crate) struct Wires {
    socket: TcpStream,
    blocks: Blocks,
    arrived: Vec<u8>,
    /// Where in `arrived` the bytes begin that have not been decrypted.
    at: usize,
    out: Vec<u8>,
    /// How much of `out` has been sent.
    sent: usize,
}

impl Wires {
    pub(crate) fn new(socket: TcpStream, blocks: Blocks) -> Self {
        Self {
            socket,
            blocks,
            arrived: Vec::new(),
            at: 0,
            out: Vec::new(),
            sent: 0,
        }
    }

    /// Waits for more; 0 at the end.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.arrived.capacity() == 0 {
            self.arrived = self.blocks.take();
        } else if self.arrived.capacity() - self.arrived.len() < ROOM {
            self.arrived.drain(..self.at);
            self.at = 0;
        }
        let result = poll_read_buf(Pin::new(&mut self.socket), cx, &mut self.arrived);
        self.give_back_if_empty();
        result
    }

    fn give_back_if_empty(&mut self) {
        if self.at == self.arrived.len() && self.arrived.capacity() > 0 {
            self.blocks.give(std::mem::take(&mut self.arrived));
            self.at = 0;
        }
    }

    /// Sends what there is to send.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let rest @ [_, ..] = self.out.get(self.sent..).unwrap_or_default() {
            match ready!(Pin::new(&mut self.socket).poll_write(cx, rest)) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(n) => self.sent += n,
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        if self.out.capacity() > 0 {
            self.blocks.give(std::mem::take(&mut self.out));
            self.sent = 0;
        }
        Poll::Ready(Ok(()))
    }

    /// Sends what the socket takes at once. Waits for nothing, so that whoever
    /// waits for the socket already goes on waiting.
    fn send_some(&mut self) {
        while let rest @ [_, ..] = self.out.get(self.sent..).unwrap_or_default() {
            match self.socket.try_write(rest) {
                Ok(n @ 1..) => self.sent += n,
                _ => return,
            }
        }
    }

    fn out(&mut self) -> &mut Vec<u8> {
        if self.out.capacity() == 0 {
            self.out = self.blocks.take();
        }
        &mut self.out
    }

    /// A handshake, on to its end.
    pub(crate) fn poll_handshake(
        &mut self,
        cx: &mut Context<'_>,
        handshake: &mut tls::Handshake,
    ) -> Poll<Result<(), Unshaken>> {
        loop {
            let mut out = std::mem::take(self.out());
            let done = handshake.advance(&mut self.arrived, &mut self.at, &mut out);
            self.out = out;
            if let Err(fault) = done {
                let is_http = self.arrived.first().is_some_and(u8::is_ascii_uppercase);
                return Poll::Ready(Err(match is_http && handshake.has_not_begun() {
                    true => Unshaken::PlainHttp,
                    false => Unshaken::Refused(fault),
                }));
            }
            self.give_back_if_empty();
            let flushed = self.poll_flush(cx)?;
            if done == Ok(true) {
                return flushed.map(Ok);
            }
            if ready!(self.poll_more(cx))? == 0 {
                return Poll::Ready(Err(Unshaken::Gone));
            }
        }
    }

    /// Says this instead of what TLS had to say.
    pub(crate) fn say_instead(&mut self, plain: &[u8]) {
        self.out().clear();
        self.out().extend_from_slice(plain);
    }

    /// Sends what there is to send and ends; reads on until the peer ends too,
    /// for what it sends would keep it from reading the last of it.
    pub(crate) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_flush(cx))?;
        ready!(Pin::new(&mut self.socket).poll_shutdown(cx))?;
        loop {
            self.at = self.arrived.len();
            self.give_back_if_empty();
            if ready!(self.poll_more(cx))? == 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

/// Why a handshake has come to nothing.
#[derive(Debug)]
pub(crate) enum Unshaken {
    /// The peer speaks HTTP without TLS.
    PlainHttp,
    /// By us, or by the peer with an alert.
    Refused(Fault),
    /// The peer has left.
    Gone,
    Timeout,
    Socket(io::Error),
}

impl Unshaken {
    /// As metrics of listeners call it: one of a few.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::PlainHttp => "plain_http",
            Self::Refused(fault) => fault.reason().label(),
            Self::Gone => "client_left",
            Self::Timeout => "timeout",
            Self::Socket(_) => "other",
        }
    }
}

impl From<io::Error> for Unshaken {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Self::Gone,
            _ => Self::Socket(error),
        }
    }
}

impl fmt::Display for Unshaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PlainHttp => f.write_str("the peer speaks HTTP without TLS"),
            Self::Refused(fault) => fault.fmt(f),
            Self::Gone => f.write_str("the peer has left"),
            Self::Timeout => f.write_str("it took too long"),
            Self::Socket(error) => error.fmt(f),
        }
    }
}

impl Drop for Wires {
    fn drop(&mut self) {
        self.blocks.give(std::mem::take(&mut self.arrived));
        self.blocks.give(std::mem::take(&mut self.out));
    }
}

impl TlsStream {
    pub(crate) fn new(wires: Wires, agreed: Agreed) -> Self {
        Self {
            wires,
            records: agreed.records,
            certificate: agreed.client.map(Rc::new),
            terms: Rc::new(Terms {
                version: agreed.version,
                protocol: agreed.protocol,
            }),
            is_starving: false,
        }
    }

    /// The handshake has agreed on HTTP/2 (RFC 7301).
    pub(crate) fn speaks_h2(&self) -> bool {
        self.terms.protocol.as_deref() == Some(b"h2")
    }

    /// The peer is an authority that has seen what it wanted to see (RFC 8737).
    pub(crate) fn was_check(&self) -> bool {
        self.terms.protocol.as_deref() == Some(tls::ACME_TLS)
    }

    pub(crate) fn certificate(&self) -> Option<Rc<ClientCertificate>> {
        self.certificate.clone()
    }

    pub(crate) fn terms(&self) -> Rc<Terms> {
        Rc::clone(&self.terms)
    }

    pub(crate) fn local_address(&self) -> Option<SocketAddr> {
        self.wires.socket.local_addr().ok()
    }

    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut Vec<u8>,
    ) -> Poll<io::Result<usize>> {
        loop {
            if !self.is_starving {
                let before = into.len();
                match self.open(into) {
                    Ok(Step::Plain) => return Poll::Ready(Ok(into.len() - before)),
                    Ok(Step::End) => return Poll::Ready(Ok(0)),
                    Ok(Step::Starving) => {}
                    Err(fault) => return Poll::Ready(Err(refused(fault))),
                }
            }
            if ready!(self.wires.poll_more(cx))? == 0 {
                return Poll::Ready(Ok(0));
            }
            self.is_starving = false;
        }
    }

    fn open(&mut self, into: &mut Vec<u8>) -> Result<Step, Fault> {
        let wires = &mut self.wires;
        let mut out = std::mem::take(&mut wires.out);
        let step = self
            .records
            .open(&wires.arrived, &mut wires.at, into, &mut out);
        wires.out = out;
        wires.give_back_if_empty();
        if !wires.out.is_empty() {
            // Rare: what cannot leave now leaves with what is sent next.
            wires.send_some();
        }
        self.is_starving = step == Ok(Step::Starving);
        step
    }

    pub(crate) fn poll_arrival(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.is_starving {
            return Poll::Ready(());
        }
        self.wires.socket.poll_read_ready(cx).map(drop)
    }

    /// Takes bytes of `pieces`; they may not have left when it returns.
    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.wires.poll_flush(cx))?;
        let taken = self
            .records
            .seal(pieces, MOST, self.wires.out())
            .map_err(refused)?;
        match self.wires.poll_flush(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Ready(Ok(taken)),
        }
    }

    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.wires.poll_flush(cx)
    }

    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.records.close(self.wires.out());
        ready!(self.wires.poll_flush(cx))?;
        Pin::new(&mut self.wires.socket).poll_shutdown(cx)
    }

    /// When it is closed, the peer learns that it was cut.
    pub(crate) fn reset_on_close(&self) {
        let socket = socket2::SockRef::from(&self.wires.socket);
        // Where that cannot be set the connection closes as usual, still without the word that this is the end.
        let _ = socket.set_linger(Some(std::time::Duration::ZERO));
    }

    /// Tells the peer that this is the end (RFC 8446 section 6.1), if the socket
    /// takes the word at once. Never told by merely closing: what is cut must not
    /// look whole.
    pub(crate) fn say_end(&mut self) {
        self.records.close(self.wires.out());
        self.wires.send_some();
    }
}

fn refused(fault: Fault) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, fault)
}

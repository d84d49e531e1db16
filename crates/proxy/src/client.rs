//! A client's connection as long as it is open.

pub(crate) mod h2_lane;
pub(crate) mod http2;
pub(crate) mod ip_text;
pub(crate) mod proxied;
pub(crate) mod replay;

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Context, Poll};

use message::Side;
use wire::h1::{Body, Framing, Inbound, Outbound};

use crate::client::ip_text::IpText;
use crate::client::replay::Replay;
use crate::listening::door::Door;
use crate::sockets::h2_stream::H2Stream;
use crate::sockets::stream::{Reader, Stream, Writer};
use crate::worker::Worker;

pub(crate) struct Client {
    pub(crate) inbound: Inbound<Reader>,
    pub(crate) outbound: Outbound<Writer>,
    /// Where it came in.
    pub(crate) door: Rc<Door>,
    /// Its stream, where the protocol is HTTP/2: then it asks just once.
    pub(crate) h2: Option<Rc<RefCell<H2Stream>>>,
    pub(crate) peer: SocketAddr,
    pub(crate) peer_text: IpText,
    pub(crate) body: Body,
    /// What of the current request's body has gone to a backend.
    pub(crate) replay: Replay,
    /// Of its task, at the door.
    place: u32,
    is_stream: bool,
}

/// Where a client comes from.
#[derive(Clone, Copy)]
pub(crate) struct Peer {
    address: SocketAddr,
    text: IpText,
}

impl From<SocketAddr> for Peer {
    fn from(address: SocketAddr) -> Self {
        let text = IpText::new(address.ip());
        Self { address, text }
    }
}

impl Client {
    pub(crate) fn new(
        worker: &Worker,
        stream: Stream,
        (door, place): (Rc<Door>, u32),
        peer: impl Into<Peer>,
    ) -> Self {
        let Peer { address, text } = peer.into();
        let h2 = match &stream {
            Stream::H2(stream) => Some(Rc::clone(stream)),
            _ => None,
        };
        let (reader, writer) = stream.split(&worker.timers);
        Self {
            inbound: Inbound::new(reader, worker.blocks.clone()),
            outbound: Outbound::new(writer, worker.blocks.clone()),
            door,
            h2,
            peer: address,
            peer_text: text,
            body: Body::new(Side::Client),
            replay: Replay::default(),
            place,
            is_stream: false,
        }
    }

    /// How the end of the current body is found here, of which the head says this.
    pub(crate) fn framing(&self, said: Framing) -> Framing {
        match (&self.h2, said) {
            (Some(_), Framing::Length(_) | Framing::Chunked) => Framing::UntilClose,
            (_, said) => said,
        }
    }

    /// How the client came: `http` or `https`.
    pub(crate) fn scheme(&self) -> &'static str {
        match self.outbound.io().is_secure() {
            true => "https",
            false => "http",
        }
    }

    /// The head of an answer has left beside the bytes of its body, which are all
    /// that is counted as sent.
    pub(crate) fn has_begun(&self) -> bool {
        let stream = self.h2.as_ref();
        stream.is_some_and(|stream| stream.borrow().has_begun())
    }

    /// The exchange is a stream, or is one no longer: see [`Door::mark`].
    pub(crate) fn mark(&mut self, is_stream: bool) {
        if self.is_stream != is_stream {
            self.is_stream = is_stream;
            self.door.mark(self.place, is_stream);
        }
    }

    pub(crate) fn is_stream(&self) -> bool {
        self.is_stream
    }

    /// Says the end, and throws away what comes until the client has heard it.
    pub(crate) fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut ended = self.outbound.poll_shutdown(cx);
        while let Poll::Ready(Ok(())) = ended {
            let n = self.inbound.buffered().len();
            self.inbound.consume(n);
            match self.inbound.poll_more(cx) {
                Poll::Ready(Ok(n)) if n > 0 => {}
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => ended = Poll::Pending,
            }
        }
        ended
    }

    /// Resolves when the client has left, as far as one can see: while its body
    /// is still coming up, its end is found there.
    pub(crate) fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(stream) = &self.h2 {
            return stream.borrow_mut().poll_reset(cx);
        }
        if !self.body.is_end() {
            return Poll::Pending;
        }
        // All of it is here, so nothing is due, however long the answer takes.
        self.inbound.io().deadline.clear();
        self.inbound.poll_gone(cx)
    }
}

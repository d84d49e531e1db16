//! A connection to a backend, as the pool keeps it.

use message::Side;
use wire::h1::{Body, Framing, Inbound, Outbound};

use crate::attempt::Upload;
use crate::stream::{Reader, Stream, Writer};
use crate::worker::Worker;

pub(crate) struct BackendConn {
    pub(crate) inbound: Inbound<Reader>,
    pub(crate) outbound: Outbound<Writer>,
    pub(crate) body: Body,
    /// The request's body, on its way.
    pub(crate) upload: Upload,
    /// Where the response's body ends, once there is a response.
    pub(crate) framing: Framing,
    /// The last response allows another request on this connection.
    pub(crate) keep_alive: bool,
    /// It begins by saying who the client is, and so is that client's alone.
    pub(crate) is_introduced: bool,
}

impl BackendConn {
    pub(crate) fn new(worker: &Worker, stream: Stream) -> Box<Self> {
        let (reader, writer) = stream.split(&worker.timers);
        Box::new(Self {
            inbound: Inbound::new(reader, worker.blocks.clone()),
            outbound: Outbound::new(writer, worker.blocks.clone()),
            body: Body::new(Side::Upstream),
            upload: Upload::none(),
            framing: Framing::Empty,
            keep_alive: true,
            is_introduced: false,
        })
    }

    /// Nothing has arrived and the backend has not closed: the look before reuse.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.inbound.is_quiet()
    }

    /// The exchange on it has ended cleanly, to the last byte.
    pub(crate) fn is_reusable(&self) -> bool {
        self.keep_alive
            && !self.is_introduced
            && self.upload.is_done()
            && self.body.is_end()
            && self.inbound.buffered().is_empty()
            && self.outbound.pending() == 0
    }

    /// No deadline runs while it lies in the pool.
    pub(crate) fn rest(&self) {
        self.inbound.io().deadline.clear();
        self.outbound.io().deadline.clear();
    }
}

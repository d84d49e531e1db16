//! A client's connection and the buffers its exchanges reuse.

use std::net::SocketAddr;

use message::{RequestHead, ResponseHead, Side};
use wire::h1::{Body, Inbound, Outbound};

use crate::ip_text::IpText;
use crate::stream::{Reader, Stream, Writer};
use crate::worker::Worker;

pub(crate) struct Client {
    pub(crate) inbound: Inbound<Reader>,
    pub(crate) outbound: Outbound<Writer>,
    pub(crate) peer: SocketAddr,
    pub(crate) peer_text: IpText,
    /// How the client came: `http`, or `https` once TLS exists.
    pub(crate) scheme: &'static str,
    pub(crate) heads: Box<Heads>,
    pub(crate) body: Body,
}

/// What one exchange after another is written into.
#[derive(Default)]
pub(crate) struct Heads {
    pub(crate) request: RequestHead,
    pub(crate) response: ResponseHead,
    /// Host and path in normal form, as the request is routed.
    pub(crate) host: Vec<u8>,
    pub(crate) path: Vec<u8>,
    /// The host as received of which `host` is the normal form. Clients ask
    /// one host again and again, so that most requests spare the work.
    pub(crate) host_received: Vec<u8>,
    pub(crate) scratch: Vec<u8>,
}

impl Heads {
    pub(crate) fn clear(&mut self) {
        self.request.clear();
        self.response.clear();
        self.path.clear();
    }
}

impl Heads {
    /// The host has no normal form, or there is no request to have one.
    pub(crate) fn forget_host(&mut self) {
        self.host.clear();
        self.host_received.clear();
    }
}

impl Client {
    pub(crate) fn new(
        worker: &Worker,
        stream: Stream,
        peer: SocketAddr,
        scheme: &'static str,
    ) -> Self {
        let (reader, writer) = stream.split(&worker.timers);
        Self {
            inbound: Inbound::new(reader, worker.blocks.clone()),
            outbound: Outbound::new(writer, worker.blocks.clone()),
            peer,
            peer_text: IpText::new(peer.ip()),
            scheme,
            heads: Box::default(),
            body: Body::new(Side::Client),
        }
    }
}

//! One attempt to get an answer from one backend.

use std::task::{Context, Poll};

use message::{Failure, Relay, Side};
use upstream::{Backend, InFlight};
use wire::grpc_web::TextRequest;
use wire::h1::{Encoder, Framing, Incoming, Outbound, Outgoing};

use crate::backend::backend_conn::Conn;
use crate::client::Client;
use crate::client::replay::Replayed;
use crate::sockets::stream::Writer;
use crate::worker::Worker;

/// An attempt under way. What it sends and receives lies with its connection.
pub(crate) struct Attempt<'a> {
    pub(crate) conn: Conn,
    /// Counts in the backend's load for as long as the attempt lasts.
    pub(crate) load: Option<InFlight<&'a Backend>>,
}

impl Attempt<'_> {
    /// Moves the request's body along.
    pub(crate) fn poll_upload(
        &mut self,
        cx: &mut Context<'_>,
        client: &mut Client,
    ) -> Result<(), Failure> {
        let conn = &mut **self.conn;
        match conn.upload.poll(cx, client, &mut conn.outbound) {
            Poll::Ready(Err(failure)) => Err(failure),
            Poll::Ready(Ok(())) | Poll::Pending => Ok(()),
        }
    }
}

impl Attempt<'_> {
    /// Puts the answer aside. Its connection is kept if all of it has arrived.
    pub(crate) fn discard(mut self, worker: &Worker) {
        let conn = &mut **self.conn;
        let mut rest = Incoming {
            inbound: &mut conn.inbound,
            body: &mut conn.body,
        };
        if rest.skip_arrived() && conn.is_reusable() {
            conn.rest();
            let now = worker.clock.coarse().into_std();
            worker.pool.give_back(self.conn, now);
        }
    }
}

/// The request's body on its way to the backend.
pub(crate) struct Upload {
    relay: Relay,
    encoder: Encoder,
    way: Way,
}

/// How a request's body goes to the backend.
enum Way {
    AsItIs,
    Decoded(Box<TextRequest>),
    /// The backend has stopped taking it.
    Broken,
}

impl Upload {
    pub(crate) fn new(framing: Framing) -> Self {
        Self {
            relay: Relay::default(),
            encoder: Encoder::new(framing, Side::Upstream),
            way: Way::AsItIs,
        }
    }

    /// The client sends it in base64, and the backend gets what that stands for.
    pub(crate) fn decode(&mut self) {
        self.way = Way::Decoded(Box::default());
    }

    /// Of no request.
    pub(crate) fn none() -> Self {
        Self {
            relay: Relay::done(),
            ..Self::new(Framing::Empty)
        }
    }

    /// All of the request has been sent.
    pub(crate) fn is_done(&self) -> bool {
        self.relay.is_done()
    }

    /// Nothing more will be sent.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.way, Way::Broken) || self.is_done()
    }

    /// Moves the body along. A backend that stops reading may still have
    /// answered, so only the client's failures are failures here.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        client: &mut Client,
        outbound: &mut Outbound<Writer>,
    ) -> Poll<Result<(), Failure>> {
        if self.is_done() {
            return Poll::Ready(Ok(()));
        }
        let incoming = Incoming {
            inbound: &mut client.inbound,
            body: &mut client.body,
        };
        let mut source = Replayed {
            replay: &mut client.replay,
            incoming,
        };
        let mut sink = Outgoing {
            outbound,
            encoder: &mut self.encoder,
        };
        let result = match &mut self.way {
            Way::AsItIs => self.relay.poll(cx, &mut source, &mut sink),
            Way::Decoded(text) => self.relay.poll(cx, &mut text.decode(source), &mut sink),
            Way::Broken => return Poll::Ready(Ok(())),
        };
        let has_begun = client.body.received() > 0;
        client.mark(has_begun && result.is_pending());
        match result {
            Poll::Ready(Err(failure)) if failure.kind.side() == Side::Upstream => {
                self.way = Way::Broken;
                Poll::Ready(Ok(()))
            }
            result => result,
        }
    }
}

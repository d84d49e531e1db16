//! One attempt to get an answer from one backend.

use std::task::{Context, Poll};

use message::{Failure, Relay, Side};
use upstream::{Backend, Conn, InFlight};
use wire::h1::{Encoder, Framing, Incoming, Outgoing};

use crate::backend_conn::BackendConn;
use crate::client::Client;
use crate::replay::{Replay, Replayed};
use crate::worker::Worker;

/// An attempt under way: its connection, and what is still to be sent.
pub(crate) struct Attempt<'a> {
    pub(crate) conn: Conn<Box<BackendConn>>,
    pub(crate) upload: Upload,
    /// Where the response's body ends, once there is a response.
    pub(crate) framing: Framing,
    /// Counts in the backend's load for as long as the attempt lasts.
    pub(crate) load: Option<InFlight<&'a Backend>>,
}

impl Attempt<'_> {
    /// Moves the request's body along.
    pub(crate) fn poll_upload(
        &mut self,
        cx: &mut Context<'_>,
        client: &mut Client,
        replay: &mut Replay,
    ) -> Result<(), Failure> {
        let conn = &mut **self.conn;
        match self.upload.poll(cx, client, replay, conn) {
            Poll::Ready(Err(failure)) => Err(failure),
            Poll::Ready(Ok(())) | Poll::Pending => Ok(()),
        }
    }

    /// The client has left, as far as one can see: while its body is still
    /// coming up, its end is found there.
    pub(crate) fn client_has_gone(&self, cx: &mut Context<'_>, client: &mut Client) -> bool {
        self.upload.is_over() && client.body.is_end() && client.inbound.poll_gone(cx).is_ready()
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
        if rest.skip_arrived() && self.upload.is_done() && conn.is_reusable() {
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
    /// The backend has stopped taking it.
    broken: bool,
}

impl Upload {
    pub(crate) fn new(framing: Framing) -> Self {
        Self {
            relay: Relay::default(),
            encoder: Encoder::new(framing, Side::Upstream),
            broken: false,
        }
    }

    /// All of the request has been sent.
    pub(crate) fn is_done(&self) -> bool {
        self.relay.is_done()
    }

    /// Nothing more will be sent.
    pub(crate) fn is_over(&self) -> bool {
        self.broken || self.is_done()
    }

    /// Moves the body along. A backend that stops reading may still have
    /// answered, so only the client's failures are failures here.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        client: &mut Client,
        replay: &mut Replay,
        conn: &mut BackendConn,
    ) -> Poll<Result<(), Failure>> {
        if self.is_over() {
            return Poll::Ready(Ok(()));
        }
        let incoming = Incoming {
            inbound: &mut client.inbound,
            body: &mut client.body,
        };
        let mut source = Replayed { replay, incoming };
        let mut sink = Outgoing {
            outbound: &mut conn.outbound,
            encoder: &mut self.encoder,
        };
        match self.relay.poll(cx, &mut source, &mut sink) {
            Poll::Ready(Err(failure)) if failure.kind.side() == Side::Upstream => {
                self.broken = true;
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Ok(())) => {
                // Nothing more is due from the client, however long the answer takes.
                client.inbound.io().deadline.clear();
                Poll::Ready(Ok(()))
            }
            result => result,
        }
    }
}

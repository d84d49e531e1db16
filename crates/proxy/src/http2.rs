//! A client's HTTP/2 connection (RFC 9113): each of its streams is an exchange
//! with a task of its own.

use std::cell::RefCell;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use ::h2::server::{Builder, Connection, SendResponse};
use ::h2::{Error, Reason, RecvStream};
use bytes::Bytes;
use http::Request;
use http::request::Parts;
use tokio::task::JoinSet;
use tracing::debug;
use wire::h2::{Patience, Watch};

use crate::client::Client;
use crate::h2_io::H2Io;
use crate::h2_stream::{Carrier, H2Stream};
use crate::path::receive::expect;
use crate::path::{exchange, reply};
use crate::stream::Stream;
use crate::timers::Deadline;
use crate::upgrade;
use crate::worker::{Held, Worker};

/// A request's head, whole.
pub(crate) struct Arrived {
    pub(crate) head: Parts,
    /// It has no body.
    pub(crate) is_end: bool,
}

/// Bytes of one answer that may wait for the socket.
const SEND_BUFFER: usize = 64 * 1024;

/// How long a connection that is to end may still take to do so.
const GRACE: Duration = Duration::from_secs(5);

pub(crate) async fn serve(worker: Rc<Worker>, mut client: Box<Client>, held: Held) {
    let Some((builder, patience)) = builder(&worker, &held) else {
        return;
    };
    if !expect(&worker, &mut client, true) {
        return;
    }
    client.inbound.io().deadline.clear();
    let peer = client.peer;
    let carrier = Rc::new(Carrier {
        terms: client.outbound.io().terms(),
        local_address: client.outbound.io().local_address(),
        certificate: client.outbound.io().certificate(),
        watch: RefCell::new(Watch::new(patience, worker.clock.coarse().into_std())),
    });
    let idle = worker.timers.deadline();
    let mut handshake = std::pin::pin!(builder.handshake(H2Io::new(client, Rc::clone(&carrier))));
    idle.within(GRACE);
    let shaken = poll_fn(|cx| match handshake.as_mut().poll(cx) {
        Poll::Pending if idle.has_passed(cx) => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
        Poll::Ready(shaken) => Poll::Ready(Some(shaken)),
    });
    let Some(Ok(connection)) = shaken.await else {
        return;
    };
    let mut serving = Serving {
        worker,
        held: Rc::new(held),
        peer,
        carrier,
        connection,
        idle,
        exchanges: JoinSet::new(),
        is_active: false,
        is_leaving: false,
        is_calmed: false,
    };
    while let Some(accepted) = poll_fn(|cx| serving.poll_accept(cx)).await {
        match accepted {
            Ok((request, respond)) => serving.begin(request, respond),
            Err(error) => {
                debug!(client = %peer, %error, "HTTP/2 connection failed");
                if is_flood(&error) {
                    let latest = serving.carrier.watch.borrow().latest();
                    serving.count(latest);
                }
                break;
            }
        }
    }
    // Their streams have ended, which they find themselves.
    serving.exchanges.detach_all();
}

/// None where the listener is no more, or has stopped speaking it.
fn builder(worker: &Worker, held: &Held) -> Option<(Builder, Patience)> {
    let current = held.door.plan(worker);
    let listener = held.door.listener(&current)?;
    let limits = listener.http2?;
    let header_list = u32::try_from(listener.limits.fields).unwrap_or(u32::MAX);
    let mut builder = Builder::new();
    builder
        .max_concurrent_streams(limits.max_concurrent_streams)
        .max_header_list_size(header_list)
        .initial_window_size(limits.stream_window)
        .initial_connection_window_size(limits.connection_window)
        .max_pending_accept_reset_streams(limits.patience.resets as usize)
        .max_send_buffer_size(SEND_BUFFER);
    if listener.allows_upgrade(upgrade::WEBSOCKET.as_bytes()) {
        builder.enable_connect_protocol();
    }
    Some((builder, limits.patience))
}

/// Whether the library has found too much of something. It does not say of what.
fn is_flood(error: &Error) -> bool {
    error.is_go_away() && error.is_library() && error.reason() == Some(Reason::ENHANCE_YOUR_CALM)
}

type Accepted = Result<(Request<RecvStream>, SendResponse<Bytes>), Error>;

struct Serving {
    worker: Rc<Worker>,
    /// Given back when the last exchange has settled.
    held: Rc<Held>,
    peer: SocketAddr,
    carrier: Rc<Carrier>,
    connection: Connection<H2Io, Bytes>,
    idle: Deadline,
    /// Those under way. Who cuts the connection cuts them.
    exchanges: JoinSet<()>,
    /// There were any when last looked.
    is_active: bool,
    /// The client has been told that nothing new is taken.
    is_leaving: bool,
    /// It has been told to be calm.
    is_calmed: bool,
}

impl Serving {
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Option<Accepted>> {
        let now = self.worker.clock.coarse().into_std();
        self.carrier.watch.borrow_mut().pass(now);
        if !self.is_leaving && self.held.door.is_closed() {
            self.leave();
        }
        loop {
            while let Poll::Ready(Some(_)) = self.exchanges.poll_join_next(cx) {}
            if self.exchanges.is_empty() {
                self.note_active(false);
            }
            if let Poll::Ready(accepted) = self.connection.poll_accept(cx) {
                return Poll::Ready(accepted);
            }
            if self.calms() {
                continue;
            }
            if self.is_active && !self.is_calmed {
                self.idle.clear();
            } else if let Some(time) = self.may_be_idle() {
                self.idle.no_later_than(time);
            }
            match (self.idle.has_passed(cx), self.is_leaving) {
                (false, _) => return Poll::Pending,
                (true, true) => return Poll::Ready(None),
                (true, false) => self.leave(),
            }
        }
    }

    fn may_be_idle(&self) -> Option<Duration> {
        if self.is_leaving {
            return Some(GRACE);
        }
        let current = self.held.door.plan(&self.worker);
        let listener = self.held.door.listener(&current)?;
        Some(listener.keep_alive_timeout)
    }

    /// Nothing new is taken; what has begun goes on (RFC 9113 section 6.8).
    fn leave(&mut self) {
        self.is_leaving = true;
        self.connection.graceful_shutdown();
        self.idle.within(GRACE);
    }

    /// Ends the connection of a client that asks for it; true once.
    fn calms(&mut self) -> bool {
        let flood = self.carrier.watch.borrow().flood();
        let Some(flood) = flood.filter(|_| !self.is_calmed) else {
            return false;
        };
        self.is_calmed = true;
        self.is_leaving = true;
        self.count(flood.label());
        self.connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
        self.idle.within(GRACE);
        true
    }

    fn count(&self, reason: &'static str) {
        let mut metrics = self.worker.metrics.borrow_mut();
        metrics.http2_flood(self.held.number, reason);
        debug!(client = %self.peer, reason, "HTTP/2 connection ended: too much of something");
    }

    fn note_active(&mut self, is_active: bool) {
        if self.is_active == is_active {
            return;
        }
        self.is_active = is_active;
        let mut metrics = self.worker.metrics.borrow_mut();
        match is_active {
            true => metrics.client_active(self.held.number),
            false => metrics.client_idle(self.held.number),
        }
    }

    fn begin(&mut self, request: Request<RecvStream>, respond: SendResponse<Bytes>) {
        let (head, body) = request.into_parts();
        let arrived = Arrived {
            head,
            is_end: body.is_end_stream(),
        };
        let stream = H2Stream::new(Rc::clone(&self.carrier), body, respond);
        let stream = Stream::H2(Rc::new(RefCell::new(stream)));
        let (worker, held) = (Rc::clone(&self.worker), Rc::clone(&self.held));
        let door = (Rc::clone(&held.door), held.place);
        let mut client = Client::new(&worker, stream, door, self.peer);
        self.exchanges.spawn_local(async move {
            if expect(&worker, &mut client, true) {
                exchange(&worker, &mut client, Some(&arrived)).await;
                end(&mut client).await;
            }
            drop(held);
        });
        self.note_active(true);
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.note_active(false);
    }
}

/// Ends a stream. One that has its whole answer may still be sending: told at
/// once that nobody reads it, some clients would miss the answer.
async fn end(client: &mut Client) {
    let is_answered = client
        .h2
        .as_ref()
        .is_some_and(|stream| stream.borrow().is_answered());
    match is_answered {
        true if client.body.is_end() => {}
        true => reply::close(client).await,
        false => client.outbound.io().reset_on_close(),
    }
}

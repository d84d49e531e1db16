//! A client's HTTP/2 connection (RFC 9113): each of its streams is an exchange
//! with a task of its own.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use ::h2::server::{Builder, Connection, SendResponse};
use ::h2::{Error, RecvStream};
use bytes::Bytes;
use http::Request;
use http::request::Parts;
use tracing::debug;

use crate::client::Client;
use crate::h2_io::H2Io;
use crate::h2_stream::H2Stream;
use crate::path::receive::expect;
use crate::path::{exchange, reply};
use crate::stream::Stream;
use crate::timers::Deadline;
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

pub(crate) async fn serve(worker: Rc<Worker>, client: Box<Client>, held: Held) {
    let (peer, scheme) = (client.peer, client.scheme);
    client.inbound.io().deadline.clear();
    let idle = worker.timers.deadline();
    let Some(builder) = builder(&worker, &held) else {
        return;
    };
    let mut handshake = std::pin::pin!(builder.handshake(H2Io(client)));
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
        connection,
        idle,
        open: Rc::default(),
        is_leaving: false,
    };
    while let Some(accepted) = poll_fn(|cx| serving.poll_accept(cx, &worker, &held)).await {
        match accepted {
            Ok((request, respond)) => {
                serving.begin(&worker, &held, (peer, scheme), request, respond)
            }
            Err(error) => {
                debug!(client = %peer, %error, "HTTP/2 connection failed");
                break;
            }
        }
    }
}

/// None where the listener is no more.
fn builder(worker: &Worker, held: &Held) -> Option<Builder> {
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
        .max_pending_accept_reset_streams(limits.max_pending_resets)
        .max_send_buffer_size(SEND_BUFFER);
    Some(builder)
}

type Accepted = Result<(Request<RecvStream>, SendResponse<Bytes>), Error>;

struct Serving {
    connection: Connection<H2Io, Bytes>,
    idle: Deadline,
    /// Exchanges under way.
    open: Rc<Cell<usize>>,
    /// The client has been told that nothing new is taken.
    is_leaving: bool,
}

impl Serving {
    fn poll_accept(
        &mut self,
        cx: &mut Context<'_>,
        worker: &Worker,
        held: &Held,
    ) -> Poll<Option<Accepted>> {
        if !self.is_leaving && held.door.is_closed() {
            self.leave();
        }
        loop {
            if let Poll::Ready(accepted) = self.connection.poll_accept(cx) {
                return Poll::Ready(accepted);
            }
            if self.open.get() > 0 {
                self.idle.clear();
            } else if !self.is_leaving {
                let current = held.door.plan(worker);
                if let Some(listener) = held.door.listener(&current) {
                    self.idle.no_later_than(listener.keep_alive_timeout);
                }
            }
            match (self.idle.has_passed(cx), self.is_leaving) {
                (false, _) => return Poll::Pending,
                (true, true) => return Poll::Ready(None),
                (true, false) => self.leave(),
            }
        }
    }

    /// Nothing new is taken; what has begun goes on (RFC 9113 section 6.8).
    fn leave(&mut self) {
        self.is_leaving = true;
        self.connection.graceful_shutdown();
        self.idle.within(GRACE);
    }

    fn begin(
        &self,
        worker: &Rc<Worker>,
        held: &Held,
        (peer, scheme): (SocketAddr, &'static str),
        request: Request<RecvStream>,
        respond: SendResponse<Bytes>,
    ) {
        let (head, body) = request.into_parts();
        let arrived = Arrived {
            head,
            is_end: body.is_end_stream(),
        };
        let stream = Stream::H2(Rc::new(RefCell::new(H2Stream::new(body, respond))));
        let door = (Rc::clone(&held.door), held.place);
        let mut client = Client::new(worker, stream, door, peer, scheme);
        let worker = Rc::clone(worker);
        let open = Open::new(&self.open);
        tokio::task::spawn_local(async move {
            if expect(&worker, &mut client, true) {
                exchange(&worker, &mut client, Some(&arrived)).await;
                end(&mut client).await;
            }
            drop(open);
        });
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

/// One exchange under way, counted.
struct Open(Rc<Cell<usize>>);

impl Open {
    fn new(count: &Rc<Cell<usize>>) -> Self {
        count.set(count.get() + 1);
        Self(Rc::clone(count))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

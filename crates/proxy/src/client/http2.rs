//! A client's HTTP/2 connection (RFC 9113): each of its streams is an exchange,
//! which runs in a task beside this one.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use message::Failure;
use tracing::debug;
use wire::h1::Limits;
use wire::h2::{Connection, Cut, Options, Patience, StreamKey, Watch};

use crate::client::Client;
use crate::client::h2_lane::{Lane, Shared};
use crate::exchange::heads::Heads;
use crate::exchange::upgrade;
use crate::path::receive::expect;
use crate::path::reply;
use crate::sockets::h2_stream::Carrier;
use crate::sockets::timers::Deadline;
use crate::worker::{Held, Worker};

/// A request that has come as far as its head.
pub(crate) struct Arrived {
    /// With the head; taken by the exchange.
    pub(crate) heads: Option<Box<Heads>>,
    /// What it wants to go on with (RFC 8441).
    pub(crate) protocol: Option<Box<[u8]>>,
    /// Whether the head is one.
    pub(crate) verdict: Result<(), Failure>,
}

/// How long a connection that has not begun, or is to end, may still take to do so.
const GRACE: Duration = Duration::from_secs(5);

/// How long lanes are kept for the next requests when there are none.
const REST: Duration = Duration::from_secs(1);

pub(crate) async fn serve(worker: Rc<Worker>, mut client: Box<Client>, held: Held) {
    let Some((options, patience, limits)) = terms(&worker, &held) else {
        return;
    };
    if !expect(&worker, &mut client, true) {
        return;
    }
    client.inbound.io().deadline.clear();
    let watch = Watch::new(patience, worker.clock.coarse().into_std());
    let connection = Connection::new(options, watch, worker.blocks.clone());
    let carrier = Rc::new(Carrier {
        terms: client.outbound.io().terms(),
        local_address: client.outbound.io().local_address(),
        certificate: client.outbound.io().certificate(),
        connection: RefCell::new(connection),
    });
    let (idle, rest, head) = (
        worker.timers.deadline(),
        worker.timers.deadline(),
        worker.timers.deadline(),
    );
    idle.within(GRACE);
    let mut serving = Serving {
        shared: Rc::new(Shared {
            worker,
            held: Rc::new(held),
            carrier,
            peer: client.peer.into(),
        }),
        client,
        limits,
        header_timeout: GRACE,
        idle,
        rest,
        head,
        amid: None,
        lanes: Vec::new(),
        is_greeted: false,
        is_active: false,
        is_leaving: false,
        is_counted: false,
    };
    let ended = poll_fn(|cx| serving.poll(cx)).await;
    // Their streams have ended, which they find themselves.
    serving.lanes.clear();
    serving
        .shared
        .carrier
        .connection
        .borrow_mut()
        .lose(Cut::Lost);
    if ended == Ended::Told {
        reply::close(&mut serving.client).await;
    }
}

/// None where the listener is no more, or has stopped speaking it.
fn terms(worker: &Worker, held: &Held) -> Option<(Options, Patience, Limits)> {
    let current = held.door.plan(worker);
    let listener = held.door.listener(&current)?;
    let http2 = listener.http2?;
    let options = Options {
        max_concurrent_streams: http2.max_concurrent_streams,
        stream_window: http2.stream_window,
        connection_window: http2.connection_window,
        max_header_list_size: u32::try_from(listener.limits.fields).unwrap_or(u32::MAX),
        takes_extended_connect: listener.allows_upgrade(upgrade::WEBSOCKET.as_bytes()),
    };
    Some((options, http2.patience, listener.limits))
}

/// How a connection has ended.
#[derive(PartialEq, Eq)]
enum Ended {
    /// The client knows, or is being told.
    Told,
    /// There is no client any more.
    Lost,
}

struct Serving {
    shared: Rc<Shared>,
    client: Box<Client>,
    limits: Limits,
    header_timeout: Duration,
    idle: Deadline,
    /// When lanes that have nothing to do end.
    rest: Deadline,
    /// When a head that has come in part must have come, and whose it is.
    head: Deadline,
    amid: Option<u32>,
    /// Each for the streams with its number. Who cuts the connection cuts them.
    lanes: Vec<Lane>,
    /// The client has begun.
    is_greeted: bool,
    /// There were any exchanges when last looked.
    is_active: bool,
    /// The client has been told that nothing new is taken.
    is_leaving: bool,
    /// It has done too much of something, and that is counted.
    is_counted: bool,
}

impl Serving {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Ended> {
        let now = self.shared.worker.clock.coarse().into_std();
        let mut connection = self.shared.carrier.connection.borrow_mut();
        connection.attend();
        connection.watch.pass(now);
        drop(connection);
        if !self.is_leaving && self.shared.held.door.is_closed() {
            self.leave();
        }
        loop {
            if self.poll_receive(cx).is_ready() {
                return Poll::Ready(Ended::Lost);
            }
            let was_congested = self.shared.carrier.connection.borrow().is_congested();
            let flushed = self.poll_flush(cx);
            if let Poll::Ready(Err(_)) = flushed {
                return Poll::Ready(Ended::Lost);
            }
            if was_congested && flushed.is_ready() {
                continue;
            }
            if self.head_is_late(cx) {
                self.shared.carrier.connection.borrow_mut().head_is_late();
                continue;
            }
            let connection = self.shared.carrier.connection.borrow();
            let (is_over, is_idle) = (connection.is_over(), connection.is_idle());
            let is_asked = self.is_leaving && !connection.takes_no_more();
            drop(connection);
            self.note_active(!is_idle);
            if is_over {
                self.count_flood();
                if flushed.is_ready() {
                    return Poll::Ready(Ended::Told);
                }
                self.idle.no_later_than(GRACE);
                self.is_leaving = true;
            } else if !is_idle && !is_asked {
                self.idle.clear();
            } else if let Some(time) = self.may_be_idle() {
                self.idle.no_later_than(time);
            }
            self.rest(cx, is_idle);
            match (self.idle.has_passed(cx), self.is_leaving) {
                (false, _) => break,
                (true, false) => self.leave(),
                (true, true) if is_idle || is_over => return Poll::Ready(Ended::Told),
                (true, true) => {
                    self.shared.carrier.connection.borrow_mut().take_no_more();
                    self.idle.clear();
                }
            }
        }
        self.shared.carrier.connection.borrow_mut().wait(cx);
        Poll::Pending
    }

    /// Takes what the client sends; ready when it sends nothing any more.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let current = self.shared.held.door.plan(&self.shared.worker);
        if let Some(listener) = self.shared.held.door.listener(&current) {
            self.limits = listener.limits;
            self.header_timeout = listener.header_timeout;
        }
        drop(current);
        let mut heads = None;
        let ended = loop {
            let mut connection = self.shared.carrier.connection.borrow_mut();
            if connection.is_over() || connection.is_congested() {
                break Poll::Pending;
            }
            let inbound = &mut self.client.inbound;
            if inbound.buffered().is_empty() {
                match inbound.poll_more(cx) {
                    Poll::Pending => break Poll::Pending,
                    Poll::Ready(Ok(n)) if n > 0 => {}
                    Poll::Ready(_) => break Poll::Ready(()),
                }
            }
            let to = heads.get_or_insert_with(|| self.shared.worker.heads.take());
            let (taken, arrived) =
                connection.receive(inbound.buffered(), &self.limits, &mut to.request);
            inbound.consume(taken);
            if !self.is_greeted && connection.is_greeted() {
                self.is_greeted = true;
                self.idle.clear();
            }
            drop(connection);
            if let Some(arrived) = arrived {
                let request = Arrived {
                    heads: heads.take(),
                    protocol: arrived.protocol,
                    verdict: arrived.verdict,
                };
                self.begin(arrived.stream, request);
            }
        };
        if let Some(heads) = heads {
            self.shared.worker.heads.give(heads);
        }
        self.count_refused();
        ended
    }

    /// Requests beside as many as there may be at a time.
    fn count_refused(&self) {
        let mut connection = self.shared.carrier.connection.borrow_mut();
        let refused = connection.watch.take_refused();
        if refused > 0 {
            let mut metrics = self.shared.worker.metrics.borrow_mut();
            metrics.http2_refused(self.shared.held.number, refused.into());
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut connection = self.shared.carrier.connection.borrow_mut();
        connection.poll_flush(cx, self.client.outbound.io_mut())
    }

    fn may_be_idle(&self) -> Option<Duration> {
        if self.is_leaving || !self.is_greeted {
            return Some(GRACE);
        }
        let current = self.shared.held.door.plan(&self.shared.worker);
        let listener = self.shared.held.door.listener(&current)?;
        Some(listener.keep_alive_timeout)
    }

    /// Nothing new is taken; what has begun goes on (RFC 9113 section 6.8).
    fn leave(&mut self) {
        self.is_leaving = true;
        self.shared.carrier.connection.borrow_mut().leave();
        self.idle.within(GRACE);
    }

    /// A client that does too much of something is told so, and it is counted.
    fn count_flood(&mut self) {
        let flood = self.shared.carrier.connection.borrow().watch.flood();
        let Some(flood) = flood.filter(|_| !self.is_counted) else {
            return;
        };
        self.is_counted = true;
        let (client, reason) = (self.client.peer, flood.label());
        let (worker, held) = (&self.shared.worker, &self.shared.held);
        worker.metrics.borrow_mut().http2_flood(held.number, reason);
        let listener = held.door.name(worker);
        debug!(%client, listener, reason, "HTTP/2 connection ended: too much of something");
    }

    /// Whether a head has begun and does not end.
    fn head_is_late(&mut self, cx: &Context<'_>) -> bool {
        let connection = self.shared.carrier.connection.borrow();
        let amid = connection.amid_head().filter(|_| !connection.is_over());
        if amid != self.amid {
            self.amid = amid;
            match amid {
                Some(_) => self.head.within(self.header_timeout),
                None => self.head.clear(),
            }
        }
        amid.is_some() && self.head.has_passed(cx)
    }

    fn rest(&mut self, cx: &Context<'_>, is_idle: bool) {
        if !is_idle || self.lanes.is_empty() {
            self.rest.clear();
            return;
        }
        self.rest.no_later_than(REST);
        if self.rest.has_passed(cx) {
            self.lanes = Vec::new();
        }
    }

    fn note_active(&mut self, is_active: bool) {
        if self.is_active == is_active {
            return;
        }
        self.is_active = is_active;
        let mut metrics = self.shared.worker.metrics.borrow_mut();
        match is_active {
            true => metrics.client_active(self.shared.held.number),
            false => metrics.client_idle(self.shared.held.number),
        }
    }

    fn begin(&mut self, key: StreamKey, request: Arrived) {
        let start = || Lane::start(Rc::clone(&self.shared));
        if self.lanes.len() <= key.index() {
            self.lanes.resize_with(key.index() + 1, start);
        }
        if let Some(lane) = self.lanes.get_mut(key.index()) {
            if !lane.is_alive() {
                *lane = start();
            }
            lane.give(key, request);
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.note_active(false);
        self.lanes.iter().for_each(Lane::cut);
    }
}

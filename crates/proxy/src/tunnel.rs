//! A client's connection and one behind it that speak something else from now
//! on: their bytes, both ways, until both have ended.

mod flow;

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use message::{Failure, Kind};
use telemetry::Tunnel as Protocol;
use wire::websocket::From;

use crate::backend::backend_conn::BackendConn;
use crate::client::Client;
use crate::exchange::Exchange;
use crate::listening::door::TunnelAt;
use crate::sockets::passed_on::{Broken, Silence, UNTOLD};
use crate::sockets::timers::Deadline;
use flow::Flow;

/// How long both ends may take to hear that it ends, or to end by themselves.
const FAREWELL: Duration = Duration::from_secs(1);

/// What went through a tunnel so far.
pub(crate) struct Passed {
    pub(crate) protocol: Protocol,
    /// From the client, and to it.
    pub(crate) bytes: (u64, u64),
    told: (u64, u64),
}

/// What has been counted in the metrics is not counted again.
pub(crate) fn tell(x: &mut Exchange<'_>) {
    let number = x.listener.number;
    if let Some(passed) = &mut x.progress.tunnel {
        let (bytes, told) = (passed.bytes, passed.told);
        passed.told = bytes;
        let mut metrics = x.worker.metrics.borrow_mut();
        let more = (bytes.0 - told.0, bytes.1 - told.1);
        metrics.tunnel_passed(number, passed.protocol, more);
    }
}

struct Tunnel {
    /// From the client, and to it.
    up: Flow,
    down: Flow,
    silence: Silence,
    is_websocket: bool,
    /// Once a WebSocket's end has begun, how long the rest of it may take.
    moment: Option<Deadline>,
    /// Once it ends, when it has to be over.
    farewell: Option<Deadline>,
    /// Why it has ended before both ends had.
    broken: Option<Failure>,
    /// How what goes to the backend is masked.
    mask: [u8; 4],
}

/// Moves bytes until both ends have ended, each knowing of the other. The head of
/// the answer has been written.
pub(crate) async fn run(
    x: &mut Exchange<'_>,
    conn: &mut BackendConn,
    protocol: Protocol,
    idle: Duration,
) -> Result<(), Failure> {
    let _counted = TunnelAt::new(&x.client.door);
    begin(x, conn, protocol);
    let mut tunnel = Tunnel::new(x, protocol, idle);
    let door = std::rc::Rc::clone(&x.client.door);
    let mut parting = std::pin::pin!(door.parting());
    let ended = poll_fn(|cx| tunnel.poll(cx, x, conn, parting.as_mut())).await;
    // Whoever is cut off must not take what there is for all of it.
    if ended.is_err() && !tunnel.has_parted() {
        x.progress.must_reset = true;
        conn.outbound.io().reset_on_close();
    }
    ended
}

/// Another protocol has the connections from now on.
fn begin(x: &mut Exchange<'_>, conn: &BackendConn, protocol: Protocol) {
    // From now on it may take as long as streams may.
    x.client.mark(true);
    x.keep_alive = false;
    x.progress.head_time.get_or_insert(x.started.elapsed());
    x.progress.tunnel = Some(Box::new(Passed {
        protocol,
        bytes: (0, 0),
        told: (0, 0),
    }));
    let mut metrics = x.worker.metrics.borrow_mut();
    metrics.tunnel_began(x.listener.number, protocol);
    x.client.inbound.io().deadline.clear();
    conn.inbound.io().deadline.clear();
    let write_timeout = x.listener.write_timeout;
    x.client.outbound.io().deadline.silence(write_timeout);
}

impl Tunnel {
    fn new(x: &Exchange<'_>, protocol: Protocol, idle: Duration) -> Self {
        let is_websocket = protocol == Protocol::WebSocket;
        Self {
            up: Flow::new(is_websocket),
            down: Flow::new(is_websocket),
            silence: Silence::new(x.worker, idle),
            is_websocket,
            moment: None,
            farewell: None,
            broken: None,
            mask: (x.worker.random() as u32).to_ne_bytes(),
        }
    }

    /// Both ends have been told.
    fn has_parted(&self) -> bool {
        self.farewell.is_some() && self.up.has_ended() && self.down.has_ended()
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        x: &mut Exchange<'_>,
        conn: &mut BackendConn,
        parting: Pin<&mut impl Future<Output = ()>>,
    ) -> Poll<Result<(), Failure>> {
        self.move_bytes(cx, x, conn);
        if self.is_to_end(cx, x) && (self.up.finish() | self.down.finish()) {
            self.move_bytes(cx, x, conn);
        }
        if self.farewell.is_none() && !self.is_over() {
            let why = match parting.poll(cx) {
                Poll::Ready(()) => Some(Kind::Drained),
                Poll::Pending if self.silence.has_lasted(cx, x.worker) => Some(Kind::IdleTimeout),
                Poll::Pending => None,
            };
            if let Some(why) = why {
                let farewell = x.worker.timers.deadline();
                farewell.within(FAREWELL);
                self.farewell = Some(farewell);
                self.part(why, x.client, conn);
                self.move_bytes(cx, x, conn);
            }
        }
        let is_late = |farewell: &Deadline| farewell.has_passed(cx);
        if self.is_over() || self.farewell.as_ref().is_some_and(is_late) {
            return Poll::Ready(self.broken.take().map_or(Ok(()), Err));
        }
        Poll::Pending
    }

    fn is_over(&self) -> bool {
        self.up.is_done() && self.down.is_done()
    }

    /// A WebSocket has no halves (RFC 6455 section 7.1.1): once both ends have said
    /// their last word, or one has left, the rest has a moment. Nobody waits then,
    /// where both is so.
    fn is_to_end(&mut self, cx: &Context<'_>, x: &Exchange<'_>) -> bool {
        let has_one_left = self.up.is_done() || self.down.is_done();
        let are_closed = self.up.has_closed() && self.down.has_closed();
        if !self.is_websocket || !(has_one_left || are_closed) || self.is_over() {
            return false;
        }
        let moment = self.moment.get_or_insert_with(|| {
            let moment = x.worker.timers.deadline();
            moment.within(FAREWELL);
            moment
        });
        (has_one_left && are_closed) || moment.has_passed(cx)
    }

    /// Tells both ends that this is the end.
    fn part(&mut self, why: Kind, client: &mut Client, conn: &mut BackendConn) {
        self.broken.get_or_insert(why.into());
        self.up.part(&mut conn.outbound, From::Client(self.mask));
        self.down.part(&mut client.outbound, From::Server);
    }

    fn move_bytes(&mut self, cx: &mut Context<'_>, x: &mut Exchange<'_>, conn: &mut BackendConn) {
        let client = &mut *x.client;
        let up = (self.up).poll(cx, &mut client.inbound, &mut conn.outbound);
        if let Poll::Ready(Err(broken)) = up {
            self.up.stop();
            match broken {
                Broken::Source(error) => self.end(Kind::ClientGone, &error),
                Broken::Sink(error) => self.note(Kind::Terminated, Kind::WriteTimeout, &error),
            }
        }
        let down = (self.down).poll(cx, &mut conn.inbound, &mut client.outbound);
        if let Poll::Ready(Err(broken)) = down {
            self.down.stop();
            match broken {
                Broken::Source(error) => self.end(Kind::Terminated, &error),
                Broken::Sink(error) => self.note(Kind::ClientGone, Kind::ClientStalled, &error),
            }
        }
        let bytes = (self.up.moved, self.down.moved);
        x.progress.response_bytes = bytes.1;
        let Some(passed) = &mut x.progress.tunnel else {
            return;
        };
        if passed.bytes == bytes {
            return;
        }
        passed.bytes = bytes;
        self.silence.break_off(x.worker);
        if bytes.0 + bytes.1 - passed.told.0 - passed.told.1 > UNTOLD {
            tell(x);
        }
    }

    /// One end takes no more: what it has sent before still goes on to the other,
    /// unless it is not even there to take it.
    fn note(&mut self, gone: Kind, stalled: Kind, error: &io::Error) {
        match error.kind() {
            io::ErrorKind::TimedOut => self.end(stalled, error),
            _ => self.fail(gone, error),
        }
    }

    /// One end is gone, and with it both ways.
    fn end(&mut self, kind: Kind, error: &io::Error) {
        self.fail(kind, error);
        self.up.stop();
        self.down.stop();
    }

    fn fail(&mut self, kind: Kind, error: &io::Error) {
        let failure = || Failure::new(kind, error.to_string());
        self.broken.get_or_insert_with(failure);
    }
}

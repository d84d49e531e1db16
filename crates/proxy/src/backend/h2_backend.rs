//! HTTP/2 to a backend: one connection that carries several requests.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use message::{Failure, Kind, Retry};
use tokio::task::spawn_local;
use tracing::{debug, warn};
use upstream::{Backend, Multiplexed, Opening, Permit, Protocol};
use wire::blocks::Blocks;
use wire::h1::Inbound;
use wire::h2::{Connection, Cut, Patience, Reason, Watch, Windows};

use crate::backend::ask::RESPONSE_LIMITS;
use crate::backend::backend_conn::{BackendConn, Conn};
use crate::backend::h2_pings::Pings;
use crate::sockets::h2_stream::{Carrier, H2Stream};
use crate::sockets::stream::{Reader, Stream, Writer};
use crate::sockets::timers::Timers;
use crate::worker::Worker;

/// How much of one answer a backend may send ahead of what its client has taken.
const STREAM_WINDOW: u32 = 64 * 1024;

/// How long a backend may take to say what it must say first.
const GREETING: Duration = Duration::from_secs(10);

/// How long a backend may take to hear that the connection has ended.
const GRACE: Duration = Duration::from_secs(5);

/// A backend may refuse and reset what it likes. Frames without use are bounded, far
/// above what any sends.
const PATIENCE: Patience = Patience {
    resets: u32::MAX,
    control_frames: 10_000,
    stalls: u32::MAX,
};

/// What requests to one backend are sent on.
pub(crate) struct Link {
    carrier: Rc<Carrier>,
    /// How often something has come.
    heard: Rc<Cell<u64>>,
    /// It has been silent where it should not have been.
    is_dead: Cell<bool>,
    /// It has been told that the backend takes no requests to switch.
    has_told: Cell<bool>,
}

impl Multiplexed for Link {
    fn most(&self) -> usize {
        match self.is_dead.get() {
            true => 0,
            false => self.carrier.connection.borrow().most_streams(),
        }
    }
}

impl Link {
    /// One request's stream, as if it were a connection of its own.
    pub(crate) fn stream(&self) -> Stream {
        stream(&self.carrier)
    }

    /// Whether nobody has been told yet that the backend takes no requests to switch.
    pub(crate) fn is_to_tell(&self) -> bool {
        !self.has_told.replace(true)
    }

    pub(crate) fn heard(&self) -> u64 {
        self.heard.get()
    }

    /// No answer has come in time. If nothing else has either since `heard`, no
    /// further request is sent on it.
    pub(crate) fn suspect(&self, heard: u64) {
        if self.heard.get() == heard {
            self.is_dead.set(true);
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.carrier.connection.borrow_mut().close();
    }
}

fn stream(carrier: &Rc<Carrier>) -> Stream {
    let stream = H2Stream::unopened(Rc::clone(carrier));
    Stream::H2(Rc::new(RefCell::new(stream)))
}

/// What it means that a stream has ended without the head of an answer, where
/// HTTP/2 says why.
pub(crate) fn failure(error: &io::Error, conn: &Conn) -> Option<Failure> {
    let cut = Cut::of(error)?;
    if cut == Cut::ByPeer(Reason::REFUSED_STREAM) {
        conn.was_refused();
    }
    let url = &conn.backend().url;
    let (kind, retry) = match cut {
        Cut::ByUs(_) => (Kind::BadResponse, Retry::Never),
        Cut::BadAnswer(kind, _) => (kind, Retry::Never),
        Cut::Unseen | Cut::ByPeer(Reason::REFUSED_STREAM) => {
            (Kind::Terminated, Retry::OtherBackend)
        }
        Cut::ByPeer(_) | Cut::Lost | Cut::Silent => (Kind::Terminated, Retry::IfIdempotent),
    };
    let failure = Failure::new(kind, format!("{url}: {cut}")).retry(retry);
    Some(failure.reset(cut.reset()))
}

/// Whether HTTP/2 is spoken on a connection that has just been opened.
pub(crate) fn speaks_h2(backend: &Backend, stream: &Stream) -> Result<bool, Failure> {
    let has_agreed = match stream {
        Stream::Tls(stream) => Some(stream.speaks_h2()),
        _ => None,
    };
    match (backend.options.protocol, has_agreed) {
        (Protocol::Http1, _) | (Protocol::Agreed, None) => Ok(false),
        (Protocol::Agreed, Some(has_agreed)) => Ok(has_agreed),
        (Protocol::Http2, Some(false)) => {
            let detail = format!("{}: TLS: it does not speak HTTP/2", backend.url);
            Err(Failure::new(Kind::TlsProtocol, detail).retry(Retry::OtherBackend))
        }
        (Protocol::Http2, _) => Ok(true),
    }
}

/// Begins HTTP/2, and drives it from now on: the part in it of the request that
/// has opened it.
pub(crate) fn begin(
    worker: &Worker,
    stream: Stream,
    permit: Permit,
    opening: Option<Opening>,
) -> Result<upstream::Stream<Box<BackendConn>, Link>, Failure> {
    let driver = Driver::new(permit.backend(), stream, &worker.timers, &worker.blocks);
    let url = driver.url.clone();
    let link = Link {
        carrier: Rc::clone(&driver.carrier),
        heard: Rc::clone(&driver.heard),
        is_dead: Cell::new(false),
        has_told: Cell::new(false),
    };
    let now = worker.clock.now().into_std();
    let stream = worker.pool.share(permit, now, |hold| {
        spawn_local(async move {
            driver.run(opening).await;
            drop(hold);
        });
        link
    });
    stream.ok_or_else(|| {
        let detail = format!("{url}: it takes no request");
        Failure::new(Kind::BadResponse, detail).retry(Retry::OtherBackend)
    })
}

/// Moves the frames of a connection.
pub(crate) struct Driver {
    carrier: Rc<Carrier>,
    inbound: Inbound<Reader>,
    writer: Writer,
    heard: Rc<Cell<u64>>,
    /// The backend has said what it must say first.
    is_greeted: bool,
    keepalive: Option<Pings>,
    timers: Rc<Timers>,
    url: Box<str>,
}

impl Driver {
    pub(crate) fn new(
        backend: &Backend,
        stream: Stream,
        timers: &Rc<Timers>,
        blocks: &Blocks,
    ) -> Self {
        let streams = u32::try_from(backend.options.max_streams).unwrap_or(u32::MAX);
        // Room for all: an answer that is not taken does not keep the others.
        let all = STREAM_WINDOW.saturating_mul(streams).min(i32::MAX as u32);
        let windows = Windows {
            stream: STREAM_WINDOW,
            connection: all.max(STREAM_WINDOW),
            max_header_list_size: RESPONSE_LIMITS.fields as u32,
        };
        let watch = Watch::new(PATIENCE, timers.now().into_std());
        let connection = Connection::asking(windows, watch, blocks.clone());
        let (reader, writer) = stream.split(timers);
        reader.deadline.within(GREETING);
        Self {
            carrier: Carrier::to_backend(connection),
            inbound: Inbound::new(reader, blocks.clone()),
            writer,
            heard: Rc::default(),
            is_greeted: false,
            keepalive: backend
                .options
                .keepalive
                .map(|terms| Pings::new(terms, timers)),
            timers: Rc::clone(timers),
            url: backend.url.clone(),
        }
    }

    /// One request's stream, as if it were a connection of its own.
    pub(crate) fn stream(&self) -> Stream {
        stream(&self.carrier)
    }

    /// Until the connection ends: when nobody holds its link any more, or when the
    /// backend ends it. Others may be waiting to hear how many streams there may be.
    pub(crate) async fn run(mut self, mut waiting: Option<Opening>) {
        let ended = poll_fn(|cx| self.poll(cx, &mut waiting)).await;
        let mut connection = self.carrier.connection.borrow_mut();
        let backend = &*self.url;
        let cut = ended.as_ref().err().and_then(Cut::of).unwrap_or(Cut::Lost);
        match (ended, connection.end()) {
            (Err(_), _) if cut == Cut::Silent => {
                warn!(backend, "HTTP/2 connection given up: {cut}")
            }
            (Err(error), _) => debug!(backend, %error, "HTTP/2 connection failed"),
            (Ok(()), Some(reason)) => debug!(backend, %reason, "HTTP/2 connection ended"),
            (Ok(()), None) => {}
        }
        connection.lose(cut);
        self.writer.say_end();
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        waiting: &mut Option<Opening>,
    ) -> Poll<io::Result<()>> {
        let mut connection = self.carrier.connection.borrow_mut();
        connection.attend();
        connection.watch.pass(self.timers.now().into_std());
        loop {
            while !connection.is_over() && !connection.is_congested() {
                if self.inbound.buffered().is_empty() {
                    match self.inbound.poll_more(cx)? {
                        Poll::Pending => break,
                        Poll::Ready(0) => return Poll::Ready(Ok(())),
                        Poll::Ready(_) => self.heard.set(self.heard.get().wrapping_add(1)),
                    }
                }
                let came = self.inbound.buffered();
                let taken = connection.receive_answers(came, &RESPONSE_LIMITS);
                self.inbound.consume(taken);
            }
            if connection.is_greeted() && !std::mem::replace(&mut self.is_greeted, true) {
                *waiting = None;
                self.inbound.io().deadline.clear();
            }
            if let Some(pings) = &mut self.keepalive
                && pings.is_dead(cx, &mut connection, self.heard.get())
            {
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, Cut::Silent)));
            }
            let was_congested = connection.is_congested();
            let flushed = connection.poll_flush(cx, &mut self.writer)?;
            if connection.is_over() {
                if flushed.is_ready() {
                    return Poll::Ready(Ok(()));
                }
                self.writer.deadline.no_later_than(GRACE);
            }
            if !(was_congested && flushed.is_ready()) {
                break;
            }
        }
        connection.wait(cx);
        Poll::Pending
    }
}

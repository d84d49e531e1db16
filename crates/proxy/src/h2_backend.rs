//! HTTP/2 to a backend: one connection that carries several requests.

use std::cell::{Cell, RefCell};
use std::fmt::Display;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use ::h2::Reason;
use ::h2::client::{Builder, Connection, SendRequest};
use bytes::Bytes;
use message::{Failure, Kind, Retry};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::spawn_local;
use tracing::debug;
use upstream::{Backend, Hold, Multiplexed, Opening, Permit, Protocol};
use wire::blocks::Blocks;
use wire::h1::Inbound;
use wire::io::Output;

use crate::ask::RESPONSE_LIMITS;
use crate::backend_conn::BackendConn;
use crate::h2_backend_stream::BackendStream;
use crate::stream::{Reader, Stream, Writer};
use crate::timers::Timers;
use crate::worker::Worker;

/// Bytes of one request's body that may wait for the socket.
const SEND_BUFFER: usize = 64 * 1024;

/// How much of one answer a backend may send ahead of what its client has taken.
const STREAM_WINDOW: u32 = 64 * 1024;

/// Answers that are left half way; what still comes of so many is ignored.
const ABANDONED: usize = 1024;

/// Streams until the backend has said how many it takes.
const UNSAID: usize = 1;

/// What requests to one backend are sent on.
pub(crate) struct Link {
    send: RefCell<SendRequest<Bytes>>,
    /// How often something has come.
    heard: Rc<Cell<u64>>,
    /// It has been silent where it should not have been.
    is_dead: Cell<bool>,
}

impl Multiplexed for Link {
    fn most(&self) -> usize {
        let mut cx = Context::from_waker(Waker::noop());
        let mut send = self.send.borrow_mut();
        match send.poll_ready(&mut cx) {
            Poll::Ready(Ok(())) if !self.is_dead.get() => send.current_max_send_streams(),
            _ => 0,
        }
    }
}

impl Link {
    pub(crate) fn send(&self) -> SendRequest<Bytes> {
        self.send.borrow().clone()
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

/// What it means that a stream has ended without the head of an answer, where
/// HTTP/2 says why.
pub(crate) fn failure(error: &io::Error, url: &str) -> Option<Failure> {
    let error = error.get_ref()?.downcast_ref::<::h2::Error>()?;
    let detail = format!("{url}: {error}");
    if error.is_library() {
        return Some(Failure::new(Kind::BadResponse, detail));
    }
    let is_unseen = error.is_remote()
        // Of streams that are older a GOAWAY says nothing (RFC 9113 section 6.8).
        && (error.is_go_away() || error.reason() == Some(Reason::REFUSED_STREAM));
    let retry = match is_unseen {
        true => Retry::OtherBackend,
        false => Retry::IfIdempotent,
    };
    Some(Failure::new(Kind::Terminated, detail).retry(retry))
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
pub(crate) async fn begin(
    worker: &Worker,
    stream: Stream,
    permit: Permit,
    opening: Option<Opening>,
) -> Result<upstream::Stream<Box<BackendConn>, Link>, Failure> {
    let backend = permit.backend();
    let shaken = shake(backend, stream, &worker.timers, &worker.blocks).await?;
    let (send, connection, heard) = shaken;
    let url = backend.url.clone();
    let now = worker.clock.now().into_std();
    let stream = worker.pool.share(permit, now, |hold| {
        let waiting = opening.map(|opening| (opening, Rc::clone(&heard)));
        spawn_local(drive(connection, hold, waiting, url.clone()));
        Link {
            send: RefCell::new(send),
            heard,
            is_dead: Cell::new(false),
        }
    });
    stream.ok_or_else(|| refusal(&url, "it takes no request"))
}

/// Begins HTTP/2. Whoever drives the connection can tell from
/// the last whether anything has come on it.
pub(crate) async fn shake(
    backend: &Backend,
    stream: Stream,
    timers: &Rc<Timers>,
    blocks: &Blocks,
) -> Result<
    (
        SendRequest<Bytes>,
        Connection<BackendIo, Bytes>,
        Rc<Cell<u64>>,
    ),
    Failure,
> {
    let heard = Rc::new(Cell::new(0));
    let (reader, writer) = stream.split(timers);
    let io = BackendIo {
        inbound: Inbound::new(reader, blocks.clone()),
        writer,
        heard: Rc::clone(&heard),
    };
    match builder(backend).handshake(io).await {
        Ok((send, connection)) => Ok((send, connection, heard)),
        Err(error) => Err(refusal(&backend.url, error)),
    }
}

/// One request's stream, as if it were a connection of its own.
pub(crate) fn stream(send: SendRequest<Bytes>) -> Stream {
    Stream::H2Backend(Rc::new(RefCell::new(BackendStream::new(send))))
}

fn refusal(url: &str, why: impl Display) -> Failure {
    let detail = format!("{url}: {why}");
    Failure::new(Kind::BadResponse, detail).retry(Retry::OtherBackend)
}

fn builder(backend: &Backend) -> Builder {
    let streams = u32::try_from(backend.options.max_streams).unwrap_or(u32::MAX);
    // Room for all: an answer that is not taken does not keep the others.
    let window = STREAM_WINDOW.saturating_mul(streams).min(i32::MAX as u32);
    let mut builder = Builder::new();
    builder
        .enable_push(false)
        .initial_max_send_streams(UNSAID)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(window.max(STREAM_WINDOW))
        .max_header_list_size(RESPONSE_LIMITS.fields as u32)
        .max_concurrent_reset_streams(ABANDONED)
        .max_send_buffer_size(SEND_BUFFER);
    builder
}

/// Moves frames until the connection ends: when nobody holds its link any more
/// and its streams have ended, or when the backend ends it.
async fn drive(
    connection: Connection<BackendIo, Bytes>,
    hold: Rc<Hold>,
    mut waiting: Option<(Opening, Rc<Cell<u64>>)>,
    url: Box<str>,
) {
    let mut connection = Box::new(connection);
    let ended = poll_fn(|cx| {
        let ended = Pin::new(&mut *connection).poll(cx);
        // What comes first says how many streams there may be.
        if waiting.as_ref().is_some_and(|(_, heard)| heard.get() > 0) {
            waiting = None;
        }
        ended
    });
    if let Err(error) = pin!(ended).await {
        debug!(backend = &*url, %error, "HTTP/2 connection failed");
    }
    drop(connection);
    drop(hold);
}

/// The connection as the HTTP/2 library reads and writes it.
pub(crate) struct BackendIo {
    inbound: Inbound<Reader>,
    writer: Writer,
    heard: Rc<Cell<u64>>,
}

impl AsyncRead for BackendIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.inbound.buffered().is_empty() && ready!(self.inbound.poll_more(cx))? == 0 {
            return Poll::Ready(Ok(()));
        }
        self.heard.set(self.heard.get().wrapping_add(1));
        let arrived = self.inbound.buffered();
        let n = arrived.len().min(into.remaining());
        into.put_slice(arrived.get(..n).unwrap_or_default());
        self.inbound.consume(n);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for BackendIo {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        piece: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(piece)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.writer.poll_write(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer.poll_shutdown(cx)
    }
}

//! Bodies: taken apart on the way in, put together on the way out.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use message::{Failure, Fields, Kind, Side, Sink, Source, reads_alike};

use super::chunked::{Chunked, Fault};
use super::framing::Framing;
use super::head::Limits;
use super::inbound::Inbound;
use super::outbound::Outbound;
use crate::blocks::BLOCK_SIZE;
use crate::h2::Cut;
use crate::io::{Input, Output};

/// How much of one body is still to come. Reused from message to message.
#[derive(Debug)]
pub struct Body {
    state: State,
    /// Whose doing a failure is.
    side: Side,
    received: u64,
    max: u64,
    trailers: Fields,
    /// Names that are dropped from the trailers.
    never: Option<Arc<[Box<str>]>>,
}

#[derive(Debug)]
enum State {
    Length(u64),
    Chunked(Chunked),
    UntilClose,
    End,
}

impl Body {
    /// A body sent by `side`, a client or a backend.
    pub fn new(side: Side) -> Self {
        Self {
            state: State::End,
            side,
            received: 0,
            max: u64::MAX,
            trailers: Fields::default(),
            never: None,
        }
    }

    /// The next message's body begins. More than `max` bytes are a failure;
    /// `limits` bound the trailers.
    pub fn begin(&mut self, framing: Framing, limits: Limits, max: u64) {
        self.state = match framing {
            Framing::Empty | Framing::Length(0) => State::End,
            Framing::Length(n) => State::Length(n),
            Framing::Chunked => State::Chunked(Chunked::new(limits)),
            Framing::UntilClose => State::UntilClose,
        };
        self.received = 0;
        self.max = max;
        self.trailers.clear();
        self.never = None;
    }

    /// Sets another limit, before anything has been taken.
    pub fn limit(&mut self, max: u64) {
        self.max = max;
    }

    /// Fields of these names are dropped from the trailers, and so are those that
    /// some take for them.
    pub fn drop_trailers(&mut self, names: &Arc<[Box<str>]>) {
        self.never = Some(Arc::clone(names));
    }

    /// All of it has been taken.
    pub fn is_end(&self) -> bool {
        match &self.state {
            State::End => true,
            State::Chunked(chunked) => chunked.is_end(),
            State::Length(_) | State::UntilClose => false,
        }
    }

    /// Bytes of body taken so far.
    pub fn received(&self) -> u64 {
        self.received
    }

    pub fn trailers(&self) -> &Fields {
        &self.trailers
    }

    /// How much of what is buffered belongs to the body and lies ready.
    fn ready(&self, buffered: usize) -> usize {
        let due = match &self.state {
            State::Length(n) => *n,
            State::Chunked(chunked) => chunked.data(),
            State::UntilClose => u64::MAX,
            State::End => 0,
        };
        usize::try_from(due).map_or(buffered, |due| due.min(buffered))
    }

    fn took(&mut self, n: usize) {
        let n = n as u64;
        self.received += n;
        match &mut self.state {
            State::Length(left) if *left == n => self.state = State::End,
            State::Length(left) => *left -= n,
            State::Chunked(chunked) => chunked.took(n),
            State::UntilClose | State::End => {}
        }
    }

    /// Takes framing off the front of what is buffered; returns its length.
    fn advance(&mut self, buffered: &[u8]) -> Result<usize, Failure> {
        let State::Chunked(chunked) = &mut self.state else {
            let is_open = matches!(self.state, State::UntilClose);
            if is_open && self.received.saturating_add(buffered.len() as u64) > self.max {
                return Err(Kind::BodyTooLarge.into());
            }
            return Ok(0);
        };
        let taken = chunked
            .advance(buffered, &mut self.trailers)
            .map_err(|fault| framing_failure(self.side, fault))?;
        if self.received.saturating_add(chunked.data()) > self.max {
            return Err(Kind::BodyTooLarge.into());
        }
        if chunked.is_end() {
            self.drop_some_trailers();
        }
        Ok(taken)
    }

    fn drop_some_trailers(&mut self) {
        if let Some(never) = &self.never {
            self.trailers.remove_where(|field| {
                never
                    .iter()
                    .any(|name| reads_alike(field.name, name.as_bytes()))
            });
        }
    }

    /// The stream has ended: so has a body that lasts until then.
    fn stream_ended(&mut self) -> Result<(), Failure> {
        if matches!(self.state, State::UntilClose) {
            self.state = State::End;
            self.drop_some_trailers();
            return Ok(());
        }
        Err(match self.side {
            Side::Client => {
                Failure::new(Kind::ClientGone, "the client left within its request body")
            }
            _ => Failure::new(
                Kind::Incomplete,
                "the connection ended within the response body",
            ),
        })
    }
}

fn framing_failure(side: Side, fault: Fault) -> Failure {
    match side {
        Side::Client => Failure::new(Kind::BadBody, fault),
        _ => Failure::new(Kind::BadResponse, fault),
    }
}

fn read_failure(side: Side, error: &io::Error) -> Failure {
    let kind = match (side, error.kind()) {
        (Side::Client, io::ErrorKind::TimedOut) => Kind::BodyTimeout,
        (Side::Client, _) => Kind::ClientGone,
        (_, io::ErrorKind::TimedOut) => Kind::ReadTimeout,
        _ => Kind::Incomplete,
    };
    Failure::new(kind, error.to_string()).reset(Cut::of(error).and_then(Cut::reset))
}

fn write_failure(side: Side, error: &io::Error) -> Failure {
    let kind = match (side, error.kind()) {
        (Side::Client, io::ErrorKind::TimedOut) => Kind::ClientStalled,
        (Side::Client, _) => Kind::ClientGone,
        (_, io::ErrorKind::TimedOut) => Kind::WriteTimeout,
        _ => Kind::Terminated,
    };
    Failure::new(kind, error.to_string())
}

/// A body on its way in: the source of a relay.
#[derive(Debug)]
pub struct Incoming<'a, I> {
    pub inbound: &'a mut Inbound<I>,
    pub body: &'a mut Body,
}

impl<I: Input> Incoming<'_, I> {
    /// Takes what has arrived of the body, for nobody; true if that is all of it.
    pub fn skip_arrived(&mut self) -> bool {
        let mut cx = Context::from_waker(std::task::Waker::noop());
        while !self.is_end() {
            match self.poll_fill(&mut cx) {
                Poll::Ready(Ok(())) => {
                    let n = self.available().len();
                    self.consume(n);
                }
                Poll::Ready(Err(_)) | Poll::Pending => return false,
            }
        }
        true
    }
}

impl<I: Input> Source for Incoming<'_, I> {
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        loop {
            let taken = self.body.advance(self.inbound.buffered())?;
            self.inbound.consume(taken);
            if self.body.is_end() || !self.available().is_empty() {
                return Poll::Ready(Ok(()));
            }
            match ready!(self.inbound.poll_more(cx)) {
                Ok(0) => {
                    self.inbound.take_trailers(&mut self.body.trailers);
                    return Poll::Ready(self.body.stream_ended());
                }
                Ok(_) => {}
                Err(error) => return Poll::Ready(Err(read_failure(self.body.side, &error))),
            }
        }
    }

    fn available(&self) -> &[u8] {
        let buffered = self.inbound.buffered();
        buffered
            .get(..self.body.ready(buffered.len()))
            .unwrap_or_default()
    }

    fn consume(&mut self, n: usize) {
        self.body.took(n);
        self.inbound.consume(n);
    }

    fn is_end(&self) -> bool {
        self.body.is_end()
    }

    fn remaining(&self) -> Option<u64> {
        match &self.body.state {
            State::Length(n) => Some(*n),
            State::End => Some(0),
            State::Chunked(_) | State::UntilClose => None,
        }
    }

    fn trailers(&self) -> &Fields {
        &self.body.trailers
    }
}

/// Pieces up to this size are copied behind what waits to be sent; larger ones
/// are sent from where they lie.
const COPY: usize = 4 * 1024;

/// How much of one body has been sent, and in which framing.
#[derive(Debug, Clone, Copy)]
pub struct Encoder {
    framing: Framing,
    /// Who takes the body.
    side: Side,
    written: u64,
}

impl Encoder {
    /// A body for `side` in the framing that its head has announced.
    pub fn new(framing: Framing, side: Side) -> Self {
        Self {
            framing,
            side,
            written: 0,
        }
    }

    pub fn framing(&self) -> Framing {
        self.framing
    }

    /// Bytes of body taken so far, sent or not.
    pub fn written(&self) -> u64 {
        self.written
    }
}

/// A body on its way out: the sink of a relay.
#[derive(Debug)]
pub struct Outgoing<'a, O> {
    pub outbound: &'a mut Outbound<O>,
    pub encoder: &'a mut Encoder,
}

impl<O: Output> Sink for Outgoing<'_, O> {
    fn begin_piece(&mut self, len: usize) -> Result<(), Failure> {
        self.encoder.written += len as u64;
        match self.encoder.framing {
            Framing::Chunked => super::write::write_chunk_size(self.outbound.buffer(), len),
            Framing::Length(n) if self.encoder.written > n => {
                return Err(Failure::new(
                    Kind::Internal,
                    "a body is longer than its announced length",
                ));
            }
            _ => {}
        }
        Ok(())
    }

    fn poll_piece(
        &mut self,
        cx: &mut Context<'_>,
        piece: &[u8],
        sent: &mut usize,
    ) -> Poll<Result<(), Failure>> {
        if self.encoder.framing == Framing::Empty {
            return Poll::Ready(Ok(()));
        }
        let fits = piece.len() <= COPY && self.outbound.pending() + COPY <= BLOCK_SIZE / 2;
        if fits && *sent == 0 {
            self.outbound.buffer().extend_from_slice(piece);
            return Poll::Ready(Ok(()));
        }
        let side = self.encoder.side;
        self.outbound
            .poll_send(cx, piece, sent)
            .map_err(|error| write_failure(side, &error))
    }

    fn end_piece(&mut self) {
        if self.encoder.framing == Framing::Chunked {
            self.outbound.buffer().extend_from_slice(b"\r\n");
        }
    }

    fn finish(&mut self, trailers: &Fields) -> Result<(), Failure> {
        match self.encoder.framing {
            Framing::Chunked => {
                let out = self.outbound.buffer();
                out.extend_from_slice(b"0\r\n");
                trailers.write_lines(out);
                out.extend_from_slice(b"\r\n");
                Ok(())
            }
            Framing::Length(n) if self.encoder.written < n => Err(Failure::new(
                Kind::Internal,
                "a body is shorter than its announced length",
            )),
            _ => {
                self.outbound.end(trailers);
                Ok(())
            }
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        let side = self.encoder.side;
        self.outbound
            .poll_flush(cx)
            .map_err(|error| write_failure(side, &error))
    }
}

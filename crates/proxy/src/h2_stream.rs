//! One request and its answer on an HTTP/2 connection, a client's or a backend's,
//! as if it were a connection of its own: its halves take and give the bytes of
//! bodies, and heads go beside them.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use ::h2::client::{ResponseFuture, SendRequest};
use ::h2::server::SendResponse;
use ::h2::{Reason, RecvStream, SendStream};
use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, Request, Response};
use message::{ClientCertificate, Fields, ResponseHead};
use wire::h1::HeadError;
use wire::h2::Watch;

use crate::ask::RESPONSE_LIMITS;
use crate::tls_stream::Terms;

/// How much of a body is given to the connection at a time.
const MOST: usize = 64 * 1024;

/// What fits into a frame, unless the client wants larger ones.
const FRAME: usize = 16 * 1024;

pub(crate) struct H2Stream {
    /// None to a backend.
    carrier: Option<Rc<Carrier>>,
    receiving: Receiving,
    /// What has come and not been taken.
    arrived: Bytes,
    sending: Sending,
    /// Bytes that leave with the next, or with the end.
    held: BytesMut,
    /// All has been said; the trailers, if there are any.
    end: Option<HeaderMap>,
    /// The client has not taken the answer in time.
    has_stalled: bool,
}

/// What all streams of a client's connection have from it.
pub(crate) struct Carrier {
    /// What TLS has agreed on, where there is any.
    pub(crate) terms: Option<Rc<Terms>>,
    pub(crate) local_address: Option<SocketAddr>,
    /// What the client has shown.
    pub(crate) certificate: Option<Rc<ClientCertificate>>,
    pub(crate) watch: RefCell<Watch>,
}

enum Receiving {
    /// Nothing is due.
    Nothing,
    Answer(ResponseFuture),
    Body(RecvStream),
}

enum Sending {
    /// No request yet.
    Unasked(SendRequest<Bytes>),
    /// A request's head, which waits for what comes after it.
    Asking(SendRequest<Bytes>, Box<Request<()>>),
    /// No head yet.
    Unanswered(SendResponse<Bytes>),
    /// The head waits for what comes after it.
    Head(SendResponse<Bytes>, Box<Response<()>>),
    Body(SendStream<Bytes>),
    Done(SendStream<Bytes>),
    Failed,
}

impl H2Stream {
    /// A client's, with a request.
    pub(crate) fn new(
        carrier: Rc<Carrier>,
        receiving: RecvStream,
        respond: SendResponse<Bytes>,
    ) -> Self {
        let receiving = Receiving::Body(receiving);
        Self::of(Some(carrier), receiving, Sending::Unanswered(respond))
    }

    /// For a request to a backend.
    pub(crate) fn to_backend(send: SendRequest<Bytes>) -> Self {
        Self::of(None, Receiving::Nothing, Sending::Unasked(send))
    }

    fn of(carrier: Option<Rc<Carrier>>, receiving: Receiving, sending: Sending) -> Self {
        Self {
            carrier,
            receiving,
            arrived: Bytes::new(),
            sending,
            held: BytesMut::new(),
            end: None,
            has_stalled: false,
        }
    }

    pub(crate) fn terms(&self) -> Option<Rc<Terms>> {
        self.carrier.as_ref()?.terms.clone()
    }

    pub(crate) fn local_address(&self) -> Option<SocketAddr> {
        self.carrier.as_ref()?.local_address
    }

    pub(crate) fn certificate(&self) -> Option<Rc<ClientCertificate>> {
        self.carrier.as_ref()?.certificate.clone()
    }

    /// Tells whoever watches over a client.
    fn watch(&self, tell: impl FnOnce(&mut Watch)) {
        if let Some(carrier) = &self.carrier {
            tell(&mut carrier.watch.borrow_mut());
        }
    }

    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut Vec<u8>,
    ) -> Poll<io::Result<usize>> {
        let Receiving::Body(receiving) = &mut self.receiving else {
            return Poll::Ready(Ok(0));
        };
        while self.arrived.is_empty() {
            match ready!(receiving.poll_data(cx)) {
                Some(Ok(data)) => self.arrived = data,
                // A server that has said all wants no more of the request (RFC 9113 section 8.1).
                Some(Err(error)) if is_enough(&error) => {
                    self.receiving = Receiving::Nothing;
                    return Poll::Ready(Ok(0));
                }
                Some(Err(error)) => return Poll::Ready(Err(failed(error))),
                None => return Poll::Ready(Ok(0)),
            }
        }
        let room = (into.capacity() - into.len()).max(1);
        let n = self.arrived.len().min(room);
        into.extend_from_slice(self.arrived.get(..n).unwrap_or_default());
        self.arrived.advance(n);
        // Whoever has taken it has sent it on before asking for more.
        let released = receiving.flow_control().release_capacity(n);
        Poll::Ready(released.map(|()| n).map_err(failed))
    }

    /// The trailers, after the end.
    pub(crate) fn poll_trailers(
        &mut self,
        cx: &mut Context<'_>,
        fields: &mut Fields,
    ) -> Poll<io::Result<()>> {
        let Receiving::Body(receiving) = &mut self.receiving else {
            return Poll::Ready(Ok(()));
        };
        match ready!(receiving.poll_trailers(cx)) {
            Ok(Some(trailers)) => wire::h2::read_trailers(&trailers, fields),
            Ok(None) => {}
            Err(error) if is_enough(&error) => {}
            Err(error) => return Poll::Ready(Err(failed(error))),
        }
        Poll::Ready(Ok(()))
    }

    /// The head of a backend's answer, interim or final.
    pub(crate) fn poll_answer(
        &mut self,
        cx: &mut Context<'_>,
        head: &mut ResponseHead,
    ) -> Poll<Result<(), HeadError>> {
        let lost = |error: ::h2::Error| HeadError::Stream {
            error: failed(error),
            began: false,
        };
        let Receiving::Answer(answer) = &mut self.receiving else {
            return match self.sending {
                Sending::Unasked(_) | Sending::Asking(..) => Poll::Pending,
                // What was to be asked could not be.
                _ => Poll::Ready(Err(HeadError::Stream {
                    error: io::ErrorKind::ConnectionReset.into(),
                    began: false,
                })),
            };
        };
        let read = match ready!(answer.poll_informational(cx)) {
            Some(interim) => {
                let interim = interim.map_err(lost)?;
                wire::h2::read_response(interim.status(), interim.headers(), &RESPONSE_LIMITS, head)
            }
            None => {
                let answer = ready!(Pin::new(answer).poll(cx)).map_err(lost)?;
                let (answer, body) = answer.into_parts();
                self.receiving = Receiving::Body(body);
                wire::h2::read_response(answer.status, &answer.headers, &RESPONSE_LIMITS, head)
            }
        };
        Poll::Ready(read.map_err(HeadError::Refused))
    }

    /// A request's head, which leaves with what comes next.
    pub(crate) fn ask(&mut self, head: Request<()>) {
        self.sending = match std::mem::replace(&mut self.sending, Sending::Failed) {
            Sending::Unasked(send) => Sending::Asking(send, Box::new(head)),
            other => other,
        };
    }

    /// Resolves when the client wants no answer any more.
    pub(crate) fn poll_reset(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let reset = match &mut self.sending {
            Sending::Unanswered(respond) | Sending::Head(respond, _) => respond.poll_reset(cx),
            Sending::Body(stream) | Sending::Done(stream) => stream.poll_reset(cx),
            Sending::Unasked(_) | Sending::Asking(..) => return Poll::Pending,
            Sending::Failed => return Poll::Ready(()),
        };
        reset.map(drop)
    }

    /// The final answer's head, which leaves with what comes next.
    pub(crate) fn answer(&mut self, head: Response<()>) {
        self.sending = match std::mem::replace(&mut self.sending, Sending::Failed) {
            Sending::Unanswered(respond) | Sending::Head(respond, _) => {
                Sending::Head(respond, Box::new(head))
            }
            other => other,
        };
    }

    /// An interim answer, which leaves at once.
    pub(crate) fn inform(&mut self, head: Response<()>) -> io::Result<()> {
        match &mut self.sending {
            Sending::Unanswered(respond) => respond.send_informational(head).map_err(failed),
            _ => Ok(()),
        }
    }

    /// Nothing follows but what is held.
    pub(crate) fn end(&mut self, trailers: HeaderMap) {
        self.end = Some(trailers);
    }

    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.held.len() >= MOST {
            ready!(self.poll_send(cx, false))?;
        }
        let mut taken = 0;
        for piece in pieces {
            let n = piece.len().min(MOST.saturating_sub(self.held.len()));
            self.held
                .extend_from_slice(piece.get(..n).unwrap_or_default());
            taken += n;
        }
        Poll::Ready(Ok(taken))
    }

    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_send(cx, true)
    }

    /// Gives what is held to the connection, as far as the client takes it; and
    /// the end, if all has been said.
    fn poll_send(&mut self, cx: &mut Context<'_>, all: bool) -> Poll<io::Result<()>> {
        self.send_head()?;
        let is_last = self.end.as_ref().is_some_and(HeaderMap::is_empty);
        while !self.held.is_empty() {
            let Sending::Body(stream) = &mut self.sending else {
                self.held.clear();
                break;
            };
            stream.reserve_capacity(self.held.len());
            let capacity = match stream.capacity() {
                0 => match ready!(stream.poll_capacity(cx)) {
                    Some(Ok(capacity)) => capacity,
                    Some(Err(error)) => return Poll::Ready(Err(failed(error))),
                    None => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
                },
                capacity => capacity,
            };
            let n = capacity.min(self.held.len());
            let data = self.held.split_to(n).freeze();
            let ends = is_last && self.held.is_empty();
            // What a client says of its windows comes with what it gets.
            let frames = n.div_ceil(FRAME).try_into().unwrap_or(u32::MAX);
            stream.send_data(data, ends).map_err(failed)?;
            self.watch(|watch| watch.carried(frames));
            if ends {
                self.finish();
            }
            if !all && n > 0 {
                return Poll::Ready(Ok(()));
            }
        }
        let Some(trailers) = self.end.take() else {
            return Poll::Ready(Ok(()));
        };
        if let Sending::Body(stream) = &mut self.sending {
            match trailers.is_empty() {
                true => stream.send_data(Bytes::new(), true).map_err(failed)?,
                false => stream.send_trailers(trailers).map_err(failed)?,
            }
            self.finish();
        }
        Poll::Ready(Ok(()))
    }

    /// Sends the head, as the whole answer if nothing follows.
    fn send_head(&mut self) -> io::Result<()> {
        let is_whole = self.held.is_empty() && self.end.as_ref().is_some_and(HeaderMap::is_empty);
        self.sending = match std::mem::replace(&mut self.sending, Sending::Failed) {
            Sending::Asking(mut send, head) => {
                let (answer, stream) = send.send_request(*head, is_whole).map_err(failed)?;
                self.receiving = Receiving::Answer(answer);
                match is_whole {
                    true => Sending::Done(stream),
                    false => Sending::Body(stream),
                }
            }
            Sending::Head(mut respond, head) => {
                let stream = respond.send_response(*head, is_whole).map_err(failed)?;
                match is_whole {
                    true => {
                        self.watch(Watch::answered);
                        Sending::Done(stream)
                    }
                    false => Sending::Body(stream),
                }
            }
            other => other,
        };
        Ok(())
    }

    /// The final answer's head has been sent.
    pub(crate) fn has_begun(&self) -> bool {
        matches!(self.sending, Sending::Body(_) | Sending::Done(_))
    }

    /// All of the answer has been sent.
    pub(crate) fn is_answered(&self) -> bool {
        matches!(self.sending, Sending::Done(_))
    }

    fn finish(&mut self) {
        self.sending = match std::mem::replace(&mut self.sending, Sending::Failed) {
            Sending::Body(stream) => {
                self.watch(Watch::answered);
                Sending::Done(stream)
            }
            other => other,
        };
    }

    /// The client leaves the answer where it is.
    pub(crate) fn stall(&mut self) {
        if !std::mem::replace(&mut self.has_stalled, true) {
            self.watch(Watch::stalled);
        }
    }

    /// The client learns that the answer was cut.
    pub(crate) fn reset(&mut self) {
        let cut = match self.has_stalled {
            true => Reason::ENHANCE_YOUR_CALM,
            false => Reason::INTERNAL_ERROR,
        };
        match &mut self.sending {
            Sending::Unanswered(respond) | Sending::Head(respond, _) => respond.send_reset(cut),
            Sending::Body(stream) => stream.send_reset(cut),
            Sending::Unasked(_) | Sending::Asking(..) => {}
            Sending::Done(_) | Sending::Failed => {}
        }
    }

    /// Forgets what waits to be sent.
    pub(crate) fn discard(&mut self) {
        self.held.clear();
        self.end = None;
    }
}

fn is_enough(error: &::h2::Error) -> bool {
    error.is_reset() && error.is_remote() && error.reason() == Some(Reason::NO_ERROR)
}

fn failed(error: ::h2::Error) -> io::Error {
    match error.is_io() {
        true => io::ErrorKind::ConnectionReset.into(),
        false => io::Error::new(io::ErrorKind::ConnectionAborted, error),
    }
}

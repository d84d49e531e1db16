//! One request and its answer on an HTTP/2 connection to a backend, as if it were
//! a connection of its own: its halves take and give the bytes of bodies, and heads
//! go beside them.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use ::h2::client::{ResponseFuture, SendRequest};
use ::h2::{Reason, RecvStream, SendStream};
use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, Request};
use message::{Fields, ResponseHead};
use wire::h1::HeadError;

use crate::ask::RESPONSE_LIMITS;

/// How much of a body is given to the connection at a time.
const MOST: usize = 64 * 1024;

pub(crate) struct BackendStream {
    receiving: Receiving,
    /// What has come and not been taken.
    arrived: Bytes,
    sending: Sending,
    /// Bytes that leave with the next, or with the end.
    held: BytesMut,
    /// All has been said; the trailers, if there are any.
    end: Option<HeaderMap>,
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
    Body(SendStream<Bytes>),
    Done(SendStream<Bytes>),
    Failed,
}

impl BackendStream {
    pub(crate) fn new(send: SendRequest<Bytes>) -> Self {
        Self {
            receiving: Receiving::Nothing,
            arrived: Bytes::new(),
            sending: Sending::Unasked(send),
            held: BytesMut::new(),
            end: None,
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

    /// Resolves when the backend wants no request any more.
    pub(crate) fn poll_reset(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let reset = match &mut self.sending {
            Sending::Body(stream) | Sending::Done(stream) => stream.poll_reset(cx),
            Sending::Unasked(_) | Sending::Asking(..) => return Poll::Pending,
            Sending::Failed => return Poll::Ready(()),
        };
        reset.map(drop)
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

    /// Gives what is held to the connection, as far as the backend takes it; and
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
            stream.send_data(data, ends).map_err(failed)?;
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

    /// Sends the head, as the whole request if nothing follows.
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
            other => other,
        };
        Ok(())
    }

    fn finish(&mut self) {
        self.sending = match std::mem::replace(&mut self.sending, Sending::Failed) {
            Sending::Body(stream) => Sending::Done(stream),
            other => other,
        };
    }

    /// The backend learns that the request was cut.
    pub(crate) fn reset(&mut self) {
        if let Sending::Body(stream) = &mut self.sending {
            stream.send_reset(Reason::INTERNAL_ERROR);
        }
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

//! A connection to a backend, as the pool keeps it.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use message::{Method, RequestHead, ResponseHead, Side};
use wire::blocks::Blocks;
use wire::h1::{Body, Framing, HeadError, Inbound, Outbound, write_request_head};
use wire::h2::AnswerTo;

use crate::backend::ask::RESPONSE_LIMITS;
use crate::backend::attempt::Upload;
use crate::backend::h2_backend::Link;
use crate::sockets::h2_stream::H2Stream;
use crate::sockets::stream::{Reader, Stream, Writer};
use crate::sockets::timers::{Deadline, Timers};
use crate::worker::Worker;

/// As the pool gives it out.
pub(crate) type Conn = upstream::Conn<Box<BackendConn>, Link>;

pub(crate) struct BackendConn {
    pub(crate) inbound: Inbound<Reader>,
    pub(crate) outbound: Outbound<Writer>,
    /// Its stream, where the protocol is HTTP/2: then it is asked just once.
    h2: Option<Rc<RefCell<H2Stream>>>,
    /// What had been heard on the stream's connection when it began.
    heard: u64,
    /// When its call is to be over, where that says so (gRPC).
    end_of_call: Option<Deadline>,
    pub(crate) body: Body,
    /// The request's body, on its way.
    pub(crate) upload: Upload,
    /// Where the response's body ends, once there is a response.
    pub(crate) framing: Framing,
    /// The last response allows another request on this connection.
    pub(crate) keep_alive: bool,
    /// It begins by saying who the client is, and so is that client's alone.
    pub(crate) is_introduced: bool,
}

impl BackendConn {
    pub(crate) fn new(timers: &Rc<Timers>, blocks: &Blocks, stream: Stream) -> Box<Self> {
        let h2 = match &stream {
            Stream::H2(stream) => Some(Rc::clone(stream)),
            _ => None,
        };
        let (reader, writer) = stream.split(timers);
        Box::new(Self {
            inbound: Inbound::new(reader, blocks.clone()),
            outbound: Outbound::new(writer, blocks.clone()),
            h2,
            heard: 0,
            end_of_call: None,
            body: Body::new(Side::Upstream),
            upload: Upload::none(),
            framing: Framing::Empty,
            keep_alive: true,
            is_introduced: false,
        })
    }

    /// For one request, on a connection that others use as well.
    pub(crate) fn on(worker: &Worker, link: upstream::Stream<Box<Self>, Link>) -> Conn {
        let mut conn = Self::new(&worker.timers, &worker.blocks, link.stream());
        conn.heard = link.heard();
        Conn::of_stream(link, conn, worker.clock.coarse().into_std())
    }

    /// No answer has come in time.
    pub(crate) fn suspect(conn: &Conn) {
        if let Some(link) = conn.link() {
            link.suspect(conn.heard);
        }
    }

    /// Puts a request's head where it leaves with what comes next.
    pub(crate) fn ask(&mut self, head: &RequestHead, framing: Framing, is_secure: bool) {
        let out = self.outbound.buffer();
        match &self.h2 {
            None => write_request_head(out, head, framing),
            Some(stream) => {
                wire::h2::write_request(out, head, is_secure);
                let to = match head.method {
                    Method::Head => AnswerTo::Head,
                    _ => AnswerTo::Other,
                };
                stream.borrow_mut().expect_request(out.len(), to);
            }
        }
    }

    /// The same of a request to go on with another protocol, on a stream.
    pub(crate) fn ask_to_switch(&mut self, head: &RequestHead, protocol: &str, is_secure: bool) {
        if let Some(stream) = &self.h2 {
            let out = self.outbound.buffer();
            wire::h2::write_extended_connect(out, head, protocol, is_secure);
            let mut stream = stream.borrow_mut();
            stream.expect_request(out.len(), AnswerTo::Connect);
        }
    }

    /// Whether the backend takes such requests, once it has said so. Over HTTP/1.1
    /// there are none.
    pub(crate) fn poll_takes_extended_connect(&mut self, cx: &Context<'_>) -> Poll<bool> {
        match &self.h2 {
            Some(stream) => stream.borrow_mut().poll_takes_extended_connect(cx),
            None => Poll::Ready(false),
        }
    }

    /// It is a stream on a connection that others use as well.
    pub(crate) fn is_stream(&self) -> bool {
        self.h2.is_some()
    }

    /// How the end of a body is found here, of which the head says this.
    pub(crate) fn framing(&self, said: Framing) -> Framing {
        match (&self.h2, said) {
            (Some(_), Framing::Length(_) | Framing::Chunked) => Framing::UntilClose,
            (_, said) => said,
        }
    }

    /// Waits for the head of an answer, interim or final.
    pub(crate) fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        head: &mut ResponseHead,
    ) -> Poll<Result<(), HeadError>> {
        let Some(stream) = &self.h2 else {
            return self.inbound.poll_head(cx, &RESPONSE_LIMITS, head);
        };
        let came = stream.borrow_mut().poll_answer(cx, head);
        if came.is_pending() && self.inbound.io().deadline.has_passed(cx) {
            return Poll::Ready(Err(HeadError::Stream {
                error: std::io::ErrorKind::TimedOut.into(),
                began: false,
            }));
        }
        came
    }

    /// Its call is to be over within this time.
    pub(crate) fn end_call_within(&mut self, timers: &Rc<Timers>, time: Duration) {
        let deadline = timers.deadline();
        deadline.within(time);
        self.end_of_call = Some(deadline);
    }

    /// The time of its call has passed; else the task is woken when it has.
    pub(crate) fn is_late(&self, cx: &Context<'_>) -> bool {
        let deadline = self.end_of_call.as_ref();
        deadline.is_some_and(|deadline| deadline.has_passed(cx))
    }

    /// Nothing has arrived and the backend has not closed: the look before reuse.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.inbound.is_quiet()
    }

    /// The exchange on it has ended cleanly, to the last byte.
    pub(crate) fn is_reusable(&self) -> bool {
        self.keep_alive
            && !self.is_introduced
            && self.h2.is_none()
            && self.upload.is_done()
            && self.body.is_end()
            && self.inbound.buffered().is_empty()
            && self.outbound.pending() == 0
    }

    /// No deadline runs while it lies in the pool.
    pub(crate) fn rest(&mut self) {
        self.end_of_call = None;
        self.inbound.io().deadline.clear();
        self.outbound.io().deadline.clear();
    }
}

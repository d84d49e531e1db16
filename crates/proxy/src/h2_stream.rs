//! One request and its answer on a client's HTTP/2 connection, as if it were a
//! connection of its own: its halves take and give the bytes of bodies. A head is
//! written before them, and it is said how long it is.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use message::{ClientCertificate, Fields};
use wire::h2::{Connection, Reason, StreamKey};

use crate::tls_stream::Terms;

pub(crate) struct H2Stream {
    carrier: Rc<Carrier>,
    key: StreamKey,
    /// So many bytes of what is written next are a head.
    head: usize,
    /// It is that of the final answer.
    is_final: bool,
    /// The final answer's head has been sent.
    has_begun: bool,
    /// All has been written; the trailers, if there are any.
    end: Option<Vec<u8>>,
    /// All has been sent.
    is_answered: bool,
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
    pub(crate) connection: RefCell<Connection>,
}

impl H2Stream {
    pub(crate) fn new(carrier: Rc<Carrier>, key: StreamKey) -> Self {
        Self {
            carrier,
            key,
            head: 0,
            is_final: false,
            has_begun: false,
            end: None,
            is_answered: false,
            has_stalled: false,
        }
    }

    pub(crate) fn terms(&self) -> Option<Rc<Terms>> {
        self.carrier.terms.clone()
    }

    pub(crate) fn local_address(&self) -> Option<SocketAddr> {
        self.carrier.local_address
    }

    pub(crate) fn certificate(&self) -> Option<Rc<ClientCertificate>> {
        self.carrier.certificate.clone()
    }

    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut Vec<u8>,
    ) -> Poll<io::Result<usize>> {
        let mut connection = self.carrier.connection.borrow_mut();
        connection.poll_read(self.key, cx, into)
    }

    /// The trailers, after the end.
    pub(crate) fn take_trailers(&mut self, fields: &mut Fields) {
        let mut connection = self.carrier.connection.borrow_mut();
        if let Some(trailers) = connection.take_trailers(self.key) {
            for field in trailers.iter() {
                fields.push_as(field.known, field.name, field.value);
            }
        }
    }

    /// Resolves when the client wants no answer any more.
    pub(crate) fn poll_reset(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut connection = self.carrier.connection.borrow_mut();
        connection.poll_cut(self.key, cx)
    }

    /// The next bytes that are written are a head.
    pub(crate) fn expect_head(&mut self, length: usize, is_final: bool) {
        (self.head, self.is_final) = (length, is_final);
    }

    /// Nothing follows what has been written.
    pub(crate) fn end(&mut self, trailers: &Fields) {
        let mut section = Vec::new();
        wire::h2::write_section(&mut section, trailers);
        self.end = Some(section);
    }

    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut connection = self.carrier.connection.borrow_mut();
        let mut taken = 0;
        for piece in pieces {
            let mut rest = &**piece;
            if self.head > 0 {
                let whole = rest.split_at_checked(self.head);
                let (head, after) = whole.ok_or(io::ErrorKind::InvalidInput)?;
                connection.write_head(self.key, head);
                self.has_begun |= self.is_final;
                taken += head.len();
                self.head = 0;
                rest = after;
            }
            while !rest.is_empty() {
                match connection.poll_body(self.key, cx, rest) {
                    Poll::Pending if taken > 0 => return Poll::Ready(Ok(taken)),
                    polled => {
                        let n = ready!(polled)?;
                        taken += n;
                        rest = rest.get(n..).unwrap_or_default();
                    }
                }
            }
        }
        Poll::Ready(Ok(taken))
    }

    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut connection = self.carrier.connection.borrow_mut();
        if connection.poll_cut(self.key, cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if let Some(trailers) = self.end.take() {
            connection.finish(self.key, &trailers);
            self.is_answered = true;
        }
        Poll::Ready(Ok(()))
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// All of the answer has been sent.
    pub(crate) fn is_answered(&self) -> bool {
        self.is_answered
    }

    /// The client leaves the answer where it is.
    pub(crate) fn stall(&mut self) {
        if !std::mem::replace(&mut self.has_stalled, true) {
            self.carrier.connection.borrow_mut().stall();
        }
    }

    /// The client learns that the answer was cut.
    pub(crate) fn reset(&mut self) {
        let reason = match self.has_stalled {
            true => Reason::ENHANCE_YOUR_CALM,
            false => Reason::INTERNAL_ERROR,
        };
        if !self.is_answered {
            let mut connection = self.carrier.connection.borrow_mut();
            connection.reset(self.key, reason);
        }
    }

    /// Forgets what waits to be sent.
    pub(crate) fn discard(&mut self) {
        self.head = 0;
        self.end = None;
    }
}

impl Drop for H2Stream {
    fn drop(&mut self) {
        self.carrier.connection.borrow_mut().release(self.key);
    }
}

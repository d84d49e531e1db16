//! One request and its answer on an HTTP/2 connection, a client's or one to a backend,
//! as if it were a connection of its own: its halves take and give the bytes of
//! bodies. A head is written before them, and it is said how long it is.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use message::{ClientCertificate, Fields, ResponseHead};
use wire::h1::HeadError;
use wire::h2::{AnswerTo, Connection, Cut, Reason, StreamKey, Waiting};

use crate::sockets::tls_stream::Terms;

pub(crate) struct H2Stream {
    carrier: Rc<Carrier>,
    place: Place,
    /// So many bytes of what is written next are a head.
    head: usize,
    /// It is that of the request or of the final answer.
    is_final: bool,
    /// That head has been sent.
    has_begun: bool,
    /// All has been written; the trailers, if there are any.
    end: Option<Vec<u8>>,
    /// All has been sent.
    is_answered: bool,
    /// The client has not taken the answer in time.
    has_stalled: bool,
    /// It waits to hear what the backend takes.
    waiting: Option<Waiting>,
}

/// Where the stream is on its connection.
enum Place {
    /// Nowhere yet: it begins with a request's head.
    Unopened {
        to: AnswerTo,
    },
    At(StreamKey),
    /// The backend takes no request there.
    Refused,
}

/// What all streams of a connection have from it; most of it only a client's.
pub(crate) struct Carrier {
    /// What TLS has agreed on, where there is any.
    pub(crate) terms: Option<Rc<Terms>>,
    pub(crate) local_address: Option<SocketAddr>,
    /// What the client has shown.
    pub(crate) certificate: Option<Rc<ClientCertificate>>,
    pub(crate) connection: RefCell<Connection>,
}

impl Carrier {
    pub(crate) fn to_backend(connection: Connection) -> Rc<Self> {
        Rc::new(Self {
            terms: None,
            local_address: None,
            certificate: None,
            connection: RefCell::new(connection),
        })
    }
}

impl H2Stream {
    /// One that a client has opened.
    pub(crate) fn new(carrier: Rc<Carrier>, key: StreamKey) -> Self {
        Self::at(carrier, Place::At(key))
    }

    /// One to a backend, which is opened by its request.
    pub(crate) fn unopened(carrier: Rc<Carrier>) -> Self {
        Self::at(
            carrier,
            Place::Unopened {
                to: AnswerTo::Other,
            },
        )
    }

    fn at(carrier: Rc<Carrier>, place: Place) -> Self {
        Self {
            carrier,
            place,
            head: 0,
            is_final: false,
            has_begun: false,
            end: None,
            is_answered: false,
            has_stalled: false,
            waiting: None,
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

    fn key(&self) -> Option<StreamKey> {
        match self.place {
            Place::At(key) => Some(key),
            Place::Unopened { .. } | Place::Refused => None,
        }
    }

    /// Where the stream is, for what comes after its beginning.
    fn begun(&self) -> io::Result<StreamKey> {
        self.key().ok_or_else(refused)
    }

    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut Vec<u8>,
    ) -> Poll<io::Result<usize>> {
        let key = self.begun()?;
        let mut connection = self.carrier.connection.borrow_mut();
        connection.poll_read(key, cx, into)
    }

    /// The trailers, after the end.
    pub(crate) fn take_trailers(&mut self, fields: &mut Fields) {
        let mut connection = self.carrier.connection.borrow_mut();
        let trailers = self.key().and_then(|key| connection.take_trailers(key));
        for field in trailers.iter().flat_map(|trailers| trailers.iter()) {
            fields.push_as(field.known, field.name, field.value);
        }
    }

    /// The head of a backend's answer, interim or final.
    pub(crate) fn poll_answer(
        &mut self,
        cx: &mut Context<'_>,
        head: &mut ResponseHead,
    ) -> Poll<Result<(), HeadError>> {
        let mut connection = self.carrier.connection.borrow_mut();
        let came = match self.place {
            // The request is still to be written.
            Place::Unopened { .. } => Poll::Pending,
            Place::At(key) => connection.poll_head(key, cx, head),
            Place::Refused => Poll::Ready(Err(refused())),
        };
        let began = false;
        came.map_err(|error| HeadError::Stream { error, began })
    }

    /// Whether the backend takes requests to go on with another protocol.
    pub(crate) fn poll_takes_extended_connect(&mut self, cx: &Context<'_>) -> Poll<bool> {
        let mut connection = self.carrier.connection.borrow_mut();
        connection.poll_takes_extended_connect(cx, &mut self.waiting)
    }

    /// Resolves when the other end wants nothing any more.
    pub(crate) fn poll_reset(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut connection = self.carrier.connection.borrow_mut();
        match self.place {
            Place::Unopened { .. } => Poll::Pending,
            Place::At(key) => connection.poll_cut(key, cx),
            Place::Refused => Poll::Ready(()),
        }
    }

    /// The next bytes that are written are a request's head.
    pub(crate) fn expect_request(&mut self, length: usize, to: AnswerTo) {
        if let Place::Unopened { to: said } = &mut self.place {
            *said = to;
        }
        self.expect_head(length, true);
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
                self.place = match self.place {
                    Place::At(key) => {
                        ready!(connection.poll_room(key, cx));
                        connection.write_head(key, head);
                        Place::At(key)
                    }
                    Place::Unopened { to } => {
                        let opened = connection.open(head, to);
                        opened.map_or(Place::Refused, Place::At)
                    }
                    Place::Refused => Place::Refused,
                };
                self.has_begun |= self.is_final;
                taken += head.len();
                self.head = 0;
                rest = after;
            }
            let key = self.begun()?;
            while !rest.is_empty() {
                match connection.poll_body(key, cx, rest) {
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
        if self.is_answered {
            return Poll::Ready(Ok(()));
        }
        let key = self.begun()?;
        let mut connection = self.carrier.connection.borrow_mut();
        if connection.poll_cut(key, cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if let Some(trailers) = self.end.take() {
            connection.finish(key, &trailers);
            self.is_answered = true;
        }
        Poll::Ready(Ok(()))
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// All of the message has been sent.
    pub(crate) fn is_answered(&self) -> bool {
        self.is_answered
    }

    /// The other end leaves what is sent where it is.
    pub(crate) fn stall(&mut self) {
        if !self.has_stalled {
            self.has_stalled = self.carrier.connection.borrow_mut().stall();
        }
    }

    /// The other end learns that the message was cut.
    pub(crate) fn reset(&mut self) {
        let reason = match self.has_stalled {
            true => Reason::ENHANCE_YOUR_CALM,
            false => Reason::INTERNAL_ERROR,
        };
        if let Some(key) = self.key().filter(|_| !self.is_answered) {
            let mut connection = self.carrier.connection.borrow_mut();
            connection.reset(key, reason);
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
        if let Some(key) = self.key() {
            self.carrier.connection.borrow_mut().release(key);
        }
        if let Some(place) = self.waiting {
            self.carrier.connection.borrow_mut().stop_waiting(place);
        }
    }
}

fn refused() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, Cut::Unseen)
}

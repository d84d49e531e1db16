//! One request with all that happens to it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use message::Kind;
use tokio::time::Instant;

use crate::backend::answer::Answer;
use crate::client::Client;
use crate::flaw::Flaw;
use crate::line::Line;
use crate::request::Request;

pub(crate) struct Case {
    pub(crate) request: Request,
    pub(crate) client: Rc<Client>,
    /// Where and when it begins in what its client sends.
    pub(crate) starts_at: u64,
    pub(crate) began_at: Instant,
    /// The most clients that had asked for something as well at any time since.
    pub(crate) others: Cell<usize>,
    pub(crate) attempts: RefCell<Vec<Rc<Attempt>>>,
    pub(crate) reply: Reply,
    /// How it settled: the status, and the failure if it was one.
    pub(crate) settled: Cell<Option<(u16, Option<Kind>)>>,
}

/// What Forebay has sent to the client in answer.
#[derive(Default)]
pub(crate) struct Reply {
    /// The status, once the final head is there.
    pub(crate) status: Cell<Option<u16>>,
    /// Bytes of the body so far.
    pub(crate) length: Cell<u64>,
    /// The last byte is there; a reply that lasts until the end of the
    /// connection still needs that end.
    pub(crate) is_whole: Cell<bool>,
    pub(crate) is_until_end: Cell<bool>,
    /// The backend's answer that it is.
    pub(crate) answer: RefCell<Option<Rc<Answer>>>,
}

/// One connection to a backend on which Forebay has begun to send the request.
pub(crate) struct Attempt {
    pub(crate) line: Rc<Line>,
    /// What the backend's and the client's line had moved by then.
    pub(crate) taken_before: u64,
    pub(crate) sent_before: u64,
    pub(crate) to_client_before: u64,
    /// All of the request has been sent.
    pub(crate) is_whole: Cell<bool>,
    /// The backend has sent what is no proper answer.
    pub(crate) lied: Cell<bool>,
    /// What it answers.
    pub(crate) answer: RefCell<Option<Rc<Answer>>>,
}

impl Attempt {
    /// The backend has sent all of a final head.
    pub(crate) fn has_head(&self) -> bool {
        let answer = self.answer.borrow();
        answer.as_ref().is_some_and(|answer| answer.head_is_sent())
    }
}

impl Case {
    pub(crate) fn new(request: Request, client: &Rc<Client>) -> Rc<Self> {
        client.line.begin_request();
        Rc::new(Self {
            request,
            client: Rc::clone(client),
            starts_at: client.line.given.get(),
            began_at: Instant::now(),
            others: Cell::new(0),
            attempts: RefCell::default(),
            reply: Reply::default(),
            settled: Cell::new(None),
        })
    }

    /// How much of it the client has sent.
    pub(crate) fn sent(&self) -> usize {
        (self.client.line.given.get() - self.starts_at) as usize
    }

    pub(crate) fn is_sent(&self) -> bool {
        self.sent() >= self.request.bytes.len()
    }

    /// It asks for a head only, as far as can be told from what was sent of it.
    pub(crate) fn is_known_head(&self) -> bool {
        let line_end = self.request.bytes.iter().position(|&b| b == b'\n');
        let is_refused = matches!(
            self.request.flaw,
            Some(Flaw::LongLine | Flaw::UnknownVersion | Flaw::Connect)
        );
        self.request.method == "HEAD" && Some(self.sent()) > line_end && !is_refused
    }

    /// Whether some attempt was like this.
    pub(crate) fn any(&self, is: impl Fn(&Attempt) -> bool) -> bool {
        self.attempts.borrow().iter().any(|attempt| is(attempt))
    }
}

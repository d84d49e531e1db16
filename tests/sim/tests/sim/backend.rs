//! A connection to a backend, as far as both the backend and whoever judges
//! look at it.

mod acts;
pub(crate) mod answer;
pub(crate) mod fault;
pub(crate) mod life;
pub(crate) mod tap;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use tokio::sync::Notify;

use crate::case::{Attempt, Case};
use crate::line::Line;

/// What a backend has heard on one connection.
pub(crate) struct Heard {
    pub(crate) line: Rc<Line>,
    /// Requests that Forebay has begun to send, or tried to.
    pub(crate) begun: Cell<usize>,
    pub(crate) requests: RefCell<Vec<Rc<HeardRequest>>>,
    /// Something has been read, or the connection has ended.
    pub(crate) changed: Notify,
    pub(crate) reads_no_more: Cell<bool>,
    /// It leaves lying what Forebay sends.
    pub(crate) has_stopped: Cell<bool>,
}

pub(crate) struct HeardRequest {
    pub(crate) case: Rc<Case>,
    pub(crate) attempt: Rc<Attempt>,
    /// Where in the stream its head and all of it end.
    pub(crate) head_end: u64,
    pub(crate) end: Cell<Option<u64>>,
}

impl Heard {
    pub(crate) fn new(line: Rc<Line>) -> Rc<Self> {
        Rc::new(Self {
            line,
            begun: Cell::new(0),
            requests: RefCell::default(),
            changed: Notify::new(),
            reads_no_more: Cell::new(false),
            has_stopped: Cell::new(false),
        })
    }

    /// The request with this number, once the backend has read its head.
    pub(crate) fn head(&self, number: usize) -> Option<Rc<HeardRequest>> {
        let requests = self.requests.borrow();
        let request = requests.get(number)?;
        (self.line.read.get() >= request.head_end).then(|| Rc::clone(request))
    }

    /// Forebay has begun a request of which it could not send enough to say
    /// which it is.
    pub(crate) fn is_unheard(&self) -> bool {
        self.begun.get() > self.requests.borrow().len()
    }

    /// The backend has read all of the request.
    pub(crate) fn has_read(&self, request: &HeardRequest) -> bool {
        let end = request.end.get();
        end.is_some_and(|end| self.line.read.get() >= end)
    }
}

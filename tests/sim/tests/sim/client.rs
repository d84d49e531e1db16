//! A client's connection, as far as both the client and whoever judges look
//! at it.

pub(crate) mod habits;
pub(crate) mod life;
pub(crate) mod tap;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::case::Case;
use crate::line::Line;

pub(crate) struct Client {
    pub(crate) index: usize,
    pub(crate) line: Rc<Line>,
    pub(crate) came_at: Instant,
    /// All of its requests that it has begun to send.
    pub(crate) cases: RefCell<Vec<Rc<Case>>>,
    /// Those without a whole reply.
    pub(crate) open: RefCell<VecDeque<Rc<Case>>>,
    /// How many whole replies there are, and where in the stream each ends.
    pub(crate) reply_ends: RefCell<Vec<u64>>,
    /// An interim reply stands open: the 100 that some requests wait for.
    pub(crate) continues: Cell<u64>,
    /// A reply has said that it is the last one.
    pub(crate) is_closing: Cell<bool>,
    /// It has been told that there are too many clients.
    pub(crate) turned_away: Cell<bool>,
    /// Something has been read, or the connection has ended.
    pub(crate) changed: Notify,
    pub(crate) reads_no_more: Cell<bool>,
}

impl Client {
    pub(crate) fn new(index: usize, line: Rc<Line>) -> Rc<Self> {
        Rc::new(Self {
            index,
            line,
            came_at: Instant::now(),
            cases: RefCell::default(),
            open: RefCell::default(),
            reply_ends: RefCell::default(),
            continues: Cell::new(0),
            is_closing: Cell::new(false),
            turned_away: Cell::new(false),
            changed: Notify::new(),
            reads_no_more: Cell::new(false),
        })
    }

    /// Each client has an address of its own.
    pub(crate) fn address(&self) -> SocketAddr {
        let ip = Ipv4Addr::from_bits(Ipv4Addr::new(192, 168, 0, 1).to_bits() + self.index as u32);
        SocketAddr::new(IpAddr::V4(ip), 1000 + self.index as u16)
    }

    /// Waits until it is so.
    pub(crate) async fn until(&self, is: impl Fn() -> bool) {
        while !is() {
            self.changed.notified().await;
        }
    }

    /// Some request of it has not settled.
    pub(crate) fn is_asking(&self) -> bool {
        let cases = self.cases.borrow();
        cases.iter().any(|case| case.settled.get().is_none())
    }

    /// It has read a whole reply to everything it has sent.
    pub(crate) fn has_all(&self) -> bool {
        self.open.borrow().is_empty() && self.replies_read() == self.reply_ends.borrow().len()
    }

    /// Whole replies that the client has read to their end.
    pub(crate) fn replies_read(&self) -> usize {
        let read = self.line.read.get();
        let ends = self.reply_ends.borrow();
        ends.iter().filter(|&&end| end <= read).count()
    }
}

//! Whether anybody is left at the other end of a connection over HTTP/2 on which
//! nothing comes (RFC 9113 section 6.7).

use std::rc::Rc;
use std::task::Context;

use upstream::Keepalive;
use wire::h2::Connection;

use crate::sockets::timers::{Deadline, Timers};

/// When the backend is asked, and until when it may answer.
pub(crate) struct Pings {
    terms: Keepalive,
    deadline: Deadline,
    /// What had been heard when the deadline was set; None where there is none.
    since: Option<u64>,
    has_asked: bool,
}

impl Pings {
    pub(crate) fn new(terms: Keepalive, timers: &Rc<Timers>) -> Self {
        Self {
            terms,
            deadline: timers.deadline(),
            since: None,
            has_asked: false,
        }
    }

    /// To be asked whenever something may have happened: `heard` counts what has come.
    /// True once the backend has not answered in time.
    pub(crate) fn is_dead(
        &mut self,
        cx: &Context<'_>,
        connection: &mut Connection,
        heard: u64,
    ) -> bool {
        if connection.is_idle() && !self.terms.when_idle {
            self.since = None;
            self.deadline.clear();
            return false;
        }
        if self.since != Some(heard) {
            self.since = Some(heard);
            self.has_asked = false;
            self.deadline.within(self.terms.interval);
        }
        if !self.deadline.has_passed(cx) {
            return false;
        }
        if std::mem::replace(&mut self.has_asked, true) {
            return true;
        }
        connection.send_ping();
        self.deadline.within(self.terms.timeout);
        // So that it is looked at again then.
        self.deadline.has_passed(cx)
    }
}

//! How much Forebay may keep, and how often it may ask.

use std::rc::Rc;

use crate::backend::HeardRequest;
use crate::case::{Attempt, Case};
use crate::client::Client;
use crate::line::Line;
use crate::world::World;

/// A block of Forebay's buffers, of which one may have doubled for a long line.
const BLOCK: u64 = 68 * 1024;
const LARGEST: usize = 2 * BLOCK as usize;

/// What is kept of a request's body for another attempt.
const REPLAY: u64 = 64 * 1024;

impl World {
    pub(crate) fn check_buffer(&self, line: &Line, capacity: usize) {
        if capacity > LARGEST {
            let name = &line.name;
            self.wrong(format!("{name}: a buffer of {capacity} bytes"));
        }
    }

    /// What Forebay offers to send at once is a buffer and a piece from another.
    pub(crate) fn check_offer(&self, line: &Line, offered: usize) {
        if offered > 2 * LARGEST {
            let name = &line.name;
            self.wrong(format!("{name}: {offered} bytes to send at once"));
        }
    }

    /// Of an answer no more is taken than the client has been sent, but for a
    /// buffer or two: the client sets the pace.
    pub(crate) fn check_download(&self, request: &HeardRequest) {
        let (case, attempt) = (&request.case, &request.attempt);
        let answer = attempt.answer.borrow();
        let overhead = answer.as_ref().map_or(0, |answer| answer.overhead() as u64);
        let taken = attempt.line.taken.get() - attempt.taken_before;
        let sent = case.client.line.sent.get() - attempt.to_client_before;
        // An answer that is put aside is taken as far as it has arrived.
        let arrived = match self.settings.max_attempts {
            1 => 0,
            _ => attempt.line.capacity.get() as u64,
        };
        if taken > sent + overhead + 2 * BLOCK + arrived {
            let name = &attempt.line.name;
            self.wrong(format!("{name}: {taken} bytes taken, {sent} passed on"));
        }
    }

    /// Nor is more taken of a request than has been passed on, but for what is
    /// kept for another attempt.
    pub(crate) fn check_upload(&self, client: &Rc<Client>) {
        let Some(case) = client.open.borrow().front().cloned() else {
            return;
        };
        let attempts = case.attempts.borrow();
        let passed_on = |attempt: &Rc<Attempt>| attempt.line.sent.get() - attempt.sent_before;
        let Some(passed_on) = attempts.iter().map(passed_on).max() else {
            return;
        };
        if case.settled.get().is_some() {
            return;
        }
        let overhead = (case.request.bytes.len() - case.request.length) as u64;
        let taken = client.line.taken.get() - case.starts_at;
        // What has arrived of a request that is refused is thrown away.
        let arrived = client.line.capacity.get() as u64;
        if taken > passed_on + overhead + REPLAY + 2 * BLOCK + arrived {
            let name = &client.line.name;
            self.wrong(format!(
                "{name}: {taken} bytes taken, {passed_on} passed on"
            ));
        }
    }

    /// A request that may do harm twice goes to one backend once, whatever
    /// becomes of it; any other as often as the configuration says, and once
    /// more for each connection that proves stale and each that hedges.
    pub(crate) fn check_attempts(&self, case: &Case) {
        let made = case.attempts.borrow().len();
        let most = match case.request.is_delicate() {
            true => 1,
            false => (2 + usize::from(self.settings.hedges)) * self.settings.max_attempts,
        };
        if made > most {
            let (method, client) = (case.request.method, case.client.index);
            self.wrong(format!(
                "a {method} of client {client} is sent for the {made}. time"
            ));
        }
    }
}

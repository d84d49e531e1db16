//! A connection, without the socket: frames go in, messages and frames come out
//! (RFC 9113). One task drives it; each stream has a task of its own, which asks and
//! gives here.
//!
//! It is a client's (`serving`), or one to a backend (`asking`). What both do alike
//! is in `incoming` and `outgoing`.
//!
//! What waits to be sent is bounded: bodies by what `SHARE` says, and the frames
//! that answer frames by [`Connection::is_congested`], which stops the reading.

mod asking;
mod incoming;
mod late;
mod outgoing;
mod serving;
mod streams;

use std::io;
use std::task::{Context, Poll, Waker};

use self::asking::Asking;
use self::late::Late;
use self::streams::{Stream, Streams};
use super::fields::{TrailerReader, most};
use super::frame::{
    self, HEAD, Head, INITIAL_WINDOW, MAX_SIZE, MAX_WINDOW, PREFACE, Reason, flag, kind, setting,
};
use super::hpack::Decoder;
use super::watch::{Flood, Watch};
use crate::blocks::Blocks;
use crate::h1::{BlocksHandle, Limits};

pub use asking::{Waiting, Windows};
pub use serving::{Arrived, Options};
pub use streams::{AnswerTo, Cut};

/// What we remember of fields that have come, in bytes (RFC 7541 section 4.2).
const TABLE_SIZE: usize = 4096;

/// Whoever needs more frames than these for one field section sends nothing in them.
const MAX_CONTINUATIONS: usize = 32;

/// How much may wait to be sent before nothing more is read.
const CONGESTED: usize = 128 * 1024;

/// Names a stream until it is released.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamKey(pub(self) u32);

impl StreamKey {
    /// Small numbers, used again and again.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

#[derive(Debug)]
pub struct Connection {
    role: Role,
    pub watch: Watch,
    decoder: Decoder,
    input: Input,
    /// Bytes of a frame that has not come whole.
    gathered: Vec<u8>,
    /// A field section that goes on in further frames.
    section: Option<Section>,
    /// Settings have come, as they must first.
    is_greeted: bool,
    streams: Streams,
    late: Late,
    /// The latest stream that has begun.
    latest: u32,
    /// Streams of the other end's after this one are not taken.
    last: u32,
    leaving: Leaving,
    /// The other end says that it is about to leave.
    peer_leaves: bool,
    /// Why nothing is taken any more.
    end: Option<Reason>,

    /// What the other end may send ahead, on a stream at first and at most, and on all.
    first_window: i64,
    stream_window: i64,
    connection_window: i64,
    /// What it may still send, on all streams.
    receive_window: i64,
    /// Of new streams: what we have told, once the other end has said that it knows.
    own_window: i64,
    are_settings_known: bool,

    send_window: i64,
    /// Of new streams.
    peer_window: i64,
    /// The other end has said how large its table is to be; ours is empty, which is to
    /// be said then (RFC 7541 section 4.2).
    must_say_table: bool,

    blocks: BlocksHandle,
    /// Borrowed while there is something in it.
    out: Vec<u8>,
    /// How much of it has been sent.
    sent: usize,
    /// Counts how often all had been sent.
    round: u64,
    driver: Option<Waker>,
    is_driver_waiting: bool,
}

#[derive(Debug)]
enum Role {
    /// The other end is a client.
    Serving { max_concurrent_streams: usize },
    /// The other end is a backend.
    Asking(Asking),
}

#[derive(Debug, Clone, Copy)]
enum Input {
    Preface {
        seen: usize,
    },
    Frame,
    /// The rest of a frame whose head this is.
    Payload(Head),
    /// A frame of data, of which bytes are taken as they come.
    Data(Data),
}

#[derive(Debug, Clone, Copy)]
struct Data {
    stream: u32,
    /// Bytes that are to come.
    body: usize,
    is_last: bool,
}

#[derive(Debug)]
struct Section {
    stream: u32,
    is_last: bool,
    block: Vec<u8>,
    continuations: usize,
}

/// How far a polite end has come (RFC 9113 section 6.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leaving {
    No,
    /// It has been told, and asked to answer so that we know it knows.
    Told,
    Done,
}

/// What the window of a client's stream is at first, and always. It grows where bytes are
/// taken as fast as they come.
const FIRST_WINDOW: i64 = 64 * 1024;

/// What the ping at a polite end carries, and what any other.
const FAREWELL: [u8; 8] = *b"farewell";
const ANYBODY: [u8; 8] = *b"anybody?";

impl Connection {
    /// Nothing has come, and nothing has been said.
    fn unbegun(role: Role, windows: (u32, u32), watch: Watch, blocks: Blocks) -> Self {
        let window = i64::from(windows.0);
        let (input, last, first_window) = match &role {
            Role::Serving { .. } => {
                let input = Input::Preface { seen: 0 };
                (input, u32::MAX, window.min(FIRST_WINDOW))
            }
            Role::Asking(_) => (Input::Frame, 0, window),
        };
        Self {
            role,
            watch,
            decoder: Decoder::new(TABLE_SIZE),
            input,
            gathered: Vec::new(),
            section: None,
            is_greeted: false,
            streams: Streams::default(),
            late: Late::default(),
            latest: 0,
            last,
            leaving: Leaving::No,
            peer_leaves: false,
            end: None,
            first_window,
            stream_window: window,
            connection_window: i64::from(windows.1),
            receive_window: INITIAL_WINDOW,
            own_window: INITIAL_WINDOW,
            are_settings_known: false,
            send_window: INITIAL_WINDOW,
            peer_window: INITIAL_WINDOW,
            must_say_table: false,
            blocks: BlocksHandle(blocks),
            out: Vec::new(),
            sent: 0,
            round: 0,
            driver: None,
            is_driver_waiting: false,
        }
    }

    /// The connection is over: nothing more is taken or given.
    pub fn is_over(&self) -> bool {
        let is_left = self.leaving == Leaving::Done || self.peer_leaves;
        self.end.is_some() || (is_left && self.streams.is_empty())
    }

    /// The other end has begun as it must.
    pub fn is_greeted(&self) -> bool {
        self.is_greeted
    }

    /// Why we have ended it, where we have.
    pub fn end(&self) -> Option<Reason> {
        self.end
    }

    /// The stream whose head has come in part.
    pub fn amid_head(&self) -> Option<u32> {
        match (&self.section, self.input) {
            (Some(section), _) => Some(section.stream),
            (None, Input::Payload(head)) if head.kind == kind::HEADERS => Some(head.stream),
            _ => None,
        }
    }

    /// The rest of a head has not come in time.
    pub fn head_is_late(&mut self) {
        self.calm(Flood::Continuation);
    }

    /// No request is under way.
    pub fn is_idle(&self) -> bool {
        self.streams.is_empty()
    }

    /// The other end knows that it is to go, or has had the time to.
    pub fn take_no_more(&mut self) {
        self.leaving = Leaving::Done;
        self.last = self.latest;
        self.go_away(self.latest, Reason::NO_ERROR);
    }

    /// Of what the other end may still send, nothing begins any more.
    pub fn takes_no_more(&self) -> bool {
        self.leaving == Leaving::Done
    }

    /// Ends the connection at once, and says why.
    pub fn fail(&mut self, reason: Reason) {
        if self.end.is_none() {
            self.go_away(self.latest.min(self.last), reason);
            self.end = Some(reason);
            self.streams.cut_all(Cut::ByUs(reason));
            self.wake_waiting();
            self.wake_driver();
        }
    }

    /// The socket is no more, and with it what there was on it.
    pub fn lose(&mut self, cut: Cut) {
        self.end.get_or_insert(Reason::NO_ERROR);
        self.streams.cut_all(cut);
        self.wake_waiting();
    }

    /// The other end has done too much of something.
    fn calm(&mut self, flood: Flood) {
        self.watch.note(flood);
        self.fail(Reason::ENHANCE_YOUR_CALM);
    }

    /// The task that drives it waits. It is woken when there is something to send
    /// or a stream has ended.
    pub fn wait(&mut self, cx: &Context<'_>) {
        let is_same = |waker: &Waker| waker.will_wake(cx.waker());
        if !self.driver.as_ref().is_some_and(is_same) {
            self.driver = Some(cx.waker().clone());
        }
        self.is_driver_waiting = true;
    }

    /// The task that drives it runs, and needs no waking.
    pub fn attend(&mut self) {
        self.is_driver_waiting = false;
    }

    fn wake_driver(&mut self) {
        if std::mem::replace(&mut self.is_driver_waiting, false)
            && let Some(driver) = &self.driver
        {
            driver.wake_by_ref();
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.blocks.0.give(std::mem::take(&mut self.out));
    }
}

#[cfg(test)]
mod tests;

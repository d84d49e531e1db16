//! A client's connection, without the socket: frames go in, requests, bodies and
//! frames come out (RFC 9113). One task drives it; each stream has a task of its
//! own, which asks and gives here.
//!
//! What waits to be sent is bounded: bodies by what `SHARE` says, and the frames
//! that answer frames by [`Connection::is_congested`], which stops the reading.

mod incoming;
mod outgoing;
mod streams;

use std::io;
use std::task::{Context, Poll, Waker};

use message::{Failure, RequestHead};

use self::streams::{Stream, Streams};
use super::frame::{
    self, HEAD, Head, INITIAL_WINDOW, MAX_SIZE, MAX_WINDOW, PREFACE, Reason, flag, kind, setting,
};
use super::hpack::Decoder;
use super::request::{RequestReader, TrailerReader, most};
use super::watch::{Flood, Watch};
use crate::blocks::Blocks;
use crate::h1::{BlocksHandle, Limits};

/// What we remember of fields that have come, in bytes (RFC 7541 section 4.2).
const TABLE_SIZE: usize = 4096;

/// Whoever needs more frames than these for one field section sends nothing in them.
const MAX_CONTINUATIONS: usize = 32;

/// How much may wait to be sent before nothing more is read.
const CONGESTED: usize = 128 * 1024;

/// What a listener says of its connections.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    pub max_concurrent_streams: u32,
    /// Bytes that a client may send ahead, of one request and of all.
    pub stream_window: u32,
    pub connection_window: u32,
    /// How large a field section may be, as the client is told.
    pub max_header_list_size: u32,
    /// Clients may ask for other protocols (RFC 8441).
    pub takes_extended_connect: bool,
}

/// A request's head has come.
#[derive(Debug)]
pub struct Arrived {
    pub stream: StreamKey,
    /// What it wants to go on with (RFC 8441).
    pub protocol: Option<Box<[u8]>>,
    /// Whether the head is one.
    pub verdict: Result<(), Failure>,
}

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
    options: Options,
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
    /// The client's latest stream.
    latest: u32,
    /// Streams after this one are not taken.
    last: u32,
    leaving: Leaving,
    /// The client says that it is about to leave.
    client_leaves: bool,
    /// Why nothing is taken any more.
    end: Option<Reason>,

    /// What the client may still send, of all streams, and what of its bytes has
    /// been taken but not told.
    receive_window: i64,
    untold: i64,
    /// Of new streams: what we have told, once the client has said that it knows.
    own_window: i64,
    are_settings_known: bool,

    send_window: i64,
    /// Of new streams.
    peer_window: i64,
    /// The client has said how large its table is to be; ours is empty, which is to
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

/// What the ping at the end carries.
const FAREWELL: [u8; 8] = *b"farewell";

impl Connection {
    pub fn new(options: Options, watch: Watch, blocks: Blocks) -> Self {
        let mut connection = Self {
            options,
            watch,
            decoder: Decoder::new(TABLE_SIZE),
            input: Input::Preface { seen: 0 },
            gathered: Vec::new(),
            section: None,
            is_greeted: false,
            streams: Streams::default(),
            latest: 0,
            last: u32::MAX,
            leaving: Leaving::No,
            client_leaves: false,
            end: None,
            receive_window: INITIAL_WINDOW,
            untold: 0,
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
        };
        connection.greet();
        connection
    }

    /// The connection is over: nothing more is taken or given.
    pub fn is_over(&self) -> bool {
        let is_left = self.leaving == Leaving::Done || self.client_leaves;
        self.end.is_some() || (is_left && self.streams.is_empty())
    }

    /// The client has begun as it must.
    pub fn is_greeted(&self) -> bool {
        self.is_greeted
    }

    /// No request is under way.
    pub fn is_idle(&self) -> bool {
        self.streams.is_empty()
    }

    /// Says that nothing new is taken. What is on its way here still is, until the
    /// client has answered.
    pub fn leave(&mut self) {
        if self.leaving == Leaving::No && self.end.is_none() {
            self.leaving = Leaving::Told;
            self.go_away(MAX_WINDOW as u32, Reason::NO_ERROR);
            self.write(kind::PING, 0, 0, &FAREWELL);
        }
    }

    /// The client knows that it is to go, or has had the time to.
    pub fn take_no_more(&mut self) {
        self.leaving = Leaving::Done;
        self.last = self.latest;
        self.go_away(self.latest, Reason::NO_ERROR);
    }

    /// Of what the client may still send, nothing begins any more.
    pub fn takes_no_more(&self) -> bool {
        self.leaving == Leaving::Done
    }

    /// Ends the connection at once, and says why.
    pub fn fail(&mut self, reason: Reason) {
        if self.end.is_none() {
            self.go_away(self.latest.min(self.last), reason);
            self.end = Some(reason);
            self.streams.lose_all();
            self.wake_driver();
        }
    }

    /// The socket is no more.
    pub fn lose(&mut self) {
        self.end.get_or_insert(Reason::NO_ERROR);
        self.streams.lose_all();
    }

    /// A client has done too much of something.
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

//! The streams that somebody holds, by the connection's numbers and by ours.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::task::{Context, Waker};

use message::{Fields, Kind, Reset, ResponseHead};

use super::{Reason, StreamKey};
use crate::h1::Limits;
use crate::h2::fields::length;
use crate::h2::response::Fault;

/// A buffer larger than this is not kept for what comes later.
const KEEP: usize = 16 * 1024;

/// Interim answers that wait to be taken; whoever sends more is cut off.
const MAX_INTERIM: usize = 32;

/// Why a stream ended before its time: the source of the `io::Error` that says so,
/// but where the connection was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    ByPeer(Reason),
    /// Because of what came on it, or on its connection.
    ByUs(Reason),
    /// What came is no answer.
    BadAnswer(Kind, &'static str),
    /// The backend has not looked at the request, and will not.
    Unseen,
    /// With its connection.
    Lost,
    /// With its connection, on which nobody is at the other end any more.
    Silent,
}

impl Cut {
    /// Why a stream ended whose end an error is.
    pub fn of(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref().copied()
    }

    /// Why the other end has reset the stream, if it has.
    pub fn reset(self) -> Option<Reset> {
        match self {
            Self::ByPeer(reason) => Some(match reason {
                Reason::NO_ERROR => Reset::NoError,
                Reason::REFUSED_STREAM => Reset::Refused,
                Reason::CANCEL => Reset::Cancel,
                Reason::ENHANCE_YOUR_CALM => Reset::EnhanceYourCalm,
                Reason::INADEQUATE_SECURITY => Reset::InadequateSecurity,
                _ => Reset::Error,
            }),
            _ => None,
        }
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ByPeer(reason) => write!(f, "the other end has reset the stream: {reason}"),
            Self::ByUs(reason) => write!(f, "what came over HTTP/2 breaks its rules: {reason}"),
            Self::BadAnswer(_, why) => f.write_str(why),
            Self::Unseen => f.write_str("the connection takes no further request"),
            Self::Lost => f.write_str("the connection was lost"),
            Self::Silent => f.write_str("it was silent, and did not answer to PING either"),
        }
    }
}

impl std::error::Error for Cut {}

/// What kind of request an answer is one to: that says what follows its head.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum AnswerTo {
    /// To HEAD, nothing does.
    Head,
    /// To CONNECT, if all is well, bytes of another protocol (RFC 9110 section 9.3.6).
    Connect,
    #[default]
    Other,
}

impl AnswerTo {
    /// What an answer says of a length is that of its body.
    fn has_body(self, status: u16) -> bool {
        match (self, status) {
            (_, 204 | 304) | (Self::Head, _) => false,
            (Self::Connect, status) => !(200..300).contains(&status),
            (Self::Other, _) => true,
        }
    }
}

#[derive(Debug)]
pub(super) struct Stream {
    pub(super) id: u32,
    pub cut: Option<Cut>,

    /// Of the body, what has come and not been read.
    arrived: Vec<u8>,
    at: usize,
    /// What of the announced length is to come.
    left: Option<u64>,
    /// All of it has come: of a client's request, or of a backend's answer.
    is_received: bool,
    pub trailers: Option<Box<Fields>>,
    /// What the other end may still send, and what has been read but not told.
    pub receive_window: i64,
    pub untold: i64,
    /// How large its window is, before anything has been sent.
    window: i64,
    pub answer: Answer,

    /// All of ours has been given.
    pub is_sent: bool,
    pub send_window: i64,
    /// In which round it gave something to send last, how much in that round, and
    /// where the latest frame begins.
    pub round: u64,
    pub given: usize,
    pub frame_at: usize,

    waker: Option<Waker>,
    awaits: Awaits,
}

/// The heads of an answer, where answers come.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// The final one has not come.
    pub is_due: bool,
    /// Of what request.
    pub to: AnswerTo,
    interim: VecDeque<ResponseHead>,
    interim_size: usize,
    last: Option<ResponseHead>,
}

/// What a stream's task waits for.
#[derive(Debug, Default, Clone, Copy)]
struct Awaits {
    reading: bool,
    writing: bool,
    end: bool,
}

impl Stream {
    pub(super) fn new(
        id: u32,
        is_received: bool,
        length: Option<u64>,
        (receive_window, send_window): (i64, i64),
    ) -> Self {
        Self {
            id,
            cut: None,
            arrived: Vec::new(),
            at: 0,
            left: length,
            is_received,
            trailers: None,
            receive_window,
            untold: 0,
            window: receive_window,
            answer: Answer::default(),
            is_sent: false,
            send_window,
            round: u64::MAX,
            given: 0,
            frame_at: 0,
            waker: None,
            awaits: Awaits::default(),
        }
    }

    pub(super) fn is_receiving(&self) -> bool {
        self.cut.is_none() && !self.is_received
    }

    pub(super) fn has_failed(&self) -> bool {
        self.cut.is_some()
    }

    /// It counts as one of those that may be open at a time.
    fn is_open(&self) -> bool {
        self.cut.is_none() && !(self.is_received && self.is_sent)
    }

    /// All has come, and what has happened since takes nothing from it.
    pub(super) fn is_whole(&self) -> bool {
        self.is_received
            && match self.cut {
                None | Some(Cut::Lost | Cut::Silent | Cut::Unseen) => true,
                // Who has said all may want no more of ours (RFC 9113 section 8.1).
                Some(Cut::ByPeer(reason)) => reason == Reason::NO_ERROR || self.is_sent,
                Some(Cut::ByUs(_) | Cut::BadAnswer(..)) => false,
            }
    }

    /// A head has come, of so many bytes.
    pub(super) fn take_head(
        &mut self,
        head: ResponseHead,
        size: usize,
        is_last: bool,
        limits: &Limits,
    ) -> Result<(), Fault> {
        let answer = &mut self.answer;
        if head.is_interim() {
            answer.interim_size += size;
            if answer.interim.len() >= MAX_INTERIM || answer.interim_size > limits.fields {
                return Err((Kind::BadResponse, "more interim answers than are taken"));
            }
            answer.interim.push_back(head);
        } else {
            let has_body = answer.to.has_body(head.status);
            self.left = length(&head.fields).filter(|_| has_body);
            answer.is_due = false;
            answer.last = Some(head);
            if is_last && !self.end_of_message() {
                return Err((Kind::BadResponse, "Content-Length, and no body"));
            }
        }
        self.wake_reader();
        Ok(())
    }

    /// The next head that has come.
    pub(super) fn next_head(&mut self) -> Option<ResponseHead> {
        let answer = &mut self.answer;
        let interim = answer.interim.pop_front();
        if answer.interim.is_empty() {
            answer.interim_size = 0;
        }
        interim.or_else(|| answer.last.take())
    }

    /// A piece of the body; false where it is more than was announced.
    pub(super) fn take(&mut self, body: &[u8]) -> bool {
        if let Some(left) = &mut self.left {
            match left.checked_sub(body.len() as u64) {
                Some(less) => *left = less,
                None => return false,
            }
        }
        if self.at > self.arrived.len() / 2 {
            self.arrived.drain(..self.at);
            self.at = 0;
        }
        self.arrived.extend_from_slice(body);
        true
    }

    /// The message is whole; false where it is shorter than was announced.
    pub(super) fn end_of_message(&mut self) -> bool {
        self.is_received = true;
        self.wake_reader();
        self.left.is_none_or(|left| left == 0)
    }

    /// What has come and not been read.
    pub(super) fn unread(&self) -> &[u8] {
        self.arrived.get(self.at..).unwrap_or_default()
    }

    pub(super) fn read(&mut self, into: &mut Vec<u8>) -> usize {
        let room = (into.capacity() - into.len()).max(1);
        let unread = self.unread();
        let n = unread.len().min(room);
        into.extend_from_slice(unread.get(..n).unwrap_or_default());
        self.at += n;
        if self.at == self.arrived.len() {
            self.at = 0;
            match self.arrived.capacity() > KEEP {
                true => self.arrived = Vec::new(),
                false => self.arrived.clear(),
            }
        }
        n
    }

    /// So many bytes have been taken; whether it is worth a frame to say so.
    pub(super) fn has_taken(&mut self, count: usize) -> bool {
        self.untold += count as i64;
        count > 0 && self.is_receiving() && self.untold >= self.window / 2
    }

    /// How many more bytes than it knows of the other end may send. Up to `most` the
    /// window doubles each time that half of it has been used.
    pub(super) fn renew_window(&mut self, most: i64) -> Option<u32> {
        let window = (2 * self.window).min(most).max(self.window);
        let more = std::mem::take(&mut self.untold) + window - self.window;
        self.window = window;
        self.receive_window += more;
        u32::try_from(more).ok().filter(|&more| more > 0)
    }

    /// So many bytes may lie here unread, with what may still come.
    pub(super) fn may_hold(&self) -> i64 {
        match self.is_receiving() {
            true => self.window,
            false => self.unread().len() as i64,
        }
    }

    /// The window has become larger, or smaller.
    pub(super) fn widen(&mut self, more: i64) {
        self.window += more;
        self.receive_window += more;
    }

    pub(super) fn cut(&mut self, cut: Cut) {
        if self.cut.is_none() {
            self.cut = Some(cut);
            self.wake();
        }
    }

    pub(super) fn await_reading(&mut self, cx: &Context<'_>) {
        self.awaits.reading = true;
        self.remember(cx);
    }

    pub(super) fn await_writing(&mut self, cx: &Context<'_>) {
        self.awaits.writing = true;
        self.remember(cx);
    }

    pub(super) fn await_end(&mut self, cx: &Context<'_>) {
        self.awaits.end = true;
        self.remember(cx);
    }

    fn remember(&mut self, cx: &Context<'_>) {
        let is_same = |waker: &Waker| waker.will_wake(cx.waker());
        if !self.waker.as_ref().is_some_and(is_same) {
            self.waker = Some(cx.waker().clone());
        }
    }

    pub(super) fn wake_reader(&mut self) {
        if self.awaits.reading {
            self.wake();
        }
    }

    pub(super) fn wake_writer(&mut self) {
        if self.awaits.writing {
            self.wake();
        }
    }

    /// One task has all of a stream.
    fn wake(&mut self) {
        self.awaits = Awaits::default();
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Streams {
    slots: Vec<Option<Stream>>,
    free: Vec<u32>,
    /// Their numbers and where they are, in order.
    ids: Vec<(u32, u32)>,
}

impl Streams {
    pub(super) fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Whether as many are open as may be.
    pub(super) fn are_as_many(&self, most: usize) -> bool {
        self.ids.len() >= most && {
            let open = self.slots.iter().flatten().filter(|s| s.is_open());
            open.count() >= most
        }
    }

    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    /// Adds the one with the highest number so far.
    pub(super) fn add(&mut self, stream: Stream) -> StreamKey {
        let at = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() as u32 - 1
        });
        self.ids.push((stream.id, at));
        if let Some(slot) = self.slots.get_mut(at as usize) {
            *slot = Some(stream);
        }
        StreamKey(at)
    }

    pub(super) fn get(&mut self, key: StreamKey) -> Option<&mut Stream> {
        self.slots.get_mut(key.index())?.as_mut()
    }

    pub(super) fn by_id(&mut self, id: u32) -> Option<&mut Stream> {
        let place = self.ids.binary_search_by_key(&id, |&(id, _)| id).ok()?;
        let &(_, at) = self.ids.get(place)?;
        self.get(StreamKey(at))
    }

    pub(super) fn remove(&mut self, key: StreamKey) {
        let slot = self.slots.get_mut(key.index());
        let Some(stream) = slot.and_then(Option::take) else {
            return;
        };
        self.free.push(key.0);
        if let Ok(place) = self.ids.binary_search_by_key(&stream.id, |&(id, _)| id) {
            self.ids.remove(place);
        }
        if self.ids.is_empty() {
            *self = Self::default();
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Stream> {
        self.slots.iter().flatten()
    }

    pub(super) fn all(&mut self) -> impl Iterator<Item = &mut Stream> {
        self.slots.iter_mut().flatten()
    }

    pub(super) fn wake_writers(&mut self) {
        self.all().for_each(Stream::wake_writer);
    }

    pub(super) fn cut_all(&mut self, cut: Cut) {
        self.all().for_each(|stream| stream.cut(cut));
    }
}

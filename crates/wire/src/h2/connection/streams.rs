//! The streams that somebody holds, by the client's numbers and by ours.

use std::task::{Context, Waker};

use message::Fields;

use super::{Reason, StreamKey};

/// A buffer larger than this is not kept for what comes later.
const KEEP: usize = 16 * 1024;

/// Why a stream ended before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    ByClient(Reason),
    ByUs,
    /// With its connection.
    Lost,
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
    has_request_ended: bool,
    pub trailers: Option<Box<Fields>>,
    /// What the client may still send, and what has been read but not told.
    pub receive_window: i64,
    pub untold: i64,

    pub is_answered: bool,
    pub send_window: i64,
    /// In which round it gave something to send last, how much in that round, and
    /// where the latest frame begins.
    pub round: u64,
    pub given: usize,
    pub frame_at: usize,

    waker: Option<Waker>,
    awaits: Awaits,
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
        has_request_ended: bool,
        length: Option<u64>,
        (receive_window, send_window): (i64, i64),
    ) -> Self {
        Self {
            id,
            cut: None,
            arrived: Vec::new(),
            at: 0,
            left: length,
            has_request_ended,
            trailers: None,
            receive_window,
            untold: 0,
            is_answered: false,
            send_window,
            round: u64::MAX,
            given: 0,
            frame_at: 0,
            waker: None,
            awaits: Awaits::default(),
        }
    }

    pub(super) fn is_receiving(&self) -> bool {
        self.cut.is_none() && !self.has_request_ended
    }

    pub(super) fn has_failed(&self) -> bool {
        self.cut.is_some()
    }

    /// The client counts it as one of those that it has open.
    fn is_open(&self) -> bool {
        self.cut.is_none() && !(self.has_request_ended && self.is_answered)
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

    /// The request is whole; false where it is shorter than was announced.
    pub(super) fn end_of_request(&mut self) -> bool {
        self.has_request_ended = true;
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
    /// Numbers of the client's and where they are, in order.
    ids: Vec<(u32, u32)>,
}

impl Streams {
    pub(super) fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Whether the client has as many open as it may have.
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

    pub(super) fn remove(&mut self, key: StreamKey) -> Option<Stream> {
        let stream = self.slots.get_mut(key.index())?.take()?;
        self.free.push(key.0);
        if let Ok(place) = self.ids.binary_search_by_key(&stream.id, |&(id, _)| id) {
            self.ids.remove(place);
        }
        if self.ids.is_empty() {
            *self = Self::default();
        }
        Some(stream)
    }

    pub(super) fn all(&mut self) -> impl Iterator<Item = &mut Stream> {
        self.slots.iter_mut().flatten()
    }

    pub(super) fn wake_writers(&mut self) {
        self.all().for_each(Stream::wake_writer);
    }

    pub(super) fn lose_all(&mut self) {
        self.all().for_each(|stream| stream.cut(Cut::Lost));
    }
}

//! A connection to a backend: streams are opened here, and its heads are answers.

use message::ResponseHead;

use super::incoming::Whole;
use super::outgoing::broken;
use super::*;
use crate::h2::response::ResponseReader;

/// Streams until the backend has said how many it takes.
const UNSAID: usize = 1;

/// The highest number that a stream can have.
const LAST: u32 = (1 << 31) - 1;

/// What backends are told of connections to them.
#[derive(Debug, Clone, Copy)]
pub struct Windows {
    /// Bytes that may be sent ahead, of one answer and of all.
    pub stream: u32,
    pub connection: u32,
    /// How large a field section may be.
    pub max_header_list_size: u32,
}

/// A place among those that wait to hear what a backend takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting(u64);

#[derive(Debug, Default)]
pub(super) struct Asking {
    /// Streams at a time that the backend takes, once it has said so.
    most: Option<usize>,
    /// It takes requests to go on with another protocol (RFC 8441 section 3).
    takes_extended_connect: bool,
    /// They wait to hear what it takes.
    waiting: Vec<(Waiting, Waker)>,
    latest_waiting: u64,
    /// Memory for the next head.
    spare: ResponseHead,
}

impl Asking {
    pub(super) fn may_open(&mut self, streams: u32) {
        self.most = Some(streams as usize);
    }

    /// Nobody takes that back (RFC 8441 section 3).
    pub(super) fn may_switch(&mut self, takes: bool) -> Result<(), Reason> {
        match std::mem::replace(&mut self.takes_extended_connect, takes) && !takes {
            true => Err(Reason::PROTOCOL_ERROR),
            false => Ok(()),
        }
    }
}

impl Connection {
    /// To a backend.
    pub fn asking(windows: Windows, watch: Watch, blocks: Blocks) -> Self {
        let role = Role::Asking(Asking::default());
        let sizes = (windows.stream, windows.connection);
        let mut connection = Self::unbegun(role, sizes, watch, blocks);
        connection.room().extend_from_slice(PREFACE);
        connection.greet(&[
            (setting::ENABLE_PUSH, 0),
            (setting::INITIAL_WINDOW_SIZE, connection.first_window as u32),
            (setting::MAX_HEADER_LIST_SIZE, windows.max_header_list_size),
        ]);
        connection
    }

    /// Streams at a time that the backend takes; 0 once it takes no more.
    pub fn most_streams(&self) -> usize {
        let Role::Asking(asking) = &self.role else {
            return 0;
        };
        let takes_more = self.end.is_none() && !self.peer_leaves && self.leaving == Leaving::No;
        match (takes_more && self.latest < LAST, self.is_greeted) {
            (false, _) => 0,
            (true, false) => UNSAID,
            (true, true) => asking.most.unwrap_or(usize::MAX),
        }
    }

    /// Whether the backend takes requests to go on with another protocol, once it has
    /// said what it takes. One that is gone takes what it likes: opening a stream tells.
    /// Whoever does not wait any more gives back the place.
    pub fn poll_takes_extended_connect(
        &mut self,
        cx: &Context<'_>,
        place: &mut Option<Waiting>,
    ) -> Poll<bool> {
        let is_known = self.is_greeted || self.end.is_some();
        let Role::Asking(asking) = &mut self.role else {
            return Poll::Ready(false);
        };
        if is_known {
            return Poll::Ready(asking.takes_extended_connect || self.end.is_some());
        }
        let own = *place.get_or_insert_with(|| {
            asking.latest_waiting += 1;
            Waiting(asking.latest_waiting)
        });
        match asking.waiting.iter_mut().find(|(place, _)| *place == own) {
            Some((_, waker)) => waker.clone_from(cx.waker()),
            None => asking.waiting.push((own, cx.waker().clone())),
        }
        Poll::Pending
    }

    /// Nobody waits there any more.
    pub fn stop_waiting(&mut self, place: Waiting) {
        if let Role::Asking(asking) = &mut self.role {
            asking.waiting.retain(|(other, _)| *other != place);
        }
    }

    /// What the backend takes is known, or never will be.
    pub(super) fn wake_waiting(&mut self) {
        if let Role::Asking(asking) = &mut self.role {
            let waiting = std::mem::take(&mut asking.waiting);
            waiting.into_iter().for_each(|(_, waker)| waker.wake());
        }
    }

    /// Begins a request, whose head is a field section; None where the backend takes
    /// none: then it has seen nothing of it.
    pub fn open(&mut self, section: &[u8], to: AnswerTo) -> Option<StreamKey> {
        let most = self.most_streams();
        if most == 0 || self.streams.are_as_many(most) {
            return None;
        }
        self.latest = match self.latest {
            0 => 1,
            latest => latest + 2,
        };
        let windows = (self.own_window, self.peer_window);
        let mut stream = Stream::new(self.latest, false, None, windows);
        stream.answer.is_due = true;
        stream.answer.to = to;
        let key = self.streams.add(stream);
        self.write_head(key, section);
        Some(key)
    }

    /// Takes what has come; returns how many bytes that were. After an end nothing is
    /// taken.
    pub fn receive_answers(&mut self, bytes: &[u8], limits: &Limits) -> usize {
        let mut rest = bytes;
        while let Some(whole) = self.take(&mut rest, limits) {
            let id = whole.stream;
            let is_due = |stream: &mut Stream| stream.is_receiving() && stream.answer.is_due;
            let handled = match self.is_idle_id(id) {
                true => Err(Reason::PROTOCOL_ERROR),
                false if self.streams.by_id(id).is_some_and(is_due) => self.answer(&whole, limits),
                false => self.trailers(&whole, limits),
            };
            if let Err(reason) = handled {
                self.fail(reason);
            }
        }
        bytes.len() - rest.len()
    }

    /// The head of an answer, interim or final, of a stream that waits for it.
    fn answer(&mut self, whole: &Whole<'_>, limits: &Limits) -> Result<(), Reason> {
        let mut head = match &mut self.role {
            Role::Asking(asking) => std::mem::take(&mut asking.spare),
            Role::Serving { .. } => ResponseHead::default(),
        };
        let mut reader = ResponseReader::new(&mut head, limits);
        let decoded = self
            .decoder
            .decode(&whole.block, |name, value| reader.field(name, value));
        decoded.map_err(|_| Reason::COMPRESSION_ERROR)?;
        let (size, verdict) = reader.finish(whole.is_last);
        if size > most(limits) {
            self.calm(Flood::HeaderList);
            return Ok(());
        }
        let Some(stream) = self.streams.by_id(whole.stream) else {
            return Ok(());
        };
        let taken = verdict.and_then(|()| stream.take_head(head, size, whole.is_last, limits));
        if let Err((kind, why)) = taken {
            stream.cut(Cut::BadAnswer(kind, why));
            self.write_reset(whole.stream, Reason::PROTOCOL_ERROR);
        }
        Ok(())
    }

    /// The next head of a stream's answer, interim or final.
    pub fn poll_head(
        &mut self,
        key: StreamKey,
        cx: &Context<'_>,
        head: &mut ResponseHead,
    ) -> Poll<io::Result<()>> {
        let Some(stream) = self.streams.get(key) else {
            return Poll::Ready(Err(broken(None)));
        };
        if let Some(mut next) = stream.next_head() {
            std::mem::swap(head, &mut next);
            if let Role::Asking(asking) = &mut self.role {
                next.fields.shrink();
                asking.spare = next;
            }
            return Poll::Ready(Ok(()));
        }
        match stream.cut {
            Some(cut) => Poll::Ready(Err(broken(Some(cut)))),
            None => {
                stream.await_reading(cx);
                Poll::Pending
            }
        }
    }

    /// Says that no further request comes. To be called when none is under way.
    pub fn close(&mut self) {
        if self.leaving == Leaving::No && self.end.is_none() {
            self.leaving = Leaving::Done;
            self.go_away(0, Reason::NO_ERROR);
        }
    }
}

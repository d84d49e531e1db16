//! What is sent, and what streams take and give.

use super::streams::Cut;
use super::*;
use crate::io::Output;

/// How much of all streams' bodies may wait to be sent. Each has an equal part.
const SHARE: usize = 64 * 1024;

/// The window of a stream grows by one part in so many of what others leave it.
const PART: i64 = 8;

/// The least part.
const LEAST: usize = 4 * 1024;

impl Connection {
    /// Says what is to be known first, and how much may be sent in all.
    pub(super) fn greet(&mut self, settings: &[(u16, u32)]) {
        let mut payload = Vec::with_capacity(settings.len() * 6);
        for (setting, value) in settings {
            payload.extend_from_slice(&setting.to_be_bytes());
            payload.extend_from_slice(&value.to_be_bytes());
        }
        self.write(kind::SETTINGS, 0, 0, &payload);
        self.tell_window();
    }

    /// So many bytes have come. On all streams together they may come again at once:
    /// how many lie here is limited by the windows of streams, so that those of which
    /// nobody takes anything keep no other waiting.
    pub(super) fn came(&mut self, count: usize) {
        self.receive_window -= count as i64;
        if self.receive_window <= self.connection_window / 2 {
            self.tell_window();
        }
    }

    fn tell_window(&mut self) {
        let more = self.connection_window - self.receive_window;
        if let Some(more) = u32::try_from(more).ok().filter(|&more| more > 0) {
            self.receive_window = self.connection_window;
            self.write(kind::WINDOW_UPDATE, 0, 0, &more.to_be_bytes());
        }
    }

    /// How far the window of a stream may grow now. Each has its first one, and beyond
    /// that all together have what the connection's is.
    fn widest(&self) -> i64 {
        let first = self.first_window;
        if first == self.stream_window {
            return first;
        }
        let beyond = self.streams.iter().map(|stream| stream.may_hold() - first);
        let left = self.connection_window - beyond.map(|more| more.max(0)).sum::<i64>();
        self.stream_window.min(first + left.max(0) / PART)
    }

    /// Bytes that nobody waits for may come again.
    pub(super) fn take_back(&mut self, id: u32, count: usize) {
        let is_due = |stream: &mut Stream| stream.has_taken(count);
        if self.streams.by_id(id).is_some_and(is_due) {
            self.renew_window(id);
        }
    }

    fn renew_window(&mut self, id: u32) {
        let most = self.widest();
        if let Some(stream) = self.streams.by_id(id)
            && let Some(more) = stream.renew_window(most)
        {
            self.write(kind::WINDOW_UPDATE, 0, id, &more.to_be_bytes());
        }
    }

    pub(super) fn room(&mut self) -> &mut Vec<u8> {
        if self.out.capacity() == 0 {
            self.out = self.blocks.0.take();
        }
        &mut self.out
    }

    pub(super) fn write(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        frame::write(self.room(), kind, flags, stream, payload);
        self.wake_driver();
    }

    pub(super) fn go_away(&mut self, last: u32, reason: Reason) {
        let [a, b, c, d] = last.to_be_bytes();
        let [e, f, g, h] = reason.0.to_be_bytes();
        self.write(kind::GOAWAY, 0, 0, &[a, b, c, d, e, f, g, h]);
    }

    /// Asks the other end for a word, whatever it is.
    pub fn send_ping(&mut self) {
        self.write(kind::PING, 0, 0, &ANYBODY);
    }

    pub(super) fn write_reset(&mut self, id: u32, reason: Reason) {
        let window = match self.streams.by_id(id) {
            Some(stream) => stream.receive_window,
            None => self.own_window.max(INITIAL_WINDOW),
        };
        self.late.ended(id, window);
        self.write(kind::RST_STREAM, 0, id, &reason.0.to_be_bytes());
    }

    /// Ends a stream by its number, held by somebody or not.
    pub(super) fn reset_id(&mut self, id: u32, reason: Reason) {
        if let Some(stream) = self.streams.by_id(id) {
            stream.cut(Cut::ByUs(reason));
        }
        self.write_reset(id, reason);
    }

    /// So much waits to be sent that nothing more is to be read.
    pub fn is_congested(&self) -> bool {
        self.out.len() - self.sent > CONGESTED
    }

    /// Sends what there is.
    pub fn poll_flush(
        &mut self,
        cx: &mut Context<'_>,
        io: &mut impl Output,
    ) -> Poll<io::Result<()>> {
        while let waiting = self.out.get(self.sent..).unwrap_or_default()
            && !waiting.is_empty()
        {
            match io.poll_write(cx, &[io::IoSlice::new(waiting)]) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(n)) => self.sent += n,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        if self.sent > 0 {
            self.sent = 0;
            self.round += 1;
            self.blocks.0.give(std::mem::take(&mut self.out));
            self.streams.wake_writers();
        }
        io.poll_flush(cx)
    }

    /// Whether there is room for a head.
    pub fn poll_room(&mut self, key: StreamKey, cx: &Context<'_>) -> Poll<()> {
        match self.is_congested() {
            true if let Some(stream) = self.streams.get(key).filter(|s| !s.has_failed()) => {
                stream.await_writing(cx);
                Poll::Pending
            }
            _ => Poll::Ready(()),
        }
    }

    /// The head of a message, interim or final: a field section.
    pub fn write_head(&mut self, key: StreamKey, section: &[u8]) {
        self.write_section(key, section, 0);
    }

    fn write_section(&mut self, key: StreamKey, section: &[u8], flags: u8) {
        let Some(stream) = self.streams.get(key).filter(|s| !s.has_failed()) else {
            return;
        };
        let id = stream.id;
        // Our table is empty and stays so.
        let size: &[u8] = match std::mem::take(&mut self.must_say_table) {
            true => &[0x20],
            false => &[],
        };
        let (first, mut rest) = section
            .split_at_checked(MAX_SIZE - size.len())
            .unwrap_or((section, &[]));
        let at = self.out.len();
        let round = self.round;
        let ends = |rest: &[u8]| {
            if rest.is_empty() {
                flag::END_HEADERS
            } else {
                0
            }
        };
        let head = Head {
            len: size.len() + first.len(),
            kind: kind::HEADERS,
            flags: flags | ends(rest),
            stream: id,
        };
        let out = self.room();
        head.write(out);
        out.extend_from_slice(size);
        out.extend_from_slice(first);
        while !rest.is_empty() {
            let piece;
            (piece, rest) = rest.split_at_checked(MAX_SIZE).unwrap_or((rest, &[]));
            frame::write(out, kind::CONTINUATION, ends(rest), id, piece);
        }
        if let Some(stream) = self.streams.get(key) {
            stream.round = round;
            stream.frame_at = at;
            stream.given = 0;
        }
        self.wake_driver();
    }

    /// A piece of a body: as much as the other end takes and is not waiting already.
    pub fn poll_body(
        &mut self,
        key: StreamKey,
        cx: &Context<'_>,
        body: &[u8],
    ) -> Poll<io::Result<usize>> {
        let part = (SHARE / self.streams.len().max(1)).max(LEAST);
        let (round, all) = (self.round, self.send_window);
        let at = self.out.len();
        let stream = match self.streams.get(key) {
            Some(stream) if !stream.has_failed() && !stream.is_sent => stream,
            other => return Poll::Ready(Err(broken(other.and_then(|s| s.cut)))),
        };
        let given = match stream.round == round {
            true => stream.given,
            false => 0,
        };
        let windows = usize::try_from(stream.send_window.min(all)).unwrap_or(0);
        let n = body
            .len()
            .min(windows)
            .min(part.saturating_sub(given))
            .min(MAX_SIZE);
        if n == 0 {
            stream.await_writing(cx);
            return Poll::Pending;
        }
        stream.round = round;
        stream.given = given + n;
        stream.send_window -= n as i64;
        stream.frame_at = at;
        let id = stream.id;
        self.send_window -= n as i64;
        self.watch.carried(1);
        self.write(kind::DATA, 0, id, body.get(..n).unwrap_or_default());
        Poll::Ready(Ok(n))
    }

    /// The message is whole. Trailers are a field section; none is empty.
    pub fn finish(&mut self, key: StreamKey, trailers: &[u8]) {
        let round = self.round;
        let Some(stream) = self.streams.get(key) else {
            return;
        };
        if stream.has_failed() || std::mem::replace(&mut stream.is_sent, true) {
            return;
        }
        let (id, at) = (stream.id, stream.frame_at);
        let is_waiting = stream.round == round && at >= self.sent;
        self.watch.answered();
        if !trailers.is_empty() {
            return self.write_section(key, trailers, flag::END_STREAM);
        }
        // The latest frame says it, where that has not left yet.
        match self.out.get_mut(at + 4) {
            Some(flags) if is_waiting => *flags |= flag::END_STREAM,
            _ => self.write(kind::DATA, flag::END_STREAM, id, &[]),
        }
    }

    /// What has come of a body; 0 at its end.
    pub fn poll_read(
        &mut self,
        key: StreamKey,
        cx: &Context<'_>,
        into: &mut Vec<u8>,
    ) -> Poll<io::Result<usize>> {
        let Some(stream) = self.streams.get(key) else {
            return Poll::Ready(Err(broken(None)));
        };
        if stream.unread().is_empty() {
            return match stream.cut {
                _ if stream.is_whole() => Poll::Ready(Ok(0)),
                Some(cut) => Poll::Ready(Err(broken(Some(cut)))),
                None => {
                    stream.await_reading(cx);
                    Poll::Pending
                }
            };
        }
        let n = stream.read(into);
        let id = stream.id;
        if stream.has_taken(n) {
            self.renew_window(id);
        }
        Poll::Ready(Ok(n))
    }

    /// What came behind the body.
    pub fn take_trailers(&mut self, key: StreamKey) -> Option<Box<message::Fields>> {
        self.streams.get(key)?.trailers.take()
    }

    /// Resolves when the other end wants nothing any more, or nothing can reach it.
    pub fn poll_cut(&mut self, key: StreamKey, cx: &Context<'_>) -> Poll<()> {
        match self.streams.get(key) {
            Some(stream) if !stream.has_failed() => {
                stream.await_end(cx);
                Poll::Pending
            }
            _ => Poll::Ready(()),
        }
    }

    /// A stream's message was not taken in time. Says whether that is held against
    /// the other end.
    pub fn stall(&mut self) -> bool {
        let Role::Serving { .. } = self.role else {
            return false;
        };
        if let Some(flood) = self.watch.stalled() {
            self.calm(flood);
        }
        true
    }

    /// Ends a stream before its time.
    pub fn reset(&mut self, key: StreamKey, reason: Reason) {
        if let Some(stream) = self.streams.get(key)
            && stream.cut.is_none()
        {
            let id = stream.id;
            self.reset_id(id, reason);
        }
    }

    /// Nobody holds the stream any more. What has not ended is ended.
    pub fn release(&mut self, key: StreamKey) {
        if let Some(stream) = self.streams.get(key)
            && stream.cut.is_none()
            && (stream.is_receiving() || !stream.is_sent)
        {
            let reason = match (&self.role, stream.is_sent) {
                (Role::Asking(_), _) => Reason::CANCEL,
                // RFC 9113 section 8.1.
                (Role::Serving { .. }, true) => Reason::NO_ERROR,
                (Role::Serving { .. }, false) => Reason::INTERNAL_ERROR,
            };
            let id = stream.id;
            self.reset_id(id, reason);
        }
        self.streams.remove(key);
        if self.streams.is_empty() {
            self.wake_driver();
        }
    }
}

/// Why nothing comes of a stream any more.
pub(super) fn broken(cut: Option<Cut>) -> io::Error {
    match cut {
        Some(Cut::Lost) | None => io::ErrorKind::ConnectionReset.into(),
        Some(cut) => io::Error::new(io::ErrorKind::ConnectionAborted, cut),
    }
}

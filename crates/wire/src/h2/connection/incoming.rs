//! What the other end sends, up to field sections, of which each role makes its own.

use std::borrow::Cow;

use super::*;

/// A field section that has come whole.
pub(super) struct Whole<'a> {
    pub stream: u32,
    pub is_last: bool,
    pub block: Cow<'a, [u8]>,
}

impl Connection {
    /// Takes what has come, up to the end of a field section at most. After an end
    /// nothing is taken.
    pub(super) fn take<'a>(&mut self, bytes: &mut &'a [u8], limits: &Limits) -> Option<Whole<'a>> {
        while !bytes.is_empty() && self.end.is_none() {
            let before = bytes.len();
            match self.input {
                Input::Preface { seen } => *bytes = self.preface(seen, bytes),
                Input::Frame => {
                    if let Some(whole) = self.frame(bytes, limits) {
                        return Some(whole);
                    }
                }
                Input::Payload(frame) => {
                    let missing = frame.len - self.gathered.len();
                    let (more, after) = bytes.split_at_checked(missing).unwrap_or((bytes, &[]));
                    self.gathered.extend_from_slice(more);
                    *bytes = after;
                    if self.gathered.len() == frame.len {
                        let payload = std::mem::take(&mut self.gathered);
                        self.input = Input::Frame;
                        if let Some(whole) = self.payload(frame, &payload, limits) {
                            let block = Cow::Owned(whole.block.into_owned());
                            return Some(Whole { block, ..whole });
                        }
                    }
                }
                Input::Data(data) => *bytes = self.data(data, bytes),
            }
            debug_assert!(bytes.len() < before || self.end.is_some());
        }
        None
    }

    fn preface<'a>(&mut self, seen: usize, bytes: &'a [u8]) -> &'a [u8] {
        let due = PREFACE.get(seen..).unwrap_or_default();
        let n = due.len().min(bytes.len());
        let (came, rest) = bytes.split_at_checked(n).unwrap_or_default();
        if Some(came) != due.get(..n) {
            self.fail(Reason::PROTOCOL_ERROR);
        }
        self.input = match n == due.len() {
            true => Input::Frame,
            false => Input::Preface { seen: seen + n },
        };
        rest
    }

    /// A frame's head, and the rest of it where it has come whole.
    fn frame<'a>(&mut self, bytes: &mut &'a [u8], limits: &Limits) -> Option<Whole<'a>> {
        let missing = HEAD - self.gathered.len();
        let Some((more, rest)) = bytes.split_at_checked(missing) else {
            self.gathered.extend_from_slice(bytes);
            *bytes = &[];
            return None;
        };
        *bytes = rest;
        let head = match (more.first_chunk::<HEAD>(), &*self.gathered) {
            (Some(whole), _) => Head::read(*whole),
            (None, begun) => {
                let mut whole = [0; HEAD];
                for (to, from) in whole.iter_mut().zip(begun.iter().chain(more)) {
                    *to = *from;
                }
                Head::read(whole)
            }
        };
        self.gathered = Vec::new();
        if let Err(reason) = self.judge(head) {
            self.fail(reason);
            return None;
        }
        if let Some(flood) = self.watch.frame(head.kind) {
            self.calm(flood);
            return None;
        }
        if head.kind == kind::DATA && !head.has(flag::PADDED) {
            self.begin_data(head, 0);
            return None;
        }
        match rest.split_at_checked(head.len) {
            Some((payload, rest)) => {
                *bytes = rest;
                self.payload(head, payload, limits)
            }
            None => {
                self.input = Input::Payload(head);
                None
            }
        }
    }

    /// What is wrong with a frame already by its head.
    fn judge(&self, head: Head) -> Result<(), Reason> {
        if head.len > MAX_SIZE {
            return Err(Reason::FRAME_SIZE_ERROR);
        }
        if !self.is_greeted && (head.kind != kind::SETTINGS || head.has(flag::ACK)) {
            return Err(Reason::PROTOCOL_ERROR);
        }
        // RFC 9113 section 6.10.
        let goes_on = self.section.as_ref().map(|section| section.stream);
        let is_continuation = head.kind == kind::CONTINUATION;
        if is_continuation != goes_on.is_some() || goes_on.is_some_and(|id| id != head.stream) {
            return Err(Reason::PROTOCOL_ERROR);
        }
        let is_streams = match head.kind {
            kind::DATA | kind::HEADERS | kind::PRIORITY | kind::RST_STREAM => true,
            kind::SETTINGS | kind::PING | kind::GOAWAY => false,
            kind::PUSH_PROMISE => return Err(Reason::PROTOCOL_ERROR),
            _ => return Ok(()),
        };
        match is_streams == (head.stream != 0) {
            true => Ok(()),
            false => Err(Reason::PROTOCOL_ERROR),
        }
    }

    fn payload<'a>(&mut self, head: Head, payload: &'a [u8], limits: &Limits) -> Option<Whole<'a>> {
        let handled = match head.kind {
            // Only with padding.
            kind::DATA => match frame::unpadded(payload) {
                Some(body) => {
                    self.begin_data(head, payload.len() - body.len());
                    if let Input::Data(data) = self.input {
                        self.data(data, body);
                    }
                    Ok(())
                }
                None => Err(Reason::PROTOCOL_ERROR),
            },
            kind::HEADERS => match field_block(head, payload) {
                Ok(block) if head.has(flag::END_HEADERS) => {
                    return Some(Whole {
                        stream: head.stream,
                        is_last: head.has(flag::END_STREAM),
                        block: Cow::Borrowed(block),
                    });
                }
                begun => begun.map(|block| self.begin_section(head, block)),
            },
            kind::CONTINUATION => {
                self.continue_section(payload, limits);
                if head.has(flag::END_HEADERS) && self.end.is_none() {
                    let section = self.section.take()?;
                    return Some(Whole {
                        stream: section.stream,
                        is_last: section.is_last,
                        block: Cow::Owned(section.block),
                    });
                }
                Ok(())
            }
            kind::RST_STREAM => self.reset_by_peer(head, payload),
            kind::SETTINGS => self.settings(head, payload),
            kind::PING => self.ping(head, payload),
            kind::GOAWAY => self.left_by_peer(payload),
            kind::WINDOW_UPDATE => self.window_update(head, payload),
            kind::PRIORITY if payload.len() != 5 && self.is_idle_id(head.stream) => {
                Err(Reason::FRAME_SIZE_ERROR)
            }
            kind::PRIORITY if payload.len() != 5 => {
                self.offend(head.stream, Reason::FRAME_SIZE_ERROR);
                Ok(())
            }
            // Of priorities, and of what nobody knows, nothing is made.
            _ => Ok(()),
        };
        if let Err(reason) = handled {
            self.fail(reason);
        }
        None
    }

    /// A frame of data begins, of which so much is padding.
    fn begin_data(&mut self, head: Head, padding: usize) {
        // Padding counts (RFC 9113 section 6.9.1).
        self.came(head.len);
        if self.is_idle_id(head.stream) {
            return self.fail(Reason::PROTOCOL_ERROR);
        }
        let (body, is_last) = (head.len - padding, head.has(flag::END_STREAM));
        if let Some(flood) = self.watch.data(body, is_last) {
            return self.calm(flood);
        }
        match self.streams.by_id(head.stream) {
            // Before the head of an answer there is nothing of it.
            Some(stream) if stream.is_receiving() && stream.answer.is_due => {
                self.reset_id(head.stream, Reason::PROTOCOL_ERROR);
            }
            Some(stream) if stream.is_receiving() => {
                stream.receive_window -= head.len as i64;
                if stream.receive_window < 0 {
                    self.offend(head.stream, Reason::FLOW_CONTROL_ERROR);
                }
            }
            _ => self.came_late(head.stream, head.len),
        }
        let data = Data {
            stream: head.stream,
            body,
            is_last,
        };
        self.take_back(head.stream, padding);
        self.input = Input::Data(data);
        if data.body == 0 {
            self.end_of_data();
        }
    }

    fn data<'a>(&mut self, mut data: Data, bytes: &'a [u8]) -> &'a [u8] {
        let (body, rest) = bytes.split_at_checked(data.body).unwrap_or((bytes, &[]));
        data.body -= body.len();
        self.input = Input::Data(data);
        match self.streams.by_id(data.stream) {
            Some(stream) if stream.is_receiving() => {
                if stream.take(body) {
                    stream.wake_reader();
                } else {
                    self.offend(data.stream, Reason::PROTOCOL_ERROR);
                    self.take_back(data.stream, body.len());
                }
            }
            // Nobody takes it.
            _ => self.take_back(data.stream, body.len()),
        }
        if data.body == 0 {
            self.end_of_data();
        }
        rest
    }

    fn end_of_data(&mut self) {
        let Input::Data(data) = std::mem::replace(&mut self.input, Input::Frame) else {
            return;
        };
        if data.is_last
            && let Some(stream) = self.streams.by_id(data.stream)
            && stream.is_receiving()
            && !stream.end_of_message()
        {
            self.offend(data.stream, Reason::PROTOCOL_ERROR);
        }
    }

    fn begin_section(&mut self, head: Head, block: &[u8]) {
        self.section = Some(Section {
            stream: head.stream,
            is_last: head.has(flag::END_STREAM),
            block: block.to_vec(),
            continuations: 0,
        });
    }

    fn continue_section(&mut self, payload: &[u8], limits: &Limits) {
        let Some(section) = &mut self.section else {
            return;
        };
        section.continuations += 1;
        section.block.extend_from_slice(payload);
        let is_much = section.block.len() > most(limits);
        if is_much || section.continuations > MAX_CONTINUATIONS {
            self.calm(Flood::Continuation);
        }
    }

    /// What follows a body. Of a stream that is no more it is decoded all the same.
    pub(super) fn trailers(&mut self, whole: &Whole<'_>, limits: &Limits) -> Result<(), Reason> {
        let mut reader = TrailerReader::default();
        let is_answer = matches!(self.role, Role::Asking(_));
        let decoded = self.decoder.decode(&whole.block, |name, value| {
            // As in the heads of answers: a grpc-message may well end with space.
            let value = match is_answer {
                true => value.trim_ascii(),
                false => value,
            };
            reader.field(name, value, limits);
        });
        decoded.map_err(|_| Reason::COMPRESSION_ERROR)?;
        if reader.size() > most(limits) {
            self.calm(Flood::HeaderList);
            return Ok(());
        }
        let id = whole.stream;
        match self.streams.by_id(id) {
            Some(stream) if stream.is_receiving() => {
                let is_fine = whole.is_last && !reader.is_bad && stream.end_of_message();
                match is_fine {
                    true => stream.trailers = Some(Box::new(reader.fields)),
                    false => self.offend(id, Reason::PROTOCOL_ERROR),
                }
            }
            _ => self.came_late(id, whole.block.len()),
        }
        Ok(())
    }

    /// So much has come on a stream on which nothing is due any more. What may have
    /// been on its way when the stream was ended here, or was never begun because
    /// we are leaving, is thrown away.
    fn came_late(&mut self, id: u32, count: usize) {
        let is_excused = match (self.streams.by_id(id), &self.role) {
            (Some(stream), _) => stream.has_failed(),
            (None, Role::Asking(_)) => true,
            (None, Role::Serving { .. }) => id > self.last || self.late.excuses(id, count),
        };
        if !is_excused {
            self.offend(id, Reason::STREAM_CLOSED);
        }
    }

    fn reset_by_peer(&mut self, head: Head, payload: &[u8]) -> Result<(), Reason> {
        let reason = four(payload).ok_or(Reason::FRAME_SIZE_ERROR)?;
        if self.is_idle_id(head.stream) {
            return Err(Reason::PROTOCOL_ERROR);
        }
        if let Some(stream) = self.streams.by_id(head.stream) {
            stream.cut(Cut::ByPeer(Reason(reason)));
        }
        Ok(())
    }

    fn settings(&mut self, head: Head, payload: &[u8]) -> Result<(), Reason> {
        if head.has(flag::ACK) {
            if !payload.is_empty() {
                return Err(Reason::FRAME_SIZE_ERROR);
            }
            self.settings_are_known();
            return Ok(());
        }
        let (settings, []) = payload.as_chunks::<6>() else {
            return Err(Reason::FRAME_SIZE_ERROR);
        };
        self.is_greeted = true;
        let mut window = None;
        for &[a, b, v0, v1, v2, v3] in settings {
            let value = u32::from_be_bytes([v0, v1, v2, v3]);
            match u16::from_be_bytes([a, b]) {
                setting::HEADER_TABLE_SIZE => self.must_say_table = true,
                setting::ENABLE_PUSH if value > self.most_push() => {
                    return Err(Reason::PROTOCOL_ERROR);
                }
                setting::MAX_CONCURRENT_STREAMS => {
                    if let Role::Asking(asking) = &mut self.role {
                        asking.may_open(value);
                    }
                }
                setting::MAX_FRAME_SIZE if !(1 << 14..1 << 24).contains(&value) => {
                    return Err(Reason::PROTOCOL_ERROR);
                }
                setting::ENABLE_CONNECT_PROTOCOL if value > 1 => {
                    return Err(Reason::PROTOCOL_ERROR);
                }
                setting::ENABLE_CONNECT_PROTOCOL => {
                    if let Role::Asking(asking) = &mut self.role {
                        asking.may_switch(value == 1)?;
                    }
                }
                // Of several the last counts, and only that costs something.
                setting::INITIAL_WINDOW_SIZE => window = Some(i64::from(value)),
                _ => {}
            }
        }
        if let Some(window) = window {
            self.initial_window(window)?;
        }
        self.wake_waiting();
        self.write(kind::SETTINGS, flag::ACK, 0, &[]);
        Ok(())
    }

    /// No server says that it takes pushes (RFC 9113 section 6.5.2).
    fn most_push(&self) -> u32 {
        u32::from(matches!(self.role, Role::Serving { .. }))
    }

    fn initial_window(&mut self, window: i64) -> Result<(), Reason> {
        if window > MAX_WINDOW {
            return Err(Reason::FLOW_CONTROL_ERROR);
        }
        let more = window - std::mem::replace(&mut self.peer_window, window);
        for stream in self.streams.all() {
            stream.send_window += more;
            if stream.send_window > MAX_WINDOW {
                return Err(Reason::FLOW_CONTROL_ERROR);
            }
            stream.wake_writer();
        }
        Ok(())
    }

    /// Our windows hold from now on (RFC 9113 section 6.5.3).
    fn settings_are_known(&mut self) {
        if std::mem::replace(&mut self.are_settings_known, true) {
            return;
        }
        let window = self.first_window;
        let more = window - std::mem::replace(&mut self.own_window, window);
        for stream in self.streams.all() {
            stream.widen(more);
        }
    }

    /// Ends a stream because of what has come on it.
    fn offend(&mut self, id: u32, reason: Reason) {
        self.reset_id(id, reason);
        if let Some(flood) = self.watch.offended() {
            self.calm(flood);
        }
    }

    fn ping(&mut self, head: Head, payload: &[u8]) -> Result<(), Reason> {
        if payload.len() != 8 {
            return Err(Reason::FRAME_SIZE_ERROR);
        }
        if !head.has(flag::ACK) {
            self.write(kind::PING, flag::ACK, 0, payload);
        } else if self.leaving == Leaving::Told && payload == FAREWELL {
            self.take_no_more();
        }
        Ok(())
    }

    fn window_update(&mut self, head: Head, payload: &[u8]) -> Result<(), Reason> {
        let more = four(payload).ok_or(Reason::FRAME_SIZE_ERROR)?;
        let more = i64::from(more & 0x7fff_ffff);
        if head.stream == 0 {
            self.send_window += more;
            let is_fine = more > 0 && self.send_window <= MAX_WINDOW;
            self.streams.wake_writers();
            return match (is_fine, more) {
                (true, _) => Ok(()),
                (false, 0) => Err(Reason::PROTOCOL_ERROR),
                (false, _) => Err(Reason::FLOW_CONTROL_ERROR),
            };
        }
        if self.is_idle_id(head.stream) {
            return Err(Reason::PROTOCOL_ERROR);
        }
        let Some(stream) = self.streams.by_id(head.stream) else {
            return Ok(());
        };
        stream.send_window += more;
        if more == 0 {
            self.offend(head.stream, Reason::PROTOCOL_ERROR);
        } else if stream.send_window > MAX_WINDOW {
            self.offend(head.stream, Reason::FLOW_CONTROL_ERROR);
        } else {
            stream.wake_writer();
        }
        Ok(())
    }

    /// The other end takes nothing new (RFC 9113 section 6.8).
    fn left_by_peer(&mut self, payload: &[u8]) -> Result<(), Reason> {
        let Some(&[a, b, c, d, ..]) = payload.first_chunk::<8>() else {
            return Err(Reason::FRAME_SIZE_ERROR);
        };
        self.peer_leaves = true;
        if let Role::Asking(_) = self.role {
            let seen = u32::from_be_bytes([a, b, c, d]) & 0x7fff_ffff;
            let unseen = self.streams.all().filter(|stream| stream.id > seen);
            unseen.for_each(|stream| stream.cut(Cut::Unseen));
        }
        Ok(())
    }

    /// No stream of that number has begun. Those that clients open have odd numbers,
    /// and nobody else opens any.
    pub(super) fn is_idle_id(&self, id: u32) -> bool {
        id > self.latest || id.is_multiple_of(2)
    }
}

fn four(payload: &[u8]) -> Option<u32> {
    let bytes: [u8; 4] = payload.try_into().ok()?;
    Some(u32::from_be_bytes(bytes))
}

/// What of a frame is a field section, or the beginning of one.
fn field_block(head: Head, payload: &[u8]) -> Result<&[u8], Reason> {
    // All streams have odd numbers: what a server pushes is refused.
    if head.stream.is_multiple_of(2) {
        return Err(Reason::PROTOCOL_ERROR);
    }
    let block = match head.has(flag::PADDED) {
        true => frame::unpadded(payload).ok_or(Reason::PROTOCOL_ERROR)?,
        false => payload,
    };
    if !head.has(flag::PRIORITY) {
        return Ok(block);
    }
    let (on, block) = block.split_at_checked(5).ok_or(Reason::FRAME_SIZE_ERROR)?;
    let on = on.first_chunk().map_or(0, |on| u32::from_be_bytes(*on));
    match on & 0x7fff_ffff == head.stream {
        true => Err(Reason::PROTOCOL_ERROR),
        false => Ok(block),
    }
}

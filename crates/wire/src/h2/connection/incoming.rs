//! What the client sends.

use super::streams::Cut;
use super::*;
use crate::h2::request::length;

impl Connection {
    /// Takes what has come, up to the end of a request's head at most; returns how
    /// many bytes that were. After an end nothing is taken.
    pub fn receive(
        &mut self,
        bytes: &[u8],
        limits: &Limits,
        head: &mut RequestHead,
    ) -> (usize, Option<Arrived>) {
        let mut rest = bytes;
        let mut arrived = None;
        while !rest.is_empty() && arrived.is_none() && self.end.is_none() {
            let before = rest.len();
            match self.input {
                Input::Preface { seen } => rest = self.preface(seen, rest),
                Input::Frame => (rest, arrived) = self.frame(rest, limits, head),
                Input::Payload(frame) => {
                    let missing = frame.len - self.gathered.len();
                    let (more, after) = rest.split_at_checked(missing).unwrap_or((rest, &[]));
                    self.gathered.extend_from_slice(more);
                    rest = after;
                    if self.gathered.len() == frame.len {
                        let payload = std::mem::take(&mut self.gathered);
                        self.input = Input::Frame;
                        arrived = self.payload(frame, &payload, limits, head);
                    }
                }
                Input::Data(data) => rest = self.data(data, rest),
            }
            debug_assert!(rest.len() < before || self.end.is_some());
        }
        (bytes.len() - rest.len(), arrived)
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
    fn frame<'a>(
        &mut self,
        bytes: &'a [u8],
        limits: &Limits,
        to: &mut RequestHead,
    ) -> (&'a [u8], Option<Arrived>) {
        let missing = HEAD - self.gathered.len();
        let Some((more, rest)) = bytes.split_at_checked(missing) else {
            self.gathered.extend_from_slice(bytes);
            return (&[], None);
        };
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
            return (rest, None);
        }
        if let Some(flood) = self.watch.frame(head.kind) {
            self.calm(flood);
            return (rest, None);
        }
        if head.kind == kind::DATA && !head.has(flag::PADDED) {
            self.begin_data(head, 0);
            return (rest, None);
        }
        match rest.split_at_checked(head.len) {
            Some((payload, rest)) => (rest, self.payload(head, payload, limits, to)),
            None => {
                self.input = Input::Payload(head);
                (rest, None)
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

    fn payload(
        &mut self,
        head: Head,
        payload: &[u8],
        limits: &Limits,
        to: &mut RequestHead,
    ) -> Option<Arrived> {
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
                    return self.section(
                        head.stream,
                        head.has(flag::END_STREAM),
                        block,
                        limits,
                        to,
                    );
                }
                begun => begun.map(|block| self.begin_section(head, block)),
            },
            kind::CONTINUATION => {
                self.continue_section(payload, limits);
                if head.has(flag::END_HEADERS) && self.end.is_none() {
                    let whole = self.section.take()?;
                    return self.section(whole.stream, whole.is_last, &whole.block, limits, to);
                }
                Ok(())
            }
            kind::RST_STREAM => self.reset_by_client(head, payload),
            kind::SETTINGS => self.settings(head, payload),
            kind::PING => self.ping(head, payload),
            kind::GOAWAY => {
                self.client_leaves = true;
                Ok(())
            }
            kind::WINDOW_UPDATE => self.window_update(head, payload),
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
        self.receive_window -= head.len as i64;
        if self.receive_window < 0 {
            return self.fail(Reason::FLOW_CONTROL_ERROR);
        }
        if self.is_idle_id(head.stream) {
            return self.fail(Reason::PROTOCOL_ERROR);
        }
        let (body, is_last) = (head.len - padding, head.has(flag::END_STREAM));
        if let Some(flood) = self.watch.data(body, is_last) {
            return self.calm(flood);
        }
        match self.streams.by_id(head.stream) {
            Some(stream) if stream.is_receiving() => {
                stream.receive_window -= head.len as i64;
                if stream.receive_window < 0 {
                    self.offend(head.stream, Reason::FLOW_CONTROL_ERROR);
                }
            }
            Some(stream) if stream.has_failed() => {}
            _ => self.offend(head.stream, Reason::STREAM_CLOSED),
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
            && !stream.end_of_request()
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

    /// A field section has come whole: a request, or what follows its body.
    fn section(
        &mut self,
        stream: u32,
        is_last: bool,
        block: &[u8],
        limits: &Limits,
        to: &mut RequestHead,
    ) -> Option<Arrived> {
        let handled = match self.is_idle_id(stream) {
            true => self.request(stream, is_last, block, limits, to),
            false => {
                let trailers = self.trailers(stream, is_last, block, limits);
                trailers.map(|()| None)
            }
        };
        handled.unwrap_or_else(|reason| {
            self.fail(reason);
            None
        })
    }

    fn request(
        &mut self,
        id: u32,
        is_last: bool,
        block: &[u8],
        limits: &Limits,
        to: &mut RequestHead,
    ) -> Result<Option<Arrived>, Reason> {
        self.latest = id;
        let broken = |_| Reason::COMPRESSION_ERROR;
        if id > self.last {
            let decoded = self.decoder.decode(block, |_, _| {});
            return decoded.map(|()| None).map_err(broken);
        }
        let mut reader = RequestReader::new(to, limits);
        let decoded = self
            .decoder
            .decode(block, |name, value| reader.field(name, value));
        decoded.map_err(broken)?;
        let read = reader.finish(is_last);
        if read.size > most(limits) {
            self.calm(Flood::HeaderList);
            return Ok(None);
        }
        if self
            .streams
            .are_as_many(self.options.max_concurrent_streams as usize)
        {
            self.write_reset(id, Reason::REFUSED_STREAM);
            return Ok(None);
        }
        let length = match read.verdict {
            Ok(()) => length(&to.fields),
            Err(_) => None,
        };
        let windows = (self.own_window, self.peer_window);
        let stream = Stream::new(id, is_last, length, windows);
        Ok(Some(Arrived {
            stream: self.streams.add(stream),
            protocol: read.protocol,
            verdict: read.verdict,
        }))
    }

    fn trailers(
        &mut self,
        id: u32,
        is_last: bool,
        block: &[u8],
        limits: &Limits,
    ) -> Result<(), Reason> {
        let mut reader = TrailerReader::default();
        let decoded = self.decoder.decode(block, |name, value| {
            reader.field(name, value, limits);
        });
        decoded.map_err(|_| Reason::COMPRESSION_ERROR)?;
        if reader.size() > most(limits) {
            self.calm(Flood::HeaderList);
            return Ok(());
        }
        match self.streams.by_id(id) {
            Some(stream) if stream.is_receiving() => {
                let is_fine = is_last && !reader.is_bad && stream.end_of_request();
                match is_fine {
                    true => stream.trailers = Some(Box::new(reader.fields)),
                    false => self.offend(id, Reason::PROTOCOL_ERROR),
                }
            }
            Some(stream) if stream.has_failed() => {}
            _ => self.offend(id, Reason::STREAM_CLOSED),
        }
        Ok(())
    }

    fn reset_by_client(&mut self, head: Head, payload: &[u8]) -> Result<(), Reason> {
        let reason = four(payload).ok_or(Reason::FRAME_SIZE_ERROR)?;
        if self.is_idle_id(head.stream) {
            return Err(Reason::PROTOCOL_ERROR);
        }
        if let Some(stream) = self.streams.by_id(head.stream) {
            stream.cut(Cut::ByClient(Reason(reason)));
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
        for &[a, b, v0, v1, v2, v3] in settings {
            let value = u32::from_be_bytes([v0, v1, v2, v3]);
            match u16::from_be_bytes([a, b]) {
                setting::HEADER_TABLE_SIZE => self.must_say_table = true,
                setting::ENABLE_PUSH if value > 1 => return Err(Reason::PROTOCOL_ERROR),
                setting::MAX_FRAME_SIZE if !(1 << 14..1 << 24).contains(&value) => {
                    return Err(Reason::PROTOCOL_ERROR);
                }
                setting::INITIAL_WINDOW_SIZE => self.initial_window(i64::from(value))?,
                _ => {}
            }
        }
        self.write(kind::SETTINGS, flag::ACK, 0, &[]);
        Ok(())
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
        let window = i64::from(self.options.stream_window);
        let more = window - std::mem::replace(&mut self.own_window, window);
        for stream in self.streams.all() {
            stream.receive_window += more;
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

    /// No stream of that number has begun. Those that a client opens have odd
    /// numbers, and we open none.
    fn is_idle_id(&self, id: u32) -> bool {
        id > self.latest || id.is_multiple_of(2)
    }
}

fn four(payload: &[u8]) -> Option<u32> {
    let bytes: [u8; 4] = payload.try_into().ok()?;
    Some(u32::from_be_bytes(bytes))
}

/// What of a frame is a field section, or the beginning of one.
fn field_block(head: Head, payload: &[u8]) -> Result<&[u8], Reason> {
    // A client's streams have odd numbers.
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

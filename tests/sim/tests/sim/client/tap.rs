//! Judges what Forebay sends to a client, byte by byte: every reply belongs to
//! the request whose turn it is, is what some backend answered to it, and can
//! be told from half a reply.

use std::rc::Rc;

use crate::case::Case;
use crate::client::Client;
use crate::line::End;
use crate::message::{Event, Framing, Head, Reader, shown};
use crate::pattern;
use crate::pipe;
use crate::request::To;
use crate::settings::OWN_BODY;
use crate::world::World;

pub(crate) struct Tap {
    world: Rc<World>,
    client: Rc<Client>,
    reader: Reader,
    /// Bytes sent so far.
    at: u64,
    /// The reply under way; one without a request is about the connection.
    current: Option<Current>,
}

struct Current {
    case: Option<Rc<Case>>,
    is_own: bool,
}

impl Tap {
    pub(crate) fn new(world: &Rc<World>, client: &Rc<Client>) -> Self {
        Self {
            world: Rc::clone(world),
            client: Rc::clone(client),
            reader: Reader::new(),
            at: 0,
            current: None,
        }
    }

    fn check(&mut self, mut bytes: &[u8]) -> Result<(), String> {
        loop {
            let is_new = self.reader.is_between();
            if is_new && self.client.is_closing.get() && !bytes.is_empty() {
                return Err(format!("bytes behind the last reply: {}", shown(bytes)));
            }
            let (n, event) = self.reader.take(bytes)?;
            let (taken, rest) = bytes.split_at(n);
            bytes = rest;
            self.at += n as u64;
            match event {
                Some(Event::Head(head)) => self.head(&head)?,
                Some(Event::Data) => self.data(taken)?,
                Some(Event::End(trailers)) => self.end(&trailers)?,
                None if n == 0 => return Ok(()),
                None => {}
            }
        }
    }

    fn head(&mut self, head: &Head) -> Result<(), String> {
        let status = status(&head.start)?;
        let mut case = self.client.open.borrow().front().cloned();
        self.world.note(|| {
            let index = self.client.index;
            format!("client {index} is sent {:?}", head.start)
        });
        if (100..200).contains(&status) {
            let case = case.ok_or("an interim reply to no request")?;
            return self.interim(head, status, &case);
        }
        let announced = head.announced()?;
        let closes = match head.one("Connection")? {
            Some("close") => true,
            None | Some("keep-alive") => false,
            Some(other) => return Err(format!("Connection is {other:?}")),
        };
        let is_own = head.one("X-Answer")?.is_none();
        let reason = head.one("Proxy-Status")?.unwrap_or_default();
        if reason.contains("too_many_connections") {
            // Whatever the client may have asked.
            self.client.turned_away.set(true);
            case = None;
        } else if is_own {
            own_head(head, reason, case.as_deref())?;
        } else {
            let case = case.as_ref().ok_or("a backend's answer to no request")?;
            self.answer_head(head, status, case)?;
        }
        let is_head = case.as_ref().is_some_and(|case| case.is_known_head());
        let framing = match announced {
            _ if is_head || matches!(status, 204 | 304) => Framing::Empty,
            Some(framing) => framing,
            None => Framing::UntilEnd,
        };
        if status == 204 && announced.is_some() {
            return Err("a 204 announces a body".to_owned());
        }
        if let Some(case) = &case {
            if framing == Framing::Chunked && case.request.is_10 {
                return Err("chunks for HTTP/1.0".to_owned());
            }
            if case.request.is_10 && !closes && head.one("Connection")?.is_none() {
                return Err("HTTP/1.0 goes on without a word".to_owned());
            }
            case.reply.status.set(Some(status));
            case.reply.is_until_end.set(framing == Framing::UntilEnd);
        }
        if framing == Framing::UntilEnd && !closes {
            return Err("a reply without an end on a connection that goes on".to_owned());
        }
        self.reader.begin_body(framing);
        self.client.is_closing.set(closes);
        self.current = Some(Current { case, is_own });
        Ok(())
    }

    fn interim(&mut self, head: &Head, status: u16, case: &Case) -> Result<(), String> {
        if case.request.is_10 {
            return Err("an interim reply for HTTP/1.0".to_owned());
        }
        if head.number("X-Token")? != Some(case.request.token) {
            return Err("an interim reply to another request".to_owned());
        }
        if status == 100 {
            self.client.continues.set(case.request.token);
        }
        Ok(())
    }

    /// What a backend has answered, passed on.
    fn answer_head(&self, head: &Head, status: u16, case: &Case) -> Result<(), String> {
        if head.number("X-Token")? != Some(case.request.token) {
            return Err("the answer to another request".to_owned());
        }
        let id = head.number("X-Answer")?.unwrap_or_default();
        let answer = self.world.answer(id).ok_or("nobody's answer")?;
        if answer.token != case.request.token || answer.status != status {
            return Err(format!("{status} instead of {}", answer.status));
        }
        if head.one("X-Fill")? != Some(&answer.fill) {
            return Err("a field is not what the backend sent".to_owned());
        }
        *case.reply.answer.borrow_mut() = Some(answer);
        Ok(())
    }

    fn data(&mut self, bytes: &[u8]) -> Result<(), String> {
        let current = self.current.as_ref().ok_or("a body of nothing")?;
        let Some(case) = &current.case else {
            return Ok(());
        };
        let at = case.reply.length.get();
        case.reply.length.set(at + bytes.len() as u64);
        let answer = case.reply.answer.borrow();
        match &*answer {
            Some(answer) if !pattern::is_part(answer.id, at, bytes) => Err(format!(
                "from byte {at} the body is not the answer's: {}",
                shown(bytes)
            )),
            Some(answer) if at + bytes.len() as u64 > answer.length as u64 => {
                Err("more than the answer's body".to_owned())
            }
            _ => Ok(()),
        }
    }

    fn end(&mut self, trailers: &[(String, String)]) -> Result<(), String> {
        let Some(Current { case, is_own }) = self.current.take() else {
            return Err("the end of nothing".to_owned());
        };
        let Some(case) = case else {
            return Ok(());
        };
        case.reply.is_whole.set(true);
        self.client.open.borrow_mut().pop_front();
        self.client.reply_ends.borrow_mut().push(self.at);
        let length = case.reply.length.get();
        if is_own {
            let is_fixed = case.request.to == To::Own && case.request.flaw.is_none();
            let is_right = !is_fixed || length == 0 || length == OWN_BODY.len() as u64;
            return match is_right || case.reply.status.get() != Some(200) {
                true => Ok(()),
                false => Err("not the answer that the route gives".to_owned()),
            };
        }
        let answer = case.reply.answer.borrow().clone();
        let answer = answer.ok_or("a body of no answer")?;
        if !answer.is_complete() {
            return Err("half an answer passes for a whole one".to_owned());
        }
        let wanted = match case.request.method {
            "HEAD" => 0,
            _ => answer.length as u64,
        };
        if length != wanted {
            return Err(format!("{length} bytes of an answer of {wanted}"));
        }
        let is_same = trailers == answer.trailers || case.request.is_10;
        is_same
            .then_some(())
            .ok_or_else(|| "other trailers".to_owned())
    }
}

impl pipe::Tap for Tap {
    fn tries(&mut self, _unread: usize) {}

    fn sends(&mut self, bytes: &[u8]) {
        if let Err(wrong) = self.check(bytes) {
            let name = &self.client.line.name;
            self.world.wrong(format!("{name} is sent {wrong}"));
        }
        self.client.changed.notify_one();
    }

    fn ends(&mut self, how: End) {
        let line = Rc::clone(&self.client.line);
        self.world
            .note(|| format!("{} is ended ({how:?})", line.name));
        self.client.is_closing.set(true);
        if self.reader.is_until_end()
            && how == End::Fin
            && let Err(wrong) = self.end(&[])
        {
            self.world.wrong(format!("{} is sent {wrong}", line.name));
        }
        self.client.changed.notify_one();
    }

    fn reads(&mut self, capacity: usize) {
        self.world.check_buffer(&self.client.line, capacity);
        self.world.check_upload(&self.client);
    }
}

fn status(start: &str) -> Result<u16, String> {
    let rest = start.strip_prefix("HTTP/1.1 ");
    let status = rest.and_then(|rest| rest.get(..3)?.parse().ok());
    status.ok_or_else(|| format!("no status line: {start:?}"))
}

/// What Forebay says itself.
fn own_head(head: &Head, reason: &str, case: Option<&Case>) -> Result<(), String> {
    if head.one("X-Token")?.is_some() {
        return Err("a token in Forebay's own words".to_owned());
    }
    match case {
        None => Err(format!("a reply to no request: {reason}")),
        Some(case) if reason.is_empty() && case.request.to != To::Own => {
            Err("a reply without a reason".to_owned())
        }
        Some(_) => Ok(()),
    }
}

//! Judges what Forebay sends to a backend, byte by byte: every request is what
//! its client has sent, and goes over a connection that is free for it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::{Heard, HeardRequest};
use crate::case::{Attempt, Case};
use crate::line::End;
use crate::message::{Event, Framing, Head, Reader, shown};
use crate::pattern;
use crate::pipe;
use crate::request::To;
use crate::world::World;

pub(crate) struct Tap {
    world: Rc<World>,
    heard: Rc<Heard>,
    reader: Reader,
    /// Bytes sent so far.
    at: u64,
    /// Forebay has tried to begin the next request.
    has_tried: bool,
    current: Option<(Rc<HeardRequest>, u64)>,
}

impl Tap {
    pub(crate) fn new(world: &Rc<World>, heard: &Rc<Heard>) -> Self {
        Self {
            world: Rc::clone(world),
            heard: Rc::clone(heard),
            reader: Reader::new(),
            at: 0,
            has_tried: false,
            current: None,
        }
    }

    fn check(&mut self, mut bytes: &[u8]) -> Result<(), String> {
        loop {
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

    /// The connection is free: what was asked on it before has been answered,
    /// and nothing lies there that was not asked for.
    fn begin(&self, unread: usize) -> Result<(), String> {
        let requests = self.heard.requests.borrow();
        if let Some(before) = requests.last() {
            let answer = before.attempt.answer.borrow();
            let answer = answer.as_ref().filter(|answer| answer.is_complete());
            let answer = answer.ok_or("a request before the answer to the last one")?;
            if !answer.is_taken() {
                return Err("a request while the last answer is under way".to_owned());
            }
            if answer.closes {
                return Err("a request after the last answer".to_owned());
            }
        }
        if self.heard.begun.get() > 0 && self.heard.line.peer_has_left() {
            return Err("a request although its end can be seen".to_owned());
        }
        match unread {
            0 => Ok(()),
            n => Err(format!("a request while {n} bytes lie there unasked")),
        }
    }

    fn head(&mut self, head: &Head) -> Result<(), String> {
        let token = head.number("X-Token")?.unwrap_or_default();
        let case = self.world.case(token).ok_or("nobody's request")?;
        let request = &case.request;
        self.world.note(|| {
            let (name, start) = (&self.heard.line.name, &head.start);
            format!("{name} is sent {start:?} of client {}", case.client.index)
        });
        if head.start != format!("{} {} HTTP/1.1", request.method, request.target) {
            return Err(format!("another start line: {:?}", head.start));
        }
        if request.flaw.is_some_and(|flaw| flaw.is_in_head()) {
            return Err(format!("a request with a flaw: {:?}", request.flaw));
        }
        if request.to != To::Backend {
            return Err("a request that is not for backends".to_owned());
        }
        if head.one("X-Fill")? != Some(&request.fill) {
            return Err("a field that is not what the client sent".to_owned());
        }
        let ip = case.client.address().ip().to_string();
        for name in ["X-Forwarded-For", "X-Real-IP"] {
            if head.one(name)? != Some(&ip) {
                return Err(format!("{name} is {:?}, not {ip}", head.one(name)?));
            }
        }
        let framing = head.announced()?.unwrap_or(Framing::Empty);
        if framing != request.framing {
            return Err(format!("{framing:?} instead of {:?}", request.framing));
        }
        if case.settled.get().is_some() {
            return Err("a request that has settled".to_owned());
        }
        let attempt = self.attempt(&case);
        self.world.check_attempts(&case);
        let request = Rc::new(HeardRequest {
            case,
            attempt,
            head_end: self.at,
            end: Cell::new(None),
        });
        self.heard.requests.borrow_mut().push(Rc::clone(&request));
        self.reader.begin_body(framing);
        self.current = Some((request, 0));
        Ok(())
    }

    fn attempt(&self, case: &Rc<Case>) -> Rc<Attempt> {
        let line = &self.heard.line;
        line.begin_request();
        let attempt = Rc::new(Attempt {
            line: Rc::clone(line),
            taken_before: line.taken.get(),
            sent_before: line.sent.get(),
            to_client_before: case.client.line.sent.get(),
            is_whole: Cell::new(false),
            lied: Cell::new(false),
            answer: RefCell::default(),
        });
        case.attempts.borrow_mut().push(Rc::clone(&attempt));
        attempt
    }

    fn data(&mut self, bytes: &[u8]) -> Result<(), String> {
        let (request, at) = self.current.as_mut().ok_or("a body of nothing")?;
        let token = request.case.request.token;
        if !pattern::is_part(token, *at, bytes) {
            return Err(format!(
                "from byte {at} the body is not the client's: {}",
                shown(bytes)
            ));
        }
        *at += bytes.len() as u64;
        Ok(())
    }

    fn end(&mut self, trailers: &[(String, String)]) -> Result<(), String> {
        let (heard, length) = self.current.take().ok_or("the end of nothing")?;
        heard.attempt.is_whole.set(true);
        heard.end.set(Some(self.at));
        self.has_tried = false;
        let case = &heard.case;
        if !case.is_sent() || case.request.flaw.is_some() {
            return Err("half a request that passes for a whole one".to_owned());
        }
        if length != case.request.length as u64 {
            let wanted = case.request.length;
            return Err(format!("{length} bytes of a body of {wanted}"));
        }
        let is_same = trailers == case.request.trailers;
        is_same
            .then_some(())
            .ok_or_else(|| "other trailers".to_owned())
    }

    fn wrong(&self, wrong: &str) {
        let name = &self.heard.line.name;
        self.world.wrong(format!("{name} is sent {wrong}"));
    }
}

impl pipe::Tap for Tap {
    fn tries(&mut self, unread: usize) {
        if self.reader.is_between() && !std::mem::replace(&mut self.has_tried, true) {
            if let Err(wrong) = self.begin(unread) {
                self.wrong(&wrong);
            }
            self.heard.begun.set(self.heard.begun.get() + 1);
        }
    }

    fn sends(&mut self, bytes: &[u8]) {
        if let Err(wrong) = self.check(bytes) {
            self.wrong(&wrong);
        }
    }

    fn ends(&mut self, how: End) {
        let name = &self.heard.line.name;
        self.world.note(|| format!("{name} is ended ({how:?})"));
        self.heard.changed.notify_one();
        // Of a request that was cut within its head, too, it counts that it was sent.
        let Some(token) = self.reader.token() else {
            return;
        };
        if let Some(case) = self.world.case(token) {
            self.attempt(&case);
            self.world.check_attempts(&case);
        }
    }

    fn reads(&mut self, capacity: usize) {
        self.world.check_buffer(&self.heard.line, capacity);
        if let Some(request) = self.heard.requests.borrow().last() {
            self.world.check_download(request);
        }
    }
}

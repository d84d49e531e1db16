//! A backend's field section becomes the head of an answer (RFC 9113 section 8).

use message::{Kind, Known, ResponseHead, Version};

use super::fields::{Judged, judge};
use crate::h1::Limits;

/// What is wrong with an answer, and what that is called.
pub(super) type Fault = (Kind, &'static str);

pub(super) struct ResponseReader<'a> {
    head: &'a mut ResponseHead,
    limits: &'a Limits,
    /// Pseudo-fields are over.
    is_past: bool,
    count: usize,
    size: usize,
    fault: Option<Fault>,
}

impl<'a> ResponseReader<'a> {
    pub(super) fn new(head: &'a mut ResponseHead, limits: &'a Limits) -> Self {
        head.clear();
        head.version = Version::Http2;
        Self {
            head,
            limits,
            is_past: false,
            count: 0,
            size: 0,
            fault: None,
        }
    }

    pub(super) fn field(&mut self, name: &[u8], value: &[u8]) {
        self.size += name.len() + value.len() + 32;
        if self.fault.is_some() {
            return;
        }
        let taken = match name.strip_prefix(b":") {
            Some(name) => self.pseudo(name, value),
            None => self.regular(name, value),
        };
        self.fault = taken.err();
    }

    /// RFC 9113 section 8.3.2.
    fn pseudo(&mut self, name: &[u8], value: &[u8]) -> Result<(), Fault> {
        if self.is_past {
            return Err(bad("a pseudo-field comes after a field"));
        }
        if name != b"status" {
            return Err(bad("a pseudo-field that answers do not have"));
        }
        if self.head.status != 0 {
            return Err(bad("a pseudo-field comes twice"));
        }
        let &[a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9'] = value else {
            return Err(bad(":status is not three digits"));
        };
        let [a, b, c] = [a, b, c].map(|digit| u16::from(digit - b'0'));
        self.head.status = 100 * a + 10 * b + c;
        Ok(())
    }

    fn regular(&mut self, name: &[u8], value: &[u8]) -> Result<(), Fault> {
        self.is_past = true;
        self.count += 1;
        if self.count > self.limits.count || self.size > self.limits.fields {
            let why = "the head of the answer is too large";
            return Err((Kind::ResponseHeadTooLarge, why));
        }
        let known = Known::of(name);
        // Some backends leave space around, which means nothing.
        let value = value.trim_ascii();
        match judge(known, name, value) {
            Judged::Fine => self.head.fields.push_as(known, name, value),
            Judged::Bad(why) => return Err(bad(why)),
        }
        Ok(())
    }

    /// How large it was, as RFC 9113 section 6.5.2 counts, and what is wrong with it.
    pub(super) fn finish(self, is_last: bool) -> (usize, Result<(), Fault>) {
        let verdict = match (self.fault, self.head.status) {
            (Some(fault), _) => Err(fault),
            (None, 0) => Err(bad("there is no :status")),
            // RFC 9113 section 8.6.
            (None, 101) => Err(bad("HTTP/2 does not switch protocols")),
            (None, 100..200) if is_last => Err(bad("an interim answer is the last")),
            _ => Ok(()),
        };
        (self.size, verdict)
    }
}

fn bad(why: &'static str) -> Fault {
    (Kind::BadResponse, why)
}

//! A request's field section becomes the head of a request (RFC 9113 section 8).
//!
//! Whether its body has a length or ends with the stream is said as HTTP/1.1 does,
//! by `Content-Length` or `Transfer-Encoding`, which no peer can send in HTTP/2.

use message::{Failure, Form, Kind, Known, Method, RequestHead, Span, Version};

use super::fields::{Judged, judge, length};
use crate::h1::{Limits, is_target, is_token};

/// What of the pseudo-fields has come.
#[derive(Default)]
struct Seen {
    method: bool,
    scheme: bool,
    path: bool,
    authority: bool,
}

pub(super) struct RequestReader<'a> {
    head: &'a mut RequestHead,
    limits: &'a Limits,
    seen: Seen,
    /// Pseudo-fields are over.
    is_past: bool,
    protocol: Option<Box<[u8]>>,
    /// It may come in several fields, of which HTTP/1.1 knows nothing (RFC 9113 section 8.2.3).
    cookie: Vec<u8>,
    count: usize,
    size: usize,
    fault: Option<Failure>,
}

/// What a field section has said besides the head.
pub(super) struct Read {
    /// What the client wants to go on with (RFC 8441).
    pub protocol: Option<Box<[u8]>>,
    pub verdict: Result<(), Failure>,
    /// All of the fields' names and values, as RFC 9113 section 6.5.2 counts.
    pub size: usize,
}

impl<'a> RequestReader<'a> {
    pub(super) fn new(head: &'a mut RequestHead, limits: &'a Limits) -> Self {
        head.clear();
        head.version = Version::Http2;
        Self {
            head,
            limits,
            seen: Seen::default(),
            is_past: false,
            protocol: None,
            cookie: Vec::new(),
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

    fn pseudo(&mut self, name: &[u8], value: &[u8]) -> Result<(), Failure> {
        if self.is_past {
            return Err(malformed("a pseudo-field comes after a field"));
        }
        let head = &mut *self.head;
        let was_seen = match name {
            b"method" => {
                if !is_token(value) {
                    return Err(malformed(":method is no method"));
                }
                head.method = Method::of(value);
                head.method_text = head.fields.intern(value);
                std::mem::replace(&mut self.seen.method, true)
            }
            b"scheme" => {
                if !is_token(value) {
                    return Err(malformed(":scheme is no scheme"));
                }
                std::mem::replace(&mut self.seen.scheme, true)
            }
            b"path" => {
                if value.len() > self.limits.line {
                    return Err(Kind::TargetTooLong.into());
                }
                head.target = head.fields.intern(value);
                std::mem::replace(&mut self.seen.path, true)
            }
            b"authority" => {
                if !super::fields::is_value(value) {
                    return Err(malformed(
                        ":authority holds a byte that may not stand there",
                    ));
                }
                // An empty one says as much as none.
                if value.is_empty() {
                    return Ok(());
                }
                head.fields.push_as(Known::Host, b"host", value);
                std::mem::replace(&mut self.seen.authority, true)
            }
            b"protocol" => {
                let before = self.protocol.replace(value.into());
                before.is_some()
            }
            _ => return Err(malformed("a pseudo-field that requests do not have")),
        };
        match was_seen {
            true => Err(malformed("a pseudo-field comes twice")),
            false => Ok(()),
        }
    }

    fn regular(&mut self, name: &[u8], value: &[u8]) -> Result<(), Failure> {
        self.is_past = true;
        self.count += 1;
        if self.count > self.limits.count || self.size > self.limits.fields {
            return Err(Kind::HeadTooLarge.into());
        }
        let known = Known::of(name);
        match judge(known, name, value) {
            Judged::Fine => {}
            Judged::Bad(why) => return Err(malformed(why)),
        }
        match known {
            // RFC 9113 section 8.3.1.
            Known::Host if self.seen.authority => {
                let authority = self.head.fields.get(Known::Host).unwrap_or_default();
                if !authority.eq_ignore_ascii_case(value) {
                    return Err(malformed(":authority and Host name different hosts"));
                }
            }
            Known::Cookie => {
                if !self.cookie.is_empty() {
                    self.cookie.extend_from_slice(b"; ");
                }
                self.cookie.extend_from_slice(value);
            }
            _ => self.head.fields.push_as(known, name, value),
        }
        Ok(())
    }

    pub(super) fn finish(mut self, is_end: bool) -> Read {
        let verdict = match self.fault.take() {
            Some(fault) => Err(fault),
            None => self.complete(is_end),
        };
        Read {
            protocol: self.protocol,
            verdict,
            size: self.size,
        }
    }

    fn complete(&mut self, is_end: bool) -> Result<(), Failure> {
        let head = &mut *self.head;
        if !self.cookie.is_empty() {
            head.fields.push_as(Known::Cookie, b"cookie", &self.cookie);
        }
        if !self.seen.method {
            return Err(malformed("there is no :method"));
        }
        let is_connect = head.method == Method::Connect;
        match (&self.protocol, is_connect) {
            (Some(_), false) => return Err(malformed(":protocol without CONNECT")),
            // RFC 9113 section 8.5.
            (None, true) => {
                if self.seen.path || self.seen.scheme {
                    return Err(malformed("CONNECT with :scheme or :path"));
                }
                let authority = head.fields.get(Known::Host).unwrap_or_default().to_vec();
                head.form = Form::Authority;
                head.target = head.fields.intern(&authority);
                head.authority = head.target;
            }
            _ => {
                if !self.seen.path || !self.seen.scheme {
                    return Err(malformed("there is no :scheme or no :path"));
                }
                split_path(head)?;
            }
        }
        let length = length(&head.fields);
        if is_end && length.is_some_and(|n| n > 0) {
            return Err(malformed("Content-Length, and no body"));
        }
        // What follows CONNECT is no body.
        if !is_end && !is_connect && !head.fields.has(Known::ContentLength) {
            let chunked = b"chunked";
            head.fields
                .push_as(Known::TransferEncoding, b"transfer-encoding", chunked);
        }
        Ok(())
    }
}

fn malformed(detail: &'static str) -> Failure {
    Failure::new(Kind::Malformed, detail)
}

/// Path and query of what `:path` was.
fn split_path(head: &mut RequestHead) -> Result<(), Failure> {
    let target = head.target_bytes();
    match target {
        b"*" if head.method == Method::Options => {
            head.form = Form::Asterisk;
            head.path = head.target;
            return Ok(());
        }
        [b'/', ..] if is_target(target) => {}
        _ => return Err(malformed(":path is no path")),
    }
    let path = memchr::memchr(b'?', target).unwrap_or(target.len());
    let (at, len) = (head.target.at as usize, target.len());
    head.form = Form::Origin;
    head.path = Span::new(at, path);
    head.query = Span::new(at + path, len - path);
    Ok(())
}

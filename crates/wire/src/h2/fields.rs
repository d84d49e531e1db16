//! Which fields a message may have in HTTP/2 (RFC 9113 section 8.2), and how many.

use message::{Fields, Known};

use crate::h1::{Limits, is_token, may_be_trailer};

/// A head that comes to so many times the limit is sent to do harm; below, it is
/// answered like any that is too large.
const HARMFUL: usize = 8;

/// For that, no limit is less.
const LEAST: usize = 32 * 1024;

/// How large a field section may become before the connection ends.
pub(super) fn most(limits: &Limits) -> usize {
    HARMFUL * limits.fields.max(LEAST)
}

pub(super) enum Judged {
    Fine,
    Bad(&'static str),
}

pub(super) fn judge(known: Known, name: &[u8], value: &[u8]) -> Judged {
    if !is_name(known, name) {
        return Judged::Bad("a field name holds a byte that may not stand there");
    }
    if !is_value(value) {
        return Judged::Bad(
            "a field value holds a control character, or begins or ends with space",
        );
    }
    match known {
        // RFC 9113 section 8.2.2.
        Known::Connection
        | Known::KeepAlive
        | Known::ProxyConnection
        | Known::TransferEncoding
        | Known::Upgrade => Judged::Bad("a field that speaks of an HTTP/1.1 connection"),
        Known::Te if value != b"trailers" => Judged::Bad("TE says something else than trailers"),
        _ => Judged::Fine,
    }
}

/// A token in lower case (RFC 9113 section 8.2.1).
fn is_name(known: Known, name: &[u8]) -> bool {
    // The names that are known are tokens.
    (known.is_name() || is_token(name)) && !name.iter().any(u8::is_ascii_uppercase)
}

/// No control character, and nothing at either end that HTTP/1.1 would take off.
pub(super) fn is_value(value: &[u8]) -> bool {
    let is_space = |b: Option<&u8>| matches!(b, Some(b' ' | b'\t'));
    crate::h1::is_value(value) && !is_space(value.first()) && !is_space(value.last())
}

/// The body's length, where it is one plain number. What else there may be is
/// judged with the rest of the head.
pub(super) fn length(fields: &Fields) -> Option<u64> {
    let mut all = fields.all(Known::ContentLength);
    let (value, None) = (all.next()?, all.next()) else {
        return None;
    };
    std::str::from_utf8(value).ok()?.parse().ok()
}

/// Trailers; false where they are malformed.
#[derive(Default)]
pub(super) struct TrailerReader {
    pub fields: Fields,
    size: usize,
    pub is_bad: bool,
}

impl TrailerReader {
    pub(super) fn field(&mut self, name: &[u8], value: &[u8], limits: &Limits) {
        self.size += name.len() + value.len() + 32;
        let known = Known::of(name);
        let is_fine = matches!(judge(known, name, value), Judged::Fine);
        if !is_fine || self.size > limits.fields || self.fields.len() >= limits.count {
            self.is_bad = true;
        } else if may_be_trailer(known) {
            self.fields.push_as(known, name, value);
        }
    }

    pub(super) fn size(&self) -> usize {
        self.size
    }
}

//! Which fields a message may have in HTTP/2 (RFC 9113 section 8.2).

use message::Known;

use crate::h1::is_token;

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

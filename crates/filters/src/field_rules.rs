//! Which fields a configuration may set, and what a value may hold.

use message::{Known, KnownSet};

/// Refuses a request field that a route must not set. The error is a sentence
/// for people.
pub fn check_request_field(name: &str) -> Result<(), String> {
    check_any(name)?;
    match Known::of(name.as_bytes()) {
        Known::Lookalike => Err(format!(
            "some backends take `{name}` for the same name with `-`, so it is never sent; write `{}`",
            name.replace('_', "-")
        )),
        Known::Expect => Err(format!(
            "`{name}` belongs to the conversation with the client; it cannot be set"
        )),
        _ => Ok(()),
    }
}

/// Refuses a response field that a route must not set. The error is a sentence
/// for people.
pub fn check_response_field(name: &str) -> Result<(), String> {
    check_any(name)
}

fn check_any(name: &str) -> Result<(), String> {
    if !is_token(name) {
        return Err(format!("`{name}` is not a header name"));
    }
    match Known::of(name.as_bytes()) {
        Known::ContentLength | Known::TransferEncoding | Known::Trailer => Err(format!(
            "`{name}` says where a message ends; Forebay writes it itself"
        )),
        known if KnownSet::HOP_BY_HOP.has(known) => Err(format!(
            "`{name}` concerns one connection only; Forebay writes it itself"
        )),
        _ => Ok(()),
    }
}

/// `token` of RFC 9110 section 5.6.2.
pub(crate) fn is_token(name: &str) -> bool {
    let tchar = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !name.is_empty() && name.len() <= usize::from(u16::MAX) && name.bytes().all(tchar)
}

/// Bytes that no field value holds (RFC 9110 section 5.5). Some would end the
/// field or the head around it, and there are readers that end lines at others.
pub(crate) fn breaks_a_field(byte: u8) -> bool {
    byte.is_ascii_control() && byte != b'\t'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (name, request, response) in [
            ("X-Proxy-Version", true, true),
            ("Host", true, true),
            ("X-Forwarded-For", true, true),
            ("Content-Type", true, true),
            ("content-length", false, false),
            ("Transfer-Encoding", false, false),
            ("Trailer", false, false),
            ("Connection", false, false),
            ("Keep-Alive", false, false),
            ("Proxy-Connection", false, false),
            ("TE", false, false),
            ("Upgrade", false, false),
            ("Expect", false, true),
            ("X_Real_IP", false, true),
            ("X_Custom", true, true),
            ("", false, false),
            ("X Y", false, false),
            ("X:Y", false, false),
            ("X\r\nY", false, false),
            ("É", false, false),
        ] {
            assert_eq!(check_request_field(name).is_ok(), request, "{name}");
            assert_eq!(check_response_field(name).is_ok(), response, "{name}");
        }
    }
}

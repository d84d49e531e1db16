//! HTTP/2 (RFC 9113): a connection as a machine of bytes, and heads as field sections.

mod connection;
mod fields;
mod frame;
pub mod hpack;
mod request;
mod response;
mod watch;

use message::{Field, Fields, Known, KnownSet, RequestHead, ResponseHead};

use hpack::Pseudo;

pub use connection::{AnswerTo, Arrived, Connection, Cut, Options, StreamKey, Waiting, Windows};
pub use frame::{PREFACE, Reason};
pub use watch::{Flood, Patience, Watch};

/// The head of a response, interim or final, as a field section; what was written
/// before may refer to nothing in it, nor it to that.
pub fn write_response(out: &mut Vec<u8>, head: &ResponseHead) {
    hpack::write_status(out, head.status);
    write_section(out, &head.fields);
}

/// Fields or trailers as a part of a field section.
pub fn write_section(out: &mut Vec<u8>, fields: &Fields) {
    for field in fields.iter() {
        hpack::write_field(out, field.known, field.name, field.value);
    }
}

/// What of a request is said in another way here, or is not said (RFC 9113 section
/// 8.2.2).
const ELSEWHERE: KnownSet = KnownSet::of(&[
    Known::Connection,
    Known::Host,
    Known::KeepAlive,
    Known::ProxyConnection,
    Known::Te,
    Known::TransferEncoding,
    Known::Upgrade,
]);

/// The head of a request to a backend, as a field section. Trailers are welcome:
/// whoever wants none is not given any.
pub fn write_request(out: &mut Vec<u8>, head: &RequestHead, is_secure: bool) {
    hpack::write_pseudo(out, Pseudo::Method, head.method_bytes());
    write_target(out, head, is_secure);
    for field in head.fields.iter().filter(|f| !ELSEWHERE.has(f.known)) {
        hpack::write_field(out, field.known, field.name, field.value);
    }
    hpack::write_field(out, Known::Te, b"te", b"trailers");
}

/// The head of a request to go on with another protocol, of what would be that
/// request over HTTP/1.1 (RFC 8441 section 4). The key by which that is agreed to
/// there is not sent (section 5), nor a length: what follows is no body.
pub fn write_extended_connect(
    out: &mut Vec<u8>,
    head: &RequestHead,
    protocol: &str,
    is_secure: bool,
) {
    hpack::write_pseudo(out, Pseudo::Method, b"CONNECT");
    hpack::write_pseudo(out, Pseudo::Protocol, protocol.as_bytes());
    write_target(out, head, is_secure);
    let is_elsewhere = |f: &Field<'_>| {
        ELSEWHERE.has(f.known)
            || f.known == Known::ContentLength
            || f.name.eq_ignore_ascii_case(b"sec-websocket-key")
    };
    for field in head.fields.iter().filter(|f| !is_elsewhere(f)) {
        hpack::write_field(out, field.known, field.name, field.value);
    }
}

/// The pseudo-fields that say where a request goes.
fn write_target(out: &mut Vec<u8>, head: &RequestHead, is_secure: bool) {
    let scheme: &[u8] = match is_secure {
        true => b"https",
        false => b"http",
    };
    hpack::write_pseudo(out, Pseudo::Scheme, scheme);
    if let Some(host) = head.fields.get(Known::Host) {
        hpack::write_pseudo(out, Pseudo::Authority, host);
    }
    match head.query_bytes() {
        [] if is_path(head.path_bytes()) => {
            hpack::write_pseudo(out, Pseudo::Path, head.path_bytes());
        }
        query => {
            let target = [head.path_bytes(), query].concat();
            match is_path(head.path_bytes()) && is_query(query) {
                true => hpack::write_pseudo(out, Pseudo::Path, &target),
                false => hpack::write_pseudo(out, Pseudo::Path, &escaped(&target)),
            }
        }
    }
}

fn is_path(path: &[u8]) -> bool {
    let is_fine =
        |b: &u8| matches!(b, b'!' | b'"' | b'$'..=b';' | b'=' | b'@'..=b'_' | b'a'..=b'~' | 0x80..);
    path.iter().all(is_fine) && std::str::from_utf8(path).is_ok()
}

fn is_query(query: &[u8]) -> bool {
    let is_fine = |b: &u8| matches!(b, b'!' | b'$'..=b';' | b'=' | b'?'..=b'~' | 0x80..);
    query.iter().all(is_fine) && std::str::from_utf8(query).is_ok()
}

/// What has no place in a URI (RFC 3986), but is sent all the same, is escaped.
fn escaped(target: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut escaped = Vec::with_capacity(target.len());
    for &byte in target {
        match byte {
            b'!' | b'$'..=b';' | b'=' | b'?'..=b'Z' | b'[' | b']' | b'_' | b'a'..=b'z' | b'~' => {
                escaped.push(byte);
            }
            other => {
                escaped.push(b'%');
                let digits = [other >> 4, other & 15];
                escaped.extend(digits.iter().filter_map(|&d| DIGITS.get(usize::from(d))));
            }
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(head: &RequestHead, is_secure: bool) -> Vec<(String, String)> {
        let mut section = Vec::new();
        write_request(&mut section, head, is_secure);
        lines(&section)
    }

    fn lines(section: &[u8]) -> Vec<(String, String)> {
        let mut lines = Vec::new();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let decoded = hpack::Decoder::new(0).decode(section, |name, value| {
            lines.push((text(name), text(value)));
        });
        assert_eq!(decoded, Ok(()));
        lines
    }

    fn head(path: &str, query: &str, fields: &[(&str, &str)]) -> RequestHead {
        let mut head = RequestHead::default();
        head.method_text = head.fields.intern(b"PUT");
        head.path = head.fields.intern(path.as_bytes());
        head.query = head.fields.intern(query.as_bytes());
        for (name, value) in fields {
            head.fields.push(name.as_bytes(), value.as_bytes());
        }
        head
    }

    #[test]
    fn what_http_2_says_otherwise_is_left_out_of_a_request() {
        let fields = [
            ("Connection", "close"),
            ("Host", "a.test"),
            ("X-Mine", "Here"),
            ("TE", "deflate"),
            ("Transfer-Encoding", "chunked"),
            ("Upgrade", "h2c"),
            ("Keep-Alive", "timeout=1"),
            ("Proxy-Connection", "close"),
            ("Content-Length", "5"),
        ];
        let expected = [
            (":method", "PUT"),
            (":scheme", "https"),
            (":authority", "a.test"),
            (":path", "/a?b"),
            ("x-mine", "Here"),
            ("content-length", "5"),
            ("te", "trailers"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(written(&head("/a", "?b", &fields), true), expected);
    }

    #[test]
    fn a_request_to_switch_is_a_connect_with_a_protocol() {
        let fields = [
            ("Host", "a.test"),
            ("Connection", "upgrade"),
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("Sec-WebSocket-Version", "13"),
            ("Content-Length", "0"),
            ("Origin", "https://a.test"),
        ];
        let expected = [
            (":method", "CONNECT"),
            (":protocol", "websocket"),
            (":scheme", "https"),
            (":authority", "a.test"),
            (":path", "/a?b"),
            ("sec-websocket-version", "13"),
            ("origin", "https://a.test"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut section = Vec::new();
        let head = head("/a", "?b", &fields);
        write_extended_connect(&mut section, &head, "websocket", true);
        assert_eq!(lines(&section), expected);
    }

    #[test]
    fn targets_are_escaped_where_they_are_no_uri() {
        for (path, query, expected) in [
            ("/", "", "/"),
            ("*", "", "*"),
            ("/a%20b", "?c=%20{d}", "/a%20b?c=%20{d}"),
            ("/{\"a\"}|^\\", "", "/{\"a\"}|^\\"),
            ("/ä", "?ö", "/ä?ö"),
            ("/a`", "", "/a%60"),
            ("/a<b>", "", "/a%3Cb%3E"),
            ("/{a}", "?b=\"c\"", "/%7Ba%7D?b=%22c%22"),
            ("/ä", "?<", "/%C3%A4?%3C"),
        ] {
            let lines = written(&head(path, query, &[]), false);
            let said = lines.iter().find(|(name, _)| name == ":path");
            assert_eq!(said.map(|(_, value)| &**value), Some(expected));
        }
        // What is no text cannot be a URI either.
        let mut odd = RequestHead::default();
        odd.path = odd.fields.intern(b"/\xff");
        assert!(written(&odd, false).contains(&(":path".into(), "/%FF".into())));
    }
}

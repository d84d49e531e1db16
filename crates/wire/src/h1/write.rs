//! Heads as bytes.

use message::{RequestHead, ResponseHead, reason_phrase};

use super::framing::Framing;

/// Appends a request's head in origin form (or asterisk form) as HTTP/1.1.
/// The head's own `Content-Length` goes with the other fields; the chunked
/// coding is announced here because it belongs to this connection.
pub fn write_request_head(out: &mut Vec<u8>, head: &RequestHead, framing: Framing) {
    out.reserve(head.fields.size_hint());
    out.extend_from_slice(head.method_bytes());
    out.push(b' ');
    out.extend_from_slice(head.path_bytes());
    out.extend_from_slice(head.query_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    head.fields.write_lines(out);
    if framing == Framing::Chunked {
        out.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

/// What a response says about its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Announce {
    /// HTTP/1.1 that goes on: nothing.
    Nothing,
    /// HTTP/1.0 that goes on must say so.
    KeepAlive,
    Close,
}

/// Appends a response's head as HTTP/1.1 (RFC 9112 section 2.3: a server sends
/// its own version, whatever the client's).
pub fn write_response_head(
    out: &mut Vec<u8>,
    head: &ResponseHead,
    framing: Framing,
    announce: Announce,
) {
    out.reserve(head.fields.size_hint());
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(itoa::Buffer::new().format(head.status).as_bytes());
    out.push(b' ');
    match head.fields.slice(head.reason) {
        [] => out.extend_from_slice(reason_phrase(head.status).as_bytes()),
        reason => out.extend_from_slice(reason),
    }
    out.extend_from_slice(b"\r\n");
    head.fields.write_lines(out);
    if framing == Framing::Chunked {
        out.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
    }
    out.extend_from_slice(match announce {
        Announce::Nothing => &b"\r\n"[..],
        Announce::KeepAlive => b"Connection: keep-alive\r\n\r\n",
        Announce::Close => b"Connection: close\r\n\r\n",
    });
}

/// Appends the first line of a chunk.
pub(super) fn write_chunk_size(out: &mut Vec<u8>, size: usize) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = (usize::BITS - size.leading_zeros()).div_ceil(4).max(1);
    out.extend(
        (0..digits)
            .rev()
            .filter_map(|i| DIGITS.get(size >> (4 * i) & 15)),
    );
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use message::{Method, Span};

    #[test]
    fn a_request() {
        let mut head = RequestHead {
            method: Method::Post,
            ..RequestHead::default()
        };
        head.method_text = head.fields.intern(b"POST");
        head.path = head.fields.intern(b"/a");
        head.query = head.fields.intern(b"?b");
        head.fields.push(b"host", b"x");
        let mut out = Vec::new();
        write_request_head(&mut out, &head, Framing::Chunked);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "POST /a?b HTTP/1.1\r\nhost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        );
    }

    #[test]
    fn a_response_with_its_own_reason_or_the_registered_one() {
        for (reason, announce, expected) in [
            (
                &b""[..],
                Announce::Nothing,
                "HTTP/1.1 404 Not Found\r\nA: b\r\n\r\n",
            ),
            (
                b"Gone fishing",
                Announce::Close,
                "HTTP/1.1 404 Gone fishing\r\nA: b\r\nConnection: close\r\n\r\n",
            ),
        ] {
            let mut head = ResponseHead {
                status: 404,
                reason: Span::default(),
                ..ResponseHead::default()
            };
            head.reason = head.fields.intern(reason);
            head.fields.push(b"A", b"b");
            let mut out = Vec::new();
            write_response_head(&mut out, &head, Framing::Length(0), announce);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }

    #[test]
    fn chunk_sizes() {
        for size in [1, 9, 10, 15, 16, 255, 256, 4096, 65535, 65536, 123_456_789] {
            let mut out = Vec::new();
            write_chunk_size(&mut out, size);
            assert_eq!(String::from_utf8(out).unwrap(), format!("{size:x}\r\n"));
        }
    }
}

//! What a request asks for, as far as a backend of fixed answers cares.
//!
//! Only four fields matter here (`Connection`, `Content-Length`, `Expect`,
//! `Transfer-Encoding`), so every other line is stepped over unread.

use memchr::memchr;

/// The longest head accepted, in bytes.
const HEAD_LIMIT: usize = 64 * 1024;

/// The bytes are not an HTTP/1.x request this backend can frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// So many bytes of filler.
    Bytes(u64),
    /// The head of such an answer: the request was a `HEAD`.
    HeadOnly(u64),
    /// The number of bytes in the request's body.
    Count,
    /// Something that does not exist here.
    Nothing,
}

/// How the end of the request's body is found (RFC 9112 section 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    Length(u64),
    Chunked,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) wanted: Wanted,
    pub(crate) framing: Framing,
    pub(crate) keep_alive: bool,
    pub(crate) expects_continue: bool,
}

/// Reads the head at the start of `bytes`: the request and the head's length,
/// or `None` while its end has not arrived.
pub(crate) fn parse(bytes: &[u8]) -> Result<Option<(Request, usize)>, Malformed> {
    let Some((line, mut rest)) = split_line(bytes) else {
        return unfinished(bytes);
    };
    let mut request = request_line(line)?;
    while let Some((line, after)) = split_line(rest) {
        rest = after;
        if line.is_empty() {
            return Ok(Some((request, bytes.len() - rest.len())));
        }
        request.note(line)?;
    }
    unfinished(bytes)
}

fn unfinished(bytes: &[u8]) -> Result<Option<(Request, usize)>, Malformed> {
    if bytes.len() > HEAD_LIMIT {
        Err(Malformed)
    } else {
        Ok(None)
    }
}

/// The first line without its end, and what follows it.
fn split_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (line, rest) = bytes.split_at_checked(memchr(b'\n', bytes)? + 1)?;
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    Some((line.strip_suffix(b"\r").unwrap_or(line), rest))
}

fn request_line(line: &[u8]) -> Result<Request, Malformed> {
    let mut words = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(Malformed);
    };
    let keep_alive = match version {
        b"HTTP/1.1" => true,
        b"HTTP/1.0" => false,
        _ => return Err(Malformed),
    };
    Ok(Request {
        wanted: wanted(method, target),
        framing: Framing::Length(0),
        keep_alive,
        expects_continue: false,
    })
}

fn wanted(method: &[u8], target: &[u8]) -> Wanted {
    let size = || size_named(target);
    match method {
        b"GET" => size().map_or(Wanted::Nothing, Wanted::Bytes),
        b"HEAD" => size().map_or(Wanted::Nothing, Wanted::HeadOnly),
        b"POST" | b"PUT" => Wanted::Count,
        _ => Wanted::Nothing,
    }
}

/// The size a path names: `/128`, `/64k`, `/1m` or `/bytes/N`, whatever its query.
fn size_named(target: &[u8]) -> Option<u64> {
    let path = target.split(|byte| *byte == b'?').next()?;
    let name = path.strip_prefix(b"/")?;
    match name {
        b"128" => Some(128),
        b"64k" => Some(64 * 1024),
        b"1m" => Some(1024 * 1024),
        _ => decimal(name.strip_prefix(b"bytes/")?),
    }
}

fn decimal(digits: &[u8]) -> Option<u64> {
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    str::from_utf8(digits).ok()?.parse().ok()
}

impl Request {
    /// Takes note of one field line, if it is one that matters.
    fn note(&mut self, line: &[u8]) -> Result<(), Malformed> {
        // Two of three fields are let go by their first letter alone.
        if !matches!(line.first(), Some(b'c' | b'C' | b'e' | b'E' | b't' | b'T')) {
            return Ok(());
        }
        let colon = memchr(b':', line).ok_or(Malformed)?;
        let (name, value) = line.split_at(colon);
        let value = value.strip_prefix(b":").unwrap_or(value).trim_ascii();
        if name.eq_ignore_ascii_case(b"connection") {
            self.note_connection(value);
        } else if name.eq_ignore_ascii_case(b"content-length") {
            self.framing = Framing::Length(decimal(value).ok_or(Malformed)?);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.note_coding(value)?;
        } else if name.eq_ignore_ascii_case(b"expect") {
            self.expects_continue = value.eq_ignore_ascii_case(b"100-continue");
        }
        Ok(())
    }

    fn note_connection(&mut self, value: &[u8]) {
        for option in value.split(|byte| *byte == b',') {
            let option = option.trim_ascii();
            if option.eq_ignore_ascii_case(b"close") {
                self.keep_alive = false;
            } else if option.eq_ignore_ascii_case(b"keep-alive") {
                self.keep_alive = true;
            }
        }
    }

    fn note_coding(&mut self, value: &[u8]) -> Result<(), Malformed> {
        if !value.eq_ignore_ascii_case(b"chunked") {
            return Err(Malformed);
        }
        self.framing = Framing::Chunked;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Framing, HEAD_LIMIT, Malformed, Request, Wanted, parse};

    const PLAIN: Request = Request {
        wanted: Wanted::Bytes(128),
        framing: Framing::Length(0),
        keep_alive: true,
        expects_continue: false,
    };

    #[test]
    fn heads() {
        let counted = Request {
            wanted: Wanted::Count,
            ..PLAIN
        };
        let table: &[(&str, Result<Request, Malformed>)] = &[
            ("GET /128 HTTP/1.1\r\n", Ok(PLAIN)),
            (
                "GET /128?page=2&sort=name HTTP/1.1\r\nHost: a\r\nCookie: b=c\r\n",
                Ok(PLAIN),
            ),
            (
                "GET /64k HTTP/1.1\r\n",
                Ok(Request {
                    wanted: Wanted::Bytes(65_536),
                    ..PLAIN
                }),
            ),
            (
                "HEAD /1m HTTP/1.1\r\n",
                Ok(Request {
                    wanted: Wanted::HeadOnly(1 << 20),
                    ..PLAIN
                }),
            ),
            (
                "GET /bytes/7 HTTP/1.1\r\n",
                Ok(Request {
                    wanted: Wanted::Bytes(7),
                    ..PLAIN
                }),
            ),
            (
                "GET /bytes/ HTTP/1.1\r\n",
                Ok(Request {
                    wanted: Wanted::Nothing,
                    ..PLAIN
                }),
            ),
            (
                "GET /bytes/+7 HTTP/1.1\r\n",
                Ok(Request {
                    wanted: Wanted::Nothing,
                    ..PLAIN
                }),
            ),
            (
                "GET /129 HTTP/1.1\r\n",
                Ok(Request {
                    wanted: Wanted::Nothing,
                    ..PLAIN
                }),
            ),
            (
                "DELETE /128 HTTP/1.1\r\n",
                Ok(Request {
                    wanted: Wanted::Nothing,
                    ..PLAIN
                }),
            ),
            (
                "GET /128 HTTP/1.0\r\n",
                Ok(Request {
                    keep_alive: false,
                    ..PLAIN
                }),
            ),
            ("GET /128 HTTP/1.0\r\nConnection: Keep-Alive\r\n", Ok(PLAIN)),
            (
                "GET /128 HTTP/1.1\r\nconnection: x, CLOSE\r\n",
                Ok(Request {
                    keep_alive: false,
                    ..PLAIN
                }),
            ),
            (
                "POST /x HTTP/1.1\r\ncontent-length: 12\r\n",
                Ok(Request {
                    framing: Framing::Length(12),
                    ..counted
                }),
            ),
            (
                "PUT /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n",
                Ok(Request {
                    framing: Framing::Chunked,
                    ..counted
                }),
            ),
            (
                "POST /x HTTP/1.1\r\nExpect: 100-continue\r\n",
                Ok(Request {
                    expects_continue: true,
                    ..counted
                }),
            ),
            ("POST /x HTTP/1.1\r\nContent-Length: 1x\r\n", Err(Malformed)),
            (
                "POST /x HTTP/1.1\r\nTransfer-Encoding: gzip\r\n",
                Err(Malformed),
            ),
            ("POST /x HTTP/1.1\r\nContent-Length\r\n", Err(Malformed)),
            ("GET /128 HTTP/2\r\n", Err(Malformed)),
            ("GET /128\r\n", Err(Malformed)),
            ("\r\n", Err(Malformed)),
        ];
        for (text, wanted) in table {
            let head = format!("{text}\r\n");
            let found = parse(head.as_bytes());
            assert_eq!(
                found,
                wanted.map(|request| Some((request, head.len()))),
                "{text:?}"
            );
        }
    }

    #[test]
    fn a_head_ends_where_it_ends() {
        let head = "GET /128 HTTP/1.1\r\nHost: a\r\n\r\n";
        for cut in 0..head.len() {
            assert_eq!(parse(&head.as_bytes()[..cut]), Ok(None), "{cut}");
        }
        let more = format!("{head}GET /64k");
        assert_eq!(parse(more.as_bytes()), Ok(Some((PLAIN, head.len()))));
    }

    #[test]
    fn an_endless_head_is_refused() {
        let endless = format!("GET /128 HTTP/1.1\r\nX: {}", "a".repeat(HEAD_LIMIT));
        assert_eq!(parse(endless.as_bytes()), Err(Malformed));
    }
}

//! The end of an answer, in whatever pieces it comes.

use memchr::memmem;

/// Not an answer with a status and `Content-Length`, or more than one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// One answer on its way in.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// What came of a head whose end has not come.
    head: Vec<u8>,
    /// Status and the bytes of the body still to come, once the head is there.
    open: Option<(u16, usize)>,
}

impl Answer {
    /// Nothing of it has come.
    pub(crate) fn is_unbegun(&self) -> bool {
        self.head.is_empty() && self.open.is_none()
    }

    /// Takes bytes; the status of the answer if they complete it.
    pub(crate) fn receive(&mut self, bytes: &[u8]) -> Result<Option<u16>, Malformed> {
        let (status, left) = match self.open {
            Some((status, left)) => (status, left.checked_sub(bytes.len()).ok_or(Malformed)?),
            // Almost always the whole answer comes at once: nothing is copied.
            None if self.head.is_empty() => match begin(bytes)? {
                Some(begun) => begun,
                None => return self.keep(bytes),
            },
            None => {
                let mut whole = std::mem::take(&mut self.head);
                whole.extend_from_slice(bytes);
                match begin(&whole)? {
                    Some(begun) => begun,
                    None => return self.keep(&whole),
                }
            }
        };
        self.open = (left > 0).then_some((status, left));
        Ok((left == 0).then_some(status))
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<Option<u16>, Malformed> {
        self.head.extend_from_slice(bytes);
        Ok(None)
    }
}

/// Status and what is still to come of the body behind a complete head.
fn begin(bytes: &[u8]) -> Result<Option<(u16, usize)>, Malformed> {
    let Some(end) = memmem::find(bytes, b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = bytes.get(..end).unwrap_or_default();
    let status = head.get(9..12).and_then(number).ok_or(Malformed)?;
    let length = head
        .split(|&byte| byte == b'\n')
        .find_map(content_length)
        .and_then(number)
        .ok_or(Malformed)?;
    let left = length.checked_sub(bytes.len() - end - 4).ok_or(Malformed)?;
    Ok(Some((u16::try_from(status).map_err(|_| Malformed)?, left)))
}

/// The value of a field line if it is that one.
fn content_length(line: &[u8]) -> Option<&[u8]> {
    let (name, value) = line.split_at_checked(b"content-length:".len())?;
    name.eq_ignore_ascii_case(b"content-length:")
        .then(|| value.trim_ascii())
}

fn number(text: &[u8]) -> Option<usize> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{Answer, Malformed};

    fn fed(text: &str, step: usize) -> Result<Option<u16>, Malformed> {
        let mut answer = Answer::default();
        let mut last = Ok(None);
        for piece in text.as_bytes().chunks(step) {
            last = answer.receive(piece);
            if last.is_err() {
                break;
            }
        }
        last
    }

    #[test]
    fn answers_in_any_pieces() {
        let table = [
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
                Ok(Some(200)),
            ),
            (
                "HTTP/1.1 502 No\r\na: b\r\ncontent-length:0\r\n\r\n",
                Ok(Some(502)),
            ),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", Ok(None)),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", Ok(None)),
            ("HTTP/1.1 200 OK\r\n\r\n", Err(Malformed)),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
                Err(Malformed),
            ),
            ("HTTP\r\n\r\n", Err(Malformed)),
        ];
        for (text, wanted) in table {
            for step in 1..=text.len() {
                assert_eq!(fed(text, step), wanted, "{text:?} by {step}");
            }
        }
    }

    #[test]
    fn bytes_behind_the_end_are_refused() {
        let text = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab";
        assert_eq!(fed(text, text.len()), Err(Malformed));
    }

    #[test]
    fn the_next_answer_begins_anew() {
        let mut answer = Answer::default();
        for status in [200, 404, 200] {
            let text = format!("HTTP/1.1 {status} x\r\nContent-Length: 1\r\n\r\na");
            let (front, back) = text.split_at(20);
            assert_eq!(answer.receive(front.as_bytes()), Ok(None));
            assert!(!answer.is_unbegun());
            assert_eq!(answer.receive(back.as_bytes()), Ok(Some(status)));
            assert!(answer.is_unbegun());
        }
    }
}

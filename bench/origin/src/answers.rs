//! Answers, ready to be sent: built once per size, shared from then on.

use std::collections::HashMap;
use std::rc::Rc;

/// How much of a body is kept ready behind its head, so that one send takes both.
const KEPT: u64 = 1024 * 1024;

/// How many different sizes are kept; a benchmark uses two or three.
const SIZES: usize = 64;

/// An answer: bytes as they are, then so many bytes of filler.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) front: Rc<[u8]>,
    pub(crate) filler: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Answers {
    kept: HashMap<u64, Answer>,
}

impl Answers {
    /// `size` bytes of body. Only answers that keep the connection are worth keeping.
    pub(crate) fn sized(&mut self, size: u64, keep_alive: bool) -> Answer {
        if !keep_alive {
            return sized(size, false);
        }
        if let Some(answer) = self.kept.get(&size) {
            return answer.clone();
        }
        let answer = sized(size, true);
        if self.kept.len() < SIZES {
            self.kept.insert(size, answer.clone());
        }
        answer
    }
}

fn sized(size: u64, keep_alive: bool) -> Answer {
    let mut front = head("200 OK", size, keep_alive);
    let ready = size.min(KEPT);
    front.resize(front.len() + usize::try_from(ready).unwrap_or(0), b'x');
    Answer {
        front: front.into(),
        filler: size - ready,
    }
}

/// The head alone of an answer of `size` bytes.
pub(crate) fn head_only(size: u64, keep_alive: bool) -> Answer {
    whole(head("200 OK", size, keep_alive))
}

/// Says how many bytes a body had.
pub(crate) fn counted(received: u64, keep_alive: bool) -> Answer {
    let mut digits = itoa::Buffer::new();
    let text = digits.format(received);
    let mut front = head("200 OK", text.len() as u64, keep_alive);
    front.extend_from_slice(text.as_bytes());
    whole(front)
}

pub(crate) fn not_found(keep_alive: bool) -> Answer {
    whole(head("404 Not Found", 0, keep_alive))
}

/// The last answer on its connection.
pub(crate) fn bad_request() -> Answer {
    whole(head("400 Bad Request", 0, false))
}

/// The interim answer to `Expect: 100-continue` (RFC 9110 section 10.1.1).
pub(crate) fn go_on() -> Answer {
    whole(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec())
}

/// These bytes as they are.
pub(crate) fn whole(bytes: Vec<u8>) -> Answer {
    Answer {
        front: bytes.into(),
        filler: 0,
    }
}

/// A head with the handful of fields an ordinary application would send.
fn head(status: &str, length: u64, keep_alive: bool) -> Vec<u8> {
    let close = if keep_alive {
        ""
    } else {
        "Connection: close\r\n"
    };
    format!(
        "HTTP/1.1 {status}\r\nServer: origin\r\nContent-Type: text/plain\r\n\
         Cache-Control: no-store\r\nContent-Length: {length}\r\n{close}\r\n"
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::{Answer, Answers, KEPT, SIZES, counted, head_only};

    fn split(answer: &Answer) -> (String, u64) {
        let text = String::from_utf8(answer.front.to_vec()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.len() as u64 + answer.filler)
    }

    #[test]
    fn length_and_body_agree() {
        let mut answers = Answers::default();
        for size in [0, 1, 128, 65_536, KEPT, KEPT + 1, 5 * KEPT] {
            for keep_alive in [true, false] {
                let (head, body) = split(&answers.sized(size, keep_alive));
                assert!(head.contains(&format!("Content-Length: {size}")), "{head}");
                assert_eq!(head.contains("Connection: close"), !keep_alive);
                assert_eq!(body, size);
            }
        }
    }

    #[test]
    fn a_head_alone_has_no_body() {
        let (head, body) = split(&head_only(128, true));
        assert!(head.ends_with("Content-Length: 128"), "{head}");
        assert_eq!(body, 0);
    }

    #[test]
    fn a_count_is_text() {
        let answer = counted(1_048_576, true);
        assert!(answer.front.ends_with(b"Content-Length: 7\r\n\r\n1048576"));
    }

    #[test]
    fn what_is_kept_is_limited() {
        let mut answers = Answers::default();
        for size in 0..2 * SIZES as u64 {
            answers.sized(size, true);
        }
        assert_eq!(answers.kept.len(), SIZES);
    }
}

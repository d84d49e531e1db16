//! Answers waiting to leave a connection, and how far the first has got.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write};

use crate::answers::Answer;

/// Bodies too long to be kept ready are sent from here, over and over.
static FILLER: [u8; 64 * 1024] = [b'x'; 64 * 1024];

#[derive(Debug, Default)]
pub(crate) struct Outbox {
    waiting: VecDeque<Answer>,
    /// Bytes of the first answer's front that have left.
    sent: usize,
}

impl Outbox {
    pub(crate) fn push(&mut self, answer: Answer) {
        self.waiting.push_back(answer);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Sends until nothing is left (`true`) or the socket is full (`false`).
    pub(crate) fn flush(&mut self, socket: &mut impl Write) -> io::Result<bool> {
        while let Some(answer) = self.waiting.front_mut() {
            let next = match answer.front.get(self.sent..) {
                Some(front) if !front.is_empty() => front,
                _ => filler(answer.filler),
            };
            if next.is_empty() {
                self.waiting.pop_front();
                self.sent = 0;
                continue;
            }
            match socket.write(next) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) if self.sent < answer.front.len() => self.sent += written,
                Ok(written) => answer.filler -= written as u64,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}

fn filler(left: u64) -> &'static [u8] {
    let length = usize::try_from(left).map_or(FILLER.len(), |left| left.min(FILLER.len()));
    FILLER.get(..length).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::Outbox;
    use crate::answers::Answer;
    use std::io::{self, ErrorKind, Write};

    /// A socket that takes `step` bytes, then is full once, and so on.
    struct Stingy {
        step: usize,
        full: bool,
        took: Vec<u8>,
    }

    impl Write for Stingy {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.full = !self.full;
            if self.full {
                return Err(ErrorKind::WouldBlock.into());
            }
            let taken = bytes.len().min(self.step);
            self.took.extend_from_slice(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn everything_leaves_in_order_through_a_narrow_socket() {
        for step in [1, 7, 1000, 1 << 20] {
            let mut outbox = Outbox::default();
            outbox.push(Answer {
                front: (*b"one,").into(),
                filler: 3,
            });
            outbox.push(Answer {
                front: (*b"two,").into(),
                filler: 0,
            });
            outbox.push(Answer {
                front: (*b"three,").into(),
                filler: 70_000,
            });
            let mut socket = Stingy {
                step,
                full: false,
                took: Vec::new(),
            };
            while !outbox.flush(&mut socket).unwrap() {}
            assert!(outbox.is_empty());
            let wanted = format!("one,xxxtwo,three,{}", "x".repeat(70_000));
            assert!(socket.took == wanted.as_bytes(), "by {step}");
        }
    }

    #[test]
    fn a_dead_socket_is_an_error() {
        let mut outbox = Outbox::default();
        outbox.push(Answer {
            front: (*b"x").into(),
            filler: 0,
        });
        let mut nothing: &mut [u8] = &mut [];
        assert_eq!(
            outbox.flush(&mut nothing).unwrap_err().kind(),
            ErrorKind::WriteZero
        );
    }
}

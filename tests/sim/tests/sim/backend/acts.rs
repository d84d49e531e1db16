//! The single things that a backend does.

use tokio::time::{Duration, timeout};

use super::HeardRequest;
use super::answer::Answer;
use super::life::{After, Backend, pause};
use crate::line::End;

impl Backend {
    /// Sends the answer up to this byte, in pieces or at once.
    pub(super) async fn send(&mut self, answer: &Answer, end: usize) -> After {
        answer.begin(&self.heard.line);
        let mut cuts: Vec<usize> = match self.random.u8(..5) {
            0 | 1 => Vec::new(),
            2 => (1..end.min(60)).collect(),
            _ => (0..self.random.usize(1..8))
                .map(|_| self.random.usize(..=end))
                .collect(),
        };
        cuts.extend([answer.head.min(end), end]);
        cuts.sort_unstable();
        let is_slow = self.random.u8(..3) == 0;
        let mut at = 0;
        for cut in cuts {
            let piece = answer.bytes.get(at..cut).unwrap_or_default();
            if self.pipe.write(piece).await.is_err() {
                return After::Over;
            }
            at = cut;
            if is_slow {
                pause(&mut self.random, 5).await;
            }
        }
        After::Next
    }

    pub(super) async fn interim(&mut self, request: &HeardRequest, line: &str) -> After {
        let token = request.case.request.token;
        let head = format!("HTTP/1.1 {line}\r\nX-Token: {token:016x}\r\n\r\n");
        match self.pipe.write(head.as_bytes()).await {
            Ok(()) => After::Next,
            Err(_) => After::Over,
        }
    }

    pub(super) async fn garbage(&mut self) -> After {
        let texts: &[&[u8]] = &[
            b"220 mail.example ready\r\n",
            b"\x00\x01\x02\x03",
            b"HTTP/1.1 20x Fine\r\n\r\n",
            b"HTTP/1.1 200 Fine\nContent-Length: 0\n\n",
            b"HTTP/2.0 200 Fine\r\n\r\n",
        ];
        let text = self.random.choice(texts).unwrap_or(&texts[0]);
        // Forebay may have closed meanwhile.
        let _ = self.pipe.write(text).await;
        After::Over
    }

    pub(super) async fn all_read(&self, request: &HeardRequest) {
        while !(self.heard.has_read(request) || self.heard.reads_no_more.get()) {
            self.heard.changed.notified().await;
        }
    }

    /// Says nothing until Forebay has had enough.
    pub(super) async fn wait_for_end(&self) -> After {
        while !self.heard.reads_no_more.get() && !self.heard.line.is_dropped() {
            let waiting = timeout(Duration::from_secs(1), self.heard.changed.notified());
            // Either way it is looked at again.
            let _ = waiting.await;
        }
        After::Over
    }

    /// Closes; true if what was sent before is not lost by that.
    pub(super) fn close(&self, how: End) -> bool {
        let closed = self.pipe.close(how);
        self.say(&format!("closes ({how:?}, {closed:?})"));
        closed == Some(End::Fin)
    }

    pub(super) fn say(&self, what: &str) {
        let name = &self.heard.line.name;
        self.world.note(|| format!("{name} {what}"));
    }
}

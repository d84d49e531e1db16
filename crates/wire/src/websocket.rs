//! WebSocket (RFC 6455), as far as a proxy has to know it: how a server agrees
//! to it, where frames begin and end, and how one says that it goes.

use aws_lc_rs::digest;
use data_encoding::BASE64;

/// Section 1.3.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// "Going away" (section 7.4.1).
const GOING_AWAY: [u8; 2] = 1001u16.to_be_bytes();

const CLOSE: u8 = 0x8;

/// A value of `Sec-WebSocket-Key`, of random bits.
pub fn key(random: (u64, u64)) -> String {
    let (a, b) = (random.0.to_ne_bytes(), random.1.to_ne_bytes());
    BASE64.encode(&[a, b].concat())
}

/// The value of `Sec-WebSocket-Accept` by which a server agrees (section 4.2.2).
pub fn accept(key: &str) -> String {
    let mut digest = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    digest.update(key.as_bytes());
    digest.update(GUID);
    BASE64.encode(digest.finish().as_ref())
}

/// Who sends a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    Server,
    /// What clients send is masked, with these bytes.
    Client([u8; 4]),
}

/// Appends a Close frame that says "going away".
pub fn push_going_away(out: &mut Vec<u8>, from: From) {
    let length = GOING_AWAY.len() as u8;
    out.push(0x80 | CLOSE);
    match from {
        From::Server => {
            out.push(length);
            out.extend_from_slice(&GOING_AWAY);
        }
        From::Client(mask) => {
            out.push(0x80 | length);
            out.extend_from_slice(&mask);
            out.extend(GOING_AWAY.iter().zip(mask).map(|(byte, mask)| byte ^ mask));
        }
    }
}

/// Where in one direction of a WebSocket one is (section 5.2). Says nothing of
/// whether the frames are any good: whoever is at the end looks.
#[derive(Debug, Clone, Default)]
pub struct Frames {
    /// What has come of the next frame's head, without its mask.
    head: [u8; 10],
    had: u8,
    /// How much of the frame is to come behind that.
    left: u64,
    is_close: bool,
    has_closed: bool,
}

impl Frames {
    /// These bytes come next.
    pub fn pass(&mut self, mut bytes: &[u8]) {
        loop {
            let skipped = usize::try_from(self.left).map_or(bytes.len(), |n| n.min(bytes.len()));
            bytes = bytes.get(skipped..).unwrap_or_default();
            self.left -= skipped as u64;
            if self.left > 0 {
                return;
            }
            self.has_closed |= std::mem::take(&mut self.is_close);
            let Some((&byte, rest)) = bytes.split_first() else {
                return;
            };
            bytes = rest;
            self.take(byte);
        }
    }

    fn take(&mut self, byte: u8) {
        if let Some(at) = self.head.get_mut(usize::from(self.had)) {
            *at = byte;
        }
        self.had += 1;
        let [first, second, long @ ..] = self.head;
        let (needed, length) = match second & 0x7f {
            _ if self.had < 2 => return,
            126 => (4, u64::from(u16::from_be_bytes([long[0], long[1]]))),
            127 => (10, u64::from_be_bytes(long)),
            length => (2, u64::from(length)),
        };
        if self.had < needed {
            return;
        }
        let mask = if second & 0x80 != 0 { 4 } else { 0 };
        self.left = length.saturating_add(mask);
        self.is_close = first & 0xf == CLOSE;
        self.has_closed |= self.is_close && self.left == 0;
        self.head = [0; 10];
        self.had = 0;
    }

    /// A frame may begin here.
    pub fn is_between(&self) -> bool {
        self.had == 0 && self.left == 0
    }

    /// A Close frame has passed, after which nothing may come.
    pub fn has_closed(&self) -> bool {
        self.has_closed
    }
}

#[cfg(test)]
mod tests;

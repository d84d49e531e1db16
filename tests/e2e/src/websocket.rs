//! WebSockets (RFC 6455) by hand: both ends, frame by frame.

use std::io;
use std::net::SocketAddr;

use aws_lc_rs::digest;
use data_encoding::BASE64;

use crate::client::Client;
use crate::{Backend, Conn, Request, Wire};

pub const TEXT: u8 = 1;
pub const CLOSE: u8 = 8;

/// The key of RFC 6455 section 1.3, and how it is accepted.
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// "Going away" as a Close frame says it.
pub const GOING_AWAY: [u8; 2] = 1001u16.to_be_bytes();

/// One frame, masked as clients do or not.
pub fn frame(opcode: u8, payload: &[u8], is_masked: bool) -> Vec<u8> {
    let mut bytes = vec![0x80 | opcode];
    let bit = if is_masked { 0x80 } else { 0 };
    match payload.len() {
        length @ 0..=125 => bytes.push(bit | length as u8),
        length @ 126..=65_535 => {
            bytes.push(bit | 126);
            bytes.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            bytes.push(bit | 127);
            bytes.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    let mask = if is_masked { [1, 2, 3, 4] } else { [0; 4] };
    if is_masked {
        bytes.extend_from_slice(&mask);
    }
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(b, m)| b ^ m));
    bytes
}

/// The next frame: its opcode and what is in it.
pub fn read(wire: &mut Wire) -> io::Result<(u8, Vec<u8>)> {
    let head = wire.exactly(2)?;
    let length = match head[1] & 0x7f {
        126 => u64::from(u16::from_be_bytes(wire.exactly(2)?.try_into().unwrap())),
        127 => u64::from_be_bytes(wire.exactly(8)?.try_into().unwrap()),
        length => u64::from(length),
    };
    let mask = match head[1] & 0x80 {
        0 => vec![0; 4],
        _ => wire.exactly(4)?,
    };
    let payload = wire.exactly(length as usize)?;
    let payload = payload.iter().zip(mask.iter().cycle()).map(|(b, m)| b ^ m);
    Ok((head[0] & 0xf, payload.collect()))
}

/// How a server agrees to a key.
pub fn accept(key: &str) -> String {
    let whole = format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    let digest = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, whole.as_bytes());
    BASE64.encode(digest.as_ref())
}

/// A request to switch.
pub fn request(target: &str) -> String {
    format!(
        "GET {target} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
}

/// How a backend agrees to a request.
pub fn agreement(request: &Request) -> String {
    let key = request.head.get("sec-websocket-key").unwrap_or_default();
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {}\r\n\r\n",
        accept(key)
    )
}

/// Agrees, and says every message back, until it is told to close.
pub fn echo(conn: &mut Conn) {
    let Some(request) = conn.request_head() else {
        return;
    };
    conn.send(agreement(&request)).unwrap();
    while let Ok((opcode, payload)) = read(conn) {
        // Who has gone is not answered.
        let _ = conn.send(frame(opcode, &payload, false));
        if opcode == CLOSE {
            return;
        }
    }
}

pub fn echoing() -> Backend {
    Backend::scripted(echo)
}

/// A WebSocket as a client has it.
pub struct WebSocket(pub Wire);

impl WebSocket {
    #[track_caller]
    pub fn open(address: SocketAddr) -> Self {
        let mut wire = Client::connect(address).into_wire();
        wire.send(request("/")).unwrap();
        let mut open = Self(wire);
        open.agreed();
        open
    }

    /// The head of an answer that agrees.
    #[track_caller]
    pub fn agreed(&mut self) -> String {
        let head = String::from_utf8(self.0.head().unwrap().unwrap()).unwrap();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        let accept = accept(KEY);
        assert!(
            head.contains(&format!("Sec-WebSocket-Accept: {accept}\r\n")),
            "{head}"
        );
        head
    }

    #[track_caller]
    pub fn say(&mut self, text: &str) {
        self.0.send(frame(TEXT, text.as_bytes(), true)).unwrap();
    }

    #[track_caller]
    pub fn hear(&mut self, text: &str) {
        let heard = read(&mut self.0).unwrap();
        assert_eq!(heard, (TEXT, text.as_bytes().to_vec()), "{text}");
    }

    #[track_caller]
    pub fn exchange(&mut self, text: &str) {
        self.say(text);
        self.hear(text);
    }

    /// Is told to go.
    #[track_caller]
    pub fn hears_going_away(&mut self) {
        assert_eq!(read(&mut self.0).unwrap(), (CLOSE, GOING_AWAY.to_vec()));
    }
}

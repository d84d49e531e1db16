//! HTTP/2 frame by frame (RFC 9113), for what no proper client or backend would send.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use crate::watched::{PATIENCE, until};
use crate::wire::is_timeout;

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const PRIORITY: u8 = 2;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// A connection on which HTTP/2 has begun.
pub struct Frames(TcpStream);

/// One frame as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

impl Frame {
    pub fn ends_stream(&self) -> bool {
        matches!(self.kind, DATA | HEADERS) && self.flags & END_STREAM != 0
    }

    /// The error code of a frame that says one.
    pub fn code(&self) -> u32 {
        let at = if self.kind == GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap())
    }
}

/// Where a backend that speaks HTTP/2 frame by frame is found.
pub struct FrameBackend(TcpListener);

impl FrameBackend {
    #[expect(clippy::new_without_default, reason = "it takes a port")]
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    /// The same, for another thread.
    pub fn another(&self) -> Self {
        Self(self.0.try_clone().unwrap())
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.0.local_addr().unwrap())
    }

    /// The next connection, if there is one by now.
    pub fn try_accept(&self, settings: &[(u16, u32)]) -> Option<Frames> {
        let (stream, _) = self.0.accept().ok()?;
        stream.set_nonblocking(false).unwrap();
        let mut frames = Frames::over(stream);
        let mut preface = [0; 24];
        frames.0.read_exact(&mut preface).unwrap();
        assert_eq!(preface, *PREFACE);
        let payload = settings.iter().flat_map(|(name, value)| {
            let (name, value) = (name.to_be_bytes(), value.to_be_bytes());
            [&name[..], &value[..]].concat()
        });
        frames.send(SETTINGS, 0, 0, &payload.collect::<Vec<u8>>());
        Some(frames)
    }

    /// The next connection, which is told these settings.
    #[track_caller]
    pub fn accept(&self, settings: &[(u16, u32)]) -> Frames {
        until("a connection at the backend", || self.try_accept(settings))
    }
}

const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

impl Frames {
    fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(stream)
    }

    /// The stream of the next request, as a backend gets it.
    #[track_caller]
    pub fn request(&mut self) -> u32 {
        self.wait(|frame| frame.kind == HEADERS).stream
    }

    /// A whole answer.
    pub fn answer(&mut self, stream: u32, text: &str) {
        self.head(stream, &[(":status", "200")], false);
        self.data(stream, text.as_bytes(), true);
    }

    /// Resets a stream with this code.
    pub fn reset(&mut self, stream: u32, code: u32) {
        self.send(RST_STREAM, 0, stream, &code.to_be_bytes());
    }

    /// Says which stream is the last that is looked at.
    pub fn go_away(&mut self, last: u32, code: u32) {
        let payload = [last.to_be_bytes(), code.to_be_bytes()].concat();
        self.send(GOAWAY, 0, 0, &payload);
    }

    /// Nothing more is said, and nothing more is heard.
    pub fn hang_up(self) {
        drop(self.0);
    }

    /// Sends the preface and empty settings.
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        let mut frames = Self::over(stream);
        frames.bytes(PREFACE);
        frames.send(SETTINGS, 0, 0, &[]);
        frames
    }

    /// An end of the other side is found when reading.
    pub fn bytes(&mut self, bytes: &[u8]) {
        let _ = self.0.write_all(bytes);
    }

    pub fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = (payload.len() as u32).to_be_bytes();
        let mut bytes = length[1..].to_vec();
        bytes.extend_from_slice(&[kind, flags]);
        bytes.extend_from_slice(&stream.to_be_bytes());
        bytes.extend_from_slice(payload);
        self.bytes(&bytes);
    }

    /// A head with exactly these fields, in this order.
    pub fn head(&mut self, stream: u32, fields: &[(&str, &str)], is_end: bool) {
        let mut block = Vec::new();
        for (name, value) in fields {
            // Literal, never indexed, not compressed (RFC 7541 section 6.2.3).
            block.push(0x10);
            for text in [name, value] {
                assert!(text.len() < 127);
                block.push(text.len() as u8);
                block.extend_from_slice(text.as_bytes());
            }
        }
        let flags = END_HEADERS | if is_end { END_STREAM } else { 0 };
        self.send(HEADERS, flags, stream, &block);
    }

    /// `GET /` of the host `a`.
    pub fn get(&mut self, stream: u32) {
        let fields = [
            (":method", "GET"),
            (":scheme", "http"),
            (":path", "/"),
            (":authority", "a"),
        ];
        self.head(stream, &fields, true);
    }

    pub fn data(&mut self, stream: u32, bytes: &[u8], is_end: bool) {
        self.send(DATA, if is_end { END_STREAM } else { 0 }, stream, bytes);
    }

    /// The next frame; none at the end of the connection.
    pub fn read(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        match self.0.read_exact(&mut head) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                panic!("no frame came in time")
            }
            Err(_) => return None,
        }
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let mut payload = vec![0; length];
        self.0.read_exact(&mut payload).ok()?;
        let stream = u32::from_be_bytes(head[5..].try_into().unwrap());
        Some(Frame {
            kind: head[3],
            flags: head[4],
            stream,
            payload,
        })
    }

    /// Reads on to a frame like this.
    #[track_caller]
    pub fn wait(&mut self, mut is_it: impl FnMut(&Frame) -> bool) -> Frame {
        loop {
            let Some(frame) = self.read() else {
                panic!("the connection ended");
            };
            if frame.kind == SETTINGS && frame.flags == 0 {
                self.send(SETTINGS, 1, 0, &[]);
            }
            if frame.kind == PING && frame.flags == 0 {
                self.send(PING, 1, 0, &frame.payload);
            }
            if is_it(&frame) {
                return frame;
            }
        }
    }

    /// Nothing comes for so long.
    pub fn is_silent_for(&mut self, time: Duration) -> bool {
        self.0.set_read_timeout(Some(time)).unwrap();
        let read = self.0.peek(&mut [0]);
        self.0.set_read_timeout(Some(PATIENCE)).unwrap();
        read.is_err_and(|error| is_timeout(&error))
    }

    /// Reads on to the end of the connection; what it was told last.
    pub fn wait_end(&mut self) -> Option<Frame> {
        let mut last = None;
        while let Some(frame) = self.read() {
            if frame.kind == GOAWAY {
                last = Some(frame);
            }
        }
        last
    }
}

//! A socket with what has arrived on it: the raw side of every test.

use std::io::{self, ErrorKind};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use crate::PATIENCE;
use crate::link::Link;
use crate::message::{Body, Framing, Head, field};

pub struct Wire {
    link: Link,
    buffer: Vec<u8>,
    opened: Instant,
}

/// How long a connection may be in use, so that one that crawls fails too.
const LIFETIME: Duration = Duration::from_secs(20);

impl Wire {
    pub(crate) fn new(stream: TcpStream) -> Self {
        prepare(&stream);
        Self::over(Link::Plain(stream.into()))
    }

    pub(crate) fn over(link: Link) -> Self {
        Self {
            link,
            buffer: Vec::new(),
            opened: Instant::now(),
        }
    }

    pub(crate) fn into_socket(self) -> TcpStream {
        self.link.socket().try_clone().unwrap()
    }

    pub fn local_address(&self) -> std::net::SocketAddr {
        self.link.socket().local_addr().unwrap()
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.link.write_all(bytes.as_ref())
    }

    /// Asks about the TLS session.
    pub fn session<T>(&self, ask: impl FnOnce(&mut rustls::ClientConnection) -> T) -> T {
        self.link.session(ask)
    }

    /// Sends from a thread of its own, for as long as the peer takes it.
    pub fn send_beside(&self, bytes: Vec<u8>) {
        let link = self.link.clone();
        std::thread::spawn(move || link.write_all(&bytes));
    }

    /// No more will be sent; the other direction stays open.
    pub fn finish(&self) {
        // A peer that has gone is not told anything.
        self.link.say_end();
        let _ = self.link.socket().shutdown(Shutdown::Write);
    }

    /// Ends the connection with RST instead of FIN.
    pub fn reset(self) {
        let linger = socket2::SockRef::from(self.link.socket()).set_linger(Some(Duration::ZERO));
        linger.unwrap();
    }

    /// Asks the kernel for a small window, so that a reader can be slow soon.
    /// One smaller than two of the loopback's segments would crawl.
    pub fn shrink_window(&self) {
        let shrunk = socket2::SockRef::from(self.link.socket()).set_recv_buffer_size(256 * 1024);
        shrunk.unwrap();
    }

    /// The next head with its empty line; none if the peer ended before its
    /// first byte.
    pub fn head(&mut self) -> io::Result<Option<Vec<u8>>> {
        self.up_to(b"\r\n\r\n")
    }

    /// Exactly so many bytes.
    pub fn exactly(&mut self, count: usize) -> io::Result<Vec<u8>> {
        while self.buffer.len() < count {
            self.fill_or_fail()?;
        }
        Ok(self.take(count))
    }

    /// Everything until the end of the stream.
    pub fn rest(&mut self) -> io::Result<Vec<u8>> {
        while self.fill()? > 0 {}
        Ok(std::mem::take(&mut self.buffer))
    }

    /// Waits for the end of the stream, however the peer brings it about.
    /// Returns what came before it.
    pub fn until_gone(&mut self) -> Vec<u8> {
        match self.rest() {
            Err(error) if is_timeout(&error) => panic!("the peer does not close the connection"),
            Err(_) => std::mem::take(&mut self.buffer),
            Ok(rest) => rest,
        }
    }

    /// Reads at most `limit` bytes that have arrived or are about to.
    pub fn some(&mut self, limit: usize) -> io::Result<Vec<u8>> {
        if self.buffer.is_empty() {
            self.fill()?;
        }
        Ok(self.take(limit.min(self.buffer.len())))
    }

    /// True when nothing arrives for so long.
    pub fn is_silent_for(&mut self, time: Duration) -> bool {
        self.link.socket().set_read_timeout(Some(time)).unwrap();
        let filled = self.fill();
        self.link.socket().set_read_timeout(Some(PATIENCE)).unwrap();
        self.buffer.is_empty() && filled.is_err_and(|error| is_timeout(&error))
    }

    /// A body by its framing; `raw` gets its bytes as they were.
    pub(crate) fn body(&mut self, head: &Head, raw: &mut Vec<u8>) -> io::Result<Body> {
        match head.framing() {
            Framing::None => Ok(Body::default()),
            Framing::Chunked => self.chunked(raw),
            Framing::Length(length) => {
                let bytes = self.exactly(length)?;
                raw.extend_from_slice(&bytes);
                let trailers = Vec::new();
                Ok(Body { bytes, trailers })
            }
        }
    }

    fn chunked(&mut self, raw: &mut Vec<u8>) -> io::Result<Body> {
        let mut body = Body::default();
        loop {
            let line = self.line(raw)?;
            let size = usize::from_str_radix(line.split(';').next().unwrap(), 16);
            let size = size.expect("a chunk size");
            if size == 0 {
                break;
            }
            let data = self.exactly(size + 2)?;
            raw.extend_from_slice(&data);
            let data = data.strip_suffix(b"\r\n").expect("a chunk ends in CR LF");
            body.bytes.extend_from_slice(data);
        }
        loop {
            match &*self.line(raw)? {
                "" => return Ok(body),
                line => body.trailers.push(field(line)),
            }
        }
    }

    fn line(&mut self, raw: &mut Vec<u8>) -> io::Result<String> {
        let line = self.up_to(b"\r\n")?.ok_or(ErrorKind::UnexpectedEof)?;
        raw.extend_from_slice(&line);
        Ok(String::from_utf8(line).unwrap().trim_end().to_owned())
    }

    fn up_to(&mut self, end: &[u8]) -> io::Result<Option<Vec<u8>>> {
        loop {
            let found = self.buffer.windows(end.len()).position(|w| w == end);
            if let Some(at) = found {
                return Ok(Some(self.take(at + end.len())));
            }
            if self.fill()? == 0 {
                let at_boundary = self.buffer.is_empty();
                return at_boundary
                    .then_some(None)
                    .ok_or(ErrorKind::UnexpectedEof.into());
            }
        }
    }

    fn take(&mut self, count: usize) -> Vec<u8> {
        let rest = self.buffer.split_off(count);
        std::mem::replace(&mut self.buffer, rest)
    }

    fn fill_or_fail(&mut self) -> io::Result<()> {
        match self.fill()? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    fn fill(&mut self) -> io::Result<usize> {
        if self.opened.elapsed() > LIFETIME {
            return Err(ErrorKind::TimedOut.into());
        }
        let mut piece = [0; 64 * 1024];
        let count = self.link.read(&mut piece)?;
        self.buffer.extend_from_slice(&piece[..count]);
        Ok(count)
    }
}

pub(crate) fn prepare(stream: &TcpStream) {
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
}

pub(crate) fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

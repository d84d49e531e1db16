//! The backend: gives back what it gets, or sends what is asked for.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

use crate::{PIECE, STREAM};

const LISTENER: Token = Token(usize::MAX);

struct Conn {
    socket: TcpStream,
    /// What it begins with, until all of it is there.
    first: Vec<u8>,
    /// What is still to be sent of a stream.
    left: u64,
    /// What has come and has not gone back.
    held: Vec<u8>,
}

pub(crate) fn serve() -> io::Result<()> {
    let any = std::net::TcpListener::bind("127.0.0.1:0")?;
    any.set_nonblocking(true)?;
    let mut listener = TcpListener::from_std(any);
    let mut poll = Poll::new()?;
    poll.registry()
        .register(&mut listener, LISTENER, Interest::READABLE)?;
    writeln!(io::stdout(), "{}", listener.local_addr()?.port())?;
    let mut conns: HashMap<usize, Conn> = HashMap::new();
    let mut next = 0;
    let mut events = Events::with_capacity(64);
    let mut buffer = vec![0; PIECE];
    loop {
        match poll.poll(&mut events, None) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            other => other?,
        }
        for event in &events {
            if event.token() == LISTENER {
                while let Ok((mut socket, _)) = listener.accept() {
                    socket.set_nodelay(true)?;
                    let both = Interest::READABLE | Interest::WRITABLE;
                    poll.registry().register(&mut socket, Token(next), both)?;
                    let conn = Conn {
                        socket,
                        first: Vec::new(),
                        left: 0,
                        held: Vec::new(),
                    };
                    conns.insert(next, conn);
                    next += 1;
                }
            } else if let Some(conn) = conns.get_mut(&event.token().0)
                && !matches!(conn.go_on(&mut buffer), Ok(true))
            {
                conns.remove(&event.token().0);
            }
        }
    }
}

impl Conn {
    /// False once it is over.
    fn go_on(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        loop {
            while self.left > 0 {
                let count = self.left.min(buffer.len() as u64) as usize;
                match self.socket.write(buffer.get(..count).unwrap_or_default()) {
                    Ok(sent) => self.left -= sent as u64,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
                    Err(error) => return Err(error),
                }
            }
            while !self.held.is_empty() {
                match self.socket.write(&self.held) {
                    Ok(sent) => drop(self.held.drain(..sent)),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
                    Err(error) => return Err(error),
                }
            }
            let count = match self.socket.read(buffer) {
                Ok(0) => return Ok(false),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(error) => return Err(error),
            };
            self.take(buffer.get(..count).unwrap_or_default());
            if count < buffer.len() && self.left == 0 {
                if self.held.is_empty() {
                    return Ok(true);
                }
                let sent = self.socket.write(&self.held)?;
                self.held.drain(..sent);
                return Ok(true);
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        let missing = 9usize.saturating_sub(self.first.len());
        let (first, rest) = bytes.split_at(missing.min(bytes.len()));
        self.first.extend_from_slice(first);
        if let (false, Some((&STREAM, length))) = (first.is_empty(), self.first.split_first())
            && let Ok(length) = length.try_into()
        {
            self.left = u64::from_be_bytes(length);
        }
        self.held.extend_from_slice(rest);
    }
}

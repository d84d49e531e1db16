//! Sockets and readiness: one thread, one epoll, every connection's turn.

use std::io::{self, ErrorKind, Read};
use std::net::SocketAddr;

use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

use crate::answers::Answers;
use crate::session::Session;

const LISTENER: Token = Token(usize::MAX);

/// One receive takes at most this many bytes.
const RECEIVE: usize = 64 * 1024;

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    session: Session,
    /// Readiness is edge-triggered: this stays true until the socket was found empty.
    readable: bool,
    /// The client has sent its end: only a read of 0 bytes shows where.
    ended: bool,
}

#[derive(Debug)]
pub(crate) struct Server {
    poll: Poll,
    listener: TcpListener,
    /// By token; `None` where a connection has ended.
    connections: Vec<Option<Connection>>,
    vacant: Vec<usize>,
    answers: Answers,
    scratch: Box<[u8]>,
}

impl Server {
    pub(crate) fn bind(address: SocketAddr) -> io::Result<Server> {
        let poll = Poll::new()?;
        let mut listener = TcpListener::bind(address)?;
        poll.registry()
            .register(&mut listener, LISTENER, Interest::READABLE)?;
        Ok(Server {
            poll,
            listener,
            connections: Vec::new(),
            vacant: Vec::new(),
            answers: Answers::default(),
            scratch: vec![0; RECEIVE].into(),
        })
    }

    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until the process is told to end, or the listener fails.
    pub(crate) fn run(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        loop {
            match self.poll.poll(&mut events, None) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                other => other?,
            }
            for event in &events {
                match event.token() {
                    LISTENER => self.accept()?,
                    Token(place) => self.turn(place, event),
                }
            }
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => self.admit(stream)?,
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => return Ok(()),
                    ErrorKind::Interrupted | ErrorKind::ConnectionAborted => {}
                    _ => return Err(error),
                },
            }
        }
    }

    fn admit(&mut self, mut stream: TcpStream) -> io::Result<()> {
        // A client that is gone already needs no answer in one piece.
        let _ = stream.set_nodelay(true);
        let place = self.vacant.pop().unwrap_or(self.connections.len());
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll
            .registry()
            .register(&mut stream, Token(place), interest)?;
        let connection = Some(Connection {
            stream,
            session: Session::default(),
            readable: false,
            ended: false,
        });
        match self.connections.get_mut(place) {
            Some(seat) => *seat = connection,
            None => self.connections.push(connection),
        }
        Ok(())
    }

    /// Lets one connection go as far as it can; an error on it ends it and no other.
    fn turn(&mut self, place: usize, event: &Event) {
        let Some(seat) = self.connections.get_mut(place) else {
            return;
        };
        // An event may outlive its connection within one batch.
        let Some(connection) = seat else {
            return;
        };
        connection.readable |= event.is_readable();
        connection.ended |= event.is_read_closed();
        let stays = connection.drive(&mut self.scratch, &mut self.answers);
        if !matches!(stays, Ok(true)) {
            *seat = None;
            self.vacant.push(place);
        }
    }
}

impl Connection {
    /// Sends and receives until the socket can do neither. `false`: the connection is done.
    fn drive(&mut self, scratch: &mut [u8], answers: &mut Answers) -> io::Result<bool> {
        loop {
            // Answers leave before more is read: a client that does not take them waits.
            if self.session.has_output() && !self.session.flush(&mut self.stream)? {
                return Ok(true);
            }
            if self.session.is_closing() {
                return Ok(false);
            }
            if !self.readable {
                return Ok(true);
            }
            match self.stream.read(scratch) {
                Ok(0) => return Ok(false),
                Ok(count) => {
                    // Less than asked for means the socket is empty: no second receive to learn it.
                    self.readable = count == scratch.len() || self.ended;
                    self.session
                        .receive(scratch.get(..count).unwrap_or_default(), answers);
                }
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => self.readable = false,
                    ErrorKind::Interrupted => {}
                    _ => return Err(error),
                },
            }
        }
    }
}

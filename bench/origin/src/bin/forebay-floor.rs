//! `forebay-floor`: what no proxy with sockets can go below.
//!
//! Every client gets a backend connection of its own, and bytes go from one to
//! the other as they come: one receive and one send each way, no parsing, no
//! pool, no limits. The first line it prints is the address it listens on.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::process::ExitCode;

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

const USAGE: &str = "usage: forebay-floor --listen ADDRESS:PORT --to ADDRESS:PORT";
const LISTENER: Token = Token(usize::MAX);
const RECEIVE: usize = 68 * 1024;

fn main() -> ExitCode {
    #[allow(
        clippy::disallowed_methods,
        reason = "this is a program: it owns its arguments"
    )]
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match &arguments[..] {
        [version] if version == "--version" => {
            writeln!(io::stdout(), "forebay-floor {}", env!("CARGO_PKG_VERSION"))
        }
        [listen, from, to, backend] if listen == "--listen" && to == "--to" => {
            match (from.parse(), backend.parse()) {
                (Ok(from), Ok(backend)) => serve(from, backend),
                _ => Err(io::Error::other(USAGE)),
            }
        }
        _ => Err(io::Error::other(USAGE)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to do when standard error itself is gone.
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

/// One direction of a pair, at the place of the socket it reads from; its peer
/// is at the place with the last bit turned.
struct Side {
    stream: TcpStream,
    readable: bool,
    /// Received from here and not yet sent to the other side.
    waiting: Vec<u8>,
}

struct Floor {
    poll: Poll,
    backend: SocketAddr,
    sides: Vec<Option<Side>>,
    vacant: Vec<usize>,
    buffer: Box<[u8]>,
}

fn serve(from: SocketAddr, backend: SocketAddr) -> io::Result<()> {
    let mut listener = TcpListener::bind(from)?;
    let poll = Poll::new()?;
    poll.registry()
        .register(&mut listener, LISTENER, Interest::READABLE)?;
    writeln!(io::stdout(), "{}", listener.local_addr()?)?;
    let mut floor = Floor {
        poll,
        backend,
        sides: Vec::new(),
        vacant: Vec::new(),
        buffer: vec![0; RECEIVE].into(),
    };
    let mut events = Events::with_capacity(32);
    loop {
        match floor.poll.poll(&mut events, None) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            other => other?,
        }
        for event in &events {
            match event.token() {
                LISTENER => floor.accept(&listener)?,
                Token(place) => floor.turn(place, event.is_readable(), event.is_writable()),
            }
        }
    }
}

impl Floor {
    fn accept(&mut self, listener: &TcpListener) -> io::Result<()> {
        loop {
            match listener.accept() {
                Ok((client, _)) => self.pair(client)?,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(_) => {}
            }
        }
    }

    fn pair(&mut self, client: TcpStream) -> io::Result<()> {
        let backend = TcpStream::connect(self.backend)?;
        let place = self.vacant.pop().unwrap_or(self.sides.len());
        self.sides
            .resize_with(self.sides.len().max(place + 2), || None);
        for (place, mut stream) in [(place, client), (place + 1, backend)] {
            // Small pieces wait for acknowledgements where this fails.
            let _ = stream.set_nodelay(true);
            let interest = Interest::READABLE | Interest::WRITABLE;
            let registry = self.poll.registry();
            registry.register(&mut stream, Token(place), interest)?;
            if let Some(side) = self.sides.get_mut(place) {
                *side = Some(Side {
                    stream,
                    readable: false,
                    waiting: Vec::new(),
                });
            }
        }
        Ok(())
    }

    fn turn(&mut self, place: usize, readable: bool, writable: bool) {
        if let Some(Some(side)) = self.sides.get_mut(place) {
            side.readable |= readable;
        }
        let mut stays = true;
        if readable {
            stays &= self.relay(place).is_ok();
        }
        if writable {
            stays &= self.relay(place ^ 1).is_ok();
        }
        if !stays {
            for place in [place & !1, place | 1] {
                if let Some(side) = self.sides.get_mut(place) {
                    *side = None;
                }
            }
            self.vacant.push(place & !1);
        }
    }

    /// Moves what can be moved from this side to the other; an error ends both.
    fn relay(&mut self, from: usize) -> io::Result<()> {
        let (low, high) = self.sides.split_at_mut(from | 1);
        let (Some(Some(low)), Some(Some(high))) = (low.last_mut(), high.first_mut()) else {
            return Ok(());
        };
        let (from, to) = if from & 1 == 0 {
            (low, high)
        } else {
            (high, low)
        };
        loop {
            while !from.waiting.is_empty() {
                match to.stream.write(&from.waiting) {
                    Ok(n) => drop(from.waiting.drain(..n)),
                    Err(error) if is_not_yet(&error) => return Ok(()),
                    Err(error) => return Err(error),
                }
            }
            if !from.readable {
                return Ok(());
            }
            let received = match from.stream.read(&mut self.buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(n) => self.buffer.get(..n).unwrap_or_default(),
                Err(error) if is_not_yet(&error) => {
                    from.readable = false;
                    return Ok(());
                }
                Err(error) => return Err(error),
            };
            // A socket that did not fill the buffer is empty.
            from.readable = received.len() == RECEIVE;
            let sent = match to.stream.write(received) {
                Ok(n) => n,
                Err(error) if is_not_yet(&error) => 0,
                Err(error) => return Err(error),
            };
            from.waiting
                .extend_from_slice(received.get(sent..).unwrap_or_default());
        }
    }
}

/// The socket is full or empty, or still connecting.
fn is_not_yet(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::NotConnected
    )
}

//! What bytes go over: a socket, or TLS on one.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

#[derive(Clone)]
pub(crate) enum Link {
    Plain(Arc<TcpStream>),
    Tls(Arc<Tls>),
}

/// TLS that one thread may read from while another one writes.
pub(crate) struct Tls {
    socket: TcpStream,
    session: Mutex<ClientConnection>,
    /// What the session has not taken yet: it takes no more than it has room for.
    arrived: Mutex<Vec<u8>>,
    /// Held by whoever sends: records are to leave in their order.
    sending: Mutex<()>,
}

impl Link {
    /// Shakes hands.
    pub(crate) fn secure(
        socket: TcpStream,
        config: &Arc<ClientConfig>,
        name: &str,
    ) -> io::Result<Self> {
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let mut session = ClientConnection::new(Arc::clone(config), name).unwrap();
        while session.is_handshaking() {
            session.complete_io(&mut &socket)?;
        }
        Ok(Self::Tls(Arc::new(Tls {
            socket,
            session: Mutex::new(session),
            arrived: Mutex::default(),
            sending: Mutex::default(),
        })))
    }

    pub(crate) fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(tls) => &tls.socket,
        }
    }

    /// Asks about the session.
    pub(crate) fn session<T>(&self, ask: impl FnOnce(&mut ClientConnection) -> T) -> T {
        match self {
            Self::Plain(_) => panic!("it is no TLS"),
            Self::Tls(tls) => ask(&mut tls.session.lock().unwrap_or_else(PoisonError::into_inner)),
        }
    }

    /// 0 where the peer has said that it ends; an end without that is one of
    /// the kind `UnexpectedEof` with TLS.
    pub(crate) fn read(&self, into: &mut [u8]) -> io::Result<usize> {
        let Self::Tls(tls) = self else {
            return self.socket().read_once(into);
        };
        loop {
            let read = self.session(|session| session.reader().read(into));
            match read {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                read => return read,
            }
            let mut arrived = tls.arrived.lock().unwrap_or_else(PoisonError::into_inner);
            if arrived.is_empty() {
                let mut piece = [0; 32 * 1024];
                let count = tls.socket.read_once(&mut piece)?;
                arrived.extend_from_slice(&piece[..count]);
            }
            let taken = self.session(|session| {
                let taken = session.read_tls(&mut &arrived[..])?;
                let processed = session.process_new_packets();
                processed.map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
                io::Result::Ok(taken)
            })?;
            arrived.drain(..taken);
        }
    }

    pub(crate) fn write_all(&self, bytes: &[u8]) -> io::Result<()> {
        let Self::Tls(tls) = self else {
            return self.socket().write_all_once(bytes);
        };
        for piece in bytes.chunks(16 * 1024) {
            self.session(|session| session.writer().write_all(piece))?;
            tls.flush(self)?;
        }
        Ok(())
    }

    /// Says that nothing more will be sent.
    pub(crate) fn say_end(&self) {
        if let Self::Tls(tls) = self {
            self.session(|session| session.send_close_notify());
            // A peer that has gone is not told anything.
            let _ = tls.flush(self);
        }
    }
}

impl Tls {
    fn flush(&self, link: &Link) -> io::Result<()> {
        let _sending = self.sending.lock().unwrap_or_else(PoisonError::into_inner);
        let mut records = Vec::new();
        link.session(|session| {
            while session.wants_write() {
                session.write_tls(&mut records).unwrap();
            }
        });
        self.socket.write_all_once(&records)
    }
}

/// Reading and writing through a shared socket.
trait Once {
    fn read_once(&self, into: &mut [u8]) -> io::Result<usize>;
    fn write_all_once(&self, bytes: &[u8]) -> io::Result<()>;
}

impl Once for TcpStream {
    fn read_once(&self, into: &mut [u8]) -> io::Result<usize> {
        let mut socket = self;
        socket.read(into)
    }

    fn write_all_once(&self, bytes: &[u8]) -> io::Result<()> {
        let mut socket = self;
        socket.write_all(bytes)
    }
}

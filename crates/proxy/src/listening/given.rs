//! Listening sockets that somebody else has opened: the Forebay before this
//! one, or the service manager.
//!
//! Connections that wait to be accepted belong to a socket, so whoever takes
//! over an address takes over all of its sockets, and accepts from all of them.

use std::io;
use std::net::{SocketAddr, TcpListener};

use tracing::{info, warn};

/// Sockets that listen on one address.
#[derive(Debug)]
pub struct Sockets {
    /// What they are for: [`Sockets::LISTENER`], [`Sockets::METRICS`],
    /// [`Sockets::ADMIN`], or
    /// [`Sockets::ANY`] for whatever has the address.
    pub kind: Box<str>,
    /// The listener's id; empty where there is none.
    pub name: Box<str>,
    /// As the configuration has it; with port 0 the name counts as well.
    pub address: SocketAddr,
    pub sockets: Vec<TcpListener>,
}

impl Sockets {
    pub const LISTENER: &str = "listener";
    pub const METRICS: &str = "metrics";
    pub const ADMIN: &str = "admin";
    pub const ANY: &str = "any";

    fn are_for(&self, kind: &str, name: &str, address: SocketAddr) -> bool {
        let is_kind = &*self.kind == kind || &*self.kind == Self::ANY;
        is_kind && self.address == address && (address.port() != 0 || &*self.name == name)
    }

    fn ports(&self) -> impl Iterator<Item = u16> {
        let bound = self.sockets.iter().filter_map(|s| s.local_addr().ok());
        bound.map(|address| address.port())
    }
}

/// Asks whoever has given the sockets whether they may be accepted from now;
/// why not, otherwise.
pub type Agree = Box<dyn FnOnce() -> Result<(), String> + Send>;

/// The sockets that nobody has taken yet.
#[derive(Default)]
pub struct Given {
    sockets: Vec<Sockets>,
    agree: Option<Agree>,
}

impl Given {
    /// `agree` is asked once, when everything is open and before anything is
    /// accepted.
    pub fn new(sockets: Vec<Sockets>, agree: Option<Agree>) -> Self {
        Self { sockets, agree }
    }

    /// Somebody serves until then.
    pub(crate) fn must_agree(&self) -> bool {
        self.agree.is_some()
    }

    pub(crate) fn agree(&mut self) -> Result<(), String> {
        self.agree.take().map_or(Ok(()), |agree| agree())
    }

    /// All sockets for this purpose at this address; none where there are none.
    pub fn take(&mut self, kind: &str, name: &str, address: SocketAddr) -> Vec<TcpListener> {
        let is_wanted = |given: &mut Sockets| given.are_for(kind, name, address);
        let wanted = self.sockets.extract_if(.., is_wanted);
        wanted.flat_map(|given| given.sockets).collect()
    }

    /// Whoever has given them keeps them open, whatever becomes of this process.
    pub(crate) fn are_lent(&self, name: &str, address: SocketAddr) -> bool {
        self.sockets.iter().any(|given| {
            &*given.kind == Sockets::ANY && given.are_for(Sockets::LISTENER, name, address)
        })
    }

    /// One of them has this port, so that it is not somebody else's.
    pub(crate) fn has_port(&self, port: u16) -> bool {
        self.sockets
            .iter()
            .any(|given| given.ports().any(|p| p == port))
    }

    /// Closes what nobody has taken.
    pub(crate) fn close(self) {
        for Sockets {
            kind,
            name,
            address,
            ..
        } in self.sockets
        {
            match &*kind {
                Sockets::ANY => {
                    warn!("a socket for {address} was given, and nothing listens there")
                }
                _ => info!("{kind} {name} at {address} is no more; its sockets are closed"),
            }
        }
    }
}

/// Descriptors of all these sockets, spread over so many workers: each socket
/// is somebody's, and each worker has at least one.
pub(crate) fn spread(sockets: &[TcpListener], workers: usize) -> io::Result<Vec<Vec<TcpListener>>> {
    let mut of_workers: Vec<Vec<TcpListener>> = (0..workers).map(|_| Vec::new()).collect();
    let turns = sockets.len().max(workers);
    for (turn, socket) in sockets.iter().cycle().take(turns).enumerate() {
        if let Some(own) = of_workers.get_mut(turn % workers.max(1)) {
            own.push(socket.try_clone()?);
        }
    }
    Ok(of_workers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket() -> TcpListener {
        TcpListener::bind("127.0.0.1:0").unwrap()
    }

    fn given(kind: &str, name: &str, address: &str) -> Sockets {
        Sockets {
            kind: kind.into(),
            name: name.into(),
            address: address.parse().unwrap(),
            sockets: vec![socket(), socket()],
        }
    }

    #[test]
    fn sockets_are_taken_once_by_whoever_they_are_for() {
        let sockets = vec![
            given("listener", "a", "127.0.0.1:0"),
            given("listener", "b", "127.0.0.1:80"),
            given("metrics", "", "127.0.0.1:90"),
            given("any", "", "127.0.0.1:100"),
        ];
        let mut all = Given::new(sockets, None);
        for (kind, name, address, count) in [
            ("listener", "b", "127.0.0.1:0", 0),
            ("listener", "a", "127.0.0.1:0", 2),
            ("listener", "a", "127.0.0.1:0", 0),
            ("metrics", "", "127.0.0.1:80", 0),
            ("listener", "renamed", "127.0.0.1:80", 2),
            ("listener", "x", "0.0.0.0:90", 0),
            ("metrics", "", "127.0.0.1:90", 2),
            ("listener", "x", "127.0.0.1:100", 2),
        ] {
            let taken = all.take(kind, name, address.parse().unwrap());
            assert_eq!(taken.len(), count, "{kind} {name} {address}");
        }
    }

    #[test]
    fn every_socket_is_accepted_from_and_every_worker_has_one() {
        for (sockets, workers, expected) in [
            (1, 3, vec![vec![0], vec![0], vec![0]]),
            (2, 3, vec![vec![0], vec![1], vec![0]]),
            (3, 3, vec![vec![0], vec![1], vec![2]]),
            (5, 2, vec![vec![0, 2, 4], vec![1, 3]]),
        ] {
            let all: Vec<_> = (0..sockets).map(|_| socket()).collect();
            let port = |s: &TcpListener| s.local_addr().unwrap();
            let place = |s: &TcpListener| all.iter().position(|a| port(a) == port(s)).unwrap();
            let spread = spread(&all, workers).unwrap();
            let places: Vec<Vec<usize>> = spread
                .iter()
                .map(|own| own.iter().map(place).collect())
                .collect();
            assert_eq!(places, expected, "{sockets} {workers}");
        }
        assert!(spread(&[], 2).unwrap().iter().all(Vec::is_empty));
    }
}

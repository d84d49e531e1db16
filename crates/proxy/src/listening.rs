//! Listening sockets of the whole process: which are open, and opening those
//! that a plan needs beyond them.

pub(crate) mod descriptors;
pub(crate) mod door;
pub(crate) mod draining;
pub(crate) mod given;
pub(crate) mod listen;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use plan::Plan;
use tracing::debug;

use crate::StartFault;
use crate::listening::door::DoorId;
use crate::listening::given::{Given, Sockets, spread};
use crate::listening::listen::{check_free, hide, listen};

/// The sockets of one listener.
#[derive(Clone)]
pub(crate) struct Bound {
    pub(crate) id: DoorId,
    pub(crate) listener: Box<str>,
    /// As the plan has it, and as the kernel does.
    pub(crate) address: SocketAddr,
    pub(crate) bound: SocketAddr,
    pub(crate) open: Arc<AtomicUsize>,
    /// All of its sockets, for whoever takes over one day. Connections wait at
    /// them for as long as they are open, so they go when the workers' own do.
    pub(crate) sockets: Arc<[TcpListener]>,
    /// The service manager has them as well.
    is_lent: bool,
}

/// A listener as it is now.
#[derive(Debug, Clone)]
pub struct Listening {
    pub id: Box<str>,
    /// As the kernel has it.
    pub address: SocketAddr,
    /// What is spoken there, as the plan has it.
    pub protocol: &'static str,
    /// Connections of clients that are open.
    pub connections: usize,
}

impl Bound {
    pub(crate) fn let_go(&mut self) {
        self.sockets = Arc::default();
    }

    /// Leaves new connections to whoever else listens at its port.
    pub(crate) fn hide(&self) {
        for hidden in self.sockets.iter().map(hide) {
            if let Err(error) = hidden {
                let listener = &*self.listener;
                debug!(listener, %error, "a socket cannot be hidden; who connects while it closes is cut off");
            }
        }
    }

    /// For whoever takes over.
    pub(crate) fn handed(&self) -> io::Result<Sockets> {
        let sockets = self.sockets.iter().map(TcpListener::try_clone);
        let kind = match self.is_lent {
            true => Sockets::ANY,
            false => Sockets::LISTENER,
        };
        Ok(Sockets {
            kind: kind.into(),
            name: self.listener.clone(),
            address: self.address,
            sockets: sockets.collect::<io::Result<_>>()?,
        })
    }
}

/// The sockets of a plan's listeners.
pub(crate) struct Opened {
    /// In the order of the plan.
    pub(crate) listening: Vec<Bound>,
    /// For each of them, the sockets of each worker; none where they have them.
    pub(crate) sockets: Vec<Vec<Vec<TcpListener>>>,
    /// Those of before that go, and whose port a listener of the plan has, such
    /// as 127.0.0.1:80 where that has 0.0.0.0:80; to be hidden.
    pub(crate) moved: Vec<Bound>,
}

/// Opens what a plan's listeners need beyond what is open. Who listens at the
/// same address is the same, whatever it is called. Further ports of this
/// process are where sockets are being closed.
pub(crate) fn open_listeners(
    plan: &Plan,
    now: &[Bound],
    closing: &[u16],
    count: usize,
    given: &mut Given,
) -> Result<Opened, StartFault> {
    let mut opened = Opened {
        listening: Vec::new(),
        sockets: Vec::new(),
        moved: Vec::new(),
    };
    check_all_free(plan, now, closing, given)?;
    for listener in &plan.listeners {
        let is_same = |known: &&Bound| {
            known.address == listener.address
                && (known.address.port() != 0 || known.listener == listener.id)
        };
        let (listening, sockets) = match now.iter().find(is_same) {
            Some(known) => (known.clone(), Vec::new()),
            None => open_listener(listener, count, given)?,
        };
        opened.listening.push(Bound {
            listener: listener.id.clone(),
            ..listening
        });
        opened.sockets.push(sockets);
    }
    let goes = |old: &&Bound| opened.listening.iter().all(|new| new.id != old.id);
    let has_port = |old: &&Bound| {
        let mut listening = opened.listening.iter();
        listening.any(|new| new.bound.port() == old.bound.port())
    };
    let moved = now.iter().filter(goes).filter(has_port);
    // What is the service manager's must be found by whoever comes next.
    opened.moved = moved.filter(|old| !old.is_lent).cloned().collect();
    Ok(opened)
}

/// Says whether somebody else listens where the plan wants to. Comes before any
/// is opened: one of ours, such as 127.0.0.1:80 beside 0.0.0.0:80 or for it, is in
/// nobody's way.
fn check_all_free(
    plan: &Plan,
    now: &[Bound],
    closing: &[u16],
    given: &Given,
) -> Result<(), StartFault> {
    for listener in &plan.listeners {
        let port = listener.address.port();
        let is_ours = now.iter().any(|known| known.bound.port() == port) || closing.contains(&port);
        if !is_ours && !given.has_port(port) {
            check_free(listener.address).map_err(|error| cannot_listen(listener, error))?;
        }
    }
    Ok(())
}

fn cannot_listen(listener: &plan::Listener, error: io::Error) -> StartFault {
    StartFault::Listen {
        what: format!("listener \"{}\"", listener.id).into(),
        address: listener.address,
        error,
    }
}

fn open_listener(
    listener: &plan::Listener,
    count: usize,
    given: &mut Given,
) -> Result<(Bound, Vec<Vec<TcpListener>>), StartFault> {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let address = listener.address;
    let fault = |error| cannot_listen(listener, error);
    let is_lent = given.are_lent(&listener.id, address);
    let mut sockets = given.take(Sockets::LISTENER, &listener.id, address);
    if sockets.is_empty() {
        sockets = listen(address, count).map_err(fault)?;
    }
    let of_workers = share(&sockets, count).map_err(fault)?;
    let bound = sockets.first().and_then(|socket| socket.local_addr().ok());
    let listening = Bound {
        id: NEXT.fetch_add(1, Ordering::Relaxed),
        listener: listener.id.clone(),
        address,
        bound: bound.unwrap_or(address),
        open: Arc::default(),
        sockets: sockets.into(),
        is_lent,
    };
    Ok((listening, of_workers))
}

/// The workers' own descriptors of these sockets. Workers that outnumber the
/// sockets share them: further ones of the same address would lose whoever
/// waits at them should this start fail and the Forebay before it go on.
fn share(sockets: &[TcpListener], count: usize) -> io::Result<Vec<Vec<TcpListener>>> {
    for socket in sockets {
        socket.set_nonblocking(true)?;
    }
    spread(sockets, count)
}

/// The socket of the metrics page, if there is to be one.
pub(crate) fn open_metrics(
    plan: &Plan,
    given: &mut Given,
) -> Result<Option<TcpListener>, StartFault> {
    let Some(endpoint) = &plan.metrics else {
        return Ok(None);
    };
    let given = given.take(Sockets::METRICS, "", endpoint.address);
    match given.into_iter().next() {
        Some(given) => Ok(Some(given)),
        None => TcpListener::bind(endpoint.address)
            .map(Some)
            .map_err(|error| no_metrics(endpoint, error)),
    }
}

pub(crate) fn no_metrics(endpoint: &plan::MetricsEndpoint, error: io::Error) -> StartFault {
    StartFault::Listen {
        what: "the metrics endpoint".into(),
        address: endpoint.address,
        error,
    }
}

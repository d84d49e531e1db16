//! Where the admin API is served, from one configuration to the next.

use std::net::TcpListener;
use std::sync::{Mutex, Weak};

use admin::{Control, Server};
use plan::{AdminEndpoint, Plan};
use proxy::{Sockets, StartFault};

use super::{Live, LiveFault, lock};

/// Where the admin API is to be from now on.
pub(super) enum Move<'a> {
    To(&'a Mutex<Option<Server>>, Option<Server>),
    Stays(&'a Mutex<Option<Server>>, AdminEndpoint),
}

impl Move<'_> {
    pub(super) fn settle(self) {
        match self {
            Move::To(slot, server) => {
                if let Some(server) = &server {
                    let address = server.address();
                    tracing::info!(%address, "admin API on http://{address}");
                }
                *lock(slot) = server;
            }
            Move::Stays(slot, endpoint) => {
                if let Some(server) = &*lock(slot) {
                    server.adopt(&endpoint);
                }
            }
        }
    }
}

impl Live {
    /// Serves the admin API where the plan says. What is open already stays open
    /// until the move is settled, so that nothing has changed if it cannot be.
    /// It may have been `given` by another process.
    pub(super) fn move_admin(
        &self,
        plan: &Plan,
        given: Option<TcpListener>,
    ) -> Result<Move<'_>, LiveFault> {
        let slot = &self.admin;
        let Some(endpoint) = &plan.admin else {
            return Ok(Move::To(slot, None));
        };
        let old = lock(slot);
        if let Some(old) = &*old {
            let before = self.running.plan().admin.clone();
            let is_same = before.is_some_and(|before| before.address == endpoint.address);
            if is_same || old.address() == endpoint.address {
                return Ok(Move::Stays(slot, endpoint.clone()));
            }
        }
        let control: Weak<dyn Control> = self.itself.clone();
        let server = match (given, &*old) {
            // Both are open until it has moved.
            (None, Some(old)) if old.address().port() == endpoint.address.port() => {
                let socket = old.socket();
                let beside = |old| admin::listen_beside(endpoint.address, &old);
                socket.and_then(beside).map(Some)
            }
            (given, _) => Ok(given),
        }
        .and_then(|socket| Server::start(endpoint, socket, control));
        let server = server.map_err(|error| {
            LiveFault::Start(StartFault::Listen {
                what: "the admin API".into(),
                address: endpoint.address,
                error,
            })
        })?;
        Ok(Move::To(slot, Some(server)))
    }
}

/// The socket of the admin API, if another process has left it.
pub(super) fn take_admin(plan: &Plan, sockets: &mut Vec<Sockets>) -> Option<TcpListener> {
    let endpoint = plan.admin.as_ref()?;
    let is_it =
        |given: &mut Sockets| &*given.kind == Sockets::ADMIN && given.address == endpoint.address;
    let mut found = sockets.extract_if(.., is_it);
    if let Some(mut given) = found.next() {
        return given.sockets.pop();
    }
    drop(found);
    // One that stands in the way until the other process has ended.
    let mut others = sockets
        .iter()
        .filter(|given| &*given.kind == Sockets::ADMIN);
    let other = others.find_map(|given| given.sockets.first())?;
    if other.local_addr().ok()?.port() != endpoint.address.port() {
        return None;
    }
    // Why it cannot be is told when it is tried again.
    admin::listen_beside(endpoint.address, other).ok()
}

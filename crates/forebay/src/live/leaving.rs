//! What is left to a process that takes over.

use proxy::Sockets;

use super::{Live, instant, lock};
use crate::{Handover, Reloads};

impl Live {
    /// Every socket that listens, for a process that takes over.
    ///
    /// # Errors
    ///
    /// When there is no room for the descriptors.
    pub fn sockets(&self) -> std::io::Result<Vec<Sockets>> {
        let mut all = self.running.sockets()?;
        let endpoint = self.running.plan().admin.clone();
        if let (Some(server), Some(endpoint)) = (&*lock(&self.admin), endpoint) {
            all.push(Sockets {
                kind: Sockets::ADMIN.into(),
                name: "".into(),
                address: endpoint.address,
                sockets: vec![server.socket()?],
            });
        }
        Ok(all)
    }

    /// Leaves the admin API to another process.
    pub fn leave_admin(&self) {
        *lock(&self.admin) = None;
    }

    /// What a process that takes over should know.
    pub fn handover(&self) -> Handover {
        let last = self.last();
        let reloads = Reloads {
            taken: last.taken,
            refused: last.refused,
        };
        let now = instant();
        let services = self.registry.snapshot(now);
        Handover::of(&self.heritage, &self.running.plan(), reloads, services, now)
    }
}

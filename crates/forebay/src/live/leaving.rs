//! What is left to a process that takes over, and when nothing may be changed
//! because nobody would know of it.

use std::fmt;
use std::sync::{MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use proxy::Sockets;
use registry::Registry;

use super::{Live, LiveFault, instant, lock};
use crate::{Handover, Reloads, kept_state, leases};

/// A change under way that takes longer than this is not waited for at the end.
const LAST_CHANGE: Duration = Duration::from_secs(1);
/// Between two looks at whether one is under way.
const STEP: Duration = Duration::from_millis(10);

/// Why nothing may be changed: whoever serves afterwards would not know of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaving {
    /// Another process starts with what was known when this began. It believes
    /// services longer, so heartbeats still count.
    HandedOver,
    /// Another process may serve already. Heartbeats are still answered: it begins
    /// all leases anew when it is the only one.
    Succeeded,
    /// This one ends.
    Ending,
}

impl fmt::Display for Leaving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HandedOver | Self::Succeeded => {
                "an upgrade is under way, and what is changed now would be lost: try again in a moment"
            }
            Self::Ending => "Forebay is ending, and what is changed now would be lost",
        })
    }
}

/// The right to change something, of which there is one.
pub(super) type Turn<'a> = MutexGuard<'a, ()>;

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

    /// The process before answers nobody any more. Of the heartbeats that it has
    /// answered to the last, this one knows nothing.
    pub fn predecessor_has_left(&self) {
        leases::begin_anew(&self.registry, instant());
    }

    /// What a process that takes over should know. Nothing is missed if changes
    /// are refused by then, and none is under way.
    pub fn handover(&self) -> Handover {
        let last = self.last();
        let reloads = Reloads {
            taken: last.taken,
            refused: last.refused,
        };
        let now = instant();
        let services = self.registry.snapshot(now);
        let found = self.sources.found();
        let plan = self.running.plan();
        Handover::of(&self.heritage, &plan, reloads, services, found, now)
    }

    /// Refuses changes from now on. One that is under way may still succeed.
    pub fn refuse_changes(&self, why: Leaving) {
        // Nobody is between a look at this and a change of the registry then.
        let _registry = self.registry.lock();
        *lock(&self.leaving) = Some(why);
    }

    /// Writes what was changed to the file that keeps it, if there is one.
    pub fn save(&self) {
        kept_state::save(self);
    }

    /// True once no change is under way.
    pub fn is_quiet(&self) -> bool {
        !matches!(self.turn.try_lock(), Err(TryLockError::WouldBlock))
    }

    /// Nobody else serves after all.
    pub fn allow_changes(&self) {
        let before = lock(&self.leaving).take();
        if before == Some(Leaving::Succeeded) {
            // The other one may have answered heartbeats.
            leases::begin_anew(&self.registry, instant());
        }
    }

    /// Why nothing may be changed now; none where all may be.
    pub fn leaving(&self) -> Option<Leaving> {
        *lock(&self.leaving)
    }

    /// The end is near: refuses changes, and keeps what was changed for the next
    /// start, if there is a file for it.
    pub fn close(&self) {
        self.refuse_changes(Leaving::Ending);
        if self.running.plan().state_file().is_none() {
            return;
        }
        let end = instant() + LAST_CHANGE;
        while !self.is_quiet() && instant() < end {
            std::thread::sleep(STEP);
        }
        kept_state::save(self);
    }

    /// Waits until it is one's turn to change something.
    pub(super) fn turn(&self) -> Result<Turn<'_>, LiveFault> {
        let turn = self.any_turn();
        match self.leaving() {
            None => Ok(turn),
            Some(why) => Err(LiveFault::Leaving(why)),
        }
    }

    /// For what another process would find by itself.
    pub(super) fn any_turn(&self) -> Turn<'_> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes how backends stand, which no configuration says.
    ///
    /// # Errors
    ///
    /// While nothing may be changed.
    pub(crate) fn order(&self, act: &mut dyn FnMut()) -> Result<(), LiveFault> {
        let _turn = self.turn()?;
        act();
        Ok(())
    }

    /// The registry, for services that come and go.
    ///
    /// # Errors
    ///
    /// While nothing may be changed.
    pub(crate) fn registry_to_change(&self) -> Result<MutexGuard<'_, Registry>, LiveFault> {
        self.registry_unless(|_| true)
    }

    /// The registry, for heartbeats.
    ///
    /// # Errors
    ///
    /// When this one ends.
    pub(crate) fn registry_to_renew(&self) -> Result<MutexGuard<'_, Registry>, LiveFault> {
        self.registry_unless(|why| why == Leaving::Ending)
    }

    fn registry_unless(
        &self,
        forbids: impl Fn(Leaving) -> bool,
    ) -> Result<MutexGuard<'_, Registry>, LiveFault> {
        let registry = self.registry.lock();
        match self.leaving().filter(|&why| forbids(why)) {
            None => Ok(registry),
            Some(why) => Err(LiveFault::Leaving(why)),
        }
    }
}

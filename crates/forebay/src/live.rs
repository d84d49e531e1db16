//! A Forebay whose configuration may change while it runs.

mod admin_place;
mod leaving;
mod outcome;
mod renewal;
mod source;
mod start;
mod take_up;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Instant, SystemTime};

use admin::{Events, LastReload, Server};
use plan::{Changes, Heritage};
use proxy::Running;
use registry::Shared as Registry;
use telemetry::ConfigurationFigures;

use crate::certificates::Board;
use crate::sources::Sources;
use crate::{Hooks, Kept};

pub use leaving::Leaving;
use renewal::Renewal;

pub use outcome::{LiveFault, Reloaded};
pub use source::Source;

/// A Forebay that serves and takes its configuration anew when told to.
pub struct Live {
    running: Running,
    heritage: Heritage,
    source: Source,
    pub(crate) hooks: Hooks,
    registry: Registry,
    sources: Sources,
    events: Events,
    /// Held by whoever changes the configuration: whoever comes later reads
    /// what is there then.
    turn: Mutex<()>,
    /// Held only for moments.
    state: Mutex<State>,
    renewal: Mutex<Renewal>,
    /// Certificates that are had from an authority.
    board: Arc<Board>,
    leaving: Mutex<Option<Leaving>>,
    admin: Mutex<Option<Server>>,
    /// For the admin API, which must not keep alive what it is part of.
    itself: Weak<Self>,
}

struct State {
    last: LastReload,
    /// Whether what was changed could be written to the file for it when that was
    /// tried last.
    is_kept: Option<bool>,
    /// What the running plan was made of.
    kept: Arc<Kept>,
    /// Why certificate files that were read last were all refused.
    refused_files: Vec<String>,
}

impl State {
    fn figures(&self) -> ConfigurationFigures {
        let last = &self.last;
        let since = last.since.duration_since(SystemTime::UNIX_EPOCH);
        ConfigurationFigures {
            hash: last.hash.clone(),
            is_latest: last.failure.is_none(),
            since_unix_seconds: since.unwrap_or_default().as_secs_f64(),
            taken: last.taken,
            refused: last.refused,
            is_state_kept: self.is_kept,
        }
    }
}

impl Live {
    /// Where the admin API is, if it is served.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        lock(&self.admin).as_ref().map(Server::address)
    }

    /// The services that have registered themselves.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// What happens, for those who watch.
    pub fn events(&self) -> &Events {
        &self.events
    }

    pub(crate) fn kept(&self) -> Arc<Kept> {
        Arc::clone(&self.lock().kept)
    }

    pub(crate) fn board(&self) -> Arc<Board> {
        Arc::clone(&self.board)
    }

    pub fn running(&self) -> &Running {
        &self.running
    }

    pub fn last(&self) -> LastReload {
        self.lock().last.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// What has been changed since the configuration was written.
    pub fn changes(&self) -> Arc<Changes> {
        self.heritage.changes()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[expect(clippy::disallowed_methods, reason = "leases end with time")]
pub(crate) fn instant() -> Instant {
    Instant::now()
}

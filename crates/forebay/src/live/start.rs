//! The beginning: from nothing, after another process, or from what was kept.

use std::mem;
use std::path::Path;
use std::sync::{Arc, Mutex, Weak};
use std::time::SystemTime;

use admin::{Events, LastReload};
use plan::{Heritage, Plan};
use proxy::{Given, StartFault};
use registry::Shared as Registry;
use serde_json::json;

use super::admin_place::take_admin;
use super::take_up::{tell_of_idle_changes, with_finds};
use super::{Live, LiveFault, Source, State, instant};
use crate::kept_state::{self, KeptState};
use crate::sources::Sources;
use crate::{Hooks, Predecessor, Read, certificates, leases};

impl Live {
    /// Serves by the plan of `first`, which `source` has read after nothing but
    /// `heritage`.
    ///
    /// # Errors
    ///
    /// When it has mistakes, or cannot be served: see [`proxy::start`].
    pub fn start(
        source: Source,
        heritage: Heritage,
        first: Read,
        hooks: Hooks,
        now: SystemTime,
    ) -> Result<Arc<Self>, LiveFault> {
        Self::start_after(Predecessor::default(), source, heritage, first, hooks, now)
    }

    /// The same, taking over from another process. What it has handed over for
    /// the reading must be in `heritage` already: [`Handover::prepare`].
    ///
    /// # Errors
    ///
    /// As for [`Live::start`].
    pub fn start_after(
        mut predecessor: Predecessor,
        source: Source,
        heritage: Heritage,
        mut first: Read,
        hooks: Hooks,
        now: SystemTime,
    ) -> Result<Arc<Self>, LiveFault> {
        let registry = Registry::new(registry::Registry::new(
            registry::Limits::default(),
            fastrand::u64(..),
        ));
        let is_successor = predecessor.handover.has_come();
        if let Some(path) = first.plan.as_ref().and_then(Plan::state_file) {
            kept_state::check(path).map_err(LiveFault::StateFile)?;
        }
        // Services are there before anybody looks for them.
        if let Some(services) = predecessor.handover.services.take() {
            leases::restore(&registry, services, instant());
        } else if let Some(kept) = state_kept(&first) {
            let downtime = kept.downtime(now);
            kept.state.prepare(&heritage);
            first = with_changes(&source, &heritage, first);
            predecessor.handover = kept.state;
            if let Some(services) = predecessor.handover.services.take() {
                registry.lock().restore(services, instant(), downtime);
            }
        }
        let sources = Sources::new(registry.clone());
        if let Some(plan) = &first.plan {
            sources.begin_with(plan, mem::take(&mut predecessor.handover.found));
        }
        let mut first = with_finds(&sources, &source, &heritage, first);
        let Some(plan) = first.plan.take() else {
            return Err(LiveFault::Mistakes(Box::new(first)));
        };
        heritage.living.on_change(Arc::new(proxy::log_change));
        let events = Events::new(fastrand::u64(..));
        tell_of_backends(&heritage, &events);
        let plan = Arc::new(plan);
        let Predecessor {
            mut sockets,
            handover,
            agree,
        } = predecessor;
        let why = match is_successor {
            true => "it was so before the upgrade",
            false => "it was so before the restart",
        };
        handover.bring_back(&plan, why, instant());
        tell_of_idle_changes(&heritage.changes(), &plan);
        heritage.keep_certificates(&plan);
        let given = take_admin(&plan, &mut sockets);
        let running = proxy::start_with(Arc::clone(&plan), Given::new(sockets, agree))
            .map_err(LiveFault::Start)?;
        if is_successor {
            leases::begin_anew(&registry, instant());
        }
        let state = State {
            last: LastReload {
                hash: first.hash,
                since: now,
                tried: now,
                failure: None,
                taken: handover.reloads.taken,
                refused: handover.reloads.refused,
            },
            is_kept: None,
            kept: Arc::new(first.kept),
            refused_files: Vec::new(),
        };
        running.tell_of_configuration(state.figures());
        running.tell_of_sources(sources.figures());
        let live = Arc::new_cyclic(|itself| Self {
            running,
            heritage,
            source,
            hooks,
            registry,
            sources,
            events,
            turn: Mutex::default(),
            state: Mutex::new(state),
            renewal: Mutex::default(),
            board: Arc::default(),
            leaving: Mutex::default(),
            admin: Mutex::default(),
            itself: Weak::clone(itself),
        });
        live.tell_of_certificates();
        let itself = Arc::downgrade(&live);
        live.sources
            .when_changed(move || itself.upgrade().is_none_or(|live| live.take_up_finds()));
        live.move_admin(&plan, given)?.settle();
        // There may come a file for it.
        let kept = kept_state::keep(Arc::downgrade(&live));
        kept.map_err(|error| LiveFault::Start(StartFault::Worker(error)))?;
        // So may an authority.
        let kept = certificates::keep(Arc::downgrade(&live));
        kept.map_err(|error| LiveFault::Start(StartFault::Worker(error)))?;
        Ok(live)
    }
}

/// What was changed before this start, if it was kept.
fn state_kept(first: &Read) -> Option<KeptState> {
    let path = Path::new(first.plan.as_ref()?.state_file()?);
    KeptState::read(path).unwrap_or_else(|why| {
        let aside = kept_state::set_aside(path);
        tracing::error!("what was changed before is lost: {why}; {aside}");
        None
    })
}

/// The configuration with what was changed before. Changes that it does not go
/// with any more are left out.
fn with_changes(source: &Source, heritage: &Heritage, first: Read) -> Read {
    let again = source.again(&first.kept, heritage);
    if again.plan.is_some() {
        return again;
    }
    let aside = first.plan.as_ref().and_then(Plan::state_file);
    let aside = aside.map(|path| kept_state::set_aside(Path::new(path)));
    let (aside, problems) = (aside.unwrap_or_default(), again.problems.render(false));
    tracing::error!(
        "what was changed before does not go with the configuration; {aside}:\n{problems}"
    );
    heritage.set_changes(Arc::default());
    first
}

/// Changes of backends are events.
fn tell_of_backends(heritage: &Heritage, events: &Events) {
    let events = events.clone();
    heritage.living.on_change(Arc::new(move |change| {
        let about = json!({
            "group": &*change.group,
            "url": &*change.url,
            "from": change.from.label(),
            "to": change.to.label(),
            "why": &*change.why,
        });
        events.publish("backend", about);
    }));
}

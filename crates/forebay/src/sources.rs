//! Backends that are found while Forebay runs.
//!
//! One thread looks, with a task for each source that any group has; what they
//! find is pinned to the [`Board`]. A plan that is to be taken up gets what is
//! there, after a short wait for sources that are new; what is found later is a
//! change of the configuration like any other.

mod board;
mod dns;
mod finds;
mod list;
mod look;
mod services;
mod thread;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use plan::{BackendSource, Plan};
use registry::Shared as Registry;
use telemetry::SourceFigures;
use tokio::sync::oneshot;

use board::Board;
pub(crate) use finds::Finds;

/// How long a plan waits for the first answers of sources that are new.
const FIRST_ANSWERS: Duration = Duration::from_secs(5);

/// What each source has found last: URLs with their weights, by the source and
/// the terms on which it is looked at.
pub(crate) type LastFound = BTreeMap<String, BTreeMap<String, u32>>;

/// The sources of all groups.
pub(crate) struct Sources {
    board: Arc<Board>,
    registry: Registry,
    /// Dropping it ends the thread; there is none before there is a source.
    thread: Mutex<Option<oneshot::Sender<()>>>,
}

impl Sources {
    pub(crate) fn new(registry: Registry) -> Self {
        Self {
            board: Arc::default(),
            registry,
            thread: Mutex::default(),
        }
    }

    /// What takes up other finds; false if that cannot be now.
    pub(crate) fn when_changed(&self, take_up: impl Fn() -> bool + Send + Sync + 'static) {
        self.board.when_changed(Box::new(take_up));
    }

    /// What another process has found counts until these sources of a plan have
    /// an answer of their own, also if that is long in coming.
    pub(crate) fn begin_with(&self, plan: &Plan, mut found: LastFound) {
        for source in all(plan) {
            if let Some(places) = found.remove(&source.in_full()) {
                self.board.begin_with(source, places);
            }
        }
    }

    /// What a process that takes over begins with. It has the registry itself.
    pub(crate) fn found(&self) -> LastFound {
        self.board.found()
    }

    /// What the sources of a plan that is to be taken up have found, after a wait
    /// for those that are new. Files are looked for in `directory`. None where
    /// nobody has ever had a source.
    pub(crate) fn finds_for(&self, plan: &Plan, directory: &Path) -> Option<Finds> {
        let sources: Vec<&BackendSource> = all(plan).collect();
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if thread.is_none() {
            if sources.is_empty() {
                return None;
            }
            match thread::start(&self.board, &self.registry, directory) {
                Ok(stop) => *thread = Some(stop),
                Err(error) => {
                    tracing::error!("nothing looks for backends: {error}");
                    return None;
                }
            }
        }
        drop(thread);
        self.board.want(&sources);
        self.board.wait_for(&sources, FIRST_ANSWERS);
        Some(self.finds(plan))
    }

    /// What they have found by now.
    pub(crate) fn finds(&self, plan: &Plan) -> Finds {
        Finds::of(plan, |source| self.board.places(source))
    }

    /// Sources that this plan does not have are looked at no more.
    pub(crate) fn keep_only(&self, plan: &Plan) {
        self.board.keep_only(&all(plan).collect::<Vec<_>>());
    }

    /// What the metrics say of them.
    pub(crate) fn figures(&self) -> Box<dyn Fn() -> Vec<SourceFigures> + Send + Sync> {
        let board = Arc::clone(&self.board);
        Box::new(move || board.figures())
    }
}

fn all(plan: &Plan) -> impl Iterator<Item = &BackendSource> {
    plan.groups.iter().flat_map(|group| &group.sources)
}

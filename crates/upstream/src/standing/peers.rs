//! What the backends of a group share: whether all are well, how many are
//! ejected, and who wants to hear of changes.

use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, RwLock};

use super::Change;
use crate::Refusals;
use crate::padded::Padded;
use crate::sync::AtomicUsize;

type Hook = Arc<dyn Fn(&Change) + Send + Sync>;

/// Who hears of changes.
#[derive(Default)]
pub(crate) struct Hooks(RwLock<Vec<Hook>>);

impl Hooks {
    pub(crate) fn add(&self, hook: Hook) {
        let mut hooks = self.0.write().unwrap_or_else(PoisonError::into_inner);
        hooks.push(hook);
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hooks")
    }
}

#[derive(Debug)]
pub(crate) struct Peers {
    group: Arc<str>,
    hooks: Arc<Hooks>,
    /// Read by every choice.
    unwell: Padded<AtomicUsize>,
    ejected: AtomicUsize,
    /// Requests under way, where they are limited.
    requests: Padded<AtomicUsize>,
    pub(crate) refusals: Refusals,
}

impl Peers {
    pub(crate) fn new(group: &str, hooks: Arc<Hooks>) -> Arc<Self> {
        Arc::new(Self {
            group: group.into(),
            hooks,
            unwell: Padded::default(),
            ejected: AtomicUsize::new(0),
            requests: Padded::default(),
            refusals: Refusals::default(),
        })
    }

    pub(super) fn group(&self) -> &Arc<str> {
        &self.group
    }

    /// No backend needs a second look.
    pub(crate) fn are_well(&self) -> bool {
        self.unwell.load(Ordering::Relaxed) == 0
    }

    pub(super) fn recount(&self, was_well: bool, is_well: bool) {
        match (was_well, is_well) {
            (true, false) => self.unwell.fetch_add(1, Ordering::Relaxed),
            (false, true) => self.unwell.fetch_sub(1, Ordering::Relaxed),
            _ => return,
        };
    }

    /// A place among the ejected, of which there are `most`.
    pub(super) fn claim(&self, most: usize) -> bool {
        take(&self.ejected, most)
    }

    /// A place among the requests under way, of which there are `most`.
    pub(crate) fn enter(&self, most: usize) -> bool {
        take(&self.requests, most)
    }

    pub(crate) fn leave(&self) {
        self.requests.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn release(&self) {
        self.ejected.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn tell(&self, change: &Change) {
        let hooks = self.hooks.0.read();
        let hooks = hooks.unwrap_or_else(PoisonError::into_inner).clone();
        hooks.iter().for_each(|hook| hook(change));
    }
}

/// One more, but no more than `most`.
fn take(count: &AtomicUsize, most: usize) -> bool {
    let (set, fetch) = (Ordering::Relaxed, Ordering::Relaxed);
    let more = |n| (n < most).then_some(n + 1);
    count.fetch_update(set, fetch, more).is_ok()
}

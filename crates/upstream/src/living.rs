use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use crate::balance::Turn;
use crate::standing::{Hooks, Peers};
use crate::{Adaptive, AdaptiveTerms, Backend, Budget, Change, Clients, Secret, Turns};

type Key = (Box<str>, Box<str>);

/// The backends that exist, by group and URL: how a new plan finds the load
/// and the connections of the old one.
///
/// Held weakly. A backend lives as long as a plan, an exchange or a pool needs
/// it, and is forgotten by itself.
#[derive(Debug, Default)]
pub struct Living {
    backends: Mutex<HashMap<Key, Weak<Backend>>>,
    clients: OfGroups<Clients>,
    turns: OfGroups<Turn>,
    retries: OfGroups<Budget>,
    hedges: OfGroups<Budget>,
    secret: OnceLock<Option<Secret>>,
    adaptive: OfGroups<Adaptive>,
    peers: OfGroups<Peers>,
    hooks: Arc<Hooks>,
}

impl Living {
    pub fn new() -> Self {
        Self::default()
    }

    /// The living backend that `wanted` describes, else `wanted` itself.
    ///
    /// One whose address, options or TLS have changed is not reused: what is in
    /// flight keeps to the terms it began with while the new one takes over, and
    /// what operators want of it.
    pub fn backend(&self, group: &str, wanted: Backend) -> Arc<Backend> {
        let mut backends = self.backends.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (Box::from(group), wanted.url.clone());
        let living = backends.get(&key).and_then(Weak::upgrade);
        if let Some(living) = living.as_ref().filter(|living| same(living, &wanted)) {
            return Arc::clone(living);
        }
        backends.retain(|_, backend| backend.strong_count() > 0);
        let backend = Arc::new(wanted.among(self.peers(group)));
        if let Some(living) = living {
            backend.standing.follow(&living.standing);
        }
        backends.insert(key, Arc::downgrade(&backend));
        backend
    }

    /// Calls this whenever a backend's state becomes another; it must not take
    /// long, since a request may wait for it.
    pub fn on_change(&self, hook: Arc<dyn Fn(&Change) + Send + Sync>) {
        self.hooks.add(hook);
    }

    /// What the backends of a group share.
    fn peers(&self, group: &str) -> Arc<Peers> {
        let make = || Peers::new(group, Arc::clone(&self.hooks));
        self.peers.get(group, |_| true, make)
    }

    /// The group's table of clients, a new one if its terms have changed.
    pub fn clients(&self, group: &str, timeout: Duration, most: usize) -> Arc<Clients> {
        let is_same = |clients: &Clients| clients.has_terms(timeout, most);
        let make = || Arc::new(Clients::new(timeout, most));
        self.clients.get(group, is_same, make)
    }

    /// Whose turn it is in the group.
    pub fn turns(&self, group: &str) -> Turns {
        Turns::of(self.turns.get(group, |_| true, Arc::default))
    }

    /// What the group can afford in retries, anew if its terms have changed.
    pub fn retries(&self, group: &str, percent: u32, per_second: u32) -> Arc<Budget> {
        budget(&self.retries, group, percent, per_second)
    }

    /// What the group can afford in hedges, anew if its terms have changed.
    pub fn hedges(&self, group: &str, percent: u32) -> Arc<Budget> {
        budget(&self.hedges, group, percent, 0)
    }

    /// What the group's latency says of how much it can do, anew if the terms
    /// have changed.
    pub fn adaptive(&self, group: &str, terms: AdaptiveTerms) -> Arc<Adaptive> {
        let is_same = |adaptive: &Adaptive| adaptive.terms() == terms;
        let make = || Arc::new(Adaptive::new(terms));
        self.adaptive.get(group, is_same, make)
    }

    /// The secret of this process, for groups that have none of their own.
    /// None where the system has no randomness to give.
    pub fn secret(&self) -> Option<Secret> {
        self.secret.get_or_init(Secret::random).clone()
    }

    /// The same, but it is not made up now where it has not been yet.
    pub fn secret_so_far(&self) -> Option<Secret> {
        self.secret.get().cloned().flatten()
    }

    /// Goes on with the secret of the process before. One that is in use
    /// already stays.
    pub fn take_over_secret(&self, secret: Secret) {
        let _ = self.secret.set(Some(secret));
    }
}

fn budget(of: &OfGroups<Budget>, group: &str, percent: u32, per_second: u32) -> Arc<Budget> {
    let is_same = |budget: &Budget| budget.has_terms(percent, per_second);
    of.get(group, is_same, || {
        Arc::new(Budget::new(percent, per_second))
    })
}

/// One thing for each group, kept for as long as a plan needs it.
#[derive(Debug)]
struct OfGroups<T>(Mutex<HashMap<Box<str>, Weak<T>>>);

impl<T> Default for OfGroups<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> OfGroups<T> {
    /// The one there is, else one that is made.
    fn get(
        &self,
        group: &str,
        is_same: impl Fn(&T) -> bool,
        make: impl FnOnce() -> Arc<T>,
    ) -> Arc<T> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let living = all.get(group).and_then(Weak::upgrade);
        if let Some(living) = living.filter(|living| is_same(living)) {
            return living;
        }
        all.retain(|_, one| one.strong_count() > 0);
        let one = make();
        all.insert(group.into(), Arc::downgrade(&one));
        one
    }
}

fn same(a: &Backend, b: &Backend) -> bool {
    let terms = |backend: &Backend| (backend.options, backend.tls.clone());
    a.address == b.address && a.authority == b.authority && terms(a) == terms(b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balance::Deal;
    use crate::{Address, PoolOptions};

    fn wanted(url: &str, max_connections: usize) -> Backend {
        let options = PoolOptions {
            max_connections,
            ..PoolOptions::default()
        };
        Backend::new(url, Address::Unix(url.into()), "app", options)
    }

    #[test]
    fn the_same_group_url_and_options_are_the_same_backend() {
        let living = Living::new();
        let first = living.backend("api", wanted("http://a", 5));
        let again = living.backend("api", wanted("http://a", 5));
        assert!(Arc::ptr_eq(&first, &again));
        for other in [
            living.backend("web", wanted("http://a", 5)),
            living.backend("api", wanted("http://b", 5)),
            living.backend("api", wanted("http://a", 6)),
        ] {
            assert!(!Arc::ptr_eq(&first, &other));
        }
    }

    #[test]
    fn a_group_keeps_its_clients_while_its_terms_stay() {
        let living = Living::new();
        let of = |group: &str, seconds| living.clients(group, Duration::from_secs(seconds), 9);
        let first = of("api", 5);
        assert!(Arc::ptr_eq(&first, &of("api", 5)));
        assert!(!Arc::ptr_eq(&first, &of("web", 5)));
        assert!(!Arc::ptr_eq(&first, &of("api", 6)));
    }

    #[test]
    fn turns_and_budgets_go_on_from_plan_to_plan() {
        let living = Living::new();
        let turns = living.turns("api");
        assert_eq!(
            [
                turns.next(3, Deal::Take),
                living.turns("api").next(3, Deal::Take)
            ],
            [0, 1]
        );
        assert_eq!(living.turns("web").next(3, Deal::Take), 0);
        drop(turns);
        let budget = living.retries("api", 20, 3);
        assert!(Arc::ptr_eq(&budget, &living.retries("api", 20, 3)));
        assert!(!Arc::ptr_eq(&budget, &living.retries("api", 10, 3)));
    }

    #[test]
    fn what_a_group_knows_of_its_latency_stays_while_its_terms_do() {
        let living = Living::new();
        let of = |group: &str, max_limit| {
            living.adaptive(
                group,
                AdaptiveTerms {
                    min_limit: 1,
                    max_limit,
                    tolerance_percent: 200,
                },
            )
        };
        let first = of("api", 9);
        assert!(Arc::ptr_eq(&first, &of("api", 9)));
        assert!(!Arc::ptr_eq(&first, &of("web", 9)));
        assert!(!Arc::ptr_eq(&first, &of("api", 8)));
    }

    #[test]
    fn backends_nobody_needs_are_forgotten() {
        let living = Living::new();
        drop(living.backend("api", wanted("http://a", 5)));
        let _kept = living.backend("api", wanted("http://b", 5));
        assert_eq!(living.backends.lock().unwrap().len(), 1);
    }
}

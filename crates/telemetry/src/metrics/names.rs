//! What the numbers in records and counters stand for.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

/// The names of routes, backends and listeners, each known by its number.
///
/// A plan that follows another clones its names, opens a new page and adds to
/// them, so a number means the same to every worker for as long as it is used,
/// and counters survive a reload. Of the names that the latest plan does not use,
/// those unused for longest are forgotten and their numbers given to others:
/// backends that come and go for years must not fill the memory. An exchange that
/// ends after that has a number that is another's; its name tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// Counts the plans.
    page: u64,
    routes: Numbered<Box<str>>,
    backends: Numbered<(Box<str>, Box<str>)>,
    /// Never forgotten: connections count where they came in, however late they
    /// end, and there are few.
    listeners: Numbered<Box<str>>,
}

impl Names {
    /// What is used from now on is used by another plan.
    pub fn turn_page(&mut self) {
        self.page += 1;
    }

    /// Numbers given on the same page mean the same.
    pub fn page(&self) -> u64 {
        self.page
    }

    /// Forgets what has not been used for longest. To be called when a plan
    /// has used all it needs.
    pub fn forget_unused(&mut self) {
        self.routes.forget_unused(self.page);
        self.backends.forget_unused(self.page);
    }

    /// The number of the route with this id, given now if need be.
    pub fn route(&mut self, id: &str) -> u32 {
        self.routes.number_of(id.into(), self.page)
    }

    /// The number of a backend: one URL in one group.
    pub fn backend(&mut self, group: &str, url: &str) -> u32 {
        self.backends
            .number_of((group.into(), url.into()), self.page)
    }

    /// The number of a listener.
    pub fn listener(&mut self, name: &str) -> u32 {
        self.listeners.number_of(name.into(), self.page)
    }

    pub(super) fn route_count(&self) -> usize {
        self.routes.names.len()
    }

    pub(super) fn listener_count(&self) -> usize {
        self.listeners.names.len()
    }

    pub(super) fn route_name(&self, number: u32) -> Option<&str> {
        self.routes.name(number).map(|r| &**r)
    }

    /// Group and URL.
    pub(super) fn backend_name(&self, number: u32) -> Option<(&str, &str)> {
        let (group, url) = self.backends.name(number)?;
        Some((group, url))
    }

    /// Whether the number still is that of this route.
    pub(super) fn is_route(&self, number: u32, id: &str) -> bool {
        self.route_name(number) == Some(id)
    }

    /// Whether the number still is that of a backend with this URL.
    pub(super) fn is_backend(&self, number: u32, url: &str) -> bool {
        self.backend_name(number)
            .is_some_and(|(_, known)| known == url)
    }

    pub(super) fn listener_name(&self, number: u32) -> Option<&str> {
        self.listeners.name(number).map(|l| &**l)
    }

    /// Knows at least as much as `other`, given that one of the two grew out
    /// of the other.
    pub(super) fn covers(&self, other: &Self) -> bool {
        self.page > other.page
            || (self.page == other.page
                && self.routes.names.len() >= other.routes.names.len()
                && self.backends.names.len() >= other.backends.names.len()
                && self.listeners.names.len() >= other.listeners.names.len())
    }

    /// The numbers of routes that mean something else here than in `before`.
    pub(super) fn other_routes(&self, before: &Self) -> HashSet<u32> {
        self.routes.others(&before.routes)
    }

    /// The numbers of backends that mean something else here than in `before`.
    pub(super) fn other_backends(&self, before: &Self) -> HashSet<u32> {
        self.backends.others(&before.backends)
    }
}

/// Names by number, and numbers by name.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Numbered<T: Eq + Hash> {
    /// With the page on which each was used last; none where it is forgotten.
    names: Vec<Option<(T, u64)>>,
    numbers: HashMap<T, u32>,
    /// Numbers without a name.
    free: Vec<u32>,
}

/// Unused names that are kept: counters of what has just gone are still wanted.
const UNUSED: usize = 256;

impl<T: Eq + Hash + Clone> Numbered<T> {
    fn number_of(&mut self, name: T, page: u64) -> u32 {
        let number = match self.numbers.get(&name) {
            Some(&number) => number,
            None => {
                let number = self.free.pop().unwrap_or(self.names.len() as u32);
                self.numbers.insert(name.clone(), number);
                if self.names.len() <= number as usize {
                    self.names.push(None);
                }
                number
            }
        };
        if let Some(at) = self.names.get_mut(number as usize) {
            *at = Some((name, page));
        }
        number
    }

    fn name(&self, number: u32) -> Option<&T> {
        let (name, _) = self.names.get(number as usize)?.as_ref()?;
        Some(name)
    }

    fn forget_unused(&mut self, page: u64) {
        let used = (0..).zip(&self.names);
        let mut unused: Vec<(u64, u32)> = used
            .filter_map(|(number, name)| Some((name.as_ref()?.1, number)))
            .filter(|&(used, _)| used < page)
            .collect();
        unused.sort_unstable();
        let surplus = unused.len().saturating_sub(UNUSED);
        for (_, number) in unused.into_iter().take(surplus) {
            if let Some((name, _)) = self.names.get_mut(number as usize).and_then(Option::take) {
                self.numbers.remove(&name);
                self.free.push(number);
            }
        }
    }

    /// The numbers that had a name before, and have another or none now.
    fn others(&self, before: &Self) -> HashSet<u32> {
        let had = (0..).zip(&before.names);
        had.filter(|&(number, name)| {
            let name = name.as_ref().map(|(name, _)| name);
            name.is_some() && name != self.name(number)
        })
        .map(|(number, _)| number)
        .collect()
    }
}

impl<T: Eq + Hash> Default for Numbered<T> {
    fn default() -> Self {
        Self {
            names: Vec::new(),
            numbers: HashMap::new(),
            free: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_stable_and_names_are_not_repeated() {
        let mut names = Names::default();
        assert_eq!(
            (names.route("a"), names.route("b"), names.route("a")),
            (0, 1, 0)
        );
        assert_eq!(names.backend("g", "u"), 0);
        assert_eq!(names.backend("h", "u"), 1);
        assert_eq!(names.backend("g", "u"), 0);
        assert_eq!(names.listener("main"), 0);

        let before = names.clone();
        assert_eq!(names.route("c"), 2);
        assert!(names.covers(&before) && !before.covers(&names));
        assert_eq!(names.route_name(1), Some("b"));
        assert_eq!(names.backend_name(1), Some(("h", "u")));
        assert_eq!(names.listener_name(1), None);
    }

    #[test]
    fn names_that_nobody_uses_give_up_their_numbers() {
        let mut names = Names::default();
        let stays = names.backend("g", "stays");
        let mut before = names.clone();
        let mut reused = 0;
        for n in 0..5_000 {
            names.turn_page();
            assert_eq!(names.backend("g", "stays"), stays);
            let number = names.backend("g", &format!("comes and goes {n}"));
            names.forget_unused();
            let others = names.other_backends(&before);
            assert!(!others.contains(&stays));
            reused += usize::from((number as usize) < before.backends.names.len());
            before = names.clone();
        }
        let count = names.backends.names.len();
        assert!(count <= UNUSED + 3, "{count}");
        assert!(reused > 4_000, "{reused}");
    }

    #[test]
    fn however_many_go_at_a_time_so_many_are_kept_and_the_latest() {
        let mut names = Names::default();
        let route = |plan: usize, n: usize| format!("{plan}-{n}");
        for plan in 0..20 {
            names.turn_page();
            for n in 0..500 {
                names.route(&route(plan, n));
            }
            names.forget_unused();
            let known: HashSet<&str> = (0..names.route_count() as u32)
                .filter_map(|number| names.route_name(number))
                .collect();
            assert!((0..500).all(|n| known.contains(&*route(plan, n))));
            let gone = known.len() - 500;
            assert_eq!(gone, if plan == 0 { 0 } else { UNUSED });
            let of_before = |name: &&&str| name.starts_with(&format!("{}-", plan.wrapping_sub(1)));
            assert_eq!(known.iter().filter(of_before).count(), gone);
            assert!(names.route_count() <= 1_000 + UNUSED);
        }
    }
}

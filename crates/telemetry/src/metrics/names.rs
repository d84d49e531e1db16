//! What the numbers in records and counters stand for.

use std::collections::HashMap;
use std::hash::Hash;

/// The names of routes, backends and listeners, each known by its number.
///
/// Names are only ever added: a plan that follows another clones its names and
/// adds to them, so a number means the same to every worker at every time, and
/// counters survive a reload.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    routes: Numbered<Box<str>>,
    backends: Numbered<(Box<str>, Box<str>)>,
    listeners: Numbered<Box<str>>,
}

impl Names {
    /// The number of the route with this id, given now if need be.
    pub fn route(&mut self, id: &str) -> u32 {
        self.routes.number_of(id.into())
    }

    /// The number of a backend: one URL in one group.
    pub fn backend(&mut self, group: &str, url: &str) -> u32 {
        self.backends.number_of((group.into(), url.into()))
    }

    /// The number of a listener.
    pub fn listener(&mut self, name: &str) -> u32 {
        self.listeners.number_of(name.into())
    }

    pub(super) fn route_count(&self) -> usize {
        self.routes.names.len()
    }

    pub(super) fn listener_count(&self) -> usize {
        self.listeners.names.len()
    }

    pub(super) fn route_name(&self, number: u32) -> Option<&str> {
        self.routes.names.get(number as usize).map(|r| &**r)
    }

    /// Group and URL.
    pub(super) fn backend_name(&self, number: u32) -> Option<(&str, &str)> {
        let (group, url) = self.backends.names.get(number as usize)?;
        Some((group, url))
    }

    pub(super) fn listener_name(&self, number: u32) -> Option<&str> {
        self.listeners.names.get(number as usize).map(|l| &**l)
    }

    /// Knows at least as much as `other`, given that one of the two grew out
    /// of the other.
    pub(super) fn covers(&self, other: &Self) -> bool {
        self.routes.names.len() >= other.routes.names.len()
            && self.backends.names.len() >= other.backends.names.len()
            && self.listeners.names.len() >= other.listeners.names.len()
    }
}

/// Names by number, and numbers by name.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Numbered<T: Eq + Hash> {
    names: Vec<T>,
    numbers: HashMap<T, u32>,
}

impl<T: Eq + Hash + Clone> Numbered<T> {
    fn number_of(&mut self, name: T) -> u32 {
        let Self { names, numbers } = self;
        *numbers.entry(name).or_insert_with_key(|name| {
            names.push(name.clone());
            names.len() as u32 - 1
        })
    }
}

impl<T: Eq + Hash> Default for Numbered<T> {
    fn default() -> Self {
        Self {
            names: Vec::new(),
            numbers: HashMap::new(),
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
}

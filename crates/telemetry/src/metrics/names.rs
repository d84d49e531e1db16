//! What the numbers in records and counters stand for.

/// The names of routes, backends and listeners, each known by its number.
///
/// Names are only ever added: a plan that follows another clones its names and
/// adds to them, so a number means the same to every worker at every time, and
/// counters survive a reload.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    routes: Vec<Box<str>>,
    backends: Vec<(Box<str>, Box<str>)>,
    listeners: Vec<Box<str>>,
}

impl Names {
    /// The number of the route with this id, given now if need be.
    pub fn route(&mut self, id: &str) -> u32 {
        number_of(&mut self.routes, |r| **r == *id, || id.into())
    }

    /// The number of a backend: one URL in one group.
    pub fn backend(&mut self, group: &str, url: &str) -> u32 {
        number_of(
            &mut self.backends,
            |(g, u)| **g == *group && **u == *url,
            || (group.into(), url.into()),
        )
    }

    /// The number of a listener.
    pub fn listener(&mut self, name: &str) -> u32 {
        number_of(&mut self.listeners, |l| **l == *name, || name.into())
    }

    pub(super) fn route_count(&self) -> usize {
        self.routes.len()
    }

    pub(super) fn listener_count(&self) -> usize {
        self.listeners.len()
    }

    pub(super) fn route_name(&self, number: u32) -> Option<&str> {
        self.routes.get(number as usize).map(|r| &**r)
    }

    /// Group and URL.
    pub(super) fn backend_name(&self, number: u32) -> Option<(&str, &str)> {
        let (group, url) = self.backends.get(number as usize)?;
        Some((group, url))
    }

    pub(super) fn listener_name(&self, number: u32) -> Option<&str> {
        self.listeners.get(number as usize).map(|l| &**l)
    }

    /// Knows at least as much as `other`, given that one of the two grew out
    /// of the other.
    pub(super) fn covers(&self, other: &Self) -> bool {
        self.routes.len() >= other.routes.len()
            && self.backends.len() >= other.backends.len()
            && self.listeners.len() >= other.listeners.len()
    }
}

fn number_of<T>(names: &mut Vec<T>, is_it: impl Fn(&T) -> bool, new: impl FnOnce() -> T) -> u32 {
    let at = names.iter().position(is_it).unwrap_or_else(|| {
        names.push(new());
        names.len() - 1
    });
    at as u32
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

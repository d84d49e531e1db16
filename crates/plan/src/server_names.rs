//! Where connections go by the name that their TLS asks for.

use std::collections::BTreeMap;

/// Groups by name: a name itself, or what follows the first label of one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerNames {
    exact: BTreeMap<Box<str>, usize>,
    wildcard: BTreeMap<Box<str>, usize>,
}

impl ServerNames {
    /// Adds a name, or `*.` and what follows; in any case of letters. False
    /// where it is there already.
    pub fn add(&mut self, pattern: &str, group: usize) -> bool {
        let pattern = pattern.to_ascii_lowercase();
        let before = match pattern.strip_prefix("*.") {
            Some(rest) => self.wildcard.insert(rest.into(), group),
            None => self.exact.insert(pattern.into(), group),
        };
        before.is_none()
    }

    pub fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.wildcard.is_empty()
    }

    /// The group for a name in small letters: of the name itself, or else of all
    /// that differ in their first label (RFC 6125 section 6.4.3).
    pub fn find(&self, name: &str) -> Option<usize> {
        let exact = self.exact.get(name);
        let behind = || name.split_once('.').map(|(_, rest)| rest);
        exact.or_else(|| self.wildcard.get(behind()?)).copied()
    }

    /// Every name with its group, as it is written.
    pub fn all(&self) -> Vec<(String, usize)> {
        let exact = self
            .exact
            .iter()
            .map(|(name, &group)| (name.to_string(), group));
        let wildcard = self.wildcard.iter();
        let wildcard = wildcard.map(|(name, &group)| (format!("*.{name}"), group));
        exact.chain(wildcard).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_before_wildcards_and_these_stand_for_one_label() {
        let mut names = ServerNames::default();
        assert!(names.is_empty());
        assert!(names.add("a.example.com", 1));
        assert!(names.add("*.Example.com", 2));
        assert!(!names.add("A.EXAMPLE.com", 1));
        for (name, expected) in [
            ("a.example.com", Some(1)),
            ("b.example.com", Some(2)),
            ("c.b.example.com", None),
            ("example.com", None),
            (".example.com", Some(2)),
            ("com", None),
            ("", None),
        ] {
            assert_eq!(names.find(name), expected, "{name}");
        }
        let [exact, wildcard] = ["a.example.com", "*.example.com"].map(String::from);
        assert_eq!(names.all(), [(exact, 1), (wildcard, 2)]);
    }
}

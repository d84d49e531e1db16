//! Whether two routes can ever want the same request. Where that cannot be
//! excluded the answer is yes.

use ipnet::IpNet;

use crate::{Condition, Conditions, HostPattern, PathPattern};

impl HostPattern {
    /// Whether a host can be taken by both.
    pub fn may_meet(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) | (_, Self::Any) => true,
            (Self::Exact(a), Self::Exact(b)) => a == b,
            (Self::Exact(exact), suffix) | (suffix, Self::Exact(exact)) => {
                suffix.takes(exact.as_bytes())
            }
            (Self::Suffix(a), Self::Suffix(b)) => a.ends_with(&**b) || b.ends_with(&**a),
        }
    }
}

impl PathPattern {
    /// Whether a path can be taken by both.
    pub fn may_meet(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) | (_, Self::Any) => true,
            (Self::Exact(exact), pattern) | (pattern, Self::Exact(exact)) => {
                pattern.takes(exact.as_bytes())
            }
            (Self::Regex(_), _) | (_, Self::Regex(_)) => true,
            (a, b) => a.takes(b.fixed().as_bytes()) || b.takes(a.fixed().as_bytes()),
        }
    }
}

impl Conditions {
    /// Whether a request can be taken by both, hosts aside: of those each has
    /// its [`ways`](crate::Table::ways).
    pub fn may_meet(&self, other: &Self) -> bool {
        let in_common = |methods: &[Box<str>]| other.methods.iter().any(|m| methods.contains(m));
        let methods_meet =
            self.methods.is_empty() || other.methods.is_empty() || in_common(&self.methods);
        methods_meet
            && self.path.may_meet(&other.path)
            && !self
                .further
                .iter()
                .any(|a| other.further.iter().any(|b| exclude_each_other(a, b)))
    }
}

/// Fields, parameters and cookies may be there several times with several
/// values, so that two demands on them seldom exclude each other.
fn exclude_each_other(a: &Condition, b: &Condition) -> bool {
    match (a, b) {
        (Condition::Client(a), Condition::Client(b)) => !a
            .iter()
            .any(|a: &IpNet| b.iter().any(|b| a.contains(b) || b.contains(a))),
        (Condition::Not(refused), wanted) | (wanted, Condition::Not(refused)) => {
            **refused == *wanted
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        for (a, b, expected) in [
            ("*", "a.example", true),
            ("a.example", "a.example", true),
            ("a.example", "b.example", false),
            ("a.example", "*.example", true),
            ("example", "*.example", false),
            ("*.a.example", "*.example", true),
            ("*.a.example", "*.b.example", false),
            ("*.aexample", "*.example", false),
        ] {
            let [one, other] = [a, b].map(|text| HostPattern::parse(text).unwrap());
            assert_eq!(one.may_meet(&other), expected, "{a} {b}");
            assert_eq!(other.may_meet(&one), expected, "{b} {a}");
        }
    }

    #[test]
    fn paths() {
        for (a, b, expected) in [
            ("/*", "/a", true),
            ("/a", "/a", true),
            ("/a", "/b", false),
            ("/a", "/a/*", false),
            ("/a", "prefix:/a", true),
            ("/a/*", "/a/b/*", true),
            ("/a/*", "prefix:/a", true),
            ("prefix:/a", "prefix:/a/b", true),
            ("prefix:/a", "prefix:/ab", false),
            ("prefix:/ab", "/a/*", false),
            ("regex:^/x", "/a/*", true),
            ("regex:^/x", "/a", false),
            ("regex:^/x", "regex:^/y", true),
        ] {
            let [one, other] = [a, b].map(|text| PathPattern::parse(text).unwrap());
            assert_eq!(one.may_meet(&other), expected, "{a} {b}");
            assert_eq!(other.may_meet(&one), expected, "{b} {a}");
        }
    }
}

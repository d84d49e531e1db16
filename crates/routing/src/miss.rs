use crate::{Conditions, Facts};

/// Why a route did not take a request. The greater, the nearer it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Miss {
    Host,
    Path,
    Method,
    /// The first of the route's header conditions that failed.
    Header {
        which: usize,
    },
    /// All conditions hold, but another route comes first.
    Outranked,
}

impl Miss {
    /// The miss as a sentence for people. It quotes the request, so it is for
    /// the operator and not for the client.
    pub fn text(self, facts: &Facts<'_>, conditions: &Conditions) -> String {
        match self {
            Miss::Host if facts.host.is_empty() => {
                let wanted = listed(&conditions.hosts);
                format!("the request names no host, the route takes {wanted}")
            }
            Miss::Host => mismatch("host", facts.host, &listed(&conditions.hosts)),
            Miss::Path => mismatch("path", facts.path, &conditions.path.to_string()),
            Miss::Method => mismatch("method", facts.method_text, &listed(&conditions.methods)),
            Miss::Header { which } => header_text(which, facts, conditions),
            Miss::Outranked => "every condition holds, but another route comes first".to_owned(),
        }
    }
}

fn mismatch(what: &str, found: &[u8], wanted: &str) -> String {
    format!(
        "{what} is {}, the route takes {wanted}",
        found.escape_ascii()
    )
}

fn header_text(which: usize, facts: &Facts<'_>, conditions: &Conditions) -> String {
    let Some(condition) = conditions.headers.get(which) else {
        return "a header is missing or different".to_owned();
    };
    let name = &condition.name;
    let found: Vec<String> = facts
        .fields
        .all_named(name.as_bytes())
        .map(|value| value.escape_ascii().to_string())
        .collect();
    if found.is_empty() {
        return format!("header {name} is absent, the route takes {condition}");
    }
    format!(
        "header {name} is {}, the route takes {condition}",
        found.join(" and ")
    )
}

fn listed<T: ToString>(items: &[T]) -> String {
    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
    items.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{HeaderCondition, HostPattern, PathPattern};
    use message::{Fields, Method};

    #[test]
    fn sentences() {
        let conditions = Conditions {
            id: "api".into(),
            hosts: vec![
                HostPattern::parse("a.example").unwrap(),
                HostPattern::parse("*.b.example").unwrap(),
            ],
            path: PathPattern::parse("/api/*").unwrap(),
            methods: vec!["GET".into(), "HEAD".into()],
            headers: vec![
                HeaderCondition::parse("X-Env", "blue").unwrap(),
                HeaderCondition::parse("X-Key", "*").unwrap(),
            ],
        };
        let mut fields = Fields::default();
        fields.push(b"x-env", b"gr\x1ben");
        let facts = Facts {
            host: b"c.example",
            path: b"/other",
            method: Method::Post,
            method_text: b"POST",
            fields: &fields,
        };
        for (miss, expected) in [
            (
                Miss::Host,
                "host is c.example, the route takes a.example, *.b.example",
            ),
            (Miss::Path, "path is /other, the route takes /api/*"),
            (Miss::Method, "method is POST, the route takes GET, HEAD"),
            (
                Miss::Header { which: 0 },
                "header X-Env is gr\\x1ben, the route takes X-Env: blue",
            ),
            (
                Miss::Header { which: 1 },
                "header X-Key is absent, the route takes X-Key: *",
            ),
            (
                Miss::Outranked,
                "every condition holds, but another route comes first",
            ),
        ] {
            assert_eq!(miss.text(&facts, &conditions), expected);
        }
        let nameless = Facts { host: b"", ..facts };
        assert_eq!(
            Miss::Host.text(&nameless, &conditions),
            "the request names no host, the route takes a.example, *.b.example"
        );
    }

    #[test]
    fn later_failures_are_nearer() {
        let ascending = [
            Miss::Host,
            Miss::Path,
            Miss::Method,
            Miss::Header { which: 0 },
            Miss::Header { which: 1 },
            Miss::Outranked,
        ];
        assert!(ascending.is_sorted());
    }
}

use message::{Failure, Kind, RequestHead, Span};

use crate::{Facts, Filter, Step, Verdict};

/// Puts another prefix, or none, in place of one: with `/api/v1` and none,
/// `/api/v1/x` becomes `/x` and `/api/v1` becomes `/`, but `/api/v1x` stays.
///
/// The path stays as the client wrote it where that is safe. If it spells the
/// prefix differently, or has `..` segments or an empty first segment behind
/// it, the normal form is used. Whatever is left, the result begins with one
/// slash and holds nothing a backend could read as another host or as a way
/// up; a path that hides `..` behind `%2F`, `%5C` or a backslash is refused,
/// because with its first segments gone it may climb above the root.
#[derive(Debug, Clone)]
pub struct ReplacePrefix {
    /// Both without a slash at their end.
    from: Box<str>,
    to: Box<str>,
}

impl ReplacePrefix {
    /// Takes the prefix off. The error is a sentence for people.
    pub fn strip(prefix: &str) -> Result<Self, String> {
        if prefix == "/" {
            return Err("the prefix `/` would take nothing off; leave it out".to_owned());
        }
        Self::new(prefix, "/")
    }

    /// Slashes at the ends change nothing. The error is a sentence for people.
    pub fn new(from: &str, to: &str) -> Result<Self, String> {
        Ok(Self {
            from: bare(from)?.into(),
            to: bare(to)?.into(),
        })
    }

    /// What follows the prefix: empty or with a slash at its start.
    fn rest<'a>(&self, path: &'a [u8]) -> Option<&'a [u8]> {
        path.strip_prefix(self.from.as_bytes())
            .filter(|rest| matches!(rest, [] | [b'/', ..]))
    }

    /// The new prefix with what follows the old one.
    fn joined(&self, rest: &[u8], request: &mut RequestHead, scratch: &mut Vec<u8>) {
        scratch.clear();
        scratch.extend_from_slice(self.to.as_bytes());
        scratch.extend_from_slice(rest);
        if scratch.is_empty() {
            scratch.push(b'/');
        }
        request.path = request.fields.intern(scratch);
    }
}

impl Filter for ReplacePrefix {
    fn name(&self) -> &'static str {
        match &*self.to {
            "" => "strip_prefix",
            _ => "replace_prefix",
        }
    }

    fn request(
        &self,
        request: &mut RequestHead,
        facts: &Facts<'_>,
        scratch: &mut Vec<u8>,
    ) -> Verdict {
        let received = self.rest(request.path_bytes());
        if let Some(rest) = received.filter(|rest| is_safe(rest)) {
            match rest.len() {
                len if len > 0 && self.to.is_empty() => request.path = tail(request.path, len),
                _ => {
                    let rest = rest.to_vec();
                    self.joined(&rest, request, scratch);
                }
            }
            return Verdict::Continue;
        }
        match self.rest(facts.path) {
            None => Verdict::Continue,
            Some(rest) if is_safe(rest) => {
                self.joined(rest, request, scratch);
                Verdict::Continue
            }
            Some(_) => Verdict::Fail(Failure::new(
                Kind::BadPath,
                "the path would climb once its prefix is taken off",
            )),
        }
    }

    fn describe(&self) -> String {
        match &*self.to {
            "" => format!("strip_prefix {}", self.from),
            to => format!("replace_prefix {} with {to}", self.from),
        }
    }

    fn steps(&self) -> Vec<Step> {
        let with = match &*self.to {
            "" => self.from.to_string(),
            to => format!("{} with {to}", self.from),
        };
        vec![Step::new(self.name(), with)]
    }
}

/// A prefix without a slash at its end, which is `/` itself without anything.
fn bare(prefix: &str) -> Result<&str, String> {
    let bare = prefix.strip_suffix('/').unwrap_or(prefix);
    if prefix == "/" {
        return Ok(bare);
    }
    let Some(segments) = bare.strip_prefix('/') else {
        return Err(format!("the prefix `{prefix}` must begin with `/`"));
    };
    if let Some(odd) = bare.chars().find(|&c| !is_path_letter(c)) {
        return Err(format!(
            "the prefix `{prefix}` cannot hold `{}`",
            odd.escape_debug()
        ));
    }
    if segments.split('/').any(|s| matches!(s, "" | "." | "..")) {
        return Err(format!(
            "the prefix `{prefix}` has an empty or dot segment, which no path has in its normal form"
        ));
    }
    Ok(bare)
}

/// The last `len` bytes of a span, which is not shorter.
fn tail(span: Span, len: usize) -> Span {
    let end = span.at as usize + span.len as usize;
    Span::new(end.saturating_sub(len), len)
}

/// `pchar` of RFC 3986 section 3.3, and the slash.
pub(crate) fn is_path_letter(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:@%/".contains(c)
}

/// Neither the start of another host (`//host`, `/\host`) nor a way up.
pub(crate) fn is_safe(rest: &[u8]) -> bool {
    !matches!(rest, [b'/', b'/' | b'\\', ..]) && !has_way_up(rest)
}

/// Whether some backend could see a `..` segment.
fn has_way_up(path: &[u8]) -> bool {
    let mut rest = path;
    // The dots of the segment so far, as long as it holds nothing else.
    let mut dots = Some(0);
    while !rest.is_empty() {
        let (unit, length) = first_unit(rest);
        match unit {
            Unit::Separator if dots == Some(2) => return true,
            Unit::Separator => dots = Some(0),
            Unit::Dot => dots = dots.map(|count| count + 1),
            Unit::Letter => dots = None,
        }
        rest = rest.get(length..).unwrap_or_default();
    }
    dots == Some(2)
}

/// What a byte or an escape may be to a backend.
enum Unit {
    Separator,
    Dot,
    Letter,
}

fn first_unit(text: &[u8]) -> (Unit, usize) {
    match text {
        [b'/' | b'\\', ..] => (Unit::Separator, 1),
        [b'%', b'2', b'f' | b'F', ..] | [b'%', b'5', b'c' | b'C', ..] => (Unit::Separator, 3),
        [b'.', ..] => (Unit::Dot, 1),
        [b'%', b'2', b'e' | b'E', ..] => (Unit::Dot, 3),
        _ => (Unit::Letter, 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{facts, request};
    use proptest::prelude::*;

    /// The path after the filter, if the request may go on.
    fn stripped(prefix: &str, raw: &str, normal: &str) -> Option<String> {
        after(&ReplacePrefix::strip(prefix).unwrap(), raw, normal)
    }

    fn after(filter: &ReplacePrefix, raw: &str, normal: &str) -> Option<String> {
        let mut head = request("GET", raw, &[("Host", "a.example")]);
        let facts = Facts {
            path: normal.as_bytes(),
            ..facts()
        };
        match filter.request(&mut head, &facts, &mut Vec::new()) {
            Verdict::Continue => Some(String::from_utf8(head.path_bytes().to_vec()).unwrap()),
            Verdict::Fail(failure) => {
                assert_eq!(failure.kind, Kind::BadPath);
                None
            }
            Verdict::Answer(answer) => panic!("{answer:?}"),
        }
    }

    #[test]
    fn paths() {
        for (raw, normal, expected) in [
            ("/api/v1/x", "/api/v1/x", Some("/x")),
            ("/api/v1/x/y/", "/api/v1/x/y/", Some("/x/y/")),
            ("/api/v1/", "/api/v1/", Some("/")),
            ("/api/v1", "/api/v1", Some("/")),
            ("/api/v1x", "/api/v1x", Some("/api/v1x")),
            ("/api", "/api", Some("/api")),
            ("/other", "/other", Some("/other")),
            ("*", "*", Some("*")),
            // As the client wrote it.
            ("/api/v1/%7ea//b", "/api/v1/~a/b", Some("/%7ea//b")),
            ("/api/v1/a%2fb", "/api/v1/a%2Fb", Some("/a%2fb")),
            ("/api/v1/..a/b..", "/api/v1/..a/b..", Some("/..a/b..")),
            ("/api/v1/./x", "/api/v1/x", Some("/./x")),
            // Only the normal form has the prefix, or is safe.
            ("/%61pi/v1/x", "/api/v1/x", Some("/x")),
            ("/%61pi/v1", "/api/v1", Some("/")),
            ("//api/v1/x", "/api/v1/x", Some("/x")),
            (
                "/api/v1//evil.example/x",
                "/api/v1/evil.example/x",
                Some("/evil.example/x"),
            ),
            ("/api/v1/x/../y", "/api/v1/y", Some("/y")),
            ("/api/v1/x/%2E%2e/y", "/api/v1/y", Some("/y")),
            // Routed elsewhere by its normal form, which has no such prefix.
            ("/api/v1/../../x", "/x", Some("/api/v1/../../x")),
            // Nothing is safe.
            ("/api/v1/\\evil.example", "/api/v1/\\evil.example", None),
            ("/api/v1/..%2f..%2fx", "/api/v1/..%2F..%2Fx", None),
            ("/api/v1/..\\x", "/api/v1/..\\x", None),
            ("/api/v1/a%5c..", "/api/v1/a%5C..", None),
        ] {
            assert_eq!(
                stripped("/api/v1", raw, normal).as_deref(),
                expected,
                "{raw}"
            );
        }
        assert_eq!(stripped("/a/", "/a/x", "/a/x").as_deref(), Some("/x"));
    }

    #[test]
    fn another_prefix_takes_its_place() {
        for (from, to, raw, normal, expected) in [
            ("/a", "/b/c", "/a/x", "/a/x", Some("/b/c/x")),
            ("/a", "/b/", "/a", "/a", Some("/b")),
            ("/a", "/b", "/a/", "/a/", Some("/b/")),
            ("/a", "/b", "/ax", "/ax", Some("/ax")),
            ("/a", "/b", "/%61/x", "/a/x", Some("/b/x")),
            ("/a", "/b", "/a/x/../y", "/a/y", Some("/b/y")),
            ("/a", "/b", "/a/..%2fx", "/a/..%2Fx", None),
            ("/", "/b", "/x", "/x", Some("/b/x")),
            ("/", "/b", "/", "/", Some("/b/")),
            ("/", "/b", "*", "*", Some("*")),
        ] {
            let filter = ReplacePrefix::new(from, to).unwrap();
            assert_eq!(
                after(&filter, raw, normal).as_deref(),
                expected,
                "{from} {raw}"
            );
        }
        assert!(ReplacePrefix::new("/a", "b").is_err());
        assert!(ReplacePrefix::new("/a", "/b?c").is_err());
    }

    #[test]
    fn prefixes_refused() {
        for (prefix, expected) in [
            ("", "begin with `/`"),
            ("/", "nothing off"),
            ("api", "begin with `/`"),
            ("/a//b", "empty or dot"),
            ("//", "empty or dot"),
            ("/../a", "empty or dot"),
            ("/a/./b", "empty or dot"),
            ("/a?b", "cannot hold `?`"),
            ("/a b", "cannot hold ` `"),
            ("/a\\b", "cannot hold"),
        ] {
            let message = ReplacePrefix::strip(prefix).unwrap_err();
            assert!(message.contains(expected), "{prefix}: {message}");
        }
    }

    proptest! {
        /// Also where the two paths have nothing to do with each other.
        #[test]
        fn what_is_stripped_is_a_plain_path(
            raw in "/a(/|\\.|%2e|%2F|%5c|\\\\|b){0,8}",
            normal in "/a(/|\\.|%2E|%2F|%5C|\\\\|b){0,8}",
        ) {
            if let Some(path) = stripped("/a", &raw, &normal) && path != raw {
                prop_assert!(path.starts_with('/'));
                prop_assert!(!path.starts_with("//") && !path.starts_with("/\\"));
                let decoded = path.replace("%2e", ".").replace("%2E", ".")
                    .replace("%2F", "/").replace("%5c", "/").replace("%5C", "/")
                    .replace('\\', "/");
                prop_assert!(decoded.split('/').all(|segment| segment != ".."));
            }
        }
    }
}

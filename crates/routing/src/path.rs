use std::fmt;
use std::fmt::Write;

use crate::{Pattern, normalise};

/// The paths a route takes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PathPattern {
    /// Every path, and the `*` of `OPTIONS *`.
    Any,
    /// This path, in normal form.
    Exact(Box<str>),
    /// Every path that begins with this one, which ends in `/`: `/api/` for
    /// `/api/*`.
    Below(Box<str>),
    /// This path, which does not end in `/`, and every path below it: `/api`
    /// for `prefix:/api`.
    Tree(Box<str>),
    /// Every path in normal form that the expression takes.
    Regex(Pattern),
}

impl PathPattern {
    /// Reads a pattern as written: `/health`, `/api/*`, `/*` for everything,
    /// `prefix:/api` or `regex:^/users/[0-9]+$`. The error is a sentence for
    /// people.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(pattern) = text.strip_prefix("regex:") {
            return Pattern::parse(pattern).map(Self::Regex);
        }
        if let Some(prefix) = text.strip_prefix("prefix:") {
            return Self::parse_prefix(prefix);
        }
        if !text.starts_with('/') {
            return Err(format!("`{text}` must begin with `/`"));
        }
        if text.contains(['?', '#']) {
            return Err(format!(
                "`{text}` has more than a path; requests are matched without their query"
            ));
        }
        let (path, below) = match text.strip_suffix("/*") {
            Some(parent) => (&text[..=parent.len()], true),
            None => (text, false),
        };
        if path.contains('*') {
            return Err(star_out_of_place(text));
        }
        let normal = required_normal_form(path, "", if below { "*" } else { "" })?;
        Ok(match (below, normal.as_str()) {
            (true, "/") => Self::Any,
            (true, _) => Self::Below(normal.into()),
            (false, _) => Self::Exact(normal.into()),
        })
    }

    /// A prefix ends where a segment ends: `prefix:/api` takes `/api` and
    /// `/api/x`, but not `/apiv2`.
    fn parse_prefix(prefix: &str) -> Result<Self, String> {
        if !prefix.starts_with('/') {
            return Err(format!("the prefix `{prefix}` must begin with `/`"));
        }
        if prefix.contains(['?', '#', '*']) {
            return Err(format!("the prefix `{prefix}` must be a plain path"));
        }
        let normal = required_normal_form(prefix, "prefix:", "")?;
        Ok(match normal.as_str() {
            "/" => Self::Any,
            below if below.ends_with('/') => Self::Below(below.into()),
            tree => Self::Tree(tree.into()),
        })
    }

    /// Whether the pattern takes a path in normal form.
    pub fn takes(&self, path: &[u8]) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(exact) => exact.as_bytes() == path,
            Self::Below(prefix) => path.starts_with(prefix.as_bytes()),
            Self::Tree(root) => path
                .strip_prefix(root.as_bytes())
                .is_some_and(|rest| matches!(rest, [] | [b'/', ..])),
            Self::Regex(pattern) => pattern.takes(path),
        }
    }

    /// The expression, where the pattern is one.
    pub fn pattern(&self) -> Option<&Pattern> {
        match self {
            Self::Regex(pattern) => Some(pattern),
            _ => None,
        }
    }

    /// The part of the path that it fixes; of an expression, nothing.
    pub(crate) fn fixed(&self) -> &str {
        match self {
            Self::Any | Self::Regex(_) => "",
            Self::Exact(text) | Self::Below(text) | Self::Tree(text) => text,
        }
    }

    /// Greater is more specific; of two patterns that take the same path only
    /// expressions are ever equal, unless they are the same pattern.
    pub(crate) fn specificity(&self) -> usize {
        match self {
            Self::Any => 0,
            Self::Below(prefix) | Self::Tree(prefix) => prefix.len(),
            Self::Regex(_) => usize::MAX - 1,
            Self::Exact(_) => usize::MAX,
        }
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("/*"),
            Self::Exact(exact) => f.write_str(exact),
            Self::Below(prefix) => write!(f, "{prefix}*"),
            Self::Tree(root) => write!(f, "prefix:{root}"),
            Self::Regex(pattern) => write!(f, "regex:{pattern}"),
        }
    }
}

fn star_out_of_place(text: &str) -> String {
    let fixed = text.split('*').next().unwrap_or_default();
    let fixed = fixed.trim_end_matches('/');
    format!("`{text}` has a `*` in the wrong place; it must be the last segment, as in `{fixed}/*`")
}

/// The pattern's fixed part as requests carry it. Letters beyond ASCII and
/// spaces are escaped, because that is how clients send them; any other
/// departure from the normal form could never match, and is refused.
fn required_normal_form(path: &str, before: &str, after: &str) -> Result<String, String> {
    let escaped = escape(path);
    let mut normal = Vec::new();
    match normalise::path(escaped.as_bytes(), &mut normal) {
        Ok(normalise::Path::AsIs) => Ok(escaped),
        Ok(normalise::Path::Normalised) => Err(format!(
            "`{path}` could never match, because requests are matched in normal form; write \
             `{before}{}{after}`",
            String::from_utf8_lossy(&normal),
        )),
        Err(fault) => Err(format!("`{path}` is not a path: {fault}")),
    }
}

fn escape(path: &str) -> String {
    let mut escaped = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii() && byte != b' ' {
            escaped.push(char::from(byte));
        } else {
            // Writing into a string cannot fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes() {
        for (pattern, path, expected) in [
            ("/health", "/health", true),
            ("/health", "/health/", false),
            ("/health", "/healthy", false),
            ("/", "/", true),
            ("/", "/x", false),
            ("/api/*", "/api/", true),
            ("/api/*", "/api/x", true),
            ("/api/*", "/api/x/y", true),
            ("/api/*", "/api", false),
            ("/api/*", "/apiv2/x", false),
            ("/api/*", "/x/api/y", false),
            ("/*", "/", true),
            ("/*", "/x/y", true),
            ("/*", "*", true),
            ("/api/*", "*", false),
            ("/a b/*", "/a%20b/x", true),
            ("/café", "/caf%C3%A9", true),
            ("prefix:/api", "/api", true),
            ("prefix:/api", "/api/", true),
            ("prefix:/api", "/api/x/y", true),
            ("prefix:/api", "/apiv2", false),
            ("prefix:/api", "/x/api", false),
            ("prefix:/api/", "/api", false),
            ("prefix:/api/", "/api/x", true),
            ("prefix:/", "*", true),
            ("regex:^/users/[0-9]+$", "/users/12", true),
            ("regex:^/users/[0-9]+$", "/users/x", false),
            (r"regex:\.php$", "/a/b.php", true),
        ] {
            let parsed = PathPattern::parse(pattern).unwrap();
            assert_eq!(parsed.takes(path.as_bytes()), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn refusals_say_what_to_write() {
        for (pattern, expected) in [
            ("", "must begin with `/`"),
            ("*", "must begin with `/`"),
            ("api/*", "must begin with `/`"),
            ("/api*", "as in `/api/*`"),
            ("/api/*/x", "as in `/api/*`"),
            ("/api/**", "as in `/api/*`"),
            ("/*/*", "as in `/*`"),
            ("/x?y=1", "without their query"),
            ("/x#y", "without their query"),
            ("/a//b", "write `/a/b`"),
            ("/a/../b/*", "write `/b/*`"),
            ("/%7euser", "write `/~user`"),
            ("/%c3", "write `/%C3`"),
            ("/../a", "is not a path"),
            ("/%zz", "is not a path"),
            ("/a\u{7}", "is not a path"),
            ("prefix:api", "must begin with `/`"),
            ("prefix:/api/*", "a plain path"),
            ("prefix:/a//b", "write `prefix:/a/b`"),
            ("regex:(", "unclosed group"),
        ] {
            let message = PathPattern::parse(pattern).unwrap_err();
            assert!(message.contains(expected), "{pattern}: {message}");
        }
    }

    #[test]
    fn prints_as_written() {
        for pattern in [
            "/",
            "/*",
            "/health",
            "/api/*",
            "/api/v1/*",
            "prefix:/api",
            "regex:^/[ab]",
        ] {
            assert_eq!(PathPattern::parse(pattern).unwrap().to_string(), pattern);
        }
    }
}

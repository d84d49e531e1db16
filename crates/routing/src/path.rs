use std::fmt;
use std::fmt::Write;

use crate::normalise;

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
}

impl PathPattern {
    /// Reads a pattern as written: `/health`, `/api/*`, or `/*` for
    /// everything. The error is a sentence for people.
    pub fn parse(text: &str) -> Result<Self, String> {
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
        let normal = required_normal_form(path, below)?;
        Ok(match (below, normal.as_str()) {
            (true, "/") => Self::Any,
            (true, _) => Self::Below(normal.into()),
            (false, _) => Self::Exact(normal.into()),
        })
    }

    /// Whether the pattern takes a path in normal form.
    pub fn takes(&self, path: &[u8]) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(exact) => exact.as_bytes() == path,
            Self::Below(prefix) => path.starts_with(prefix.as_bytes()),
        }
    }

    /// Greater is more specific; two patterns that take the same path are
    /// never equal unless they are the same pattern.
    pub(crate) fn specificity(&self) -> usize {
        match self {
            Self::Any => 0,
            Self::Below(prefix) => prefix.len(),
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
fn required_normal_form(path: &str, below: bool) -> Result<String, String> {
    let escaped = escape(path);
    let mut normal = Vec::new();
    match normalise::path(escaped.as_bytes(), &mut normal) {
        Ok(normalise::Path::AsIs) => Ok(escaped),
        Ok(normalise::Path::Normalised) => Err(format!(
            "`{path}` could never match, because requests are matched in normal form; write `{}{}`",
            String::from_utf8_lossy(&normal),
            if below { "*" } else { "" },
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
        ] {
            let message = PathPattern::parse(pattern).unwrap_err();
            assert!(message.contains(expected), "{pattern}: {message}");
        }
    }

    #[test]
    fn prints_as_written() {
        for pattern in ["/", "/*", "/health", "/api/*", "/api/v1/*"] {
            assert_eq!(PathPattern::parse(pattern).unwrap().to_string(), pattern);
        }
    }
}

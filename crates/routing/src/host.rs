use std::fmt;

use crate::normalise;

/// The hosts a route takes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum HostPattern {
    /// Every host, and a request that names none.
    Any,
    /// This host, in normal form.
    Exact(Box<str>),
    /// Every name with one or more labels before this ending, which begins
    /// with its dot: `.example.com` for `*.example.com`.
    Suffix(Box<str>),
}

impl HostPattern {
    /// Reads a pattern as written: `*`, `example.com`, `*.example.com`, an
    /// IPv4 address or an IPv6 address in brackets. The error is a sentence
    /// for people.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "" => return Err("a host is empty; leave it out to take any host".to_owned()),
            "*" => return Ok(Self::Any),
            _ => {}
        }
        let (name, below) = match text.strip_prefix("*.") {
            Some(name) => (name, true),
            None => (text, false),
        };
        refuse_more_than_a_host(name, text)?;
        let normal = normal_form(name, text)?;
        if !below {
            return Ok(Self::Exact(normal.into()));
        }
        if name.starts_with('[') {
            return Err(format!("`{text}` puts `*` before an address, not a name"));
        }
        Ok(Self::Suffix(format!(".{normal}").into()))
    }

    /// Whether the pattern takes a host in normal form.
    pub fn takes(&self, host: &[u8]) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(exact) => exact.as_bytes() == host,
            Self::Suffix(suffix) => host.len() > suffix.len() && host.ends_with(suffix.as_bytes()),
        }
    }

    /// The part of the host that it fixes.
    pub(crate) fn fixed(&self) -> &str {
        match self {
            Self::Any => "",
            Self::Exact(text) | Self::Suffix(text) => text,
        }
    }

    /// Greater is more specific; two patterns that take the same host are
    /// never equal unless they are the same pattern.
    pub(crate) fn specificity(&self) -> usize {
        match self {
            Self::Any => 0,
            Self::Suffix(suffix) => suffix.len(),
            Self::Exact(_) => usize::MAX,
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Exact(exact) => f.write_str(exact),
            Self::Suffix(suffix) => write!(f, "*{suffix}"),
        }
    }
}

/// Refuses what people write around a host, with what to write instead.
fn refuse_more_than_a_host(name: &str, text: &str) -> Result<(), String> {
    if name.contains('*') {
        return Err(format!(
            "`{text}` has a `*` in the wrong place; it may only stand for the first labels, as in \
             `*.example.com`"
        ));
    }
    if name.contains('/') {
        return Err(format!("`{text}` is not a host; write the name alone"));
    }
    let after_address = name.rfind(']').map_or(name, |at| &name[at..]);
    if let Some(at) = after_address.find(':') {
        let alone = &text[..text.len() - (after_address.len() - at)];
        return Err(format!(
            "`{text}` has a port, but hosts are compared without it; write `{alone}` (an IPv6 \
             address goes in brackets)"
        ));
    }
    if !name.is_ascii() {
        return Err(format!(
            "`{text}` has letters beyond ASCII; write the name in its `xn--` form"
        ));
    }
    Ok(())
}

fn normal_form(name: &str, text: &str) -> Result<String, String> {
    let mut normal = Vec::new();
    normalise::host(name.as_bytes(), &mut normal)
        .map_err(|fault| format!("`{text}` is not a host: {fault}"))?;
    if normal.is_empty() {
        return Err(format!("`{text}` is not a host: it has no name"));
    }
    Ok(String::from_utf8_lossy(&normal).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes() {
        for (pattern, host, expected) in [
            ("*", "", true),
            ("*", "a.example", true),
            ("a.example", "a.example", true),
            ("A.Example.", "a.example", true),
            ("a.example", "b.a.example", false),
            ("a.example", "", false),
            ("*.example.com", "a.example.com", true),
            ("*.example.com", "b.a.example.com", true),
            ("*.example.com", "example.com", false),
            ("*.example.com", ".example.com", false),
            ("*.example.com", "aexample.com", false),
            ("*.com", "example.com", true),
            ("[::1]", "[::1]", true),
            ("[0:0::1]", "[::1]", true),
            ("127.0.0.1", "127.0.0.1", true),
        ] {
            let parsed = HostPattern::parse(pattern).unwrap();
            assert_eq!(parsed.takes(host.as_bytes()), expected, "{pattern} {host}");
        }
    }

    #[test]
    fn refusals_say_what_to_write() {
        for (pattern, expected) in [
            ("", "leave it out"),
            ("*.", "no name"),
            ("a.*.example", "wrong place"),
            ("**.example", "wrong place"),
            ("*example.com", "wrong place"),
            ("http://example.com", "the name alone"),
            ("example.com/x", "the name alone"),
            ("example.com:80", "write `example.com`"),
            ("*.example.com:80", "write `*.example.com`"),
            ("[::1]:80", "write `[::1]`"),
            ("::1", "in brackets"),
            ("*.[::1]", "not a name"),
            ("bücher.example", "`xn--`"),
            ("a..b", "is not a host"),
            ("a b", "is not a host"),
            ("user@a", "is not a host"),
        ] {
            let message = HostPattern::parse(pattern).unwrap_err();
            assert!(message.contains(expected), "{pattern}: {message}");
        }
    }

    #[test]
    fn prints_as_written() {
        for pattern in ["*", "example.com", "*.example.com", "[::1]"] {
            assert_eq!(HostPattern::parse(pattern).unwrap().to_string(), pattern);
        }
    }
}

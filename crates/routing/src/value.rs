use std::fmt;

use crate::Pattern;

/// What a value must be: of a header field, a query parameter or a cookie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValuePattern {
    /// Anything: it need only be there.
    Any,
    /// Exactly this, letter case included.
    Exact(Box<str>),
    /// Anything that begins with this.
    Prefix(Box<str>),
    Regex(Pattern),
}

impl ValuePattern {
    /// Reads a pattern as written: `*`, `prefix:...`, `regex:...`, or the
    /// value itself. The error is a sentence for people.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == "*" {
            return Ok(Self::Any);
        }
        if let Some(pattern) = text.strip_prefix("regex:") {
            return Pattern::parse(pattern).map(Self::Regex);
        }
        match text.strip_prefix("prefix:") {
            Some("") => Err("`prefix:` takes every value; write `*`".to_owned()),
            Some(prefix) => Ok(Self::Prefix(prefix.into())),
            None => Ok(Self::Exact(text.into())),
        }
    }

    pub fn takes(&self, value: &[u8]) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(exact) => exact.as_bytes() == value,
            Self::Prefix(prefix) => value.starts_with(prefix.as_bytes()),
            Self::Regex(pattern) => pattern.takes(value),
        }
    }
}

impl fmt::Display for ValuePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Exact(exact) => f.write_str(exact),
            Self::Prefix(prefix) => write!(f, "prefix:{prefix}"),
            Self::Regex(pattern) => write!(f, "regex:{pattern}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes() {
        for (pattern, value, expected) in [
            ("*", "", true),
            ("blue", "blue", true),
            ("blue", "Blue", false),
            ("", "", true),
            ("prefix:Bearer ", "Bearer x", true),
            ("prefix:Bearer ", "bearer x", false),
            ("regex:^v[0-9]+$", "v12", true),
            ("regex:^v[0-9]+$", "xv12", false),
        ] {
            let parsed = ValuePattern::parse(pattern).unwrap();
            assert_eq!(
                parsed.takes(value.as_bytes()),
                expected,
                "{pattern} {value}"
            );
            assert_eq!(parsed.to_string(), pattern);
        }
        for refused in ["prefix:", "regex:("] {
            assert!(ValuePattern::parse(refused).is_err(), "{refused}");
        }
    }
}

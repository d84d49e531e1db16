use std::fmt;
use std::hash::{Hash, Hasher};

use regex::bytes::{Regex, RegexBuilder};

/// A regular expression over the bytes of a request. It holds where it is
/// found anywhere, unless `^` and `$` say otherwise; its time is linear in
/// what it looks at, whatever a client sends.
#[derive(Debug, Clone)]
pub struct Pattern(Regex);

impl Pattern {
    /// How large an expression may become once it is compiled, in bytes.
    const SIZE: usize = 1 << 20;

    /// Reads an expression. The error is a sentence for people.
    pub fn parse(text: &str) -> Result<Self, String> {
        RegexBuilder::new(text)
            // Requests are bytes: what is beyond ASCII in them is escaped.
            .unicode(false)
            .size_limit(Self::SIZE)
            .dfa_size_limit(Self::SIZE)
            .build()
            .map(Self)
            .map_err(|error| refusal(text, &error))
    }

    pub fn takes(&self, text: &[u8]) -> bool {
        self.0.is_match(text)
    }

    /// The names and numbers of its groups, as templates can quote them.
    pub fn captures(&self) -> impl Iterator<Item = String> {
        let names = self.0.capture_names().flatten().map(str::to_owned);
        (0..self.0.captures_len())
            .map(|number| number.to_string())
            .chain(names)
    }

    /// The expression itself.
    pub fn regex(&self) -> &Regex {
        &self.0
    }
}

fn refusal(text: &str, error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(limit) => format!(
            "the regular expression `{text}` needs more than {limit} bytes; use fewer or smaller \
             repetitions"
        ),
        error => {
            let long = error.to_string();
            let why = long.lines().last().unwrap_or_default();
            let why = why.strip_prefix("error: ").unwrap_or(why);
            format!("`{text}` is not a regular expression: {why}")
        }
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Eq for Pattern {}

impl Hash for Pattern {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.as_str().hash(state);
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_found_anywhere_and_any_byte_will_do() {
        for (pattern, text, expected) in [
            ("b", &b"abc"[..], true),
            ("^b", b"abc", false),
            ("^/a/[0-9]+$", b"/a/12", true),
            ("^/a/[0-9]+$", b"/a/12/", false),
            ("(?i)HELLO", b"/hello", true),
            ("^.$", b"\xff", true),
            (r"^\w$", b"\xff", false),
        ] {
            assert_eq!(
                Pattern::parse(pattern).unwrap().takes(text),
                expected,
                "{pattern}"
            );
        }
    }

    #[test]
    fn refusals_are_one_line() {
        for (pattern, expected) in [
            ("(", "unclosed group"),
            ("a{1000}{1000}{1000}", "fewer or smaller repetitions"),
            (r"(a)\1", "backreferences are not supported"),
        ] {
            let message = Pattern::parse(pattern).unwrap_err();
            assert!(message.contains(expected), "{message}");
            assert!(!message.contains('\n'), "{message}");
        }
    }

    #[test]
    fn captures_have_numbers_and_names() {
        let pattern = Pattern::parse("^/(?<id>[0-9]+)/(.*)$").unwrap();
        let names: Vec<String> = pattern.captures().collect();
        assert_eq!(names, ["0", "1", "2", "id"]);
    }
}

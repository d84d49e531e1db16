use std::fmt;

use message::Fields;

/// A demand on one header field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderCondition {
    /// The field's name; letter case does not matter.
    pub name: Box<str>,
    pub value: ValuePattern,
}

/// What the value of a header field must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValuePattern {
    /// Anything: the field need only be there.
    Any,
    /// Exactly this, letter case included.
    Exact(Box<str>),
}

impl HeaderCondition {
    /// Reads a condition as written: `*` takes any value, anything else is the
    /// value itself. The error is a sentence for people.
    pub fn parse(name: &str, value: &str) -> Result<Self, String> {
        if name.is_empty() || !name.bytes().all(is_token_byte) {
            return Err(format!("`{name}` is not a header name"));
        }
        let value = match value {
            "*" => ValuePattern::Any,
            exact if exact.trim() == exact => ValuePattern::Exact(exact.into()),
            spaced => {
                return Err(format!(
                    "`{spaced}` can never be received: spaces around a header value are not part \
                     of it; write `{}`",
                    spaced.trim()
                ));
            }
        };
        Ok(Self {
            name: name.into(),
            value,
        })
    }

    /// Some field of this name has a value that the pattern takes. A repeated
    /// field is looked at line by line.
    pub fn takes(&self, fields: &Fields) -> bool {
        let mut values = fields.all_named(self.name.as_bytes());
        match &self.value {
            ValuePattern::Any => values.next().is_some(),
            ValuePattern::Exact(exact) => values.any(|value| value == exact.as_bytes()),
        }
    }
}

impl fmt::Display for HeaderCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            ValuePattern::Any => write!(f, "{}: *", self.name),
            ValuePattern::Exact(exact) => write!(f, "{}: {exact}", self.name),
        }
    }
}

/// `tchar` of RFC 9110 section 5.6.2.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes() {
        let mut fields = Fields::default();
        fields.push(b"X-Env", b"green");
        fields.push(b"x-env", b"blue");
        fields.push(b"Accept", b"text/html");
        fields.push(b"X-Empty", b"");
        for (name, value, expected) in [
            ("x-ENV", "blue", true),
            ("X-Env", "green", true),
            ("X-Env", "Blue", false),
            ("X-Env", "green, blue", false),
            ("X-Env", "*", true),
            ("X-Empty", "*", true),
            ("X-Empty", "", true),
            ("X-None", "*", false),
            ("X-None", "", false),
            ("accept", "text/html", true),
        ] {
            let condition = HeaderCondition::parse(name, value).unwrap();
            assert_eq!(condition.takes(&fields), expected, "{condition}");
        }
    }

    #[test]
    fn refusals() {
        for (name, value) in [("", "x"), ("X Env", "x"), ("X-É", "x"), ("X-Env", " x")] {
            assert!(
                HeaderCondition::parse(name, value).is_err(),
                "{name}: {value}"
            );
        }
    }
}

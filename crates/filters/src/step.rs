use std::borrow::Cow;
use std::fmt;

use message::{HIDDEN, is_secret, without_secrets};

use crate::Template;

/// One thing that a filter does, to the last letter: two filters with the same
/// steps do the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What is done, in the words of the configuration: `strip_prefix`,
    /// `add_headers X-Client`.
    pub what: String,
    /// With what; empty where nothing is left to say.
    pub with: String,
    field: Option<FieldStep>,
    /// It ends in a URL.
    is_to_url: bool,
}

/// What a step does to a header, which does not always depend on the steps
/// around it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct FieldStep {
    of_response: bool,
    name: Box<str>,
    /// Fields of the request that the value quotes. None for a response: when
    /// it comes, nobody changes the request any more.
    quotes: Box<[Box<str>]>,
}

impl Step {
    /// What it does, without secrets.
    pub fn shown(&self) -> Cow<'_, str> {
        match &self.field {
            Some(field) if is_secret(&field.name) && !self.with.is_empty() => HIDDEN.into(),
            _ if self.is_to_url => without_secrets(&self.with).into(),
            _ => (&*self.with).into(),
        }
    }

    pub(crate) fn new(what: impl Into<String>, with: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            with: with.into(),
            field: None,
            is_to_url: false,
        }
    }

    /// A step that leads to a URL, which may hold secrets.
    pub(crate) fn to_url(what: impl Into<String>, with: impl Into<String>) -> Self {
        Self {
            is_to_url: true,
            ..Self::new(what, with)
        }
    }

    /// A step that changes one field of the request, to a value that may quote
    /// others.
    pub(crate) fn of_request(what: String, name: &str, value: Option<&Template>) -> Self {
        let quotes = value.into_iter().flat_map(Template::fields);
        Self {
            with: value.map(Template::to_string).unwrap_or_default(),
            what,
            field: Some(FieldStep {
                of_response: false,
                name: name.into(),
                quotes: quotes.map(Into::into).collect(),
            }),
            is_to_url: false,
        }
    }

    /// A step that changes one field of the response or of an answer.
    pub(crate) fn of_response(what: String, name: &str, with: impl Into<String>) -> Self {
        Self {
            with: with.into(),
            what,
            field: Some(FieldStep {
                of_response: true,
                name: name.into(),
                quotes: Box::default(),
            }),
            is_to_url: false,
        }
    }

    /// Whether it makes no difference which of the two comes first.
    pub fn commutes_with(&self, other: &Self) -> bool {
        let (Some(a), Some(b)) = (&self.field, &other.field) else {
            return false;
        };
        // Values quote requests, which nobody changes when a response comes.
        let is_quoted = |by: &FieldStep, field: &FieldStep| {
            let mut quoted = by.quotes.iter();
            quoted.any(|name| name.eq_ignore_ascii_case(&field.name))
        };
        a.of_response != b.of_response
            || !(a.name.eq_ignore_ascii_case(&b.name) || is_quoted(a, b) || is_quoted(b, a))
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        match (&self.field, &*self.shown()) {
            (_, "") => Ok(()),
            (Some(_), with) => write!(f, ": {with}"),
            (None, with) => write!(f, " {with}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Filter, HeaderChange, ReplacePrefix, SetHeaders};

    fn header(change: HeaderChange) -> Step {
        let filter = SetHeaders::of_requests("request_headers", vec![change]).unwrap();
        filter.steps().remove(0)
    }

    fn response(change: HeaderChange) -> Step {
        let filter = SetHeaders::of_responses("response_headers", vec![change]).unwrap();
        filter.steps().remove(0)
    }

    fn set(name: &str, value: &str) -> HeaderChange {
        HeaderChange::Set(name.to_owned(), Template::parse(value).unwrap())
    }

    #[test]
    fn changes_of_fields_commute_unless_one_sees_the_other() {
        let remove = |name: &str| HeaderChange::Remove(name.to_owned());
        for (a, b, expected) in [
            (set("A", "1"), set("B", "2"), true),
            (set("A", "1"), set("a", "2"), false),
            (set("A", "1"), remove("A"), false),
            (set("A", "1"), set("B", "${header.a}"), false),
            (set("A", "${header.B}"), set("B", "2"), false),
            (set("Cookie", "c=1"), set("B", "${cookie.c}"), false),
            (set("A", "${path}"), set("B", "${header.C}"), true),
        ] {
            let (one, other) = (header(a), header(b));
            assert_eq!(one.commutes_with(&other), expected, "{one} {other}");
            assert_eq!(other.commutes_with(&one), expected, "{other} {one}");
        }
        let request = header(set("A", "1"));
        assert!(request.commutes_with(&response(set("A", "${header.A}"))));
        let strip = ReplacePrefix::strip("/a").unwrap().steps().remove(0);
        assert!(!strip.commutes_with(&request));
        assert!(!request.commutes_with(&strip));
    }
}

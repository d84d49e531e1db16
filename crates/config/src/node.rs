//! The tree that every format is parsed into: values that know their place.

use crate::span::Span;

/// One value of the text.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Node {
    pub(crate) span: Span,
    pub(crate) kind: Kind,
}

#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Kind {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    /// Text with something from the environment in it. Formats have no way to write an integer from the
    /// environment other than as text, so readers of other scalars may take this for what it looks like.
    Loose(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
    /// Something whose problem has been reported; readers pass over it in silence.
    Broken,
}

/// One key of a map, and its value.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_span: Span,
    pub(crate) value: Node,
}

impl Entry {
    /// A value without text of its own, or with many lines of it, is best shown by its key.
    pub(crate) fn new(key: String, key_span: Span, mut value: Node, text: &str) -> Self {
        let span = value.span;
        if span.start >= span.end || span.is_multiline(text) {
            value.span = key_span;
        }
        Self {
            key,
            key_span,
            value,
        }
    }
}

impl Node {
    pub(crate) const fn new(kind: Kind, span: Span) -> Self {
        Self { span, kind }
    }

    pub(crate) fn is_null(&self) -> bool {
        self.kind == Kind::Null
    }

    /// The text, if this is text.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) | Kind::Loose(text) => Some(text),
            _ => None,
        }
    }

    /// The kind of scalar this is, where text from the environment is what it looks like.
    pub(crate) fn scalar(&self) -> Kind {
        match &self.kind {
            Kind::Loose(text) => resolve(text.trim()),
            kind => kind.clone(),
        }
    }

    /// The section that this scalar stands for, as the value of its `key`.
    pub(crate) fn spelt_out(&self, key: &str) -> Option<Self> {
        if matches!(self.kind, Kind::List(_) | Kind::Map(_) | Kind::Broken) {
            return None;
        }
        let entry = Entry {
            key: key.to_owned(),
            key_span: self.span,
            value: self.clone(),
        };
        Some(Self::new(Kind::Map(vec![entry]), self.span))
    }

    /// What this is, for "expected ..., found ...".
    pub(crate) fn found(&self) -> String {
        match &self.kind {
            Kind::Null => "nothing".to_owned(),
            Kind::Bool(value) => format!("`{value}`"),
            Kind::Int(value) => format!("the integer {value}"),
            Kind::Float(value) => format!("the number {value:?}"),
            Kind::Text(text) | Kind::Loose(text) if text.is_empty() => "an empty text".to_owned(),
            Kind::Text(text) | Kind::Loose(text) => format!("the text {}", quoted(text)),
            Kind::List(_) => "a list".to_owned(),
            Kind::Map(_) => "a map of keys".to_owned(),
            Kind::Broken => "something unreadable".to_owned(),
        }
    }

    /// The same in a text that has `base` bytes before this one.
    pub(crate) fn shift(&mut self, base: usize) {
        self.span = self.span.shifted(base);
        match &mut self.kind {
            Kind::List(items) => items.iter_mut().for_each(|item| item.shift(base)),
            Kind::Map(entries) => {
                for entry in entries {
                    entry.key_span = entry.key_span.shifted(base);
                    entry.value.shift(base);
                }
            }
            _ => {}
        }
    }

    /// Nodes in this tree, itself included, and how many levels deep it is.
    pub(crate) fn measure(&self) -> (usize, usize) {
        let children: Vec<_> = match &self.kind {
            Kind::List(items) => items.iter().map(Self::measure).collect(),
            Kind::Map(entries) => entries.iter().map(|entry| entry.value.measure()).collect(),
            _ => Vec::new(),
        };
        let count: usize = children.iter().map(|(count, _)| count).sum();
        let depth = children.iter().map(|(_, depth)| *depth).max();
        (count + 1, depth.unwrap_or_default() + 1)
    }
}

/// `text` in quotes, shortened when it is long.
pub(crate) fn quoted(text: &str) -> String {
    const SHOWN: usize = 40;
    if text.chars().count() <= SHOWN {
        return format!("{text:?}");
    }
    let beginning: String = text.chars().take(SHOWN).collect();
    format!("{:?}", beginning + "…")
}

/// What an unquoted scalar is (YAML 1.2 core schema, section 10.3.2).
pub(crate) fn resolve(plain: &str) -> Kind {
    match plain {
        "" | "~" | "null" | "Null" | "NULL" => Kind::Null,
        "true" | "True" | "TRUE" => Kind::Bool(true),
        "false" | "False" | "FALSE" => Kind::Bool(false),
        _ => integer(plain)
            .map(Kind::Int)
            .or_else(|| float(plain).map(Kind::Float))
            .unwrap_or_else(|| Kind::Text(plain.to_owned())),
    }
}

fn integer(plain: &str) -> Option<i64> {
    let (digits, radix) = if let Some(hex) = plain.strip_prefix("0x") {
        (hex, 16)
    } else if let Some(octal) = plain.strip_prefix("0o") {
        (octal, 8)
    } else {
        (plain, 10)
    };
    // The standard parser takes a sign after the prefix as well, which YAML does not.
    if radix != 10 && digits.starts_with(['+', '-']) {
        return None;
    }
    i64::from_str_radix(digits, radix).ok()
}

fn float(plain: &str) -> Option<f64> {
    let (sign, magnitude) = match plain.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, plain.strip_prefix('+').unwrap_or(plain)),
    };
    if matches!(magnitude, ".inf" | ".Inf" | ".INF") {
        return Some(sign * f64::INFINITY);
    }
    if matches!(plain, ".nan" | ".NaN" | ".NAN") {
        return Some(f64::NAN);
    }
    // Excludes the words for infinity that the standard parser knows, and a second sign.
    if !magnitude.starts_with(|first: char| first.is_ascii_digit() || first == '.') {
        return None;
    }
    magnitude.parse::<f64>().ok().map(|value| sign * value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_become_what_yaml_says() {
        let text = |text: &str| Kind::Text(text.to_owned());
        for (plain, kind) in [
            ("", Kind::Null),
            ("~", Kind::Null),
            ("null", Kind::Null),
            ("True", Kind::Bool(true)),
            ("yes", text("yes")),
            ("off", text("off")),
            ("-12", Kind::Int(-12)),
            ("+7", Kind::Int(7)),
            ("010", Kind::Int(10)),
            ("0x1F", Kind::Int(31)),
            ("0o17", Kind::Int(15)),
            ("0x-1", text("0x-1")),
            ("1.0", Kind::Float(1.0)),
            (".5", Kind::Float(0.5)),
            ("-1e3", Kind::Float(-1000.0)),
            ("-.inf", Kind::Float(f64::NEG_INFINITY)),
            ("inf", text("inf")),
            ("nan", text("nan")),
            ("--1", text("--1")),
            (".", text(".")),
            ("30s", text("30s")),
            (
                "9223372036854775808",
                Kind::Float(9_223_372_036_854_775_808.0),
            ),
        ] {
            assert_eq!(resolve(plain), kind, "{plain}");
        }
        assert!(matches!(resolve(".nan"), Kind::Float(value) if value.is_nan()));
    }

    #[test]
    fn long_texts_are_shortened() {
        assert_eq!(quoted("a\"b"), r#""a\"b""#);
        assert_eq!(quoted(&"x".repeat(99)).chars().count(), 43);
    }
}

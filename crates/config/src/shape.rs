//! What a setting looks like: the part of its definition that the schema and the reference page show.

use serde_json::Value as Json;

use crate::value::Value;
use crate::value::form::Form;

/// What a single setting allows beyond what its type says.
#[derive(Clone, Copy)]
pub(crate) enum Rule {
    /// Whatever the type allows.
    Any,
    /// A number from the first to the second, both included; for sizes, in bytes.
    Within(i64, i64),
    /// One of a few numbers.
    OneOf(&'static [i64]),
    /// More than nothing, where nothing would mean that it never works.
    Positive,
    /// Text in a certain form.
    Form(&'static Form),
    /// Pairs with other names than those of header fields: what they are called, and their form.
    Names(&'static str, &'static Form),
}

/// The outside of a value.
pub(crate) enum Shape {
    Bool,
    Integer {
        min: i64,
        max: i64,
    },
    OneOf(&'static [i64]),
    Number {
        min: f64,
        max: f64,
    },
    /// Text; `noun` is how messages call it, `pattern` an ECMA regular expression, empty for any text.
    Text {
        noun: &'static str,
        pattern: &'static str,
    },
    Choice(Vec<Choice>),
    /// A status code, or a class of them.
    Statuses {
        from: u16,
    },
    /// A word of its own, or the other shape.
    Or(&'static str, Box<Shape>),
    /// `false`, or the other shape.
    OrFalse(Box<Shape>),
    /// A list; `single` when one item may stand for a list of one.
    List {
        item: Box<Shape>,
        single: bool,
    },
    /// A map from names to texts; `names` is what messages call the former.
    Pairs {
        names: &'static str,
    },
    Section(Section),
}

/// One word of an enumeration.
pub(crate) struct Choice {
    pub(crate) name: &'static str,
    pub(crate) about: String,
}

/// A map with a fixed set of keys.
pub(crate) struct Section {
    pub(crate) title: &'static str,
    pub(crate) about: String,
    pub(crate) keys: Vec<Key>,
    /// The key whose value alone may stand for the section.
    pub(crate) short: Option<&'static str>,
}

impl Section {
    /// The shape of what may stand for the section.
    pub(crate) fn short(&self) -> Option<&Key> {
        self.keys.iter().find(|key| Some(key.name) == self.short)
    }
}

/// One setting.
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) about: String,
    pub(crate) shape: Shape,
    pub(crate) required: bool,
    pub(crate) default: Option<Json>,
    pub(crate) example: Option<Json>,
}

impl Key {
    /// A key without a default is required, unless its type can do without.
    pub(crate) fn of<T: Value>(
        name: &'static str,
        doc: &[&str],
        rule: &Rule,
        default: Option<T>,
        example: Option<Json>,
    ) -> Self {
        Self {
            name,
            about: prose(doc),
            shape: T::shape(rule),
            required: default.is_none() && !T::OPTIONAL,
            default: default.map_or_else(T::no_default, |value| Some(value.write())),
            example,
        }
    }
}

/// The lines of a doc comment as running text.
pub(crate) fn prose(doc: &[&str]) -> String {
    let lines: Vec<_> = doc.iter().map(|line| line.trim()).collect();
    lines.join(" ")
}

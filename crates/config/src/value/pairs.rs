//! Maps from names, mostly of header fields, to texts.

use std::ops::Deref;

use serde_json::Value as Json;

use super::form::Form;
use super::{Value, form::FIELD_NAME};
use crate::node::{Entry, Kind, Node};
use crate::reader::Reader;
use crate::shape::{Rule, Shape};
use crate::span::Spanned;

/// One header field, or something else that has a name and a text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pair {
    /// Name, as written.
    pub name: Spanned<String>,
    /// Value, or what stands for one.
    pub value: Spanned<String>,
}

/// Pairs in the order of the text.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Pairs(Vec<Pair>);

impl Deref for Pairs {
    type Target = [Pair];

    fn deref(&self) -> &[Pair] {
        &self.0
    }
}

impl FromIterator<Pair> for Pairs {
    fn from_iter<I: IntoIterator<Item = Pair>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

impl<'p> IntoIterator for &'p Pairs {
    type Item = &'p Pair;
    type IntoIter = std::slice::Iter<'p, Pair>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl Value for Pairs {
    const OPTIONAL: bool = true;
    const SINGLE: bool = false;

    fn read(node: &Node, rule: &Rule, reader: &mut Reader<'_>) -> Option<Self> {
        let Kind::Map(entries) = &node.kind else {
            let expected = format!("a map from {} to texts", names(rule));
            reader
                .expected(&expected, node)?
                .help("write it as `{ Name: \"value\" }`");
            return None;
        };
        let form = form(rule);
        Some(
            entries
                .iter()
                .map(|entry| pair(entry, form, reader))
                .collect(),
        )
    }

    fn absent() -> Self {
        Self::default()
    }

    fn write(&self) -> Json {
        if self.is_empty() {
            return Json::Null;
        }
        let entries = self.iter();
        entries
            .map(|pair| (pair.name.value.clone(), Json::from(pair.value.as_str())))
            .collect()
    }

    fn shape(rule: &Rule) -> Shape {
        Shape::Pairs { names: names(rule) }
    }
}

/// What the names have to look like: those of header fields unless the rule says otherwise.
fn form(rule: &Rule) -> &'static Form {
    match rule {
        Rule::Names(_, form) => form,
        _ => &FIELD_NAME,
    }
}

fn names(rule: &Rule) -> &'static str {
    match rule {
        Rule::Names(names, _) => names,
        _ => "header names",
    }
}

fn pair(entry: &Entry, form: &Form, reader: &mut Reader<'_>) -> Pair {
    let name = match form.check(&entry.key) {
        Ok(()) => Spanned::new(entry.key.clone(), entry.key_span),
        Err(fault) => {
            let key = Node::new(Kind::Text(entry.key.clone()), entry.key_span);
            fault.report(&key, reader);
            Spanned::absent()
        }
    };
    let value = value(&entry.value, reader).unwrap_or_else(Spanned::absent);
    Pair { name, value }
}

/// A field value has no line breaks or other control characters, or it would be several fields
/// (RFC 9110 section 5.5).
fn value(node: &Node, reader: &mut Reader<'_>) -> Option<Spanned<String>> {
    let value = Spanned::<String>::read(node, &Rule::Any, reader)?;
    if value.contains(|letter: char| letter.is_control() && letter != '\t') {
        reader.error(
            node.span,
            "a header value cannot have line breaks or control characters in it",
        );
        return None;
    }
    Some(value)
}

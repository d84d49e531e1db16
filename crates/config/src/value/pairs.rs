//! Maps from header names to texts.

use std::ops::Deref;

use serde_json::Value as Json;

use super::{Value, form::FIELD_NAME};
use crate::node::{Entry, Kind, Node};
use crate::reader::Reader;
use crate::shape::{Rule, Shape};
use crate::span::Spanned;

/// One header field.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pair {
    /// Name, as written.
    pub name: Spanned<String>,
    /// Value, or what stands for one.
    pub value: Spanned<String>,
}

/// Header fields in the order of the text.
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

    fn read(node: &Node, _: &Rule, reader: &mut Reader<'_>) -> Option<Self> {
        let Kind::Map(entries) = &node.kind else {
            reader
                .expected("a map from header names to texts", node)?
                .help("write it as `{ Name: \"value\" }`");
            return None;
        };
        Some(entries.iter().map(|entry| pair(entry, reader)).collect())
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

    fn shape(_: &Rule) -> Shape {
        Shape::Pairs
    }
}

fn pair(entry: &Entry, reader: &mut Reader<'_>) -> Pair {
    let name = match FIELD_NAME.check(&entry.key) {
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

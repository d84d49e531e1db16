//! Wrappers: a value that keeps its place, and one that may be absent.

use serde_json::Value as Json;

use super::Value;
use crate::node::Node;
use crate::reader::Reader;
use crate::shape::{Rule, Shape};
use crate::span::Spanned;

impl<T: Value> Value for Spanned<T> {
    const OPTIONAL: bool = T::OPTIONAL;
    const SINGLE: bool = T::SINGLE;
    const NONE: Option<&'static str> = T::NONE;

    fn read(node: &Node, rule: &Rule, reader: &mut Reader<'_>) -> Option<Self> {
        T::read(node, rule, reader).map(|value| Self::new(value, node.span))
    }

    fn absent() -> Self {
        Self::unwritten(T::absent())
    }

    fn write(&self) -> Json {
        self.value.write()
    }

    fn shape(rule: &Rule) -> Shape {
        T::shape(rule)
    }

    fn no_default() -> Option<Json> {
        T::no_default()
    }
}

impl<T: Value> Value for Option<T> {
    const OPTIONAL: bool = true;
    const SINGLE: bool = T::SINGLE;

    /// What is there and cannot be read is not the same as nothing: a route whose group is misspelt as a
    /// number still has a group. So the placeholder of `T` stands for it.
    fn read(node: &Node, rule: &Rule, reader: &mut Reader<'_>) -> Option<Self> {
        if T::NONE.is_some() && node.text() == T::NONE {
            return Some(None);
        }
        Some(Some(T::read(node, rule, reader).unwrap_or_else(T::absent)))
    }

    fn absent() -> Self {
        None
    }

    fn write(&self) -> Json {
        self.as_ref().map_or(Json::Null, T::write)
    }

    fn shape(rule: &Rule) -> Shape {
        match T::NONE {
            Some(word) => Shape::Or(word, Box::new(T::shape(rule))),
            None => T::shape(rule),
        }
    }

    fn no_default() -> Option<Json> {
        T::NONE.map(Json::from)
    }
}

//! Lists. A list of single words may also be written as just one of them.

use serde_json::Value as Json;

use super::Value;
use crate::node::{Kind, Node};
use crate::reader::Reader;
use crate::shape::{Rule, Shape};

impl<T: Value> Value for Vec<T> {
    const OPTIONAL: bool = true;
    const SINGLE: bool = false;

    /// Every item counts, also one that cannot be read: a group whose only backend has a bad URL is not
    /// also a group without backends.
    fn read(node: &Node, rule: &Rule, reader: &mut Reader<'_>) -> Option<Self> {
        let mut item = |node| T::read(node, rule, reader).unwrap_or_else(T::absent);
        match &node.kind {
            Kind::List(items) => Some(items.iter().map(item).collect()),
            Kind::Map(_) | Kind::Broken => not_a_list(node, reader),
            _ if T::SINGLE => Some(vec![item(node)]),
            _ => not_a_list(node, reader),
        }
    }

    fn absent() -> Self {
        Self::new()
    }

    fn write(&self) -> Json {
        if self.is_empty() {
            return Json::Null;
        }
        self.iter().map(T::write).collect()
    }

    fn shape(rule: &Rule) -> Shape {
        Shape::List {
            item: Box::new(T::shape(rule)),
            single: T::SINGLE,
        }
    }
}

fn not_a_list<T>(node: &Node, reader: &mut Reader<'_>) -> Option<T> {
    reader
        .expected("a list", node)?
        .help("begin each item with `- ` in YAML, with `[[key]]` in TOML, or put all into `[ ]`");
    None
}

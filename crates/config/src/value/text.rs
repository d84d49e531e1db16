//! Plain text, possibly of a required form.

use serde_json::Value as Json;

use super::Value;
use crate::node::{Kind, Node};
use crate::reader::Reader;
use crate::shape::{Rule, Shape};

impl Value for String {
    fn read(node: &Node, rule: &Rule, reader: &mut Reader<'_>) -> Option<Self> {
        let noun = match rule {
            Rule::Form(form) => form.noun,
            _ => "a text",
        };
        let Some(text) = node.text() else {
            let is_scalar = matches!(node.kind, Kind::Bool(_) | Kind::Int(_) | Kind::Float(_));
            let problem = reader.expected(noun, node)?;
            if is_scalar {
                problem.help("put quotes around it to make it a text");
            }
            return None;
        };
        if let Rule::Form(form) = rule
            && let Err(fault) = form.check(text)
        {
            fault.report(node, reader);
            return None;
        }
        Some(text.to_owned())
    }

    fn absent() -> Self {
        Self::new()
    }

    fn write(&self) -> Json {
        self.as_str().into()
    }

    fn shape(rule: &Rule) -> Shape {
        match rule {
            Rule::Form(form) => Shape::Text {
                noun: form.noun,
                pattern: form.pattern,
            },
            _ => Shape::Text {
                noun: "a text",
                pattern: "",
            },
        }
    }
}

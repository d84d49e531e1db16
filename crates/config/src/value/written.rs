//! Values that are written as text in a form of their own, such as `30s` or `10.0.0.0/8`.

use serde_json::Value as Json;

use super::Value;
use crate::node::{Kind, Node, quoted};
use crate::reader::Reader;
use crate::shape::{Rule, Shape};

/// Why a text is not such a value, and what to write instead.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Fault {
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

impl Fault {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: None,
        }
    }

    pub(crate) fn help(self, help: impl Into<String>) -> Self {
        Self {
            help: Some(help.into()),
            ..self
        }
    }

    pub(crate) fn report(self, node: &Node, reader: &mut Reader<'_>) {
        let problem = reader.error(node.span, self.message);
        if let Some(help) = self.help {
            problem.help(help);
        }
    }
}

/// "expected a duration such as `30s`, found the text "soon"".
pub(crate) fn unlike(noun: &str, text: &str) -> Fault {
    Fault::new(format!("expected {noun}, found the text {}", quoted(text)))
}

/// A value written as text.
pub(crate) trait Written: Sized {
    /// What it is called, with an example: "a duration such as `30s`".
    const NOUN: &'static str;

    /// ECMA regular expression that roughly describes the text, for the schema; empty for any text.
    const PATTERN: &'static str;

    /// The word that switches it off where it is optional.
    const NONE: Option<&'static str> = None;

    /// What a bare `false` stands for, where it stands for something.
    const FALSE: Option<Self> = None;

    fn parse(text: &str) -> Result<Self, Fault>;

    fn text(&self) -> String;

    fn placeholder() -> Self;

    /// Whether `rule` allows this value.
    fn check(&self, _rule: &Rule) -> Result<(), Fault> {
        Ok(())
    }

    /// What to advise someone who wrote a bare number.
    fn help_for_number(_number: &str) -> Option<String> {
        None
    }
}

impl<T: Written> Value for T {
    const NONE: Option<&'static str> = T::NONE;

    fn read(node: &Node, rule: &Rule, reader: &mut Reader<'_>) -> Option<Self> {
        if node.scalar() == Kind::Bool(false) && T::FALSE.is_some() {
            return T::FALSE;
        }
        let Some(text) = node.text() else {
            let problem = reader.expected(T::NOUN, node)?;
            if let Some(help) = number_of(node).and_then(|number| T::help_for_number(&number)) {
                problem.help(help);
            }
            return None;
        };
        let value = T::parse(text).and_then(|value| value.check(rule).map(|()| value));
        value.map_err(|fault| fault.report(node, reader)).ok()
    }

    fn absent() -> Self {
        T::placeholder()
    }

    fn write(&self) -> Json {
        self.text().into()
    }

    fn shape(_: &Rule) -> Shape {
        let text = Shape::Text {
            noun: T::NOUN,
            pattern: T::PATTERN,
        };
        match T::FALSE {
            Some(_) => Shape::OrFalse(Box::new(text)),
            None => text,
        }
    }
}

fn number_of(node: &Node) -> Option<String> {
    match node.kind {
        Kind::Int(number) => Some(number.to_string()),
        Kind::Float(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Splits "90s" or "1.5 MB" into its digits and what follows them, without the space between.
pub(crate) fn number_and_unit(text: &str) -> (&str, &str) {
    let end = text
        .find(|letter: char| !letter.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    (number, unit.trim_start())
}

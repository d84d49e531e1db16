//! Truth values, integers and other numbers, within bounds.

use serde_json::Value as Json;

use super::Value;
use crate::node::{Kind, Node};
use crate::reader::{Reader, listed};
use crate::shape::{Rule, Shape};

impl Value for bool {
    fn read(node: &Node, _: &Rule, reader: &mut Reader<'_>) -> Option<Self> {
        if let Kind::Bool(value) = node.scalar() {
            return Some(value);
        }
        let problem = reader.expected("`true` or `false`", node)?;
        // What YAML 1.1 took for truth values, and people still write.
        let lower = node.text().map(str::to_ascii_lowercase);
        match lower.as_deref() {
            Some("yes" | "on" | "true" | "y") => problem.suggest(Some("true".to_owned())),
            Some("no" | "off" | "false" | "n") => problem.suggest(Some("false".to_owned())),
            _ => problem,
        };
        None
    }

    fn absent() -> Self {
        false
    }

    fn write(&self) -> Json {
        (*self).into()
    }

    fn shape(_: &Rule) -> Shape {
        Shape::Bool
    }
}

/// What a rule and a type together allow.
fn allowed(rule: &Rule, type_max: i64) -> (i64, i64) {
    match *rule {
        Rule::Within(min, max) => (min, max.min(type_max)),
        Rule::Positive => (1, type_max),
        _ => (0, type_max),
    }
}

fn integer(node: &Node, rule: &Rule, type_max: i64, reader: &mut Reader<'_>) -> Option<i64> {
    let kind = node.scalar();
    if let (Rule::OneOf(set), Kind::Int(value)) = (rule, &kind)
        && set.contains(value)
    {
        return Some(*value);
    }
    let (min, max) = allowed(rule, type_max);
    let expected = match (rule, &kind) {
        (Rule::OneOf(set), _) => {
            let numbers: Vec<_> = set.iter().map(i64::to_string).collect();
            listed(numbers.iter().map(String::as_str))
        }
        (_, Kind::Int(value)) if (min..=max).contains(value) => return Some(*value),
        _ => format!("an integer from {min} to {max}"),
    };
    let problem = reader.expected(&expected, node)?;
    match kind {
        Kind::Float(value) if value.fract() == 0.0 => {
            problem.help(format!("write `{value:.0}`, without a decimal point"));
        }
        Kind::Text(_)
            if node
                .text()
                .is_some_and(|text| text.trim().parse::<i64>().is_ok()) =>
        {
            problem.help("leave out the quotes");
        }
        _ => {}
    }
    None
}

macro_rules! integers {
    ($($kind:ty: $max:expr),+) => {$(
        impl Value for $kind {
            fn read(node: &Node, rule: &Rule, reader: &mut Reader<'_>) -> Option<Self> {
                integer(node, rule, $max, reader).and_then(|value| Self::try_from(value).ok())
            }

            fn absent() -> Self {
                0
            }

            fn write(&self) -> Json {
                (*self).into()
            }

            fn shape(rule: &Rule) -> Shape {
                if let Rule::OneOf(set) = rule {
                    return Shape::OneOf(set);
                }
                let (min, max) = allowed(rule, $max);
                Shape::Integer { min, max }
            }
        }
    )+};
}

integers!(u16: u16::MAX as i64, u32: u32::MAX as i64);

impl Value for f64 {
    fn read(node: &Node, rule: &Rule, reader: &mut Reader<'_>) -> Option<Self> {
        let (min, max) = bounds(rule);
        let value = match node.scalar() {
            Kind::Float(value) => value,
            Kind::Int(value) => value as Self,
            _ => Self::NAN,
        };
        if (min..=max).contains(&value) {
            return Some(value);
        }
        reader.expected(&format!("a number from {min} to {max}"), node)?;
        None
    }

    fn absent() -> Self {
        0.0
    }

    fn write(&self) -> Json {
        (*self).into()
    }

    fn shape(rule: &Rule) -> Shape {
        let (min, max) = bounds(rule);
        Shape::Number { min, max }
    }
}

fn bounds(rule: &Rule) -> (f64, f64) {
    match *rule {
        Rule::Within(min, max) => (min as f64, max as f64),
        _ => (f64::MIN, f64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problems::Problems;
    use crate::span::Span;

    fn read<T: Value>(kind: Kind, rule: &Rule) -> Result<T, String> {
        let mut problems = Problems::new("f", "x");
        let node = Node::new(kind, Span::new(0, 1));
        let value = T::read(&node, rule, &mut Reader::new(&mut problems));
        value.ok_or_else(|| {
            let problem = problems.iter().next().expect("a problem").clone();
            format!("{} | {}", problem.message, problem.help.unwrap_or_default())
        })
    }

    fn text(text: &str) -> Kind {
        Kind::Text(text.to_owned())
    }

    fn loose(text: &str) -> Kind {
        Kind::Loose(text.to_owned())
    }

    #[test]
    fn integers_keep_their_bounds() {
        let rule = Rule::Within(1, 10);
        for (kind, expected) in [
            (Kind::Int(1), Ok(1)),
            (Kind::Int(10), Ok(10)),
            (loose("7"), Ok(7)),
            (
                Kind::Int(0),
                Err("an integer from 1 to 10, found the integer 0 | "),
            ),
            (
                Kind::Int(-3),
                Err("an integer from 1 to 10, found the integer -3 | "),
            ),
            (
                Kind::Float(2.5),
                Err("an integer from 1 to 10, found the number 2.5 | "),
            ),
            (
                Kind::Float(2.0),
                Err(
                    "an integer from 1 to 10, found the number 2.0 | write `2`, without a decimal point",
                ),
            ),
            (
                text("5"),
                Err("an integer from 1 to 10, found the text \"5\" | leave out the quotes"),
            ),
            (
                loose("many"),
                Err("an integer from 1 to 10, found the text \"many\" | "),
            ),
        ] {
            let expected = expected.map_err(|message| format!("expected {message}"));
            assert_eq!(read::<u32>(kind.clone(), &rule), expected, "{kind:?}");
        }
        assert_eq!(read::<u16>(Kind::Int(65_535), &Rule::Any), Ok(65_535));
        assert!(read::<u16>(Kind::Int(65_536), &Rule::Any).is_err());
        assert!(read::<u16>(Kind::Int(0), &Rule::Positive).is_err());
    }

    #[test]
    fn one_of_a_few() {
        let rule = Rule::OneOf(&[301, 302]);
        assert_eq!(read::<u16>(Kind::Int(302), &rule), Ok(302));
        let message = read::<u16>(Kind::Int(300), &rule).expect_err("not allowed");
        assert_eq!(
            message,
            "expected one of `301` or `302`, found the integer 300 | "
        );
    }

    #[test]
    fn numbers_keep_their_bounds() {
        let rule = Rule::Within(0, 1);
        for (kind, value) in [
            (Kind::Int(1), 1.0),
            (Kind::Float(0.25), 0.25),
            (loose("0.5"), 0.5),
        ] {
            assert_eq!(read::<f64>(kind, &rule), Ok(value));
        }
        for kind in [
            Kind::Float(2.0),
            Kind::Float(f64::NAN),
            Kind::Bool(true),
            text("1"),
        ] {
            let message = read::<f64>(kind, &rule).expect_err("out of bounds");
            assert!(
                message.starts_with("expected a number from 0 to 1, found "),
                "{message}"
            );
        }
    }

    #[test]
    fn truth_values_and_what_people_write_instead() {
        assert_eq!(read::<bool>(Kind::Bool(true), &Rule::Any), Ok(true));
        assert_eq!(read::<bool>(loose("false"), &Rule::Any), Ok(false));
        for (kind, help) in [
            (text("yes"), "did you mean `true`?"),
            (text("Off"), "did you mean `false`?"),
            (Kind::Int(1), ""),
        ] {
            let message = read::<bool>(kind, &Rule::Any).expect_err("no truth value");
            assert_eq!(message.split_once(" | ").map(|(_, help)| help), Some(help));
        }
    }
}

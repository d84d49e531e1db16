//! `${env:NAME}` and `${env:NAME:-default}` inside values.
//!
//! Other `${...}` are templates for a later room and stay as they are. Keys are never replaced.

use crate::node::{Kind, Node};
use crate::problems::Problems;
use crate::span::Span;

const OPENING: &str = "${env:";

/// Replaces every reference to the environment under `node`; `source` is the text it was parsed from.
pub(crate) fn fill(
    node: &mut Node,
    source: &str,
    env: &dyn Fn(&str) -> Option<String>,
    problems: &mut Problems,
) {
    match &mut node.kind {
        Kind::List(items) => {
            for item in items {
                fill(item, source, env, problems);
            }
        }
        Kind::Map(entries) => {
            for entry in entries {
                fill(&mut entry.value, source, env, problems);
            }
        }
        Kind::Text(text) if text.contains(OPENING) => {
            node.kind = match expand(text, env) {
                Ok(expanded) => {
                    problems.hide(&expanded, text);
                    Kind::Loose(expanded)
                }
                Err(fault) => {
                    fault.report(node.span, source, problems);
                    Kind::Broken
                }
            };
        }
        _ => {}
    }
}

/// What is wrong with a reference, and its beginning as written.
#[derive(PartialEq, Debug)]
struct Fault {
    reference: String,
    message: String,
    help: String,
}

impl Fault {
    /// Points at the reference itself where the source has it literally, else at the whole value.
    fn report(self, span: Span, source: &str, problems: &mut Problems) {
        let within = source.get(span.start..span.end).unwrap_or_default();
        let place = within.find(&self.reference).map(|at| {
            let start = span.start + at;
            Span::new(start, start + self.reference.len())
        });
        problems
            .error(place.unwrap_or(span), self.message)
            .help(self.help);
    }
}

fn expand(text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<String, Fault> {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, reference)) = rest.split_once(OPENING) {
        let Some((asked, after)) = reference.split_once('}') else {
            return Err(Fault {
                reference: OPENING.to_owned(),
                message: "`${env:` is never closed".to_owned(),
                help: "write `${env:NAME}` or `${env:NAME:-default}`".to_owned(),
            });
        };
        expanded.push_str(before);
        expanded.push_str(&look_up(asked, env)?);
        rest = after;
    }
    expanded.push_str(rest);
    Ok(expanded)
}

/// The value for `NAME` or `NAME:-default`. As in a shell, an empty variable takes the default as well.
fn look_up(asked: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<String, Fault> {
    let (name, default) = match asked.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (asked, None),
    };
    let fault = |message: String, help: String| Fault {
        reference: format!("{OPENING}{asked}}}"),
        message,
        help,
    };
    if !is_name(name) {
        return Err(fault(
            format!("`{name}` cannot be the name of an environment variable"),
            "names are letters, digits and `_`, as in `${env:NAME}` or `${env:NAME:-default}`"
                .to_owned(),
        ));
    }
    match (env(name), default) {
        (Some(value), None) => Ok(value),
        (Some(value), Some(_)) if !value.is_empty() => Ok(value),
        (_, Some(default)) => Ok(default.to_owned()),
        (None, None) => Err(fault(
            format!("the environment variable `{name}` is not set"),
            format!("set it, or give a default: `${{env:{name}:-default}}`"),
        )),
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(name: &str) -> Option<String> {
        match name {
            "HOST" => Some("10.0.0.1".to_owned()),
            "PORT" => Some("8080".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        }
    }

    #[test]
    fn references_are_replaced_and_templates_are_not() {
        for (text, expanded) in [
            ("${env:PORT}", "8080"),
            ("http://${env:HOST}:${env:PORT}/", "http://10.0.0.1:8080/"),
            ("${env:NONE:-9}", "9"),
            ("${env:NONE:-}", ""),
            ("${env:EMPTY:-9}", "9"),
            ("[${env:EMPTY}]", "[]"),
            ("${env:PORT:-9}", "8080"),
            ("${client.address} ${env:PORT}", "${client.address} 8080"),
            ("nothing ${here}", "nothing ${here}"),
        ] {
            assert_eq!(expand(text, &env).as_deref(), Ok(expanded), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_replaced_is_a_problem_at_its_place() {
        for (text, at, message) in [
            (
                "a ${env:NONE} b",
                2,
                "the environment variable `NONE` is not set",
            ),
            ("ab ${env:PORT", 3, "`${env:` is never closed"),
            ("${env:}", 0, "`` cannot be the name"),
            ("${env:A B}", 0, "`A B` cannot be the name"),
        ] {
            let mut problems = Problems::new("f", text);
            let mut node = Node::new(Kind::Text(text.to_owned()), Span::new(0, text.len()));
            fill(&mut node, text, &env, &mut problems);
            assert_eq!(node.kind, Kind::Broken);
            let found: Vec<_> = problems.iter().collect();
            assert_eq!(found.len(), 1, "{text}");
            assert_eq!(found[0].span.start, at, "{text}");
            assert!(found[0].message.contains(message), "{}", found[0].message);
        }
    }

    #[test]
    fn a_value_that_only_looks_like_a_reference_is_not_replaced_again() {
        let circular = |_: &str| Some("${env:SELF}".to_owned());
        assert_eq!(
            expand("${env:SELF}", &circular).as_deref(),
            Ok("${env:SELF}")
        );
    }
}

//! What all readers of values share: how to say that a value is not what it should be.

use crate::node::{Kind, Node, quoted};
use crate::problems::{Problem, Problems};
use crate::span::Span;
use crate::suggest::suggest;

/// Collects problems while values are read.
pub(crate) struct Reader<'p> {
    problems: &'p mut Problems,
}

impl<'p> Reader<'p> {
    pub(crate) fn new(problems: &'p mut Problems) -> Self {
        Self { problems }
    }

    pub(crate) fn error(&mut self, span: Span, message: impl Into<String>) -> &mut Problem {
        self.problems.error(span, message)
    }

    /// Says that `node` should have been `what`; `None` when its problem is already known.
    pub(crate) fn expected(&mut self, what: &str, node: &Node) -> Option<&mut Problem> {
        if node.kind == Kind::Broken {
            return None;
        }
        let message = format!("expected {what}, found {}", node.found());
        Some(self.error(node.span, message))
    }

    /// The value whose word `node` holds.
    pub(crate) fn choice<T: Copy>(&mut self, node: &Node, all: &[(&'static str, T)]) -> Option<T> {
        // A version such as 1.3 is a number where it has no quotes.
        let number = match node.kind {
            Kind::Float(number) => Some(number.to_string()),
            _ => None,
        };
        let word = node.text().or(number.as_deref());
        if let Some((_, value)) = all.iter().find(|(name, _)| Some(*name) == word) {
            return Some(*value);
        }
        let names = || all.iter().map(|(name, _)| *name);
        let expected = listed(names());
        let problem = self.expected(&expected, node)?;
        if let Some(word) = word {
            problem.suggest(suggest(word, names()));
        }
        None
    }

    /// Says that a section has no such key.
    pub(crate) fn unknown_key(
        &mut self,
        key: &str,
        span: Span,
        title: &str,
        known: &[&'static str],
    ) {
        let known = || known.iter().copied();
        let meant = suggest(key, known());
        let problem = self.error(span, format!("{title} has no key {}", quoted(key)));
        match meant {
            Some(meant) => problem.suggest(Some(meant)),
            None => problem.help(format!("its keys are {}", words(known(), "and"))),
        };
    }
}

/// "`a`", or "one of `a`, `b` or `c`".
pub(crate) fn listed<'n>(names: impl ExactSizeIterator<Item = &'n str>) -> String {
    let few = names.len() < 2;
    let words = words(names, "or");
    if few {
        words
    } else {
        format!("one of {words}")
    }
}

/// "`a`, `b` or `c`", with the last word joined by `conjunction`.
fn words<'n>(names: impl Iterator<Item = &'n str>, conjunction: &str) -> String {
    let mut words: Vec<_> = names.map(|name| format!("`{name}`")).collect();
    match (words.pop(), words.is_empty()) {
        (None, _) => String::new(),
        (Some(last), true) => last,
        (Some(last), false) => format!("{} {conjunction} {last}", words.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_listed_as_a_person_would() {
        for (names, text) in [
            (&["a"][..], "`a`"),
            (&["a", "b"], "one of `a` or `b`"),
            (&["a", "b", "c"], "one of `a`, `b` or `c`"),
        ] {
            assert_eq!(listed(names.iter().copied()), text);
        }
    }

    #[test]
    fn what_is_known_to_be_broken_is_not_reported_again() {
        let mut problems = Problems::new("f", "x");
        let mut reader = Reader::new(&mut problems);
        let broken = Node::new(Kind::Broken, Span::default());
        assert!(reader.expected("a duration", &broken).is_none());
        assert_eq!(reader.choice(&broken, &[("a", 1)]), None);
        assert!(problems.is_empty());
    }
}

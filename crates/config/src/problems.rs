//! Everything that is wrong with one configuration text, in the order of the text.

use std::fmt;

use crate::span::Span;

/// How bad a problem is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Severity {
    /// The configuration is refused.
    Error,
    /// The configuration works, though perhaps not as its author thinks.
    Warning,
}

/// One thing wrong, with its place and what to do about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// Whether it refuses the configuration.
    pub severity: Severity,
    /// Where it is.
    pub span: Span,
    /// What was expected and what was found.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    /// A second place that explains the first, and what is there.
    pub related: Option<(Span, String)>,
}

impl Problem {
    /// Says what to do about it.
    pub fn help(&mut self, help: impl Into<String>) -> &mut Self {
        self.help = Some(help.into());
        self
    }

    /// Offers `word`, if there is one, as what was probably meant.
    pub fn suggest(&mut self, word: Option<String>) -> &mut Self {
        match word {
            Some(word) => self.help(format!("did you mean `{word}`?")),
            None => self,
        }
    }

    /// Points at a second place, such as where a name was "first defined here".
    pub fn also(&mut self, span: Span, label: impl Into<String>) -> &mut Self {
        self.related = Some((span, label.into()));
        self
    }
}

/// Line and column of a place, both counted from 1; columns count characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Position {
    /// Line, from 1.
    pub line: usize,
    /// Character in the line, from 1.
    pub column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// The problems of one text, which they know by name.
#[derive(Clone, Debug)]
pub struct Problems {
    file: String,
    text: String,
    list: Vec<Problem>,
}

impl Problems {
    /// No problems yet with `text`, the content of `file`.
    pub fn new(file: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            text: text.into(),
            list: Vec::new(),
        }
    }

    /// Adds an error at `span`; the answer takes help and a second place.
    pub fn error(&mut self, span: Span, message: impl Into<String>) -> &mut Problem {
        self.push(Severity::Error, span, message.into())
    }

    /// Adds a warning at `span`; the answer takes help and a second place.
    pub fn warning(&mut self, span: Span, message: impl Into<String>) -> &mut Problem {
        self.push(Severity::Warning, span, message.into())
    }

    /// Keeps the list sorted by place, and says nothing twice: a part of a YAML file that is used again
    /// through an alias brings its problems along.
    fn push(&mut self, severity: Severity, span: Span, message: String) -> &mut Problem {
        let span = span.within(&self.text);
        let first = self.list.partition_point(|p| p.span.start < span.start);
        let last = self.list.partition_point(|p| p.span.start <= span.start);
        let here = self.list.get(first..last).unwrap_or_default();
        let known = here.iter().position(|problem| {
            (problem.severity, problem.span) == (severity, span) && problem.message == message
        });
        let index = known.map_or(last, |known| first + known);
        if known.is_none() {
            let problem = Problem {
                severity,
                span,
                message,
                help: None,
                related: None,
            };
            self.list.insert(index, problem);
        }
        &mut self.list[index]
    }

    /// Name of the file, as given.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The text that has these problems.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether any of them refuses the configuration.
    pub fn has_errors(&self) -> bool {
        self.errors() > 0
    }

    /// How many of them are errors.
    pub fn errors(&self) -> usize {
        self.list
            .iter()
            .filter(|problem| problem.severity == Severity::Error)
            .count()
    }

    /// How many there are, warnings included.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none at all.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// All of them, in the order of the text.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.list.iter()
    }

    /// Line and column where `span` begins.
    pub fn position(&self, span: Span) -> Position {
        let before = self
            .text
            .get(..span.within(&self.text).start)
            .unwrap_or_default();
        let line = before.rsplit('\n').next().unwrap_or_default();
        Position {
            line: before.matches('\n').count() + 1,
            column: line.chars().count() + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_come_in_the_order_of_the_text() {
        let mut problems = Problems::new("a.yaml", "one\ntwo\nthree\n");
        problems.error(Span::new(8, 13), "third");
        problems.warning(Span::new(0, 3), "first");
        problems.error(Span::new(4, 7), "second");
        problems.error(Span::new(4, 7), "second, too");
        let order: Vec<_> = problems.iter().map(|p| p.message.as_str()).collect();
        assert_eq!(order, ["first", "second", "second, too", "third"]);
        assert_eq!((problems.len(), problems.errors()), (4, 3));
    }

    #[test]
    fn the_same_problem_is_kept_once() {
        let mut problems = Problems::new("a.yaml", "text");
        problems.error(Span::new(0, 4), "wrong");
        problems.error(Span::new(0, 4), "wrong").help("right it");
        assert_eq!(problems.len(), 1);
        assert!(problems.iter().all(|p| p.help.is_some()));
    }

    #[test]
    fn warnings_refuse_nothing() {
        let mut problems = Problems::new("a.yaml", "text");
        problems.warning(Span::default(), "hm");
        assert!(!problems.has_errors() && !problems.is_empty());
    }

    #[test]
    fn positions_count_lines_and_characters_from_one() {
        let problems = Problems::new("a.yaml", "añb\n  x\n\n");
        for (at, line, column) in [(0, 1, 1), (3, 1, 3), (5, 2, 1), (7, 2, 3), (99, 2, 4)] {
            let span = Span::new(at, at + 1);
            assert_eq!(problems.position(span), Position { line, column }, "{at}");
        }
    }
}

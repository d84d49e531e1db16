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

/// The problems of one configuration, which knows its files by name.
#[derive(Clone, Debug)]
pub struct Problems {
    /// The main file, then those it includes.
    sources: Vec<Source>,
    list: Vec<Problem>,
    /// Errors beyond what the list takes, and the latest of them.
    beyond: usize,
    latest: Option<Box<Problem>>,
    /// What came from the environment, each with the reference to it.
    hidden: Vec<(String, String)>,
}

/// Problems that are kept; further ones are only counted.
const MOST: usize = 1000;

/// Shorter values than this are no secrets, and stand for too much else.
const SECRET: usize = 4;

/// Shorter ones may be a part of any word, and are hidden only where they are whole.
const SURE: usize = 8;

/// One file. Spans count on from file to file, so that each says which it means.
#[derive(Clone, Debug)]
struct Source {
    file: String,
    text: String,
    /// What the spans of this file begin with.
    base: usize,
}

impl Problems {
    /// The texts of all files that were read.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.sources.iter().map(|source| &*source.text)
    }

    /// No problems yet with `text`, the content of `file`.
    pub fn new(file: impl Into<String>, text: impl Into<String>) -> Self {
        let source = Source {
            file: file.into(),
            text: text.into(),
            base: 0,
        };
        Self {
            sources: vec![source],
            list: Vec::new(),
            beyond: 0,
            latest: None,
            hidden: Vec::new(),
        }
    }

    /// Nothing that is said is to quote this value, but the reference by which
    /// it was written: it may be a secret.
    pub(crate) fn hide(&mut self, value: &str, reference: &str) {
        let pair = (value.to_owned(), reference.to_owned());
        if value.len() >= SECRET && value != reference && !self.hidden.contains(&pair) {
            self.hidden.push(pair);
        }
    }

    /// To be called when everything has been said.
    pub fn finish(&mut self) {
        let Self { list, hidden, .. } = self;
        hidden.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
        let hide = |text: &mut String| {
            for (value, reference) in hidden.iter() {
                if text.contains(value) {
                    *text = without(text, value, reference);
                }
            }
        };
        for problem in list {
            hide(&mut problem.message);
            problem.help.iter_mut().for_each(&hide);
            problem.related.iter_mut().for_each(|(_, text)| hide(text));
        }
    }

    /// Takes in a further file with its problems; returns by how much its spans are to be shifted.
    pub(crate) fn include(&mut self, other: Self) -> usize {
        let base = self.sources.last().map_or(0, |s| s.base + s.text.len() + 1);
        let shifted = |source: Source| Source {
            base: source.base + base,
            ..source
        };
        self.sources.extend(other.sources.into_iter().map(shifted));
        self.beyond += other.beyond;
        self.hidden.extend(other.hidden);
        for mut problem in other.list {
            problem.span = problem.span.shifted(base);
            if let Some((span, _)) = &mut problem.related {
                *span = span.shifted(base);
            }
            self.list.push(problem);
        }
        base
    }

    /// The file that a span is in, and the span within its text.
    fn locate(&self, span: Span) -> (&Source, Span) {
        let span = if span == Span::NOWHERE {
            Span::default()
        } else {
            span
        };
        let after = self.sources.partition_point(|s| s.base <= span.start);
        let source = &self.sources[after.saturating_sub(1)];
        let local = Span::new(
            span.start - source.base,
            span.end.max(span.start) - source.base,
        );
        (source, local.within(&source.text))
    }

    /// The file of a span, its text, and the span within it.
    pub fn place(&self, span: Span) -> (&str, &str, Span) {
        let (source, local) = self.locate(span);
        (&source.file, &source.text, local)
    }

    /// Every file with an error in it, by name and number; 0 is the main one.
    pub fn files_with_errors(&self) -> Vec<(usize, &str)> {
        let has_error = |source: &Source| {
            self.list.iter().any(|problem| {
                problem.severity == Severity::Error
                    && self.locate(problem.span).0.base == source.base
            })
        };
        let files = self.sources.iter().enumerate();
        files
            .filter(|(_, source)| has_error(source))
            .map(|(number, source)| (number, &*source.file))
            .collect()
    }

    /// The errors of one file, by number.
    pub fn of_file(&self, number: usize) -> Self {
        let mut of_file = self.clone();
        of_file.list.retain(|problem| {
            let base = self.locate(problem.span).0.base;
            problem.severity == Severity::Error
                && self
                    .sources
                    .get(number)
                    .is_some_and(|source| source.base == base)
        });
        of_file
    }

    /// What is written at a span.
    pub fn written(&self, span: Span) -> &str {
        let after = self.sources.partition_point(|s| s.base <= span.start);
        let source = &self.sources[after.saturating_sub(1)];
        let local = span.start.saturating_sub(source.base)..span.end.saturating_sub(source.base);
        source.text.get(local).unwrap_or_default()
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
        let (source, local) = self.locate(span);
        let span = local.shifted(source.base);
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
            if self.list.len() >= MOST {
                self.beyond += usize::from(severity == Severity::Error);
                return self.latest.insert(Box::new(problem));
            }
            self.list.insert(index, problem);
        }
        &mut self.list[index]
    }

    /// Name of the main file, as given.
    pub fn file(&self) -> &str {
        self.sources.first().map_or("", |source| &source.file)
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
            + self.beyond
    }

    /// How many there are, warnings included.
    pub fn len(&self) -> usize {
        self.list.len() + self.beyond
    }

    /// Whether there are none at all.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// All of them, in the order of the text.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.list.iter()
    }

    /// Line and column where `span` begins in its file.
    pub fn position(&self, span: Span) -> Position {
        let (_, text, span) = self.place(span);
        let before = text.get(..span.start).unwrap_or_default();
        let line = before.rsplit('\n').next().unwrap_or_default();
        Position {
            line: before.matches('\n').count() + 1,
            column: line.chars().count() + 1,
        }
    }
}

/// The text with the reference in place of the value.
fn without(text: &str, value: &str, reference: &str) -> String {
    if value.len() >= SURE {
        return text.replace(value, reference);
    }
    let (mut done, mut end) = (String::new(), 0);
    for (at, _) in text.match_indices(value) {
        let (before, rest) = text.split_at(at);
        let after = rest.strip_prefix(value).unwrap_or_default();
        let is_part =
            before.ends_with(char::is_alphanumeric) || after.starts_with(char::is_alphanumeric);
        done.push_str(before.get(end..).unwrap_or_default());
        done.push_str(if is_part { value } else { reference });
        end = at + value.len();
    }
    done.push_str(text.get(end..).unwrap_or_default());
    done
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
    fn what_came_from_the_environment_is_not_quoted() {
        let env = |name: &str| (name == "SECRET").then(|| "correct horse".to_owned());
        let text = "workers: \"${env:SECRET}\"\nserver: { address: \"${env:SECRET}\" }\n";
        let mut reading = crate::read("a.yaml", text, &env);
        reading.problems.finish();
        let said = reading.problems.render(false);
        assert!(
            !said.contains("horse") && said.contains("${env:SECRET}"),
            "{said}"
        );
        assert_eq!(reading.problems.len(), 2, "{said}");
    }

    #[test]
    fn short_values_are_hidden_where_they_are_words() {
        for (text, value, shown) in [
            ("it is shorter than 16", "short", "it is shorter than 16"),
            ("found `short`, short.", "short", "found `@`, @."),
            ("shorter, short", "short", "shorter, @"),
            ("xcorrect horsex", "correct horse", "x@x"),
            ("éa1b2", "a1b2", "éa1b2"),
        ] {
            assert_eq!(without(text, value, "@"), shown, "{text}");
        }
    }

    #[test]
    fn very_many_problems_are_counted_and_not_kept() {
        let mut problems = Problems::new("a.yaml", "x".repeat(5000));
        for at in 0..5000 {
            problems.error(Span::new(at, at + 1), "bad").help("mend it");
        }
        assert_eq!((problems.len(), problems.errors()), (5000, 5000));
        assert_eq!(problems.iter().count(), MOST);
    }

    #[test]
    fn every_file_has_its_own_places() {
        let mut problems = Problems::new("a.yaml", "one\n");
        let mut other = Problems::new("b.yaml", "x\nyes\n");
        other
            .error(Span::new(2, 5), "parsed")
            .also(Span::new(0, 1), "here");
        let base = problems.include(other);
        problems.warning(Span::new(base, base + 1), "found later");
        problems.warning(Span::new(0, 3), "in the first");
        let shown: Vec<_> = problems
            .iter()
            .map(|p| {
                let (file, _, span) = problems.place(p.span);
                let at = problems.position(p.span);
                (&*p.message, file, at.line, span, problems.written(p.span))
            })
            .collect();
        assert_eq!(
            shown,
            [
                ("in the first", "a.yaml", 1, Span::new(0, 3), "one"),
                ("found later", "b.yaml", 1, Span::new(0, 1), "x"),
                ("parsed", "b.yaml", 2, Span::new(2, 5), "yes"),
            ]
        );
        assert_eq!(problems.files_with_errors(), [(1, "b.yaml")]);
        assert_eq!(problems.of_file(1).len(), 1);
        assert_eq!(problems.of_file(0).len(), 0);
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

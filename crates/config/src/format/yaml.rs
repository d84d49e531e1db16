//! YAML 1.2: events of a parser, built into a tree.
//!
//! Aliases and merge keys (`<<`) work, within a bound on what they may unfold to.

use std::borrow::Cow;
use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, Span as Place, Tag};

use super::{Entries, MAX_DEPTH};
use crate::node::{Entry, Kind, Node, resolve};
use crate::problems::Problems;
use crate::span::Span;

/// Nodes that all aliases of a file together may unfold to.
const MAX_UNFOLDED: usize = 100_000;

pub(super) fn parse(text: &str, problems: &mut Problems) -> Option<Node> {
    let mut tree = Tree::new(text, problems);
    for event in Parser::new_from_str(text) {
        let step = match event {
            Ok((event, place)) => tree.take(event, byte_span(&place)),
            Err(error) => {
                let at = error.marker().byte_offset().unwrap_or(text.len());
                let span = Span::new(at, at + 1);
                tree.malformed(span, &error.info())
            }
        };
        step.ok()?;
    }
    let whole = Span::new(0, text.len());
    Some(tree.root.unwrap_or(Node::new(Kind::Null, whole)))
}

fn byte_span(place: &Place) -> Span {
    place.byte_range().map_or(Span::default(), Span::from)
}

/// The text cannot be read any further; why has been said.
struct Stopped;

/// A list or map whose end has not come yet.
struct Open {
    start: usize,
    anchor: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map {
        entries: Entries,
        merged: Vec<Node>,
        /// The key whose value comes next. The name is missing when the key was not a scalar.
        key: Option<(Option<String>, Span)>,
    },
}

struct Tree<'t, 'p> {
    text: &'t str,
    problems: &'p mut Problems,
    open: Vec<Open>,
    root: Option<Node>,
    anchors: HashMap<usize, Node>,
    unfolded: usize,
}

impl<'t, 'p> Tree<'t, 'p> {
    fn new(text: &'t str, problems: &'p mut Problems) -> Self {
        Self {
            text,
            problems,
            open: Vec::new(),
            root: None,
            anchors: HashMap::new(),
            unfolded: 0,
        }
    }

    fn stop(&mut self, span: Span, message: impl Into<String>) -> Result<(), Stopped> {
        self.problems.error(span, message);
        Err(Stopped)
    }

    fn malformed(&mut self, span: Span, why: &str) -> Result<(), Stopped> {
        let problem = self.problems.error(span, format!("not valid YAML: {why}"));
        // As in "regex:\d+", from other formats where only quotes are special.
        if why.contains("unknown escape character") {
            problem.help("in single quotes a backslash stands for itself: 'regex:\\.png$'");
        }
        Err(Stopped)
    }

    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Stopped> {
        match event {
            Event::DocumentStart(..) if self.root.is_some() => self.stop(
                span,
                "a second document begins here; a configuration is one document",
            ),
            Event::Scalar(text, style, anchor, tag) => {
                let kind = self.scalar(&text, style, tag.as_deref(), span);
                self.finished(Node::new(kind, span), anchor);
                Ok(())
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.begin(span, anchor, tag, Content::List(Vec::new()))
            }
            Event::MappingStart(_, anchor, tag) => {
                let content = Content::Map {
                    entries: Entries::default(),
                    merged: Vec::new(),
                    key: None,
                };
                self.begin(span, anchor, tag, content)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                self.end(span);
                Ok(())
            }
            Event::Alias(anchor) => self.alias(anchor, span),
            _ => Ok(()),
        }
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, span: Span) -> Kind {
        match tag {
            Some(tag) if tag.is_yaml_core_schema_tag("str") => Kind::Text(text.to_owned()),
            Some(tag) if !tag.is_yaml_core_schema() => self.foreign_tag(tag, span),
            _ if style == ScalarStyle::Plain => resolve(text),
            _ => Kind::Text(text.to_owned()),
        }
    }

    fn foreign_tag(&mut self, tag: &Tag, span: Span) -> Kind {
        let message = format!("the tag `{}` has no meaning here", tag.original());
        self.problems.error(span, message).help("leave it out");
        Kind::Broken
    }

    fn begin(
        &mut self,
        span: Span,
        anchor: usize,
        tag: Option<Cow<'_, Tag>>,
        content: Content,
    ) -> Result<(), Stopped> {
        if let Some(tag) = tag.filter(|tag| !tag.is_yaml_core_schema()) {
            self.foreign_tag(&tag, span);
        }
        if self.open.len() >= MAX_DEPTH {
            return self.stop(span, format!("nested more than {MAX_DEPTH} levels deep"));
        }
        self.open.push(Open {
            start: span.start,
            anchor,
            content,
        });
        Ok(())
    }

    fn end(&mut self, span: Span) {
        let Some(open) = self.open.pop() else {
            return;
        };
        let whole = Span::new(open.start, span.end.max(open.start));
        let kind = match open.content {
            Content::List(items) => Kind::List(items),
            Content::Map {
                entries, merged, ..
            } => Kind::Map(self.merge(entries, merged)),
        };
        self.finished(Node::new(kind, whole), open.anchor);
    }

    /// Adds what the `<<` keys of a map bring along, behind its own keys; what it has itself stays.
    fn merge(&mut self, entries: Entries, merged: Vec<Node>) -> Vec<Entry> {
        let Entries { mut list, mut seen } = entries;
        for source in merged {
            let (kind, span) = (source.kind, source.span);
            let Kind::Map(brought) = kind else {
                self.problems
                    .error(span, "`<<` merges a map, and this is none")
                    .help("write `<<: *name`, where `&name` marks a map, or a list of such");
                continue;
            };
            for entry in brought {
                if !seen.contains_key(&entry.key) {
                    seen.insert(entry.key.clone(), entry.key_span);
                    list.push(entry);
                }
            }
        }
        list
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<(), Stopped> {
        let Some(node) = self.anchors.get(&anchor) else {
            return self.stop(
                span,
                "this alias is inside the very value that it stands for",
            );
        };
        let (count, depth) = node.measure();
        self.unfolded += count;
        if self.unfolded > MAX_UNFOLDED || depth + self.open.len() > MAX_DEPTH {
            let message = format!(
                "the aliases of this file unfold to more than {MAX_UNFOLDED} values or {MAX_DEPTH} levels"
            );
            return self.stop(span, message);
        }
        let node = Node::new(node.kind.clone(), span);
        self.finished(node, 0);
        Ok(())
    }

    /// Puts a complete value where it belongs.
    fn finished(&mut self, node: Node, anchor: usize) {
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let text = self.text;
        match self.open.last_mut().map(|open| &mut open.content) {
            None => self.root = Some(node),
            Some(Content::List(items)) => items.push(node),
            Some(Content::Map {
                entries,
                merged,
                key,
            }) => match key.take() {
                None => *key = Some(key_of(node, text, self.problems)),
                Some((Some(name), _)) if name == "<<" => match node.kind {
                    Kind::List(sources) => merged.extend(sources),
                    _ => merged.push(node),
                },
                Some((Some(name), span)) => {
                    entries.add(Entry::new(name, span, node, text), self.problems);
                }
                Some((None, _)) => {}
            },
        }
    }
}

/// Keys are names: whatever scalar stands there counts as it is written.
fn key_of(node: Node, text: &str, problems: &mut Problems) -> (Option<String>, Span) {
    let span = node.span;
    let name = match node.kind {
        Kind::Text(name) => Some(name),
        Kind::List(_) | Kind::Map(_) => {
            problems
                .error(span, "a key must be a plain word, not a list or a map")
                .help("did you mean to put quotes around it?");
            None
        }
        Kind::Broken => None,
        _ => text.get(span.start..span.end).map(str::to_owned),
    };
    (name, span)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::tests::{Shown, problems_in, shown};

    fn yaml(text: &str) -> Shown {
        shown(parse, text)
    }

    #[test]
    fn values_keep_their_places() {
        let text =
            "a: 1\nb:\n  - x: 'two'\n    y: 3\n  - {z: [4, 5.5]}\nc:\nd: |\n  many\n  lines\n";
        assert_eq!(
            yaml(text),
            [
                "a=1 @1:4",    // values that fit on their line are shown themselves,
                "b=[..] @2:1", // others by their key
                "b[0]={..} @3:5",
                "b[0].x=\"two\" @3:8",
                "b[0].y=3 @4:8",
                "b[1]={..} @5:5",
                "b[1].z=[..] @5:9",
                "b[1].z[0]=4 @5:10",
                "b[1].z[1]=5.5 @5:13",
                "c=null @6:1",
                "d=\"many\\nlines\\n\" @7:1",
            ]
        );
    }

    #[test]
    fn quotes_and_the_string_tag_make_text() {
        assert_eq!(
            yaml("[1, '1', \"1\", !!str 1, true]"),
            [
                "[0]=1 @1:2",
                "[1]=\"1\" @1:5",
                "[2]=\"1\" @1:10",
                "[3]=\"1\" @1:21",
                "[4]=true @1:24",
            ]
        );
    }

    #[test]
    fn aliases_and_merge_keys_unfold() {
        let text = "base: &b {x: 1, y: 2}\nuse: *b\nmore: {<<: *b, y: 3}\n";
        assert_eq!(
            yaml(text)[3..],
            [
                "use={..} @2:6",
                "use.x=1 @1:14",
                "use.y=2 @1:20",
                "more={..} @3:7",
                "more.y=3 @3:19",
                "more.x=1 @1:14",
            ]
        );
    }

    #[test]
    fn a_backslash_in_double_quotes_gets_advice() {
        let text = r#"path: "regex:^/\d+$""#;
        let mut problems = Problems::new("f", text);
        assert!(parse(text, &mut problems).is_none());
        let help = problems.iter().next().unwrap().help.as_deref();
        assert!(help.unwrap().contains("in single quotes"), "{help:?}");
    }

    #[test]
    fn what_is_refused_is_refused_at_its_place() {
        let bomb: String = (1..9)
            .map(|level| {
                let below = format!("*a{}, ", level - 1).repeat(9);
                format!("a{level}: &a{level} [{below}]\n")
            })
            .collect();
        let bomb = format!("a0: &a0 x\n{bomb}");
        let deep = "[".repeat(MAX_DEPTH + 1) + &"]".repeat(MAX_DEPTH + 1);
        for (text, place, message) in [
            ("a: [1", "1:4", "not valid YAML"),
            ("a:\n\tb: 2", "2:2", "not valid YAML"),
            ("a: b: c", "1:5", "not valid YAML"),
            ("a: *none", "1:4", "not valid YAML"),
            ("a: 1\na: 2", "2:1", "the key `a` is here twice"),
            ("a: 1\n---\nb: 2", "2:1", "a second document"),
            ("a: &x [*x]", "1:8", "inside the very value"),
            ("a: !secret x", "1:12", "the tag `!secret`"),
            ("? [a]\n: 1", "1:3", "a key must be a plain word"),
            ("<<: 5", "1:5", "merges a map"),
            (&bomb, "7:10", "unfold to more than"),
            (&deep, "1:65", "nested more than 64"),
        ] {
            let found = problems_in(parse, text);
            assert_eq!(found.len(), 1, "{text}: {found:?}");
            assert!(found[0].contains(message), "{text}: {found:?}");
            assert!(
                found[0].starts_with(&format!("{place} ")),
                "{text}: {found:?}"
            );
        }
    }

    #[test]
    fn an_empty_text_is_nothing() {
        for text in ["", "\n# only a comment\n", "---\n"] {
            let mut problems = Problems::new("f", text);
            assert!(parse(text, &mut problems).is_some_and(|root| root.is_null()));
        }
    }
}

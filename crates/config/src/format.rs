//! From text to a tree of nodes, one file per format.

mod json;
mod toml;
mod yaml;

use std::collections::HashMap;
use std::path::Path;

use crate::node::{Entry, Node};
use crate::problems::Problems;
use crate::span::Span;

/// Levels of nesting after which a text is refused; the deepest setting is at level six.
const MAX_DEPTH: usize = 64;

/// What a configuration can be written in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Format {
    Yaml,
    Json,
    Toml,
}

impl Format {
    /// Chosen by the extension of the file's name.
    pub(crate) fn of(name: &str) -> Self {
        let extension = Path::new(name)
            .extension()
            .and_then(|extension| extension.to_str())
            .map(str::to_ascii_lowercase);
        match extension.as_deref() {
            Some("json") => Self::Json,
            Some("toml") => Self::Toml,
            _ => Self::Yaml,
        }
    }

    /// The tree of `text`; `None`, and a problem, when it is not well-formed.
    pub(crate) fn parse(self, text: &str, problems: &mut Problems) -> Option<Node> {
        match self {
            Self::Yaml => yaml::parse(text, problems),
            Self::Json => json::parse(text, problems),
            Self::Toml => toml::parse(text, problems),
        }
    }
}

/// The entries of a map on their way in; a key that comes twice is a problem, and the first one counts.
#[derive(Default)]
struct Entries {
    list: Vec<Entry>,
    seen: HashMap<String, Span>,
}

impl Entries {
    fn add(&mut self, entry: Entry, problems: &mut Problems) {
        if let Some(first) = self.seen.get(&entry.key) {
            duplicate(&entry.key, entry.key_span, Some(*first), problems);
            return;
        }
        self.seen.insert(entry.key.clone(), entry.key_span);
        self.list.push(entry);
    }
}

fn duplicate(key: &str, second: Span, first: Option<Span>, problems: &mut Problems) {
    let problem = problems
        .error(second, format!("the key `{key}` is here twice"))
        .help("keep one of them");
    if let Some(first) = first {
        problem.also(first, "first defined here");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::Kind;

    type Parse = fn(&str, &mut Problems) -> Option<Node>;
    pub(super) type Shown = Vec<String>;

    /// Every value of `text` below the root, as `path=value @line:column`.
    pub(super) fn shown(parse: Parse, text: &str) -> Shown {
        let mut problems = Problems::new("f", text);
        let root = parse(text, &mut problems).expect("a tree");
        assert!(problems.is_empty(), "{}", problems.render(false));
        let mut lines = Vec::new();
        show_children(&root, "", &problems, &mut lines);
        lines
    }

    fn show_children(node: &Node, path: &str, problems: &Problems, lines: &mut Shown) {
        match &node.kind {
            Kind::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    show(item, format!("{path}[{index}]"), problems, lines);
                }
            }
            Kind::Map(entries) => {
                for entry in entries {
                    let dot = if path.is_empty() { "" } else { "." };
                    show(
                        &entry.value,
                        format!("{path}{dot}{}", entry.key),
                        problems,
                        lines,
                    );
                }
            }
            _ => {}
        }
    }

    fn show(node: &Node, path: String, problems: &Problems, lines: &mut Shown) {
        let value = match &node.kind {
            Kind::Null => "null".to_owned(),
            Kind::Bool(value) => value.to_string(),
            Kind::Int(value) => value.to_string(),
            Kind::Float(value) => format!("{value:?}"),
            Kind::Text(text) => format!("{text:?}"),
            Kind::List(_) => "[..]".to_owned(),
            Kind::Map(_) => "{..}".to_owned(),
            Kind::Loose(_) | Kind::Broken => unreachable!("no parser makes these silently"),
        };
        lines.push(format!("{path}={value} @{}", problems.position(node.span)));
        show_children(node, &path, problems, lines);
    }

    /// The problems of `text`, as `line:column message`.
    pub(super) fn problems_in(parse: Parse, text: &str) -> Vec<String> {
        let mut problems = Problems::new("f", text);
        parse(text, &mut problems);
        problems
            .iter()
            .map(|problem| format!("{} {}", problems.position(problem.span), problem.message))
            .collect()
    }

    #[test]
    fn the_extension_chooses_the_format() {
        for (name, format) in [
            ("forebay.yaml", Format::Yaml),
            ("forebay.yml", Format::Yaml),
            ("/etc/forebay/forebay.JSON", Format::Json),
            ("a.json.toml", Format::Toml),
            ("-", Format::Yaml),
            ("json", Format::Yaml),
        ] {
            assert_eq!(Format::of(name), format, "{name}");
        }
    }
}

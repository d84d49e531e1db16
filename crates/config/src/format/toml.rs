//! TOML 1.0, through the `toml` crate's own spans.

use ::toml::Spanned;
use ::toml::de::{DeArray, DeTable, DeValue, Error};

use super::duplicate;
use crate::node::{Entry, Kind, Node};
use crate::problems::Problems;
use crate::span::Span;

pub(super) fn parse(text: &str, problems: &mut Problems) -> Option<Node> {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut readable = true;
    let mut last_line = None;
    for error in &errors {
        let span = error
            .span()
            .map_or(Span::new(text.len(), text.len()), Span::from);
        // One mistake often makes the parser stumble several times over the rest of its line.
        let line = problems.position(span).line;
        if last_line.replace(line) != Some(line) {
            readable &= report(error, span, text, problems);
        }
    }
    let whole = Span::new(0, text.len());
    readable.then(|| Node::new(map(table.into_inner(), text), whole))
}

/// Whether the rest of the text can be trusted in spite of this error.
fn report(error: &Error, span: Span, text: &str, problems: &mut Problems) -> bool {
    if error.message() == "duplicate key" {
        let key = text.get(span.start..span.end).unwrap_or_default();
        duplicate(key, span, first_definition(key, span, text), problems);
        return true;
    }
    problems.error(span, format!("not valid TOML: {}", error.message()));
    false
}

/// Where the key that comes again at `second` was first. The parser knows and does not tell, but in TOML the
/// place can be seen: the same table header on a line before, or the same key at the beginning of a line since
/// the last header, or earlier on the line itself.
fn first_definition(key: &str, second: Span, text: &str) -> Option<Span> {
    let before = text.get(..second.start)?;
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let opening = text.get(line_start..second.start)?;
    let is_key = |at: usize| {
        let after = text.get(at + key.len()..).unwrap_or_default().trim_start();
        after.starts_with(['=', '.', ']'])
    };
    let found = if opening.trim_start().starts_with('[') {
        let wanted = format!("{}{key}", opening.trim_start());
        line_starting_with(&wanted, 0, text.get(..line_start)?)
            .map(|at| at + wanted.len() - key.len())
    } else if opening.trim().is_empty() {
        let table = before.rfind("\n[").unwrap_or_default();
        line_starting_with(key, table, before)
    } else {
        opening.find(key).map(|at| line_start + at)
    };
    let at = found.filter(|at| is_key(*at))?;
    Some(Span::new(at, at + key.len()))
}

/// Offset of the first line of `text`, at or after `from`, whose first word begins with `wanted`.
fn line_starting_with(wanted: &str, from: usize, text: &str) -> Option<usize> {
    let mut at = from;
    for line in text.get(from..)?.split_inclusive('\n') {
        let content = line.trim_start();
        if content.starts_with(wanted) {
            return Some(at + line.len() - content.len());
        }
        at += line.len();
    }
    None
}

/// The entries in the order of the text, which the parser's table does not keep.
fn map(table: DeTable<'_>, text: &str) -> Kind {
    let mut entries: Vec<_> = table
        .into_iter()
        .map(|(key, value)| {
            let span = Span::from(key.span());
            Entry::new(key.into_inner().into_owned(), span, node(value, text), text)
        })
        .collect();
    entries.sort_by_key(|entry| entry.key_span.start);
    Kind::Map(entries)
}

fn list(array: DeArray<'_>, text: &str) -> Kind {
    Kind::List(array.into_iter().map(|item| node(item, text)).collect())
}

fn node(value: Spanned<DeValue<'_>>, text: &str) -> Node {
    let span = Span::from(value.span());
    let kind = match value.into_inner() {
        DeValue::Table(table) => map(table, text),
        DeValue::Array(array) => list(array, text),
        DeValue::Boolean(value) => Kind::Bool(value),
        DeValue::String(value) => Kind::Text(value.into_owned()),
        DeValue::Datetime(value) => Kind::Text(value.to_string()),
        DeValue::Float(value) => value
            .as_str()
            .parse()
            .map_or_else(|_| Kind::Text(value.to_string()), Kind::Float),
        DeValue::Integer(value) => i64::from_str_radix(value.as_str(), value.radix())
            .map_or_else(|_| Kind::Text(value.to_string()), Kind::Int),
    };
    Node::new(kind, span)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::tests::{problems_in, shown};

    #[test]
    fn values_keep_their_places() {
        let text = "z = 1\n[server]\naddress = \"x\"\n[[routes]]\nid = 'a'\n[[routes]]\nb = { c = [0x10, 1.5] }\n";
        assert_eq!(
            shown(parse, text),
            [
                "z=1 @1:5",
                "server={..} @2:1",
                "server.address=\"x\" @3:11",
                "routes=[..] @4:1",
                "routes[0]={..} @4:1",
                "routes[0].id=\"a\" @5:6",
                "routes[1]={..} @6:1",
                "routes[1].b={..} @7:5",
                "routes[1].b.c=[..] @7:11",
                "routes[1].b.c[0]=16 @7:12",
                "routes[1].b.c[1]=1.5 @7:18",
            ]
        );
    }

    #[test]
    fn every_syntax_error_is_reported_at_its_place() {
        let found = problems_in(parse, "a = x\nb = 1\nc = = 2\n");
        let places: Vec<_> = found.iter().map(|p| &p[..4]).collect();
        assert_eq!(places, ["1:5 ", "3:5 "], "{found:?}");
        assert!(found.iter().all(|p| p.contains("not valid TOML: ")));
    }

    #[test]
    fn duplicate_keys_point_at_the_first() {
        for (text, place, first) in [
            ("a = 1\nb = 2\na = 3\n", "3:1", "1:1"),
            ("[x]\na = 1\n[y]\na = 1\nb = 2\na = 3\n", "6:1", "4:1"),
            ("[x]\na = 1\n[y]\n[x]\n", "4:2", "1:2"),
            ("t = { a = 1, a = 2 }\n", "1:14", "1:7"),
        ] {
            let mut problems = Problems::new("f", text);
            assert!(
                parse(text, &mut problems).is_some(),
                "the rest is readable: {text}"
            );
            let found: Vec<_> = problems.iter().collect();
            assert_eq!(found.len(), 1, "{text}");
            assert_eq!(
                problems.position(found[0].span).to_string(),
                place,
                "{text}"
            );
            let (span, _) = found[0].related.clone().expect("a second place");
            assert_eq!(problems.position(span).to_string(), first, "{text}");
        }
    }
}

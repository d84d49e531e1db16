//! Files that list backends for a group.

use crate::Problems;
use crate::format::Format;
use crate::node::{Entry, Kind, Node};
use crate::reader::Reader;
use crate::settings::{BackendList, ListedBackend};
use crate::shape::Rule;
use crate::value::Value;

/// Reads the file called `name`, whose extension chooses the format: a list of backends, on its own or
/// under the key `backends`.
///
/// # Errors
///
/// All that is wrong with it. An empty file is: it is what a file looks like that is about to be written.
pub fn read_backends(name: &str, text: &str) -> Result<Vec<ListedBackend>, Problems> {
    let mut problems = Problems::new(name, text);
    let list = Format::of(name)
        .parse(text, &mut problems)
        .and_then(|root| list(root, &mut problems));
    match list {
        Some(list) if !problems.has_errors() => {
            Ok(list.backends.into_iter().map(|b| b.value).collect())
        }
        _ => Err(problems),
    }
}

fn list(root: Node, problems: &mut Problems) -> Option<BackendList> {
    if root.is_null() {
        problems
            .error(root.span, "the file says nothing")
            .help("for no backends at all, write `[]`");
        return None;
    }
    let root = match root.kind {
        Kind::List(_) => under_backends(root),
        _ => root,
    };
    if let Kind::Map(entries) = &root.kind
        && !entries.iter().any(|entry| entry.key == "backends")
    {
        problems.error(root.span, "a list of backends needs the key `backends`");
        return None;
    }
    BackendList::read(&root, &Rule::Any, &mut Reader::new(problems))
}

fn under_backends(list: Node) -> Node {
    let span = list.span;
    let entry = Entry {
        key: "backends".to_owned(),
        key_span: span,
        value: list,
    };
    Node::new(Kind::Map(vec![entry]), span)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(name: &str, text: &str) -> Result<Vec<String>, String> {
        let shown = |b: ListedBackend| format!("{} {}", b.url.value, b.weight);
        read_backends(name, text)
            .map(|backends| backends.into_iter().map(shown).collect())
            .map_err(|problems| problems.render(false))
    }

    #[test]
    fn lists_are_read_in_each_form() {
        let two = ["http://a:1 1", "http://b:2 7"];
        for (name, text) in [
            (
                "l.yaml",
                "- http://a:1\n- { url: \"http://b:2\", weight: 7 }\n",
            ),
            (
                "l.yaml",
                "backends: [ \"http://a:1\", { url: \"http://b:2\", weight: 7 } ]",
            ),
            (
                "l.json",
                r#"[ { "url": "http://a:1" }, { "url": "http://b:2", "weight": 7 } ]"#,
            ),
            (
                "l.toml",
                "backends = [ { url = \"http://a:1\" }, { url = \"http://b:2\", weight = 7 } ]",
            ),
        ] {
            assert_eq!(shown(name, text).unwrap(), two, "{text}");
        }
        for empty in ["[]", "backends: []"] {
            assert_eq!(shown("l.yaml", empty).unwrap(), [""; 0]);
        }
    }

    #[test]
    fn anything_else_is_refused_with_a_reason() {
        for (text, why) in [
            ("", "says nothing"),
            ("# later\n", "says nothing"),
            ("{}", "needs the key `backends`"),
            ("servers: []", "needs the key `backends`"),
            ("backends: { a: 1 }", "expected a list"),
            ("- ftp://a:1", "ftp"),
            (
                "- { url: \"http://a:1\", max_connections: 3 }",
                "max_connections",
            ),
            ("- { weight: 3 }", "needs the key `url`"),
            ("- { url: \"http://a:1\", weight: 1001 }", "1000"),
            ("[ http", "l.yaml"),
        ] {
            let said = shown("l.yaml", text).unwrap_err();
            assert!(said.contains(why), "{text}: {said}");
        }
    }
}

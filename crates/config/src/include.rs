//! `include`: a configuration in several files.

use crate::environment;
use crate::format::Format;
use crate::node::{Entry, Kind, Node};
use crate::problems::Problems;
use crate::reader::listed;
use crate::span::Span;

/// Finds the files of an `include`, each with its text.
pub type Find<'a> = dyn Fn(&str) -> Result<Vec<File>, String> + 'a;

/// A file that is included.
#[derive(Clone, Debug)]
pub struct File {
    /// As it is called in messages.
    pub name: String,
    /// What is in it, or why it cannot be read.
    pub text: Result<String, String>,
}

/// What an included file may have: lists, which are added to those of the main file.
const KEYS: [&str; 5] = [
    "routes",
    "backend_groups",
    "filter_lists",
    "error_pages",
    "tests",
];

/// Adds what the included files have to the tree of the main one. Files in `left_out` are passed over.
pub(crate) fn include(
    root: &mut Node,
    left_out: &[String],
    env: &dyn Fn(&str) -> Option<String>,
    find: &Find<'_>,
    problems: &mut Problems,
) {
    let mut seen = left_out.to_vec();
    for pattern in patterns(root) {
        let Some(text) = pattern.text() else { continue };
        match find(text) {
            Ok(files) => {
                for file in files {
                    if !seen.contains(&file.name) {
                        seen.push(file.name.clone());
                        add(root, file, env, problems);
                    }
                }
            }
            Err(why) => {
                let message = format!("`{text}` cannot be included: {why}");
                problems.error(pattern.span, message);
            }
        }
    }
}

fn patterns(root: &Node) -> Vec<Node> {
    let Kind::Map(entries) = &root.kind else {
        return Vec::new();
    };
    let include = entries.iter().find(|entry| entry.key == "include");
    match include.map(|entry| &entry.value) {
        Some(Node {
            kind: Kind::List(items),
            ..
        }) => items.clone(),
        Some(single) => vec![single.clone()],
        None => Vec::new(),
    }
}

fn add(root: &mut Node, file: File, env: &dyn Fn(&str) -> Option<String>, problems: &mut Problems) {
    let text = file.text.as_deref().unwrap_or_default();
    let mut own = Problems::new(&*file.name, text);
    if let Err(why) = &file.text {
        own.error(Span::default(), format!("this file cannot be used: {why}"));
    }
    let tree = Format::of(&file.name).parse(text, &mut own);
    let tree = tree.map(|mut tree| {
        environment::fill(&mut tree, text, env, &mut own);
        check(&tree, &mut own);
        tree
    });
    let base = problems.include(own);
    let Some(mut tree) = tree else { return };
    tree.shift(base);
    let (Kind::Map(all), Kind::Map(entries)) = (&mut root.kind, tree.kind) else {
        return;
    };
    for entry in entries {
        if KEYS.contains(&&*entry.key) {
            add_entry(all, entry);
        }
    }
}

fn check(tree: &Node, problems: &mut Problems) {
    let keys = || listed(KEYS.into_iter());
    match &tree.kind {
        Kind::Map(entries) => {
            for entry in entries.iter().filter(|e| !KEYS.contains(&&*e.key)) {
                problems
                    .error(
                        entry.key_span,
                        format!("an included file cannot have the key `{}`", entry.key),
                    )
                    .help(format!(
                        "it may have {}; the rest belongs to the main file",
                        keys()
                    ));
            }
        }
        Kind::Null | Kind::Broken => {}
        _ => {
            let message = format!("expected a map with {}, found {}", keys(), tree.found());
            problems.error(tree.span, message);
        }
    }
}

/// Lists are joined; what is no list is reported where it is read.
fn add_entry(all: &mut Vec<Entry>, entry: Entry) {
    let Some(first) = all.iter_mut().find(|e| e.key == entry.key) else {
        return all.push(entry);
    };
    match (&mut first.value.kind, entry.value.kind) {
        (Kind::List(items), Kind::List(more)) => items.extend(more),
        (Kind::List(items), kind) if kind != Kind::Null => {
            items.push(Node::new(kind, entry.value.span));
        }
        (Kind::Null, kind) => first.value = Node::new(kind, entry.value.span),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use crate::{File, Reading, read_files};

    const MAIN: &str = "include: \"d/*.yaml\"\nserver: { address: \"127.0.0.1:1\" }\nroutes: [ { id: m, respond: {} } ]\n";

    /// Reads the main file with these.
    fn reading(main: &str, files: &[(&str, &str)], left_out: &[&str]) -> Reading {
        let find = |pattern: &str| match pattern {
            "d/*.yaml" => Ok(files
                .iter()
                .map(|(name, text)| File {
                    name: (*name).to_owned(),
                    text: match text.strip_prefix("unreadable: ") {
                        Some(why) => Err(why.to_owned()),
                        None => Ok((*text).to_owned()),
                    },
                })
                .collect()),
            _ => Err("nothing is there".to_owned()),
        };
        let left_out: Vec<String> = left_out.iter().map(|name| (*name).to_owned()).collect();
        read_files(
            "main.yaml",
            main,
            &left_out,
            &|_| Some("e".to_owned()),
            &find,
        )
    }

    fn problems(reading: &Reading) -> Vec<String> {
        let problems = &reading.problems;
        let each = problems.iter().map(|p| {
            let (file, ..) = problems.place(p.span);
            format!("{file}:{} {}", problems.position(p.span), p.message)
        });
        each.collect()
    }

    #[test]
    fn lists_are_joined_in_the_order_of_files() {
        let files = [
            (
                "d/a.yaml",
                "routes: [ { id: a, respond: {} } ]\nbackend_groups: [ { id: \"${env:X}\", backends: [] } ]\n",
            ),
            (
                "d/b.json",
                "{ \"routes\": [ { \"id\": \"b\", \"respond\": {} } ] }",
            ),
            ("d/c.yaml", "# nothing\n"),
        ];
        let ids = |left_out: &[&str]| {
            let reading = reading(MAIN, &files, left_out);
            assert!(reading.problems.is_empty(), "{:?}", problems(&reading));
            let routes = reading.settings.routes.iter().map(|r| r.id.value.clone());
            let groups = reading
                .settings
                .backend_groups
                .iter()
                .map(|g| g.id.value.clone());
            routes.chain(groups).collect::<Vec<_>>()
        };
        assert_eq!(ids(&[]), ["m", "a", "b", "e"]);
        assert_eq!(ids(&["d/a.yaml"]), ["m", "b"]);
    }

    #[test]
    fn problems_are_in_the_file_that_has_them() {
        let files = [
            (
                "d/a.yaml",
                "server: {}\nroutes: [ { id: a, respond: {}, metods: [] } ]\n",
            ),
            ("d/b.yaml", "routes: [\n"),
            ("d/c.yaml", "- 1\n"),
            ("d/d.yaml", "routes: 5\n"),
            ("d/e.yaml", "unreadable: no permission"),
        ];
        let reading = reading(MAIN, &files, &[]);
        let shown = problems(&reading);
        for expected in [
            "d/a.yaml:1:1 an included file cannot have the key `server`",
            "d/a.yaml:2:33 a route has no key \"metods\"",
            "d/b.yaml:",
            "d/c.yaml:1:1 expected a map with one of `routes`",
            "d/d.yaml:1:9 expected the keys of a route, found the integer 5",
            "d/e.yaml:1:1 this file cannot be used: no permission",
        ] {
            assert!(
                shown.iter().any(|p| p.starts_with(expected)),
                "{expected}: {shown:#?}"
            );
        }
        let bad: Vec<_> = reading.problems.files_with_errors();
        assert_eq!(
            bad.iter().map(|(n, _)| *n).collect::<Vec<_>>(),
            [1, 2, 3, 4, 5]
        );
    }

    #[test]
    fn what_cannot_be_found_is_said_where_it_is_asked_for() {
        let main = MAIN.replace("d/*.yaml", "gone.yaml");
        let shown = problems(&reading(&main, &[], &[]));
        assert_eq!(
            shown,
            ["main.yaml:1:10 `gone.yaml` cannot be included: nothing is there"]
        );
    }
}

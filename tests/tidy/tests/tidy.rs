//! Edges between rooms, steps of the path, what the docs name.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// The table in ARCHITECTURE.md: rows `| room | may see | what it is |`.
fn allowed() -> BTreeMap<String, BTreeSet<String>> {
    let architecture = text("docs/ARCHITECTURE.md");
    let rows = architecture.lines().filter(|l| l.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let names = |cell: &str| {
            cell.split('`')
                .skip(1)
                .step_by(2)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        (
            names(cells[1])[0].clone(),
            names(cells[2]).into_iter().collect(),
        )
    })
    .collect()
}

#[test]
fn rooms_see_only_what_the_architecture_allows() {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let room = |name: &str| name.strip_prefix("forebay-").unwrap_or(name).to_owned();
    let mut found = BTreeMap::new();
    for package in metadata["packages"].as_array().unwrap() {
        let manifest = package["manifest_path"].as_str().unwrap();
        if !manifest.contains("/crates/") {
            continue;
        }
        let edges: BTreeSet<String> = package["dependencies"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|d| d["kind"].is_null() && d["path"].is_string())
            .map(|d| room(d["name"].as_str().unwrap()))
            .collect();
        found.insert(room(package["name"].as_str().unwrap()), edges);
    }
    let allowed = allowed();
    assert_eq!(
        found.keys().collect::<Vec<_>>(),
        allowed.keys().collect::<Vec<_>>(),
        "the rooms and the rows of the table differ"
    );
    for (room, edges) in &found {
        let extra: Vec<_> = edges.difference(&allowed[room]).collect();
        let stale: Vec<_> = allowed[room].difference(edges).collect();
        assert!(
            extra.is_empty(),
            "{room} sees {extra:?}, which docs/ARCHITECTURE.md does not list"
        );
        assert!(
            stale.is_empty(),
            "{room} no longer sees {stale:?}: update docs/ARCHITECTURE.md"
        );
    }
}

#[test]
fn every_step_has_its_file_its_place_in_the_spine_and_its_row() {
    let spine = text("crates/proxy/src/path.rs");
    let life = text("docs/LIFE-OF-A-REQUEST.md");
    let mut steps = 0;
    for entry in fs::read_dir(root().join("crates/proxy/src/path")).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        let step = file.strip_suffix(".rs").unwrap();
        let source = text(&format!("crates/proxy/src/path/{file}"));
        assert!(
            source.starts_with("//! Step "),
            "{file} does not say which step it is"
        );
        assert!(
            spine.contains(&format!("mod {step};")),
            "{step} is not in path.rs"
        );
        assert!(
            life.contains(&format!("| {step} |")),
            "{step} has no row in LIFE-OF-A-REQUEST.md"
        );
        steps += 1;
    }
    assert_eq!(steps, 12);
}

#[test]
fn every_file_that_the_docs_name_exists() {
    let mut pages = vec![
        "README.md".into(),
        "CONTRIBUTING.md".into(),
        "bench/README.md".into(),
    ];
    pages.extend(markdown(&root().join("docs")));
    for page in pages {
        let page_text = text(&page);
        for quoted in page_text.split('`').skip(1).step_by(2) {
            let is_path = [
                "crates/",
                "docs/",
                "tests/",
                "bench/",
                "examples/",
                "fuzz/",
                "deploy/",
                ".ci/",
            ]
            .iter()
            .any(|folder| quoted.starts_with(folder));
            if is_path && !quoted.contains([' ', '*', '<', '{']) && !quoted.starts_with("bench/out")
            {
                assert!(
                    root().join(quoted).exists(),
                    "{page} names {quoted}, which does not exist"
                );
            }
        }
        for link in page_text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            let path = link.split('#').next().unwrap();
            if !path.is_empty() && !path.contains("://") {
                let folder = root().join(&page);
                let target = folder.parent().unwrap().join(path);
                assert!(
                    target.exists(),
                    "{page} links to {path}, which does not exist"
                );
            }
        }
    }
}

/// Under `Where:` and `Shown by:` a file is followed by what is in it, and
/// `module::test` is an end-to-end test.
#[test]
fn what_the_threat_model_names_is_there() {
    let page = text("docs/THREAT-MODEL.md");
    let mut named = 0;
    for item in page.split("\n- ").skip(1) {
        if !item.starts_with("Where:") && !item.starts_with("Shown by:") {
            continue;
        }
        let item = item.split("\n\n").next().unwrap();
        let mut file = None;
        for quoted in item.split('`').skip(1).step_by(2) {
            if root().join(quoted).is_file() {
                file = Some(quoted);
            } else if let Some((module, test)) = quoted.split_once("::") {
                let suite = text(&format!("tests/e2e/tests/suite/{module}.rs"));
                assert!(suite.contains(&format!("fn {test}(")), "{quoted} is gone");
                named += 1;
            } else {
                let file = file.unwrap_or_else(|| panic!("{quoted} has no file before it"));
                assert!(text(file).contains(quoted), "{quoted} is not in {file}");
                named += 1;
            }
        }
    }
    assert!(
        named > 100,
        "only {named} names: has the page another form?"
    );
}

fn markdown(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(markdown(&path));
        } else if path.extension().is_some_and(|e| e == "md") {
            found.push(path.strip_prefix(root()).unwrap().display().to_string());
        }
    }
    found
}

#[test]
fn unsafe_code_and_ignored_tests_are_nowhere() {
    let mut stack = vec![root().join("crates"), root().join("tests")];
    while let Some(path) = stack.pop() {
        if path.is_dir() {
            stack.extend(fs::read_dir(path).unwrap().map(|e| e.unwrap().path()));
        } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("tidy.rs") {
            let source = fs::read_to_string(&path).unwrap();
            for word in ["#[ignore]", "todo!(", "unimplemented!(", "unsafe {"] {
                assert!(!source.contains(word), "{} holds {word}", path.display());
            }
        }
    }
}

//! `forebay diff`, through the real program; and that its page is true.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn diff(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_forebay"))
        .arg("diff")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A program that reads nothing may have gone already.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn fixture(name: &str) -> String {
    format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn the_page_shows_what_the_program_prints() {
    let [old, new, log] = ["diff-old.yaml", "diff-new.yaml", "diff.log"].map(fixture);
    let page = std::fs::read_to_string(root().join("docs/diff.md")).unwrap();
    let output = diff(&[&old, &new, "--requests", &log], "");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let shown = text(&output.stdout);
    for part in shown.split("\n\nrequests\n") {
        assert!(page.contains(part.trim_end()), "{shown}");
    }
    let alone = text(&diff(&[&old, &new], "").stdout);
    assert!(shown.starts_with(&alone), "{alone}");
}

#[test]
fn the_way_back_is_the_opposite() {
    let [old, new] = ["diff-old.yaml", "diff-new.yaml"].map(fixture);
    let shown = text(&diff(&[&new, &old], "").stdout);
    for words in [
        "- trusted proxy 192.0.2.1\n",
        "body  up to 10485760 bytes -> any size\n",
        "timeout response head  10s -> 30s of the group\n",
        "- v2: path /api/v2/* -> group next\n",
        "+ old: path /old/*\n",
        "digits now comes before even",
        "http://127.0.0.1:3000: weight          3 -> equal\n",
    ] {
        assert!(shown.contains(words), "{words}\n{shown}");
    }
}

#[test]
fn what_means_the_same_is_no_difference() {
    let examples = root().join("examples");
    let [json, toml] = ["config.json", "config.toml"].map(|name| examples.join(name));
    let [json, toml] = [&json, &toml].map(|path| path.to_str().unwrap());
    let several = examples.join("several-files.yaml");
    let several = several.to_str().unwrap();
    for (old, new) in [(json, toml), (toml, json), (several, several)] {
        let output = diff(&["--exit-code", old, new], "");
        assert_eq!(text(&output.stdout), "no difference\n");
        assert_eq!(output.status.code(), Some(0));
    }
}

#[test]
fn scripts_are_told_by_the_status_if_they_ask() {
    let [old, new] = ["diff-old.yaml", "diff-new.yaml"].map(fixture);
    let wrong = fixture("twenty-mistakes.yaml");
    for (arguments, expected) in [
        (&[&*old, &new][..], 0),
        (&[&old, &new, "--exit-code"], 3),
        (&[&old, &wrong, "--exit-code"], 1),
        (&[&old, "nowhere.yaml"], 1),
        (&[&old, &new, "--requests", "nowhere.log"], 1),
        (&[&old], 2),
    ] {
        let output = diff(arguments, "");
        assert_eq!(output.status.code(), Some(expected), "{arguments:?}");
        let is_silent = output.stderr.is_empty();
        assert_eq!(is_silent, matches!(expected, 0 | 3), "{arguments:?}");
        assert_eq!(output.stdout.is_empty(), !is_silent, "{arguments:?}");
    }
}

#[test]
fn requests_are_read_from_standard_input_and_the_most_frequent_come_first() {
    let [old, new] = ["diff-old.yaml", "diff-new.yaml"].map(fixture);
    let mut log = String::new();
    for kind in 0..30 {
        for _ in 0..=kind {
            log.push_str(&format!(
                "{{\"method\":\"M{kind}\",\"host\":\"a\",\"target\":\"/old/x\",\"route\":\"old\"}}\n"
            ));
        }
    }
    log.push_str("{\"method\":\"GET\",\"target\":\"/old/\\u001b[31m\\u202e\",\"host\":\"a\",\"route\":\"old\"}\n");
    log.push_str(
        "{\"method\":\"GET\",\"target\":\"/old/\\u202e\",\"host\":\"a\",\"route\":\"old\"}\n",
    );
    let shown = text(&diff(&[&old, &new, "--requests", "-"], &log).stdout);
    let (_, requests) = shown.split_once("\n\nrequests\n").unwrap();
    let lines: Vec<&str> = requests.lines().collect();
    assert_eq!(
        lines[..2],
        [
            "  /old/x M29: 30 requests go from route old (answers 308) to 404 (no_route)",
            "      for example M29 http://a/old/x",
        ]
    );
    assert_eq!(
        lines[40..],
        [
            "  and 56 more requests in 11 other kinds",
            "466 of 466 requests fare differently; 1 line could not be read",
        ]
    );
    assert!(!shown.contains(['\u{1b}', '\u{202e}']));
}

#[test]
fn requests_that_fare_the_same_are_counted() {
    let old = fixture("diff-old.yaml");
    let log = "{\"method\":\"GET\",\"host\":\"a\",\"target\":\"/\"}\n";
    let output = diff(&[&old, &old, "--exit-code", "--requests", "-"], log);
    assert_eq!(
        text(&output.stdout),
        "no difference\n\n0 of 1 request fare differently\n"
    );
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_log_in_another_format_is_named_as_such() {
    let old = fixture("diff-old.yaml");
    let log = "1.2.3.4 - - [21/Nov/2026:01:02:03 +0000] \"GET / HTTP/1.1\" 200 2\n";
    let shown = text(&diff(&[&old, &old, "--requests", "-"], log).stdout);
    assert!(shown.contains("has to be in the format `json`"), "{shown}");
    assert!(
        shown.ends_with("0 of 0 requests fare differently; 1 line could not be read\n"),
        "{shown}"
    );
}

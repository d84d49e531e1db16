//! `forebay check`, `explain` and `reference`, through the real program; and
//! that examples and docs are true.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn forebay(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_forebay"))
        .args(arguments)
        .env_remove("FOREBAY_NO_SUCH_VARIABLE")
        .output()
        .unwrap()
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

/// Line and message of every problem in an output.
fn problems(output: &Output) -> Vec<(usize, String)> {
    let shown = text(&output.stderr);
    let lines: Vec<&str> = shown.lines().collect();
    let pairs = lines
        .windows(2)
        .filter(|pair| pair[1].trim_start().starts_with("--> "));
    pairs
        .map(|pair| {
            (
                pair[1].rsplit(':').nth(1).unwrap().parse().unwrap(),
                pair[0].to_owned(),
            )
        })
        .collect()
}

#[test]
fn every_one_of_many_mistakes_is_reported_in_one_run_at_its_line() {
    let output = forebay(&["check", "-c", &fixture("twenty-mistakes.yaml")]);
    assert_eq!(output.status.code(), Some(1));
    let expected = [
        (2, "no key \"adress\""),
        (3, "an integer from 1 to 10000000, found the text \"many\""),
        (4, "a duration such as `30s`, found the integer 10"),
        (5, "a duration such as `30s`, found the text \"10 parsecs\""),
        (6, "a size such as `64KiB`"),
        (7, "an IP address or network"),
        (8, "an integer from 1 to 1024, found the integer 0"),
        (9, "a duration such as `30s`, found the text \"-5s\""),
        (10, "one of `specific` or `ordered`"),
        (13, "a path such as `/health`"),
        (14, "there is no backend group `wbe`"),
        (15, "the route `a` is defined twice"),
        (16, "a request method"),
        (19, "an integer from 200 to 599"),
        (20, "the route `c` leads nowhere"),
        (23, "unknown variable `${hots}`"),
        (26, "one of `round_robin`"),
        (28, "cannot have a path"),
        (29, "a backend URL"),
        (30, "an integer from 0 to 1000, found the integer -1"),
        (31, "the backend group `empty` has no backends"),
        (34, "expected `true` or `false`"),
        (35, "a number from 0 to 1"),
        (
            36,
            "the environment variable `FOREBAY_NO_SUCH_VARIABLE` is not set",
        ),
    ];
    let found = problems(&output);
    assert_eq!(found.len(), expected.len(), "{}", text(&output.stderr));
    for ((line, message), (expected_line, words)) in found.iter().zip(expected) {
        assert_eq!(*line, expected_line, "{message}");
        assert!(message.contains(words), "line {line}: {message}");
    }
    let shown = text(&output.stderr);
    for help in [
        "did you mean `address`?",
        "did you mean `ordered`?",
        "did you mean `round_robin`?",
        "did you mean `${host}`?",
    ] {
        assert!(shown.contains(help), "{help}");
    }
}

#[test]
fn the_sample_of_the_first_source_loads_but_for_its_certificate() {
    let output = forebay(&["check", "-c", &fixture("source-000.yaml")]);
    assert_eq!(output.status.code(), Some(1));
    let errors: Vec<_> = problems(&output)
        .into_iter()
        .filter(|(_, m)| m.starts_with("error"))
        .collect();
    assert_eq!(
        errors,
        [("certs/server.crt", 3), ("certs/server.key", 4)].map(|(file, line)| {
            let why = "the file cannot be read: No such file or directory (os error 2)";
            (line, format!("error: `{file}`: {why}"))
        })
    );

    let sample = std::fs::read_to_string(fixture("source-000.yaml")).unwrap();
    let plain: String = sample
        .lines()
        .filter(|l| !l.contains("_file:"))
        .map(|l| format!("{l}\n"))
        .collect();
    let file = std::env::temp_dir().join(format!("forebay-plain-{}.yaml", std::process::id()));
    std::fs::write(&file, plain).unwrap();
    let output = forebay(&["check", "-c", file.to_str().unwrap()]);
    std::fs::remove_file(&file).unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(
        problems(&output)
            .iter()
            .all(|(_, m)| m.starts_with("warning"))
    );
}

#[test]
fn every_example_is_fine() {
    let mut seen = 0;
    for entry in std::fs::read_dir(root().join("examples")).unwrap() {
        let path = entry.unwrap().path();
        // That one has a test of its own.
        if path.is_dir() || path.ends_with("https.yaml") {
            continue;
        }
        let output = forebay(&["check", "-c", path.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
        seen += 1;
    }
    assert!(seen >= 10);
}

/// A folder with certificates for development.
fn with_certificates(name: &str) -> std::path::PathBuf {
    let folder = std::env::temp_dir().join(format!("forebay-{name}-{}", std::process::id()));
    let certs = folder.join("certs");
    let made = forebay(&[
        "certs",
        "dev",
        "--out",
        certs.to_str().unwrap(),
        "--name",
        "a.test",
    ]);
    assert_eq!(made.status.code(), Some(0), "{}", text(&made.stderr));
    folder
}

#[test]
fn certificates_for_development_are_good_private_and_never_written_over() {
    use std::os::unix::fs::PermissionsExt;
    let folder = with_certificates("certs");
    std::fs::copy(
        root().join("examples/https.yaml"),
        folder.join("https.yaml"),
    )
    .unwrap();
    let example = folder.join("https.yaml");
    let output = forebay(&["check", "-c", example.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
    let read = |name: &str| std::fs::read(folder.join("certs").join(name)).unwrap();
    let before = ["ca.crt", "ca.key", "server.crt", "server.key"].map(read);
    for name in ["ca.key", "server.key"] {
        let about = std::fs::metadata(folder.join("certs").join(name)).unwrap();
        assert_eq!(about.permissions().mode() & 0o777, 0o600, "{name}");
    }
    let certs = folder.join("certs");
    std::fs::remove_file(certs.join("ca.crt")).unwrap();
    let again = forebay(&["certs", "dev", "--out", certs.to_str().unwrap()]);
    assert_eq!(again.status.code(), Some(1));
    assert!(
        text(&again.stderr).contains("is there already"),
        "{}",
        text(&again.stderr)
    );
    assert!(!certs.join("ca.crt").exists());
    let forced = forebay(&["certs", "dev", "--force", "--out", certs.to_str().unwrap()]);
    assert_eq!(forced.status.code(), Some(0), "{}", text(&forced.stderr));
    let after = ["ca.crt", "ca.key", "server.crt", "server.key"].map(read);
    assert!(
        before
            .iter()
            .zip(&after)
            .all(|(before, after)| before != after)
    );
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn the_configurations_of_the_pages_about_tls_and_protocols_are_fine() {
    let folder = with_certificates("tls-page");
    for kind in ["crt", "key"] {
        let at = |name: &str| folder.join("certs").join(format!("{name}.{kind}"));
        std::fs::copy(at("server"), at("other")).unwrap();
    }
    let pages = ["tls", "protocols"].map(|page| {
        let page = root().join("docs").join(page).with_extension("md");
        std::fs::read_to_string(page).unwrap()
    });
    let all = pages
        .iter()
        .flat_map(|page| page.split("```yaml\n").skip(1));
    let configurations: Vec<&str> = all.collect();
    assert!(configurations.len() >= 6);
    for configuration in configurations {
        let configuration = configuration.split("```").next().unwrap();
        let file = folder.join("page.yaml");
        std::fs::write(&file, configuration).unwrap();
        let output = forebay(&["check", "-c", file.to_str().unwrap()]);
        let said = text(&output.stderr);
        assert!(
            output.status.success() && said.is_empty(),
            "{configuration}\n{said}"
        );
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn the_configurations_of_the_page_about_tcp_are_fine() {
    let page = std::fs::read_to_string(root().join("docs/tcp.md")).unwrap();
    let configurations: Vec<&str> = page.split("```yaml\n").skip(1).collect();
    assert!(configurations.len() >= 4);
    for configuration in configurations {
        let configuration = configuration.split("```").next().unwrap();
        let file = std::env::temp_dir().join(format!("forebay-tcp-{}.yaml", std::process::id()));
        std::fs::write(&file, configuration).unwrap();
        let output = forebay(&["check", "-c", file.to_str().unwrap()]);
        std::fs::remove_file(&file).unwrap();
        let said = text(&output.stderr);
        let is_fine = output.status.success() && said.is_empty();
        assert!(is_fine, "{configuration}\n{said}");
    }
}

#[test]
fn the_reference_page_is_what_the_program_prints() {
    let page = std::fs::read_to_string(root().join("docs/configuration.md")).unwrap();
    let printed = text(&forebay(&["reference"]).stdout);
    assert!(
        page == printed,
        "run: cargo run -p forebay-cli -- reference > docs/configuration.md"
    );
}

#[test]
fn the_schema_is_json_and_names_the_defaults() {
    let schema: serde_json::Value = serde_json::from_slice(&forebay(&["schema"]).stdout).unwrap();
    assert_eq!(
        schema["$schema"],
        "https://json-schema.org/draft/2020-12/schema"
    );
    let text = schema.to_string();
    for word in [
        "max_connections_per_host",
        "round_robin",
        "additionalProperties",
        "30s",
    ] {
        assert!(text.contains(word), "{word}");
    }
}

#[test]
fn the_access_log_page_names_every_variable() {
    let page = std::fs::read_to_string(root().join("docs/access-log.md")).unwrap();
    for (name, _) in forebay::ACCESS_LOG_VARIABLES {
        assert!(page.contains(&format!("| `{name}` |")), "{name}");
    }
}

#[test]
fn explain_says_which_route_and_why_not_the_others() {
    let example = root().join("examples/static-and-api.yaml");
    let example = example.to_str().unwrap();
    let output = forebay(&[
        "explain",
        "-c",
        example,
        "-X",
        "DELETE",
        "-H",
        "X-Beta: 0",
        "http://www.example.com/api/orders/7?x=y",
    ]);
    assert_eq!(output.status.code(), Some(0));
    let shown = text(&output.stdout);
    for words in [
        "route api-writes",
        "not api: every condition holds, but another route comes first",
        "not beta: ",
        "not docs: host is www.example.com",
        "group orders, round_robin",
        "-> http://127.0.0.1:3100",
        "DELETE /api/orders/7?x=(hidden) HTTP/1.1",
        "X-Forwarded-For: 127.0.0.1",
    ] {
        assert!(shown.contains(words), "{words}\n{shown}");
    }
    let refused = text(&forebay(&["explain", "-c", example, "/%2e%2e/x"]).stdout);
    assert!(
        refused.contains("the client would get: 400 (invalid_path"),
        "{refused}"
    );
    let missed = text(&forebay(&["explain", "-c", example, "-X", "POST", "/static/x"]).stdout);
    assert!(
        missed.contains("no route matches") && missed.contains("not static: method is POST"),
        "{missed}"
    );
    let plan = text(&forebay(&["explain", "-c", example]).stdout);
    assert!(
        plan.contains("listeners:") && plan.contains("api: path /api/* -> group app"),
        "{plan}"
    );
}

#[test]
fn configurations_test_themselves() {
    for (file, count) in [
        ("tested", 4),
        ("routes", 7),
        ("several-files", 1),
        ("health", 1),
        ("overload", 1),
        ("websocket", 1),
        ("forward-proxy", 1),
    ] {
        let example = root().join(format!("examples/{file}.yaml"));
        let output = forebay(&["test", "-c", example.to_str().unwrap()]);
        let shown = text(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{shown}");
        assert!(
            shown.ends_with(&format!(
                "{count} test{}, 0 failed\n",
                if count == 1 { "" } else { "s" }
            )),
            "{shown}"
        );
    }
}

#[test]
fn a_failed_test_says_what_was_found_instead() {
    let example = root().join("examples/tested.yaml");
    let tests = fixture("failing-tests.yaml");
    let output = forebay(&["test", "-c", example.to_str().unwrap(), "--tests", &tests]);
    assert_eq!(output.status.code(), Some(1));
    let shown = text(&output.stdout);
    let expected = "\
FAIL everything is wrong
       route: expected moved, found api
       group: expected other, found app
       status: expected 404, found none
       reason: expected no_route, found none
       target: expected /v1/x, found /x
       the answer's Location: expected *, found none
       the backend's X-Client: expected 1.2.3.4, found 127.0.0.1
       the backend's X-None: expected *, found none
       not moved: path is /v1/x, the route takes /old
FAIL no route
       route: expected api, found none
       not api: method is DELETE, the route takes GET, POST
       not moved: path is /v1/x, the route takes /old
FAIL GET /nothing
       it expects nothing
       not moved: path is /nothing, the route takes /old
       not api: host is localhost, the route takes api.example.com
FAIL GET /client
       its `client` is no IP address
8 tests, 4 failed
";
    assert!(shown.ends_with(expected), "{shown}");
}

#[test]
fn tests_that_are_not_there_or_not_well_formed_are_an_error() {
    let minimal = root().join("examples/minimal.yaml");
    let minimal = minimal.to_str().unwrap();
    let output = forebay(&["test", "-c", minimal]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("there are no tests"));
    let output = forebay(&[
        "test",
        "-c",
        minimal,
        "--tests",
        &fixture("twenty-mistakes.yaml"),
    ]);
    assert_eq!(output.status.code(), Some(1));
    assert!(!output.stderr.is_empty());
}

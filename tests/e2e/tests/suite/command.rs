//! The command line: what it prints, and its exit codes.

use forebay_e2e::{Backend, Config, Forebay, Scratch, forebay, forebay_with_closed_output};
use serde_json::Value;

/// The configuration that must load unchanged (requirements, section 5), but
/// for its certificate.
const SAMPLE: &str = include_str!("sample.yaml");

#[test]
fn the_sample_configuration_passes_but_for_its_certificate() {
    let scratch = Scratch::new();
    let file = scratch.write("sample.yaml", SAMPLE);
    let plain = forebay(&["check", "-c", &file]);
    assert_eq!(plain.code, Some(0), "{}", plain.stderr);
    assert!(
        plain.stdout.contains("3 routes, 2 groups with 4 backends"),
        "{}",
        plain.stdout
    );
    assert!(!plain.stderr.contains("error:"), "{}", plain.stderr);
    let certificate =
        "server:\n  cert_file: \"certs/server.crt\"\n  key_file: \"certs/server.key\"";
    let with_tls = SAMPLE.replacen("server:", certificate, 1);
    let file = scratch.write("tls.yaml", &with_tls);
    let refused = forebay(&["check", "-c", &file]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.contains("the file cannot be read"),
        "{}",
        refused.stderr
    );
    assert!(
        refused.stderr.contains("tls.yaml:2:14"),
        "{}",
        refused.stderr
    );
    assert_eq!(forebay(&["run", "-c", &file]).code, Some(1));
}

#[test]
fn every_mistake_is_reported_at_its_place_in_one_run() {
    let scratch = Scratch::new();
    let file = scratch.write(
        "bad.yaml",
        "server: { address: \"127.0.0.1:0\", header_timout: 5s }\n\
         routes:\n\
         \x20 - { id: a, path: api, backend_group: ap }\n\
         \x20 - { id: a, backend_group: app }\n\
         backend_groups:\n\
         \x20 - { id: app, strategy: round-robin, backends: [ { url: \"ftp://x\" } ] }\n\
         \x20 - { id: none, backends: [] }\n\
         shutdown_timeout: soon\n",
    );
    let checked = forebay(&["check", "-c", &file]);
    assert_eq!((checked.code, &*checked.stdout), (Some(1), ""));
    for (place, word) in [
        (":1:35", "header_timeout"),
        (":3:20", "path"),
        (":3:40", "app"),
        (":4:11", "id"),
        (":6:26", "round_robin"),
        (":6:58", "URL"),
        (":7:11", "backends"),
        (":8:19", "duration"),
    ] {
        assert!(
            checked.stderr.contains(place),
            "{place} ({word}) in:\n{}",
            checked.stderr
        );
        assert!(
            checked.stderr.contains(word),
            "{word} in:\n{}",
            checked.stderr
        );
    }
    let run = forebay(&["run", "-c", &file]);
    assert_eq!((run.code, run.stderr), (Some(1), checked.stderr));
}

#[test]
fn exit_codes_tell_success_refusal_and_misuse_apart() {
    for (arguments, code) in [
        (&["version"][..], 0),
        (&["--version"], 0),
        (&["--help"], 0),
        (&["help", "run"], 0),
        (&["schema"], 0),
        (&["reference"], 0),
        (&["check", "-c", "/nowhere/at/all.yaml"], 1),
        (&["run", "--to", "ftp://x"], 1),
        (
            &["run", "--listen", "127.0.0.1:0", "--to", "nonsense://x"],
            1,
        ),
        (
            &["run", "--listen", "nonsense", "--to", "http://127.0.0.1:1"],
            1,
        ),
        (&[], 2),
        (&["serve"], 2),
        (&["check"], 2),
        (&["run"], 2),
        (&["run", "--listen", "127.0.0.1:0"], 2),
        (&["explain", "-c", "x", "-X", "G T", "/"], 2),
        (&["explain", "-c", "x", "-H", "no colon", "/"], 2),
        (&["run", "-c", "x", "--to", "http://127.0.0.1:1"], 2),
        (&["run", "--workers", "0", "--to", "http://127.0.0.1:1"], 2),
    ] {
        let finished = forebay(arguments);
        assert_eq!(finished.code, Some(code), "{arguments:?}: {finished:?}");
        let said = if code == 0 {
            finished.stdout
        } else {
            finished.stderr
        };
        assert!(!said.is_empty(), "{arguments:?} says nothing");
    }
}

#[test]
fn run_without_anything_to_serve_says_what_it_needs() {
    let said = forebay(&["run"]).stderr;
    assert!(said.contains("-c forebay.yaml"), "{said}");
    assert!(said.contains("--to http://127.0.0.1:3000"), "{said}");
}

#[test]
fn schema_and_version_are_what_they_say() {
    let schema: Value = serde_json::from_str(&forebay(&["schema"]).stdout).unwrap();
    assert!(schema["properties"]["backend_groups"].is_object());
    let version = forebay(&["version"]).stdout;
    assert_eq!(version, format!("forebay {}", env!("CARGO_PKG_VERSION")));
    assert!(forebay(&["reference"]).stdout.contains("`backend_groups`"));
}

/// As when `head` has read enough.
#[test]
fn a_reader_that_has_left_is_no_trouble() {
    let scratch = Scratch::new();
    let file = scratch.write("sample.yaml", SAMPLE);
    for arguments in [
        &["reference"][..],
        &["schema"],
        &["version"],
        &["explain", "-c", &file],
        &["explain", "-c", &file, "/health"],
        &["check", "-c", &file],
        &["diff", &file, &file],
    ] {
        let finished = forebay_with_closed_output(arguments);
        assert_eq!(finished.code, Some(0), "{arguments:?}: {}", finished.stderr);
        assert!(!finished.stderr.contains("panicked"), "{}", finished.stderr);
    }
}

#[test]
fn the_demo_shows_what_it_promises() {
    let forebay = Forebay::with_arguments(&["demo", "--listen", "127.0.0.1:0"]);
    let bodies: Vec<String> = (0..3).map(|_| forebay.get("/").text().to_owned()).collect();
    for name in ["one", "two", "slow"] {
        let count = bodies.iter().filter(|body| body.contains(name)).count();
        assert_eq!(count, 1, "{name} in {bodies:?}");
    }
    assert_eq!(forebay.get("/hello").text(), "hello from forebay itself\n");
    assert_eq!(forebay.get("/old").status, 308);
    assert_eq!(forebay.get("/nothing").reason(), Some("no_route"));
    assert_eq!(forebay.get("/down").reason(), Some("connection_refused"));
    assert!(forebay.get("/api/users").text().contains("/users"));
}

#[test]
fn json_and_toml_are_read_by_their_extension() {
    let backend = Backend::saying("ok");
    let scratch = Scratch::new();
    let url = backend.url();
    let json = format!(
        r#"{{"server": {{"address": "127.0.0.1:0"}}, "routes": [{{"id": "a", "backend_group": "b"}}],
            "backend_groups": [{{"id": "b", "backends": [{{"url": "{url}"}}]}}]}}"#
    );
    let toml = format!(
        "[server]\naddress = \"127.0.0.1:0\"\n[[routes]]\nid = \"a\"\nbackend_group = \"b\"\n\
         [[backend_groups]]\nid = \"b\"\nbackends = [{{ url = \"{url}\" }}]\n"
    );
    for (name, text) in [("config.json", json), ("config.toml", toml)] {
        let file = scratch.write(name, &text);
        let forebay = Forebay::with_arguments(&["run", "-c", &file]);
        assert_eq!(forebay.get("/").text(), "ok", "{name}");
    }
}

#[test]
fn run_needs_no_file() {
    let backends = [Backend::saying("ok"), Backend::saying("ok")];
    let urls = [backends[0].url(), backends[1].url()];
    let arguments = [
        "run",
        "--listen",
        "127.0.0.1:0",
        "--to",
        &urls[0],
        "--to",
        &urls[1],
        "--workers",
        "1",
    ];
    let forebay = Forebay::with_arguments(&arguments);
    for _ in 0..4 {
        assert_eq!(forebay.get("/").text(), "ok");
    }
    assert_eq!(backends.map(|backend| backend.requests().len()), [2, 2]);
    // The access log is there unasked.
    assert!(forebay.stdout_lines(4)[0].contains("\"GET / HTTP/1.1\" 200 2"));
}

#[test]
fn options_win_over_the_file() {
    let backend = Backend::saying("ok");
    let scratch = Scratch::new();
    let file = scratch.write("forebay.yaml", &Config::to(&backend).yaml());
    let log = scratch.path("other.log").display().to_string();
    let mut forebay =
        Forebay::with_arguments(&["run", "-c", &file, "--access-log", &log, "--workers", "3"]);
    assert!(
        forebay.stderr().contains("workers=3"),
        "{}",
        forebay.stderr()
    );
    assert_eq!(forebay.get("/").text(), "ok");
    forebay.terminate();
    assert_eq!(forebay.wait_exit(), Some(0));
    assert_eq!(std::fs::read_to_string(log).unwrap().lines().count(), 1);
    assert!(forebay.access_log(0).is_empty());
}

#[test]
fn a_word_for_no_log_is_not_taken_for_a_file() {
    let refused = forebay(&["run", "--to", "http://127.0.0.1:1", "--access-log", "none"]);
    assert_eq!(refused.code, Some(2));
    assert!(
        refused.stderr.contains("write `off` for no access log"),
        "{}",
        refused.stderr
    );
}

#[test]
fn several_listeners_serve_at_once() {
    let backend = Backend::saying("ok");
    let listeners = "listeners: [ { id: one, address: \"127.0.0.1:0\" }, { id: two, address: \"127.0.0.1:0\" } ]";
    let forebay = Config::to(&backend).top(listeners).start();
    for listener in 0..3 {
        let address = forebay.address_of(listener);
        assert_eq!(forebay_e2e::get(address, "/").text(), "ok");
    }
    let names: Vec<_> = forebay
        .access_log(3)
        .iter()
        .map(|line| line["listener"].clone())
        .collect();
    assert!(
        names.contains(&"one".into()) && names.contains(&"two".into()),
        "{names:?}"
    );
}

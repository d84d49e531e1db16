//! A configuration in several files.

use forebay_e2e::{Forebay, Scratch, forebay};
use rustix::process::Signal;

/// A main file and two others, of which one has a mistake.
fn files(scratch: &Scratch) -> String {
    std::fs::create_dir(scratch.path("routes.d")).unwrap();
    scratch.write(
        "routes.d/a.yaml",
        "routes: [ { id: a, path: /a, filter_lists: [ l ], respond: { body: a } } ]\n",
    );
    scratch.write(
        "routes.d/b.yaml",
        "routes:\n  - { id: b, path: /b, metods: [ GET ], respond: { body: b } }\n",
    );
    scratch.write(
        "routes.d/c.json",
        "{ \"routes\": [ { \"id\": \"c\", \"path\": \"/c\", \"respond\": { \"body\": \"c\" } } ] }",
    );
    scratch.write(
        "forebay.yaml",
        "include: [ \"routes.d/*.yaml\", routes.d/c.json, \"none.d/*\" ]\n\
         server: { address: \"127.0.0.1:0\" }\n\
         filter_lists: [ { id: l, strip_prefix: /x } ]\n\
         telemetry: { access_log: { output: \"off\" } }\n",
    )
}

#[test]
fn a_file_with_a_mistake_is_left_out_and_the_rest_serves() {
    let scratch = Scratch::new();
    let main = files(&scratch);
    let forebay = Forebay::with_arguments(&["run", "-c", &main]);
    assert_eq!(forebay.get("/a").text(), "a");
    assert_eq!(forebay.get("/c").text(), "c");
    assert_eq!(forebay.get("/b").status, 404);
    let said = forebay.stderr();
    for part in [
        "a route has no key \"metods\"",
        "routes.d/b.yaml:2:",
        "did you mean `methods`?",
        "routes.d/b.yaml is left out until this is mended; everything else goes on",
        "ERROR",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_left_out_too() {
    let scratch = Scratch::new();
    let main = files(&scratch);
    std::fs::remove_file(scratch.path("routes.d/b.yaml")).unwrap();
    std::fs::write(scratch.path("routes.d/binary.yaml"), b"\xff\xfe\x00").unwrap();
    let dangling = scratch.path("routes.d/dangling.yaml");
    std::os::unix::fs::symlink("gone", dangling).unwrap();
    let endless = scratch.path("routes.d/endless.yaml");
    std::os::unix::fs::symlink("/dev/zero", endless).unwrap();
    scratch.write("routes.d/.hidden.yaml", "what an editor leaves behind");
    std::fs::create_dir(scratch.path("routes.d/directory.yaml")).unwrap();
    let forebay = Forebay::with_arguments(&["run", "-c", &main]);
    assert_eq!(forebay.get("/a").text(), "a");
    let said = forebay.stderr();
    for part in [
        "this file cannot be used: it is not UTF-8 text",
        "this file cannot be used: No such file",
        "this file cannot be used: it is a pipe, a socket or a device",
        "routes.d/binary.yaml is left out until",
        "routes.d/dangling.yaml is left out until",
        "routes.d/endless.yaml is left out until",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains("hidden") && !said.contains("directory.yaml"));
    assert_eq!(forebay_e2e::forebay(&["check", "-c", &main]).code, Some(1));
}

/// What serves is not taken away by a typo: neither by a reload nor an upgrade.
#[test]
fn a_running_one_refuses_a_file_with_a_mistake() {
    let scratch = Scratch::new();
    let main = files(&scratch);
    let good = "routes: [ { id: b, path: /b, respond: { body: b } } ]\n";
    scratch.write("routes.d/b.yaml", good);
    let text = std::fs::read_to_string(&main).unwrap();
    let text = format!("admin: {{ address: \"127.0.0.1:0\" }}\n{text}");
    std::fs::write(&main, &text).unwrap();
    let mut forebay = Forebay::with_arguments(&["run", "--watch", "-c", &main]);
    let serves = || {
        assert_eq!(forebay.get("/a").text(), "a");
        assert_eq!(forebay.get("/b").text(), "b");
    };
    serves();
    // Each of two files has one, and all are told.
    scratch.write(
        "routes.d/b.yaml",
        "routes:\n  - { id: b, path: /b, metods: [ GET ], respond: { body: b } }\n",
    );
    scratch.write("routes.d/d.yaml", "rutes: []\n");
    let refused = "the configuration is refused; everything goes on as before";
    let mistakes = ["routes.d/b.yaml:2:", "routes.d/d.yaml:1:"];
    forebay.stderr_line(refused, |line| line.contains(refused).then_some(()));
    forebay_e2e::until("both are told", || {
        let said = forebay.stderr();
        mistakes
            .iter()
            .all(|part| said.contains(part))
            .then_some(())
    });
    serves();
    let admin = format!("http://{}", forebay.admin_address());
    let asked = forebay_e2e::forebay(&["ctl", "--admin", &admin, "reload"]);
    assert_eq!(asked.code, Some(1), "{}", asked.stdout);
    for part in ["the configuration has 2 mistakes", mistakes[0], mistakes[1]] {
        assert!(asked.stderr.contains(part), "{part}: {}", asked.stderr);
    }
    serves();
    let pid = forebay.id().to_string();
    let upgraded = forebay_e2e::forebay(&["upgrade", "--pid", &pid]);
    assert_eq!(upgraded.code, Some(1), "{}", upgraded.stdout);
    assert!(forebay.is_running());
    let said = forebay.stderr();
    assert!(!said.contains("is left out"), "{said}");
    // A start may do without them; then they are the reason to refuse, too.
    let second = Forebay::with_arguments(&["run", "-c", &main]);
    assert_eq!(second.get("/b").status, 404);
    let checked = forebay_e2e::curl(&[
        "--data-binary",
        &format!("@{main}"),
        &format!("http://{}/config/check", second.admin_address()),
    ]);
    let checked = checked.stdout;
    assert!(
        checked.contains("the configuration has 2 mistakes"),
        "{checked}"
    );
    scratch.write("routes.d/b.yaml", good);
    std::fs::remove_file(scratch.path("routes.d/d.yaml")).unwrap();
    second.signal(rustix::process::Signal::HUP);
    let taken = "configuration taken up";
    second.stderr_line(taken, |line| line.contains(taken).then_some(()));
    assert_eq!(second.get("/b").text(), "b");
}

#[test]
fn strict_refuses_and_so_does_a_check() {
    let scratch = Scratch::new();
    let main = files(&scratch);
    for arguments in [
        &["run", "--strict", "-c", &main][..],
        &["check", "-c", &main],
        &["explain", "--strict", "-c", &main],
    ] {
        let refused = forebay(arguments);
        assert_eq!(refused.code, Some(1), "{arguments:?}");
        assert!(
            refused.stderr.contains("routes.d/b.yaml:2:"),
            "{}",
            refused.stderr
        );
        assert!(!refused.stderr.contains("left out"), "{}", refused.stderr);
    }
    let explained = forebay(&["explain", "-c", &main, "/a"]);
    assert_eq!(explained.code, Some(0), "{}", explained.stderr);
    std::fs::remove_file(scratch.path("routes.d/b.yaml")).unwrap();
    let fine = forebay(&["check", "-c", &main]);
    assert_eq!(fine.code, Some(0), "{}", fine.stderr);
    assert!(fine.stdout.contains("2 routes"), "{}", fine.stdout);
}

/// What only shows once the other is gone takes its file out as well; what is
/// wrong with the main file then refuses everything.
#[test]
fn who_needs_a_file_that_is_left_out_goes_with_it() {
    let scratch = Scratch::new();
    scratch.write(
        "a.yaml",
        "backend_groups: [ { id: g, backends: [ { url: \"ftp://x\" } ] } ]\n",
    );
    scratch.write("b.yaml", "routes: [ { id: b, backend_group: g } ]\n");
    let main = |route: &str| {
        scratch.write(
            "forebay.yaml",
            &format!(
                "include: [ a.yaml, b.yaml ]\nserver: {{ address: \"127.0.0.1:0\" }}\nroutes: [ {route} ]\n"
            ),
        )
    };
    let file = main("{ id: m, respond: {} }");
    let explained = forebay(&["explain", "-c", &file]);
    assert_eq!(explained.code, Some(0), "{}", explained.stderr);
    let left_out = explained
        .stdout
        .matches("left out because of mistakes")
        .count();
    assert_eq!(left_out, 2, "{}", explained.stdout);
    let file = main("{ id: m, backend_group: g }");
    let refused = forebay(&["run", "-c", &file]);
    assert_eq!(refused.code, Some(1));
    for part in ["a.yaml:1:", "b.yaml:1:", "forebay.yaml:3:"] {
        assert!(refused.stderr.contains(part), "{part}: {}", refused.stderr);
    }
}

#[test]
fn two_files_cannot_have_one_name() {
    let scratch = Scratch::new();
    scratch.write("a.yaml", "routes: [ { id: r, path: /a, respond: {} } ]\n");
    scratch.write("b.yaml", "routes: [ { id: r, path: /b, respond: {} } ]\n");
    let file = scratch.write(
        "forebay.yaml",
        "include: \"?.yaml\"\nserver: { address: \"127.0.0.1:0\" }\n",
    );
    let refused = forebay(&["check", "-c", &file]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("b.yaml:1:17"), "{}", refused.stderr);
    assert!(refused.stderr.contains("a.yaml:1:17"), "{}", refused.stderr);
    scratch.write(
        "forebay.yaml",
        "include: gone.yaml\nserver: { address: \"127.0.0.1:0\" }\n",
    );
    let refused = forebay(&["check", "-c", &file]);
    assert!(
        refused.stderr.contains("cannot be included"),
        "{}",
        refused.stderr
    );
}

#[test]
fn the_name_of_a_file_does_nothing_to_the_log() {
    let scratch = Scratch::new();
    let main = files(&scratch);
    let named = "routes.d/x\n2026-01-01T00:00:00Z ERROR forged\u{1b}[31m\u{9b}2J.yaml";
    scratch.write(named, "routes: [ { id: x, nonsense: 1 } ]\n");
    let forebay = Forebay::with_arguments(&["run", "-c", &main]);
    // Said at the start, and again when it is read anew.
    forebay.signal(Signal::HUP);
    forebay.stderr_line("it was read anew", |line| {
        line.contains("the configuration is refused").then_some(())
    });
    let said = forebay.stderr();
    assert!(said.contains("ERROR forged\\u{1b}[31m"), "{said}");
    for line in said.lines() {
        assert!(!line.contains(char::is_control), "{line:?}");
        assert!(!line.starts_with("2026-01-01"), "{line:?}");
    }
}

#[test]
fn a_file_that_is_too_large_is_refused_before_it_is_read() {
    let scratch = Scratch::new();
    let main = files(&scratch);
    scratch.write("routes.d/b.yaml", "routes: []\n");
    let forebay = Forebay::with_arguments(&["run", "-c", &main]);
    let before = forebay.most_resident();
    let large = std::fs::File::create(scratch.path("routes.d/large.yaml")).unwrap();
    large.set_len(1 << 30).unwrap();
    forebay.signal(Signal::HUP);
    let told = "this file cannot be used: it is larger than 64 MiB";
    forebay.stderr_line(told, |line| line.contains(told).then_some(()));
    let grown = forebay.most_resident() - before;
    assert!(grown < 32 << 20, "{grown}");
    assert_eq!(forebay.get("/a").text(), "a");
}

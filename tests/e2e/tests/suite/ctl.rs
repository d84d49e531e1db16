//! `forebay ctl` in the hands of people.

use forebay_e2e::{Backend, Config, DeadAddress, Finished, Forebay, Process, Reply, forebay};

const ADMIN: &str = "admin: { address: \"127.0.0.1:0\" }";

fn ctl(forebay_: &Forebay, arguments: &[&str]) -> Finished {
    let admin = format!("http://{}", forebay_.admin_address());
    forebay(&[&["ctl", "--admin", &admin], arguments].concat())
}

fn with_admin(config: Config) -> Forebay {
    config.top(ADMIN).start()
}

#[test]
fn another_program_is_not_told_the_token() {
    let backend = Backend::saying("x");
    let token = format!("{:?}", "a-token-of-some-length");
    let config = Config::to(&backend).top(&format!(
        "admin: {{ address: \"127.0.0.1:0\", token: {token} }}"
    ));
    let proxy = config.start();
    // The proxy's port, and one that answers in JSON.
    let answers = Backend::answering(|_| Reply::ok("{\"status\":\"ok\"}"));
    let silent = Backend::scripted(|conn| drop(conn.request()));
    for address in [proxy.address(), answers.address(), silent.address()] {
        let mut command = forebay_e2e::command();
        command
            .env("FOREBAY_ADMIN_TOKEN", "a-token-of-some-length")
            .args(["ctl", "--admin", &format!("http://{address}"), "backends"]);
        let asked = Process::spawn(&mut command).finish();
        assert_eq!((asked.code, &*asked.stdout), (Some(1), ""), "{address}");
        let said = &asked.stderr;
        assert!(
            said.contains("is no admin API of Forebay") || said.contains("hung up"),
            "{said}"
        );
    }
    for asked in [&backend, &answers, &silent] {
        for request in asked.requests() {
            assert_eq!(request.head.get("authorization"), None);
        }
    }
    assert_eq!(backend.request().target(), "/health");
}

#[test]
fn whole_urls_are_shown_where_nobody_counts_columns() {
    let dead = DeadAddress::new();
    let long = format!("http://{}.internal.example:8080", "a-long-name".repeat(5));
    let forebay = with_admin(Config::to_urls([dead.url(), long.clone()]));
    let shown = ctl(&forebay, &["backends"]);
    assert!(shown.stdout.contains(&long), "{}", shown.stdout);
    assert!(shown.stdout.contains("configuration"), "{}", shown.stdout);
}

#[test]
fn a_url_without_its_scheme_is_put_right() {
    let backend = Backend::saying("x");
    let forebay = with_admin(Config::to(&backend));
    let address = backend.address().to_string();
    let refused = ctl(&forebay, &["drain", "app", &address]);
    assert_eq!(refused.code, Some(1));
    let hint = format!("did you mean {}?", backend.url());
    assert!(refused.stderr.contains(&hint), "{}", refused.stderr);
    let help = forebay_e2e::forebay(&["ctl", "drain", "--help"]).stdout;
    assert!(help.contains("The id of its group"), "{help}");
}

#[test]
fn exchanges_say_who_and_where() {
    let backend = Backend::answering(|_| Reply::with("500 Internal Server Error", &[], ""));
    let forebay = with_admin(Config::to(&backend));
    for _ in 0..25 {
        assert_eq!(forebay.get("/broken").status, 500);
    }
    let shown = ctl(&forebay, &["exchanges"]).stdout;
    let from = format!("client 127.0.0.1, backend {}, request id ", backend.url());
    for part in [
        "the backend's own answer",
        "(20 of 25; --json has all)",
        &from,
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}

#[test]
fn events_are_lines_with_a_time() {
    let backend = Backend::saying("x");
    let forebay = with_admin(Config::to(&backend));
    let admin = format!("http://{}", forebay.admin_address());
    let events = Process::forebay(&["ctl", "--admin", &admin, "events"]);
    let services = Process::forebay(&["ctl", "--admin", &admin, "services", "watch"]);
    let drained = format!("backend {} of app: ", backend.url());
    let registered = "service web at 10.0.0.1:80 ";
    // Until somebody watches, there is nothing to be seen.
    forebay_e2e::until("both are told", || {
        for order in ["drain", "enable"] {
            ctl(&forebay, &[order, "app", &backend.url()]);
        }
        let service = ["services", "register", "web", "10.0.0.1:80", "--id", "w"];
        ctl(&forebay, &service);
        ctl(&forebay, &["services", "remove", "w"]);
        let is_told = |process: &Process, text: &str| {
            let said = process.stdout_lines(0);
            said.iter()
                .any(|line| line.starts_with("20") && line.contains(text))
        };
        (is_told(&events, &drained) && is_told(&services, registered)).then_some(())
    });
}

#[test]
fn what_takes_a_restart_is_said() {
    let backend = Backend::saying("x");
    let config = |workers: usize| {
        let workers = format!("workers: {workers}");
        Config::to(&backend).top(&workers).top(ADMIN).yaml()
    };
    let forebay = Forebay::start(&config(1));
    let told = "the number of workers is another after a restart";
    assert!(!ctl(&forebay, &["status"]).stdout.contains(told));
    forebay.write_config(&config(2));
    for command in ["reload", "status"] {
        let shown = ctl(&forebay, &[command]).stdout;
        assert!(shown.contains(told), "{command}: {shown}");
    }
}

#[test]
fn a_reload_without_a_file_has_no_advice_for_beginners() {
    let backend = Backend::saying("x");
    let forebay = with_admin(Config::to(&backend));
    forebay.remove_configuration();
    let refused = ctl(&forebay, &["reload"]);
    assert!(refused.stderr.contains("cannot read"), "{}", refused.stderr);
    for part in ["a first one", "\\n"] {
        assert!(!refused.stderr.contains(part), "{}", refused.stderr);
    }
    let first = forebay_e2e::forebay(&["run", "-c", "/nowhere/forebay.yaml"]);
    assert!(first.stderr.contains("a first one"), "{}", first.stderr);
}

#[test]
fn short_secrets_do_not_mangle_what_is_said() {
    let scratch = forebay_e2e::Scratch::new();
    let yaml = Config::default()
        .top("admin: { token: \"${env:FOREBAY_ADMIN_TOKEN}\" }")
        .add_route("id: all, respond: {}")
        .yaml();
    let file = scratch.write("forebay.yaml", &yaml);
    let mut command = forebay_e2e::command();
    command
        .env("FOREBAY_ADMIN_TOKEN", "short")
        .args(["check", "-c", &file]);
    let checked = Process::spawn(&mut command).finish();
    assert_eq!(checked.code, Some(1));
    assert!(
        checked.stderr.contains("shorter than 16"),
        "{}",
        checked.stderr
    );
}

#[test]
fn what_is_odd_about_a_change_is_said() {
    let [one, two] = [Backend::saying("x"), Backend::saying("x")];
    let forebay = with_admin(Config::to(&one));
    let warning = "warning: the strategy `round_robin` does not look at weights";
    for arguments in [
        &["weight", "app", &one.url(), "3"][..],
        &["add", "app", &two.url(), "--weight", "3"],
    ] {
        let done = ctl(&forebay, arguments);
        assert_eq!(done.code, Some(0), "{}", done.stderr);
        assert!(done.stderr.starts_with(warning), "{}", done.stderr);
        assert!(!done.stdout.contains("warning"), "{}", done.stdout);
    }
    let done = ctl(&forebay, &["drain", "app", &one.url()]);
    assert_eq!((done.code, &*done.stderr), (Some(0), ""));
}

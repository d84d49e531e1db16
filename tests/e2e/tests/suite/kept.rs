//! What was changed while it ran, after a restart: `state_file`.

use forebay_e2e::{Backend, Config, Finished, Forebay, Scratch, curl, forebay, until};
use rustix::process::Signal;

const WEIGHED: &str = "strategy: weighted";

fn with_file(config: Config, scratch: &Scratch) -> Config {
    let file = scratch.path("state.json").display().to_string();
    config.top(&format!(
        "admin: {{ address: \"127.0.0.1:0\", state_file: {file:?} }}"
    ))
}

fn ctl(forebay_: &Forebay, arguments: &[&str]) -> Finished {
    let admin = format!("http://{}", forebay_.admin_address());
    forebay(&[&["ctl", "--admin", &admin], arguments].concat())
}

#[track_caller]
fn done(forebay: &Forebay, arguments: &[&str]) -> String {
    let finished = ctl(forebay, arguments);
    assert_eq!(finished.code, Some(0), "{arguments:?}: {}", finished.stderr);
    finished.stdout
}

#[track_caller]
fn ended(mut forebay: Forebay) {
    forebay.terminate();
    assert_eq!(forebay.wait_exit(), Some(0));
}

#[test]
fn the_last_weight_is_the_one() {
    let backends = [Backend::saying("0"), Backend::saying("1")];
    let config = Config::to_all(&backends).group(WEIGHED).top("workers: 1");
    let forebay = config.top("admin: { address: \"127.0.0.1:0\" }").start();
    let url = backends[0].url();
    done(&forebay, &["weight", "app", &url, "0"]);
    done(&forebay, &["remove", "app", &url]);
    done(&forebay, &["add", "app", &url]);
    done(&forebay, &["weight", "app", &url, "9"]);
    let shown = done(&forebay, &["backends", "--json"]);
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown[0]["weight"], 9, "{shown}");
    let answers = (0..10).filter(|_| forebay.get("/").text() == "0");
    assert_eq!(answers.count(), 9);
}

#[test]
fn changes_of_a_group_that_is_gone_are_told_and_come_back_with_it() {
    let backends = ["0", "1", "2"].map(Backend::saying);
    let scratch = Scratch::new();
    let config = |group: &str| {
        let all = Config::default()
            .add_route(&format!("id: all, backend_group: {group}"))
            .add_group(group, &backends[0]);
        with_file(all, &scratch).yaml()
    };
    let first = Forebay::start(&config("app"));
    done(&first, &["add", "app", &backends[1].url()]);
    let told = "the group app is left out: there is no such group";
    first.reload(&config("other"));
    first.stderr_line(told, |line| line.contains(told).then_some(()));
    ended(first);

    let second = Forebay::start(&config("other"));
    second.stderr_line(told, |line| line.contains(told).then_some(()));
    let shown = curl(&[&format!("http://{}/config", second.admin_address())]);
    let shown: serde_json::Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!(shown["left_out"][0], "changes of the group app");
    second.reload(&config("app"));
    assert!(done(&second, &["backends"]).contains(&backends[1].url()));
}

#[test]
fn a_broken_file_is_kept_beside_the_new_one() {
    let backend = Backend::saying("x");
    let scratch = Scratch::new();
    let config = with_file(Config::to(&backend), &scratch);
    for text in ["{ older", "{ no json"] {
        let file = scratch.write("state.json", text);
        let forebay = config.start();
        assert_eq!(forebay.get("/").text(), "x");
        let said = forebay.stderr();
        assert!(said.contains("what was changed before is lost"), "{said}");
        assert!(said.contains("the file is now "), "{said}");
        let bad = std::fs::read_to_string(scratch.path("state.json.bad")).unwrap();
        assert_eq!(bad, text);
        until("a new file is written", || {
            let text = std::fs::read_to_string(&file).ok()?;
            text.contains("saved_unix_ms").then_some(())
        });
    }
}

#[test]
fn who_was_drained_before_a_restart_is_said_to_be() {
    let backends = [Backend::saying("0"), Backend::saying("1")];
    let scratch = Scratch::new();
    let config = with_file(Config::to_all(&backends), &scratch);
    let first = config.start();
    done(&first, &["drain", "app", &backends[0].url()]);
    ended(first);
    let second = config.start();
    let shown = done(&second, &["backends"]);
    assert!(shown.contains("it was so before the restart"), "{shown}");
}

#[test]
fn a_file_that_cannot_be_written_is_told_at_once() {
    let backend = Backend::saying("x");
    let scratch = Scratch::new();
    let nowhere = scratch.path("none").join("state.json");
    let admin = format!(
        "admin: {{ address: \"127.0.0.1:0\", state_file: {:?} }}",
        nowhere.display().to_string()
    );
    let yaml = Config::to(&backend).top(&admin).yaml();
    let file = scratch.write("forebay.yaml", &yaml);
    let refused = forebay(&["run", "-c", &file]);
    assert_eq!(refused.code, Some(1));
    let told = format!("the state file {} cannot be written", nowhere.display());
    assert!(refused.stderr.contains(&told), "{}", refused.stderr);
    let checked = forebay(&["check", "-c", &file]);
    assert_eq!(checked.code, Some(0));
    assert!(checked.stderr.contains(&told), "{}", checked.stderr);
    // Nor is it taken up by one that runs.
    let running = Config::to(&backend).start();
    running.refuse(&yaml, &[&told]);
    assert_eq!(running.get("/").text(), "x");
}

/// A file that is written anew takes the place of what was there.
#[test]
fn a_device_or_a_pipe_stays_what_it_is() {
    let backend = Backend::saying("x");
    let scratch = Scratch::new();
    let pipe = scratch.pipe("pipe");
    let path = pipe.display().to_string();
    let is_pipe = || !std::fs::metadata(&pipe).unwrap().is_file();
    let admin = format!("admin: {{ address: \"127.0.0.1:0\", state_file: {path:?} }}");
    let file = scratch.write("a.yaml", &Config::to(&backend).top(&admin).yaml());
    let refused = forebay(&["run", "-c", &file]);
    assert_eq!(refused.code, Some(1));
    let told = format!("the state file {path} cannot be written: it is a directory, a device");
    assert!(refused.stderr.contains(&told), "{}", refused.stderr);
    assert!(is_pipe());
    let file = scratch.write("b.yaml", &Config::to(&backend).yaml());
    let forebay = Forebay::with_arguments(&["run", "-c", &file, "--pid-file", &path]);
    assert_eq!(forebay.get("/").text(), "x");
    let told = "is no ordinary file";
    forebay.stderr_line(told, |line| line.contains(told).then_some(()));
    drop(forebay);
    assert!(is_pipe());
}

#[test]
fn a_change_that_cannot_be_written_shows() {
    let backends = [Backend::saying("0"), Backend::saying("1")];
    let scratch = Scratch::new();
    std::fs::create_dir(scratch.path("kept")).unwrap();
    let file = scratch.path("kept").join("state.json");
    let admin = format!(
        "admin: {{ address: \"127.0.0.1:0\", state_file: {:?} }}",
        file.display().to_string()
    );
    let forebay = Config::to_all(&backends).top(&admin).start();
    const METRIC: &str = "forebay_state_file_last_write_success";
    forebay.wait_metric(METRIC, &[], 1.0);
    std::fs::remove_dir_all(scratch.path("kept")).unwrap();
    done(&forebay, &["weight", "app", &backends[0].url(), "2"]);
    forebay.wait_metric(METRIC, &[], 0.0);
    let told = "what was changed cannot be kept in";
    forebay.stderr_line(told, |line| line.contains(told).then_some(()));
    std::fs::create_dir(scratch.path("kept")).unwrap();
    forebay.wait_metric(METRIC, &[], 1.0);
    forebay.signal(Signal::TERM);
    until("it is written", || {
        let text = std::fs::read_to_string(&file).ok()?;
        text.contains("\"weights\"").then_some(())
    });
}

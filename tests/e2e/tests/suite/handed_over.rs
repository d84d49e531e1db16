//! What is changed around an upgrade: nothing that was acknowledged is lost.

use std::net::SocketAddr;
use std::time::Duration;

use forebay_e2e::{
    Backend, Client, Config, DeadAddress, Generations, NameServer, Process, Reply, Response,
    Scratch, until,
};
use rustix::process::{Pid, Signal, getpgid, kill_process};
use serde_json::{Value, json};

const ADMIN: &str = r#"admin: { address: "127.0.0.1:0" }"#;

/// One request with a connection of its own; none where nobody answers it.
fn try_ask(address: SocketAddr, method: &str, target: &str, body: &str) -> Option<Response> {
    let length = body.len();
    let mut client = Client::connect(address);
    client
        .send(format!(
            "{method} {target} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {length}\r\n\r\n{body}"
        ))
        .ok()?;
    client.try_response(false).ok()
}

#[track_caller]
fn ask(address: SocketAddr, method: &str, target: &str, body: &str) -> Response {
    try_ask(address, method, target, body).expect("an answer")
}

fn escaped(url: &str) -> String {
    url.replace(':', "%3A").replace('/', "%2F")
}

fn is_there(pid: &str) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"));
    status.is_ok_and(|status| !status.contains("State:\tZ"))
}

/// Begins an upgrade, which goes on when the gate is opened, and waits until the
/// state is handed over.
fn begin_upgrade(generations: &Generations, then: &str) {
    generations.replace_with_gate(then);
    generations.signal_main(Signal::USR2);
    let admin = generations.admin_address();
    until("the state is handed over", || {
        (ask(admin, "POST", "/reload", "").status == 503).then_some(())
    });
}

/// What the new process says, once it is the one that answers.
fn of_another(admin: SocketAddr, old: u32, target: &str) -> Value {
    until("the new one answers", || {
        let status = try_ask(admin, "GET", "/status", "")?;
        let json: Value = serde_json::from_str(status.text()).ok()?;
        (json["pid"] != old).then_some(())
    });
    serde_json::from_str(ask(admin, "GET", target, "").text()).unwrap()
}

#[test]
fn changes_during_an_upgrade_are_put_off_and_none_is_lost() {
    let [one, two] = [Backend::saying("one"), Backend::saying("two")];
    let generations = Generations::start(&Config::to(&one).top(ADMIN).yaml());
    let (admin, old) = (generations.admin_address(), generations.pid());
    let service = |id: &str| json!({"id": id, "name": "web", "address": "10.0.0.1:80"}).to_string();
    assert_eq!(
        ask(admin, "POST", "/v1/services", &service("a")).status,
        201
    );
    begin_upgrade(&generations, "exec REAL \"$@\"");
    let of_one = format!("/backends/app/{}", escaped(&one.url()));
    let gone = format!("/backends?group=app&url={}", one.url());
    let added = json!({"group": "app", "url": two.url()}).to_string();
    for (method, target, body) in [
        ("POST", "/backends", &*added),
        ("DELETE", &*gone, ""),
        ("PATCH", &*of_one, "{\"weight\": 3}"),
        ("PATCH", &*of_one, "{\"drain\": true}"),
        ("PATCH", &*of_one, "{\"enabled\": false}"),
        ("POST", "/v1/services", &*service("b")),
        ("POST", "/v1/services", &*service("a")),
        ("DELETE", "/v1/services/a", ""),
        ("POST", "/reload", ""),
    ] {
        let refused = ask(admin, method, target, body);
        assert_eq!(refused.status, 503, "{method} {target}: {}", refused.text());
        assert_eq!(refused.get("retry-after"), Some("1"));
        assert!(refused.text().contains("an upgrade is under way"));
    }
    // Looking goes on, and so does the traffic.
    let shown = ask(admin, "GET", "/backends", "");
    assert!(!shown.text().contains(&two.url()), "{}", shown.text());
    assert_eq!(ask(admin, "GET", "/v1/services/a", "").status, 200);
    assert_eq!(generations.get("/").text(), "one");

    // People and programs wait.
    let url = format!("http://{admin}");
    let ctl = Process::forebay(&["ctl", "--admin", &url, "add", "app", &two.url()]);
    let address = two.address().to_string();
    let registering = Process::forebay(&[
        "register",
        "--admin",
        &url,
        "--name",
        "app",
        "--id",
        "r",
        "--address",
        &address,
    ]);
    std::thread::sleep(Duration::from_millis(300));
    generations.open_gate();
    let done = ctl.finish();
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    registering.stderr_line("registered", |l| {
        l.contains("registered as r").then_some(())
    });
    let backends = of_another(admin, old, "/backends").to_string();
    assert!(backends.contains(&two.url()), "{backends}");
    let services = ask(admin, "GET", "/v1/services", "");
    for id in ["\"a\"", "\"r\""] {
        assert!(services.text().contains(id), "{}", services.text());
    }
}

#[test]
fn changes_are_taken_again_when_an_upgrade_has_failed() {
    let [one, two] = [Backend::saying("one"), Backend::saying("two")];
    let generations = Generations::start(&Config::to(&one).top(ADMIN).yaml());
    let admin = generations.admin_address();
    begin_upgrade(&generations, "exit 3");
    generations.open_gate();
    let added = json!({"group": "app", "url": two.url()}).to_string();
    until("changes are taken", || {
        (ask(admin, "POST", "/backends", &added).status == 201).then_some(())
    });
    generations.wait_said("failed, and everything goes on as before");
}

#[test]
fn a_heartbeat_during_an_upgrade_counts_for_the_successor() {
    let backend = Backend::saying("x");
    let generations = Generations::start(&Config::to(&backend).top(ADMIN).yaml());
    let (admin, old) = (generations.admin_address(), generations.pid());
    let service = r#"{"id": "a", "name": "web", "address": "10.0.0.1:80", "ttl": "60s"}"#;
    assert_eq!(ask(admin, "POST", "/v1/services", service).status, 201);
    // So that it shows in the lease.
    std::thread::sleep(Duration::from_secs(2));
    begin_upgrade(&generations, "exec REAL \"$@\"");
    let beat = ask(admin, "PUT", "/v1/services/a/heartbeat", "");
    assert_eq!(beat.status, 200, "{}", beat.text());
    generations.open_gate();
    let service = of_another(admin, old, "/v1/services/a");
    let left = service["expires_in"].as_f64().unwrap();
    assert!((58.5..=60.0).contains(&left), "{left}");
}

/// A new process that has been told to serve, and has not yet said that it does.
#[test]
fn a_heartbeat_is_answered_in_the_last_moment_of_an_upgrade() {
    let backend = Backend::saying("x");
    let generations = Generations::start(&Config::to(&backend).top(ADMIN).yaml());
    let admin = generations.admin_address();
    let service = r#"{"id": "a", "name": "web", "address": "10.0.0.1:80"}"#;
    assert_eq!(ask(admin, "POST", "/v1/services", service).status, 201);
    let heard = generations.path("heard");
    let (gate, ready) = (generations.path("gate"), "printf R >&3");
    let wait = format!("while [ ! -e {gate} ]; do sleep 0.01; done");
    generations.replace_with(&format!(
        "exec 3<&0; cat <&3 >{heard} & {ready}; {wait}; kill $!; exit 3"
    ));
    generations.signal_main(Signal::USR2);
    // The word to go is the last that comes.
    until("it may serve", || {
        (std::fs::read(&heard).ok()?.last() == Some(&b'G')).then_some(())
    });
    let beat = || ask(admin, "PUT", "/v1/services/a/heartbeat", "");
    assert_eq!(beat().status, 200, "{}", beat().text());
    // What it would not know of is still refused.
    let other = ask(admin, "DELETE", "/v1/services/a", "");
    assert_eq!(other.status, 503, "{}", other.text());
    generations.open_gate();
    generations.wait_said("failed, and everything goes on as before");
    assert_eq!(beat().status, 200, "{}", beat().text());
}

#[test]
fn a_reload_that_is_asked_of_the_old_one_is_done_by_the_new_one() {
    let (backend, gate) = Backend::holding("/slow", "x");
    let generations = Generations::start(&Config::to(&backend).yaml());
    let old = generations.pid();
    let mut slow = generations.client();
    slow.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    gate.wait_for(1);
    let upgrade = generations.upgrade();
    assert_eq!(upgrade.code, Some(0), "{}", upgrade.stderr);
    generations.wait_said("shutting down");
    // Whoever has read the PID file a moment ago.
    kill_process(Pid::from_raw(old as i32).unwrap(), Signal::HUP).unwrap();
    generations.wait_said("configuration read anew");
    gate.open();
    assert_eq!(slow.response().text(), "x");
}

#[test]
fn nothing_that_a_failed_successor_has_started_is_left() {
    let backend = Backend::saying("x");
    let mut generations = Generations::start(&Config::to(&backend).yaml());
    let file = generations.path("grandchild");
    let grandchild = || {
        until("it is started", || {
            let pid = std::fs::read_to_string(&file).ok()?;
            let pid = pid.strip_suffix('\n')?.to_owned();
            std::fs::remove_file(&file).unwrap();
            Some(pid)
        })
    };
    let start = format!("sleep 30 & echo $! > {file}.new; mv {file}.new {file}");
    // One that is killed, one that ends by itself, and one that is not wanted any more.
    for (then, why) in [
        ("echo Q >&0; wait", "what nobody understands"),
        ("exit 3", "exit status: 3"),
    ] {
        generations.replace_with(&format!("{start}; {then}"));
        let upgrade = generations.upgrade();
        assert!(upgrade.stderr.contains(why), "{}", upgrade.stderr);
        let pid = grandchild();
        until("the grandchild is gone", || (!is_there(&pid)).then_some(()));
    }
    generations.replace_with(&format!("{start}; wait"));
    generations.signal_main(Signal::USR2);
    let pid = grandchild();
    generations.terminate();
    assert_eq!(generations.first().wait_exit(), Some(0));
    until("the grandchild is gone", || (!is_there(&pid)).then_some(()));
}

#[test]
fn the_successor_is_in_the_process_group_of_the_service() {
    let backend = Backend::saying("x");
    let generations = Generations::start(&Config::to(&backend).yaml());
    let group = getpgid(Pid::from_raw(generations.pid() as i32)).unwrap();
    for _ in 0..2 {
        generations.succeed();
        let new = Pid::from_raw(generations.pid() as i32);
        assert_eq!(getpgid(new).unwrap(), group);
    }
}

#[test]
fn what_was_found_is_there_after_an_upgrade_in_which_nobody_answers() {
    let [named, listed] = [Backend::saying("named"), Backend::saying("listed")];
    let names = NameServer::start();
    names.addresses("app.test", &[[127, 0, 0, 1]]);
    let scratch = Scratch::new();
    let list = scratch.write("list.yaml", &format!("- {:?}\n", listed.url()));
    let dns = format!(
        "{{ dns: app.test, port: {}, resolver: {:?}, min_interval: 100ms }}",
        named.address().port(),
        names.address().to_string()
    );
    let config = Config::default()
        .top("workers: 1")
        .add_route("id: named, path: /named, backend_group: named")
        .add_route("id: listed, path: /listed, backend_group: listed")
        .add_group_of(&format!("id: named, sources: [ {dns} ]"))
        .add_group_of(&format!("id: listed, sources: [ {{ file: {list:?} }} ]"));
    let generations = Generations::start(&config.yaml());
    let answers = || {
        let text = |target| generations.get(target).text().to_owned();
        (text("/named"), text("/listed"))
    };
    let both = ("named".to_owned(), "listed".to_owned());
    assert_eq!(answers(), both);
    names.fail(true);
    std::fs::write(&list, "- nonsense: 1\n").unwrap();
    // Also over a second one, which has never had an answer of its own.
    for _ in 0..2 {
        generations.succeed();
        assert_eq!(answers(), both);
    }
    // Its own answer counts as soon as there is one.
    names.addresses("app.test", &[]);
    names.fail(false);
    std::fs::write(&list, "[]").unwrap();
    for target in ["/named", "/listed"] {
        until("nobody is left", || {
            (generations.get(target).status == 503).then_some(())
        });
    }
}

#[test]
fn failures_in_a_row_go_on_being_counted() {
    let dead = DeadAddress::new();
    let backend = Backend::answering(|_| Reply::with("500 Internal Server Error", &[], ""));
    // Neither may be out: one is the only one of its group, the other fails too seldom.
    let config = Config::to_urls([dead.url()])
        .top(ADMIN)
        .top("workers: 1")
        .add_route("id: all, backend_group: app")
        .add_route("id: broken, path: /broken, backend_group: broken")
        .add_group("broken", &backend);
    let generations = Generations::start(&config.yaml());
    let admin = generations.admin_address();
    for target in ["/", "/broken", "/broken"] {
        assert!(generations.get(target).status >= 500);
    }
    let standing = || {
        let backends = ask(admin, "GET", "/backends", "");
        let backends: Value = serde_json::from_str(backends.text()).unwrap();
        let of = |backend: &Value| {
            (
                backend["state"].clone(),
                backend["consecutive_failures"].clone(),
            )
        };
        backends
            .as_array()
            .unwrap()
            .iter()
            .map(of)
            .collect::<Vec<_>>()
    };
    // Each attempt at the dead one counts.
    let before = [(json!("failing"), json!(3)), (json!("up"), json!(2))];
    assert_eq!(standing(), before);
    generations.succeed();
    assert_eq!(standing(), before);
    for _ in 0..3 {
        assert_eq!(generations.get("/broken").status, 500);
    }
    // The fifth in a row.
    assert_eq!(standing()[1], (json!("failing"), json!(5)));
}

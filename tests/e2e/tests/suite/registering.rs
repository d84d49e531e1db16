//! `forebay register`, and groups that find what it registers.

use forebay_e2e::{Backend, Config, DeadAddress, Forebay, Process, Scratch, until};
use rustix::process::Signal;

fn finding() -> Forebay {
    Config::default()
        .top("admin: { address: \"127.0.0.1:0\" }")
        .add_group_of("id: app, sources: [ { registry: app, tags: [ blue ] } ]")
        .start()
}

fn registering(forebay: &Forebay, more: &[&str]) -> Process {
    let admin = format!("http://{}", forebay.admin_address());
    let first = [
        "register", "--admin", &admin, "--name", "app", "--ttl", "3s",
    ];
    let arguments: Vec<&str> = first.into_iter().chain(more.iter().copied()).collect();
    Process::forebay(&arguments)
}

#[track_caller]
fn wait_status(forebay: &Forebay, status: u16) {
    until(&format!("{status}"), || {
        (forebay.get("/").status == status).then_some(())
    });
}

#[test]
fn a_program_is_found_while_it_runs() {
    let forebay = finding();
    assert_eq!(forebay.get("/").status, 503);
    let folder = Scratch::new();
    folder.write("index.html", "from python");
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = port.local_addr().unwrap();
    drop(port);
    let (port, address) = (address.port().to_string(), address.to_string());
    let directory = folder.as_path().to_str().unwrap();
    let mut python = registering(
        &forebay,
        &[
            "--address",
            &address,
            "--tag",
            "blue",
            "--meta",
            "weight=3",
            "--",
            "python3",
            "-m",
            "http.server",
            "--bind",
            "127.0.0.1",
            "--directory",
            directory,
            &port,
        ],
    );
    python.stderr_line("registered", |l| {
        l.contains("registered as app-").then_some(())
    });
    wait_status(&forebay, 200);
    assert_eq!(forebay.get("/").text(), "from python");
    forebay.stderr_line("found", |l| l.contains("found by registry").then_some(()));
    python.signal(Signal::TERM);
    assert_eq!(python.wait_exit(), Some(128 + 15));
    wait_status(&forebay, 503);
}

#[test]
fn a_service_without_its_tag_is_not_found_and_one_without_a_program_is() {
    let forebay = finding();
    let [blue, green] = ["blue", "green"].map(Backend::saying);
    let address = |backend: &Backend| backend.address().to_string();
    let other = registering(&forebay, &["--address", &address(&green), "--tag", "green"]);
    other.stderr_line("registered", |l| l.contains("registered as").then_some(()));
    let mut one = registering(
        &forebay,
        &["--id", "one", "--address", &address(&blue), "--tag", "blue"],
    );
    one.stderr_line("registered", |l| {
        l.contains("registered as one").then_some(())
    });
    wait_status(&forebay, 200);
    for _ in 0..4 {
        assert_eq!(forebay.get("/").text(), "blue");
    }
    one.signal(Signal::TERM);
    assert_eq!(one.wait_exit(), Some(0));
    wait_status(&forebay, 503);
}

#[test]
fn the_exit_status_is_the_programs() {
    let dead = DeadAddress::new();
    let (admin, address) = (dead.url(), dead.address().to_string());
    let nobody = [
        "register",
        "--admin",
        &*admin,
        "--name",
        "a",
        "--address",
        &*address,
        "--",
    ];
    for (program, code) in [
        (&["sh", "-c", "exit 7"][..], 7),
        (&["true"], 0),
        (&["sh", "-c", "kill -KILL $$"], 137),
        (&["/no/such/program"], 1),
    ] {
        let arguments: Vec<&str> = nobody.iter().chain(program).copied().collect();
        assert_eq!(
            forebay_e2e::forebay(&arguments).code,
            Some(code),
            "{program:?}"
        );
    }
}

#[test]
fn leases_end_also_where_the_admin_api_was_switched_off() {
    let group = "id: app, sources: [ { registry: app } ]";
    let config = Config::default().add_group_of(group);
    let off = config.yaml();
    let forebay = config.top("admin: { address: \"127.0.0.1:0\" }").start();
    let admin = format!("http://{}", forebay.admin_address());
    let backend = Backend::saying("app");
    let address = backend.address().to_string();
    let registered = forebay_e2e::forebay(&[
        "ctl", "--admin", &admin, "services", "register", "app", &address, "--ttl", "3s",
    ]);
    assert_eq!(registered.code, Some(0), "{}", registered.stderr);
    wait_status(&forebay, 200);
    forebay.reload(&off);
    assert_eq!(forebay.get("/").text(), "app");
    wait_status(&forebay, 503);
}

#[test]
fn who_waits_for_a_port_says_so() {
    let (forebay, dead) = (finding(), DeadAddress::new());
    let address = dead.address().to_string();
    let waiting = registering(&forebay, &["--address", &address]);
    let told = format!("nothing listens at {address} yet");
    waiting.stderr_line(&told, |line| line.contains(&told).then_some(()));
}

//! Another program takes over while everything goes on.

use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixDatagram;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use forebay_e2e::{
    Backend, Client, Config, Generations, PATIENCE, Reply, StopAtEnd, forebay, get, until,
};
use rustix::process::Signal;
use socket2::{Domain, Socket, Type};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn a_request_in_flight_is_finished_by_the_old_one_and_the_new_one_serves() {
    let (backend, gate) = Backend::holding("/slow", "served");
    let mut generations = Generations::start(&Config::to(&backend).yaml());
    let (old, address, metrics) = (
        generations.pid(),
        generations.address(),
        generations.metrics_address(),
    );
    assert_eq!(old, generations.id());
    let mut slow = generations.client();
    slow.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    gate.wait_for(1);
    let mut kept = generations.client();
    assert_eq!(kept.get("/").text(), "served");

    let upgrade = generations.upgrade();
    assert_eq!(upgrade.code, Some(0), "{}", upgrade.stderr);
    assert_ne!(generations.pid(), old);
    assert!(generations.first().is_running());
    let serves = format!("shutting down (process {} serves)", generations.pid());
    generations.wait_said(&serves);
    // New connections are the new process's, on the same ports.
    assert_eq!(get(address, "/").text(), "served");
    assert_eq!(get(metrics, "/metrics").status, 200);
    // A connection of the old one is told to go.
    let last = kept.get("/");
    assert_eq!(
        (last.text(), last.get("connection")),
        ("served", Some("close"))
    );
    kept.assert_closed();
    gate.open();
    let answer = slow.response();
    assert_eq!(
        (answer.text(), answer.get("connection")),
        ("served", Some("close"))
    );
    slow.assert_closed();
    assert_eq!(generations.first().wait_exit(), Some(0));
    assert_eq!(get(address, "/").text(), "served");
    let new = generations.pid();
    generations.signal_main(Signal::TERM);
    until("the PID file is gone", || {
        (generations.pid() == 0).then_some(())
    });
    until("the successor is gone", || {
        (!std::path::Path::new(&format!("/proc/{new}/exe")).exists()).then_some(())
    });
}

/// Each client keeps its connection until it is told to go, and then has another.
fn keep_asking(address: SocketAddr, stop: &AtomicBool, answered: &AtomicUsize) {
    let mut client = Client::connect(address);
    while !stop.load(Ordering::Relaxed) {
        client.send(GET).expect("the request can be sent");
        let answer = client.response();
        assert_eq!((answer.status, answer.text()), (200, "x"));
        answered.fetch_add(1, Ordering::Relaxed);
        if answer.get("connection") == Some("close") {
            client = Client::connect(address);
        }
    }
}

/// A connection for each request, so that many wait to be accepted.
fn keep_coming(address: SocketAddr, stop: &AtomicBool, answered: &AtomicUsize) {
    while !stop.load(Ordering::Relaxed) {
        assert_eq!(get(address, "/").text(), "x");
        answered.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn upgrades_under_load_lose_nothing_and_leave_nothing_behind() {
    let backend = Backend::saying("x");
    let config = |workers: usize| {
        let workers = format!("workers: {workers}");
        Config::to(&backend).top(&workers).yaml()
    };
    let generations = Generations::start(&config(2));
    let address = generations.address();
    let (stop, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for n in 0..8 {
            let (stop, answered) = (&stop, &answered);
            scope.spawn(move || match n % 2 {
                0 => keep_asking(address, stop, answered),
                _ => keep_coming(address, stop, answered),
            });
        }
        let _stop = StopAtEnd(&stop);
        // Fewer workers than sockets, and more.
        for workers in [2, 1, 3, 2, 2] {
            let before = answered.load(Ordering::Relaxed);
            generations.configure(&config(workers));
            generations.succeed();
            until("the new one serves", || {
                (answered.load(Ordering::Relaxed) > before + 50).then_some(())
            });
        }
    });
    let open = |generations: &Generations| {
        let first = generations.descriptors();
        (first < 60).then_some(first)
    };
    until("descriptors do not pile up", || open(&generations));
}

#[test]
fn descriptors_do_not_pile_up() {
    let backend = Backend::saying("x");
    let generations = Generations::start(&Config::to(&backend).top("workers: 2").yaml());
    generations.succeed();
    let count = generations.descriptors();
    for _ in 0..4 {
        generations.succeed();
    }
    assert_eq!(generations.descriptors(), count);
    assert_eq!(generations.get("/").text(), "x");
}

#[test]
fn a_new_one_that_is_no_good_leaves_the_old_one_serving() {
    let backend = Backend::saying("x");
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let config = Config::to(&backend).yaml();
    let config = config.replace("127.0.0.1:0", &address.to_string());
    let generations = Generations::start(&config);
    let old = generations.pid();
    let mut kept = generations.client();
    assert_eq!(kept.get("/").text(), "x");
    let refused = |why: &str| {
        let upgrade = generations.upgrade();
        assert_eq!(upgrade.code, Some(1));
        assert!(
            upgrade.stderr.contains("goes on as before"),
            "{}",
            upgrade.stderr
        );
        assert!(upgrade.stderr.contains(why), "{why}: {}", upgrade.stderr);
        assert_eq!(generations.pid(), old);
        assert_eq!(get(address, "/").text(), "x");
    };
    for (script, why) in [
        ("exit 3", "exit status: 3"),
        ("kill -9 $$", "signal: 9"),
        // One that knows of no upgrade.
        ("unset FOREBAY_UPGRADE; exec REAL \"$@\"", "exit status: 1"),
        // One that reads nothing and says something else.
        ("echo Q >&0; sleep 20", "what nobody understands"),
    ] {
        generations.replace_with(&script.replace("REAL", &generations.program()));
        refused(why);
    }
    std::fs::remove_file(generations.path("forebay")).unwrap();
    refused("cannot be started");
    generations.restore();
    generations.configure("routes: [");
    // In its own words.
    refused("unclosed bracket");
    // An address that somebody else has, found after sockets were taken.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    generations.configure(&config.replace("port: 0 }", &format!("port: {port} }}")));
    refused("cannot listen on");
    assert_eq!(kept.get("/").text(), "x");
    // And the next may be good.
    generations.configure(&config);
    generations.succeed();
    assert_eq!(get(address, "/").text(), "x");
}

#[test]
fn there_is_one_upgrade_at_a_time_and_a_reload_waits_for_it() {
    let respond = |body: &str| {
        let route = format!("id: all, respond: {{ body: {body} }}");
        Config::default().add_route(&route).yaml()
    };
    let generations = Generations::start(&respond("one"));
    generations.replace_with_gate("exec REAL \"$@\"");
    std::thread::scope(|scope| {
        let first = scope.spawn(|| generations.upgrade());
        generations.wait_said("is started");
        let second = generations.upgrade();
        assert_eq!(second.code, Some(1));
        assert!(
            second.stderr.contains("under way already"),
            "{}",
            second.stderr
        );
        generations.signal_main(Signal::USR2);
        generations.wait_said("one is under way already");
        generations.signal_main(Signal::HUP);
        generations.wait_said("read anew when the upgrade is over");
        assert_eq!(generations.get("/").text(), "one");
        generations.open_gate();
        assert_eq!(first.join().unwrap().code, Some(0));
    });
    generations.wait_said("configuration read anew");
    assert_eq!(generations.get("/").text(), "one");
}

#[test]
fn the_end_during_an_upgrade_is_the_end_of_both() {
    let backend = Backend::saying("x");
    let mut generations = Generations::start(&Config::to(&backend).yaml());
    generations.replace_with_gate("exec REAL \"$@\"");
    generations.signal_main(Signal::USR2);
    generations.wait_said("is started");
    generations.terminate();
    assert_eq!(generations.first().wait_exit(), Some(0));
    assert_eq!(generations.pid(), 0);
    // What the new one was sent and has not read goes with the last who could.
    until("nobody listens", || {
        let connection = std::net::TcpStream::connect(generations.address());
        connection.is_err().then_some(())
    });
}

#[test]
fn a_program_that_was_replaced_by_a_copy_is_found() {
    let backend = Backend::saying("x");
    let generations = Generations::start(&Config::to(&backend).yaml());
    let new = generations.path("copy");
    std::fs::copy(generations.program(), &new).unwrap();
    std::fs::rename(new, generations.path("forebay")).unwrap();
    generations.succeed();
    // What runs is a file that is no more, as after a package's update.
    let new = generations.path("copy");
    std::fs::copy(generations.program(), &new).unwrap();
    std::fs::rename(new, generations.path("forebay")).unwrap();
    generations.succeed();
    assert_eq!(generations.get("/").text(), "x");
}

#[test]
fn sessions_and_counters_go_along() {
    let backends = [Backend::saying("a"), Backend::saying("b")];
    let config = Config::to_all(&backends).group("sticky: {}").yaml();
    let generations = Generations::start(&config);
    let first = generations.get("/");
    let cookie = first.get("set-cookie").unwrap().split(';').next().unwrap();
    generations.reload(&config.replace("id: all", "id: all, path: /*"));
    generations.succeed();
    for _ in 0..4 {
        let request = format!("GET / HTTP/1.1\r\nHost: a\r\nCookie: {cookie}\r\n\r\n");
        let answer = generations.client().ask(request);
        assert_eq!(answer.text(), first.text());
    }
    let taken = [("result", "taken")];
    generations.wait_metric("forebay_config_reloads_total", &taken, 1.0);
}

/// With `assume_healthy: false` it would have nobody to ask at first.
#[test]
fn the_new_one_has_checked_its_backends_before_it_takes_over() {
    let backend = Backend::answering(|request| {
        if request.target() == "/health" {
            std::thread::sleep(Duration::from_millis(300));
        }
        Reply::ok("x")
    });
    let check = "health_check: { enabled: true, path: /health, interval: 60s, slow_start: 0s, assume_healthy: false }";
    let generations = Generations::start(&Config::to(&backend).group(check).yaml());
    until("the first check is good", || {
        (generations.get("/").status == 200).then_some(())
    });
    for _ in 0..2 {
        let upgrade = generations.upgrade();
        assert_eq!(upgrade.code, Some(0), "{}", upgrade.stderr);
        assert_eq!(generations.get("/").status, 200);
    }
}

#[test]
fn sockets_of_the_service_manager_are_used_and_handed_on() {
    let backend = Backend::saying("x");
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let config = Config::to(&backend).top("workers: 2").yaml();
    let config = config.replace("127.0.0.1:0", &address.to_string());
    // One that came before there was a Forebay.
    let mut early = Client::connect(address);
    early.send(GET).unwrap();
    let generations = Generations::activated(&config, socket);
    assert_eq!(generations.address(), address);
    assert_eq!(early.response().text(), "x");
    for _ in 0..2 {
        generations.succeed();
        for _ in 0..10 {
            assert_eq!(get(address, "/").text(), "x");
        }
    }
    // With the last process, the socket goes.
    generations.signal_main(Signal::TERM);
    until("nobody listens", || {
        std::net::TcpStream::connect(address).is_err().then_some(())
    });
}

/// Not even when its listener moves away from it, and not by a successor either.
#[test]
fn the_service_managers_socket_is_never_hidden_from_it() {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    // As with `ReusePort=yes`; otherwise nobody else can have the port.
    socket.set_reuse_port(true).unwrap();
    socket
        .bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())
        .unwrap();
    socket.listen(16).unwrap();
    let socket = TcpListener::from(socket);
    let address = socket.local_addr().unwrap();
    let config = Config::default()
        .add_route("id: all, respond: { body: x }")
        .yaml()
        .replace("127.0.0.1:0", &address.to_string());
    let generations = Generations::activated(&config, socket.try_clone().unwrap());
    generations.succeed();
    let everywhere = format!("0.0.0.0:{}", address.port());
    generations.configure(&config.replace(&address.to_string(), &everywhere));
    generations.signal_main(Signal::HUP);
    generations.wait_said("configuration taken up: listeners: 1 changed");
    // As soon as Forebay has let go of it.
    until("the service manager's socket gets connections", || {
        let _waits = std::net::TcpStream::connect(address).unwrap();
        socket.accept().ok().map(drop)
    });
}

#[test]
fn the_service_manager_learns_who_is_the_main_process() {
    let backend = Backend::saying("x");
    let path = std::env::temp_dir().join(format!("forebay-notify-{}", std::process::id()));
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let told = || {
        let mut bytes = [0; 1024];
        let length = manager.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    };
    let yaml = Config::to(&backend).yaml();
    let generations = Generations::start_with(&yaml, |command| {
        command.env("NOTIFY_SOCKET", &path);
    });
    assert_eq!(told(), "READY=1\n");
    generations.succeed();
    // Nothing of an end comes from the old one.
    assert_eq!(told(), format!("MAINPID={}\nREADY=1\n", generations.pid()));
    generations.signal_main(Signal::HUP);
    let reloading = told();
    assert!(
        reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="),
        "{reloading}"
    );
    assert_eq!(told(), "READY=1\n");
    generations.signal_main(Signal::TERM);
    assert_eq!(told(), "STOPPING=1\n");
    std::fs::remove_file(path).unwrap();
}

#[test]
fn processes_that_cannot_be_upgraded_are_left_alone() {
    let mut sleeping = std::process::Command::new("sleep")
        .arg("30")
        .spawn()
        .unwrap();
    let pid = sleeping.id().to_string();
    let missing = u32::MAX.to_string();
    for (pid, why) in [
        (&*pid, "is no Forebay"),
        (&missing, "not the number of a process"),
    ] {
        let upgrade = forebay(&["upgrade", "--pid", pid]);
        assert_eq!(upgrade.code, Some(1));
        assert!(upgrade.stderr.contains(why), "{}", upgrade.stderr);
    }
    std::thread::sleep(Duration::from_millis(50));
    assert!(sleeping.try_wait().unwrap().is_none());
    sleeping.kill().unwrap();
    sleeping.wait().unwrap();
    assert_eq!(forebay(&["upgrade"]).code, Some(2));
    let file = forebay(&["upgrade", "--pid-file", "/nowhere/pid"]);
    assert!(file.stderr.contains("cannot read"), "{}", file.stderr);
}

/// A child of a Forebay that was succeeded has its variable, and is no successor.
#[test]
fn the_variable_means_nothing_to_others() {
    for (value, code) in [("1", 0), ("nonsense", 1)] {
        let backend = Backend::saying("x");
        let mut command = forebay_e2e::command();
        command.args(["run", "--listen", "127.0.0.1:0", "--to", &backend.url()]);
        command.env("FOREBAY_UPGRADE", value);
        let process = forebay_e2e::Process::spawn(&mut command);
        if code == 0 {
            process.stderr_line("ready", |line| line.contains(" ready").then_some(()));
        } else {
            let finished = process.finish();
            assert_eq!(finished.code, Some(1));
            assert!(
                finished.stderr.contains("only Forebay itself"),
                "{}",
                finished.stderr
            );
        }
    }
}

#[test]
fn how_backends_stand_is_known_to_the_successor() {
    let well = Backend::saying("well");
    let dead = forebay_e2e::DeadAddress::new();
    let health = "health_check: { passive: { ejection_time: 300s } }";
    let config = Config::to_urls([well.url(), dead.url()])
        .top("workers: 1")
        .group(health);
    let generations = Generations::start(&config.yaml());
    let metrics = generations.metrics_address();
    let is_up = |url: &str| {
        let page = forebay_e2e::Metrics::of(get(metrics, "/metrics").text());
        page.sum("forebay_backend_up", &[("backend", url)])
    };
    for _ in 0..2 {
        assert_eq!(generations.get("/").text(), "well");
    }
    assert_eq!(is_up(&dead.url()), 0.0);
    generations.succeed();
    assert_eq!(get(generations.address(), "/").text(), "well");
    assert_eq!((is_up(&well.url()), is_up(&dead.url())), (1.0, 0.0));
    generations.wait_said("is out: it was so before the upgrade; back in");
}

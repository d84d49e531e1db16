//! The old process of an upgrade dies before it has handed over.

use forebay_e2e::{Backend, Config, Generations, get, until};
use rustix::process::{Pid, Signal, kill_process};

/// A new process whose predecessor dies. It is in nobody's process group but its
/// own, so it is ended with the test.
struct Orphan(u32);

impl Orphan {
    /// Begins an upgrade.
    fn begin(generations: &Generations) -> Self {
        generations.signal_main(Signal::USR2);
        Self(until("a new process is started", || {
            let said = generations.stderr();
            let mut lines = said.lines();
            lines.find_map(|line| line.split_once("is started successor=")?.1.parse().ok())
        }))
    }

    /// Ends the process before as a lack of memory does.
    fn kill_predecessor(&self, generations: &mut Generations) {
        assert_ne!(generations.pid(), self.0);
        generations.signal_main(Signal::KILL);
        assert_eq!(generations.first().wait_exit(), None);
    }

    fn serves(&self, generations: &Generations) {
        until("the new process serves", || {
            (generations.pid() == self.0).then_some(())
        });
        assert_eq!(get(generations.address(), "/").text(), "x");
        generations.wait_said("this one goes on alone");
    }
}

impl Drop for Orphan {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = kill_process(Pid::from_raw(self.0 as i32).unwrap(), Signal::KILL);
    }
}

/// The same configuration, with the port that is there: one that had to open its
/// own sockets would get another one.
fn with_its_port(config: &Config, generations: &Generations) -> String {
    let own = format!("address: \"{}\"", generations.address());
    config.yaml().replace("address: \"127.0.0.1:0\"", &own)
}

#[test]
fn a_successor_whose_predecessor_is_dead_before_it_begins_goes_on_alone() {
    let backend = Backend::saying("x");
    let mut generations = Generations::start(&Config::to(&backend).yaml());
    generations.configure(&with_its_port(&Config::to(&backend), &generations));
    // Everything is handed over, and waits for somebody who takes it.
    generations.replace_with_gate("exec REAL \"$@\"");
    let orphan = Orphan::begin(&generations);
    let queue = format!("/proc/{}/fd/0", orphan.0);
    until("it has a link", || {
        let link = std::fs::read_link(&queue).ok()?;
        link.to_str()?.starts_with("socket:").then_some(())
    });
    orphan.kill_predecessor(&mut generations);
    generations.open_gate();
    orphan.serves(&generations);
}

#[test]
fn a_successor_whose_predecessor_dies_before_it_hands_over_goes_on_alone() {
    let backend = Backend::saying("x");
    let mut generations = Generations::start(&Config::to(&backend).yaml());
    let yaml = with_its_port(&Config::to(&backend), &generations);
    // A change is under way, for which an upgrade waits.
    let (pipe, _writer) = generations.begin_hanging_reload();
    let orphan = Orphan::begin(&generations);
    std::fs::remove_file(pipe).unwrap();
    generations.configure(&yaml);
    orphan.kill_predecessor(&mut generations);
    orphan.serves(&generations);
}

#[test]
fn a_successor_whose_predecessor_dies_while_it_starts_goes_on_alone() {
    let (backend, gate) = Backend::holding("/check", "x");
    let mut generations = Generations::start(&Config::to(&backend).yaml());
    // The new one asks first, before it may serve.
    let checks =
        "health_check: { enabled: true, path: /check, assume_healthy: false, timeout: 5s }";
    generations.configure(&Config::to(&backend).group(checks).yaml());
    let orphan = Orphan::begin(&generations);
    gate.wait_for(1);
    orphan.kill_predecessor(&mut generations);
    gate.open();
    // Whoever waits at the sockets is served, so the port is the one before.
    orphan.serves(&generations);
}

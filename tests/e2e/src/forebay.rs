//! The program under test, serving.

use std::fs::{File, OpenOptions};
use std::net::SocketAddr;
use std::ops::{Deref, DerefMut};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::Command;

use rustix::process::Signal;
use serde_json::Value;

use crate::client::{self, Client};
use crate::metrics::Metrics;
use crate::process::{Process, program};
use crate::scratch::{Scratch, make_pipe};
use crate::until;

pub struct Forebay {
    process: Process,
    addresses: Vec<SocketAddr>,
    metrics: Option<SocketAddr>,
    scratch: Scratch,
}

impl Forebay {
    /// Starts with a configuration file and waits until it is ready.
    #[track_caller]
    pub fn start(yaml: &str) -> Self {
        Self::start_with(yaml, &[])
    }

    /// The same with further arguments.
    #[track_caller]
    pub fn start_with(yaml: &str, arguments: &[&str]) -> Self {
        let scratch = Scratch::new();
        let file = scratch.write("forebay.yaml", yaml);
        let all = [&["run", "-c", &file], arguments].concat();
        Self::serve(scratch, &all)
    }

    /// Starts with these arguments and waits until it is ready.
    #[track_caller]
    pub fn with_arguments(arguments: &[&str]) -> Self {
        Self::serve(Scratch::new(), arguments)
    }

    #[track_caller]
    fn serve(scratch: Scratch, arguments: &[&str]) -> Self {
        let process = Process::spawn(Command::new(program()).args(arguments));
        Self::of(scratch, process)
    }

    #[track_caller]
    pub(crate) fn of(scratch: Scratch, process: Process) -> Self {
        process.stderr_line("ready", |line| line.contains(" ready").then_some(()));
        let said = process.stderr();
        let after = |mark| {
            said.lines()
                .filter_map(move |line| address_after(line, mark))
        };
        // The second is said where the runtime log goes elsewhere.
        let marks = ["listening on ", "is ready: "];
        let addresses = marks.into_iter().flat_map(|mark| {
            let schemes = ["http", "https", "tcp", "tls"];
            let schemes = schemes.map(|scheme| format!("{mark}{scheme}://"));
            said.lines()
                .filter_map(move |line| schemes.iter().find_map(|mark| address_after(line, mark)))
        });
        let metrics = after("metrics on http://").next();
        Self {
            addresses: addresses.collect(),
            metrics,
            process,
            scratch,
        }
    }

    /// Gives it another configuration, which it takes up.
    #[track_caller]
    pub fn reload(&self, yaml: &str) {
        let said = self.hang_up(yaml);
        assert!(!said.contains("configuration is refused"), "{said}");
    }

    /// Gives it another configuration, which it refuses, and waits until it has
    /// said all of this.
    #[track_caller]
    pub fn refuse(&self, yaml: impl AsRef<[u8]>, problems: &[&str]) {
        let before = self.process.stderr().len();
        let said = self.hang_up(yaml);
        assert!(said.contains("configuration is refused"), "{said}");
        for problem in problems {
            until(problem, || {
                let said = self.process.stderr();
                said.get(before..)?.contains(problem).then_some(())
            });
        }
    }

    /// Gives it another configuration, and does not tell it.
    pub fn write_config(&self, yaml: &str) {
        self.scratch.write("forebay.yaml", yaml);
    }

    /// Puts a pipe in the place of the configuration and waits until a reload reads
    /// from it, which it does for as long as the file is kept.
    #[track_caller]
    pub fn begin_hanging_reload(&self) -> (PathBuf, File) {
        let pipe = self.scratch.path("forebay.yaml");
        std::fs::remove_file(&pipe).unwrap();
        make_pipe(&pipe);
        self.process.signal(Signal::HUP);
        // It cannot be opened this way while nobody reads.
        let writer = until("the reload hangs", || {
            let mut options = OpenOptions::new();
            let options = options.write(true).custom_flags(libc::O_NONBLOCK);
            options.open(&pipe).ok()
        });
        (pipe, writer)
    }

    /// Takes the file away: what it has is all there is.
    #[track_caller]
    pub fn remove_configuration(&self) {
        std::fs::remove_file(self.scratch.path("forebay.yaml")).unwrap();
        let before = self.process.stderr().len();
        self.process.signal(Signal::HUP);
        until("the file is missed", || {
            let said = self.process.stderr();
            said.get(before..)?.contains("cannot read").then_some(())
        });
    }

    /// Reads the configuration anew; what it says of it.
    #[track_caller]
    fn hang_up(&self, yaml: impl AsRef<[u8]>) -> String {
        const DONE: [&str; 3] = [
            "configuration taken up",
            "configuration is refused",
            "configuration read anew",
        ];
        let before = self.process.stderr().len();
        std::fs::write(self.scratch.path("forebay.yaml"), yaml).unwrap();
        self.process.signal(Signal::HUP);
        until("the configuration has been read anew", || {
            let said = self.process.stderr();
            let said = said.get(before..)?;
            let is_done = DONE.iter().any(|done| said.contains(done));
            is_done.then(|| said.to_owned())
        })
    }

    /// Where the first listener listens.
    pub fn address(&self) -> SocketAddr {
        self.address_of(0)
    }

    /// Where a listener listens, in the order of the configuration.
    pub fn address_of(&self, listener: usize) -> SocketAddr {
        self.addresses[listener]
    }

    #[track_caller]
    pub fn client(&self) -> Client {
        Client::connect(self.address())
    }

    /// One GET on a connection of its own.
    #[track_caller]
    pub fn get(&self, target: &str) -> crate::Response {
        client::get(self.address(), target)
    }

    /// Where the admin API was said to be last.
    pub fn admin_address(&self) -> SocketAddr {
        let said = self.process.stderr();
        let mut lines = said.lines().rev();
        let address = lines.find_map(|line| address_after(line, "admin API on http://"));
        address.expect("the admin API is on")
    }

    pub fn metrics_address(&self) -> SocketAddr {
        self.metrics.expect("metrics are on")
    }

    #[track_caller]
    pub fn metrics(&self) -> Metrics {
        Metrics::of(client::get(self.metrics_address(), "/metrics").text())
    }

    /// Waits until the samples of this name with these labels come to `expected`.
    #[track_caller]
    pub fn wait_metric(&self, name: &str, labels: &[(&str, &str)], expected: f64) {
        let what = format!("{name} {labels:?} comes to {expected}");
        until(&what, || {
            (self.metrics().sum(name, labels) == expected).then_some(())
        });
    }

    /// The access log's lines on standard output, once there are so many.
    #[track_caller]
    pub fn access_log(&self, count: usize) -> Vec<Value> {
        let lines = self.process.stdout_lines(count);
        lines
            .iter()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Resident memory in bytes.
    pub fn resident(&self) -> u64 {
        self.status("VmRSS:") * 1024
    }

    /// The most of it that there ever was.
    pub fn most_resident(&self) -> u64 {
        self.status("VmHWM:") * 1024
    }

    /// How many descriptors there is room for before the kernel has to make more.
    pub fn room_for_descriptors(&self) -> u64 {
        self.status("FDSize:")
    }

    /// A number in the kernel's account of the process.
    fn status(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Open descriptors.
    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.id()))
            .unwrap()
            .count()
    }

    pub(crate) fn scratch(&self) -> &Scratch {
        &self.scratch
    }

    pub fn terminate(&self) {
        self.process.signal(Signal::TERM);
    }

    /// Waits until it has begun to shut down.
    #[track_caller]
    pub fn wait_draining(&self) {
        let draining = |line: &str| line.contains("shutting down").then_some(());
        self.process.stderr_line("shutting down", draining);
    }
}

impl Deref for Forebay {
    type Target = Process;
    fn deref(&self) -> &Process {
        &self.process
    }
}

impl DerefMut for Forebay {
    fn deref_mut(&mut self) -> &mut Process {
        &mut self.process
    }
}

fn address_after(line: &str, mark: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once(mark)?;
    rest.split([' ', ',', '/', '"']).next()?.parse().ok()
}

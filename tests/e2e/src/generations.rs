//! A Forebay that is succeeded by others: one after the other, in one process
//! group, so that none is left behind.

use std::fs::Permissions;
use std::net::TcpListener;
use std::ops::Deref;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::forebay::Forebay;
use crate::process::{Finished, Process, program};
use crate::scratch::Scratch;
use crate::until;

/// The first process, and through it all that come after. What any of them says
/// is in its standard error.
pub struct Generations {
    first: Forebay,
}

impl Generations {
    #[track_caller]
    pub fn start(yaml: &str) -> Self {
        Self::start_with(yaml, |_| {})
    }

    /// With more in its environment.
    #[track_caller]
    pub fn start_with(yaml: &str, adjust: impl FnOnce(&mut Command)) -> Self {
        let scratch = prepared(yaml);
        let mut command = Command::new(scratch.path("forebay"));
        adjust(&mut command);
        Self::spawn(scratch, command, Stdio::null())
    }

    /// With a listening socket from the service manager, as descriptor 3.
    #[track_caller]
    pub fn activated(yaml: &str, socket: TcpListener) -> Self {
        let scratch = prepared(yaml);
        let mut command = Command::new("sh");
        command
            .args(["-c", ACTIVATE, "sh"])
            .arg(scratch.path("forebay"));
        Self::spawn(scratch, command, OwnedFd::from(socket).into())
    }

    #[track_caller]
    fn spawn(scratch: Scratch, mut command: Command, stdin: Stdio) -> Self {
        let (config, pid) = (scratch.path("forebay.yaml"), scratch.path("pid"));
        command.arg("run").arg("-c").arg(config);
        command.arg("--pid-file").arg(pid).process_group(0);
        let process = Process::spawn_fed(&mut command, stdin);
        let first = Forebay::of(scratch, process);
        let generations = Self { first };
        until("the PID file is written", || {
            (generations.pid() > 0).then_some(())
        });
        generations
    }

    /// Of the main process; 0 where there is none.
    pub fn pid(&self) -> u32 {
        let text = std::fs::read_to_string(self.first.scratch().path("pid"));
        text.map_or(0, |text| text.trim().parse().unwrap())
    }

    pub fn signal_main(&self, signal: Signal) {
        let pid = Pid::from_raw(self.pid() as i32).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// What comes of `forebay upgrade`.
    #[track_caller]
    pub fn upgrade(&self) -> Finished {
        let file = self.first.scratch().path("pid").display().to_string();
        crate::forebay(&["upgrade", "--pid-file", &file])
    }

    /// An upgrade that goes well, and after which the old process is gone.
    #[track_caller]
    pub fn succeed(&self) {
        let old = self.pid();
        let upgrade = self.upgrade();
        assert_eq!(upgrade.code, Some(0), "{}", upgrade.stderr);
        assert_ne!(self.pid(), old);
        until("the old process is gone", || (!is_there(old)).then_some(()));
    }

    /// The program on disk is another one now: this script.
    pub fn replace_with(&self, script: &str) {
        let scratch = self.first.scratch();
        let new = scratch.write("new", &format!("#!/bin/sh\n{script}\n"));
        std::fs::set_permissions(&new, Permissions::from_mode(0o755)).unwrap();
        std::fs::rename(new, scratch.path("forebay")).unwrap();
    }

    /// The program on disk waits until the gate is opened, or its parent is gone,
    /// and then does this; `REAL` is Forebay.
    pub fn replace_with_gate(&self, then: &str) {
        let gate = self.path("gate");
        let then = then.replace("REAL", &self.program());
        let wait = format!("while [ ! -e {gate} ] && kill -0 $PPID; do sleep 0.01; done");
        self.replace_with(&format!("{wait}\n{then}"));
    }

    pub fn open_gate(&self) {
        self.first.scratch().write("gate", "");
    }

    /// The program on disk is Forebay again.
    pub fn restore(&self) {
        let scratch = self.first.scratch();
        symlink(program(), scratch.path("new")).unwrap();
        std::fs::rename(scratch.path("new"), scratch.path("forebay")).unwrap();
    }

    pub fn configure(&self, yaml: &str) {
        self.first.scratch().write("forebay.yaml", yaml);
    }

    pub fn path(&self, name: &str) -> String {
        self.first.scratch().path(name).display().to_string()
    }

    /// The real program.
    pub fn program(&self) -> String {
        program().display().to_string()
    }

    /// How many descriptors the main process has open.
    pub fn descriptors(&self) -> usize {
        let folder = format!("/proc/{}/fd", self.pid());
        std::fs::read_dir(folder).unwrap().count()
    }

    /// Waits for a text among all that was said.
    #[track_caller]
    pub fn wait_said(&self, text: &str) {
        until(text, || self.first.stderr().contains(text).then_some(()));
    }

    pub fn first(&mut self) -> &mut Forebay {
        &mut self.first
    }
}

/// Puts standard input where a service manager puts sockets.
const ACTIVATE: &str =
    "exec 3<&0 0</dev/null; export LISTEN_FDS=1 LISTEN_PID=$$ LISTEN_FDNAMES=http; exec \"$@\"";

fn prepared(yaml: &str) -> Scratch {
    let scratch = Scratch::new();
    scratch.write("forebay.yaml", yaml);
    symlink(program(), scratch.path("forebay")).unwrap();
    scratch
}

/// Neither gone nor waiting for its parent to notice.
fn is_there(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"));
    status.is_ok_and(|status| !status.contains("State:\tZ"))
}

impl Deref for Generations {
    type Target = Forebay;
    fn deref(&self) -> &Forebay {
        &self.first
    }
}

impl Drop for Generations {
    fn drop(&mut self) {
        // All may have ended by themselves.
        if let Some(group) = Pid::from_raw(self.first.id() as i32) {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

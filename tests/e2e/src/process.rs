//! Programs that a test starts: followed, bounded in time, ended with the test.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use rustix::process::{Pid, Signal, kill_process};

use crate::watched::{Watched, until};

/// A running program. Dropping it kills it; if the test fails, what it said is
/// shown.
pub struct Process {
    child: Child,
    name: String,
    stdout: Arc<Watched<Said>>,
    stderr: Arc<Watched<Said>>,
}

/// The lines of one stream so far.
#[derive(Default)]
struct Said {
    lines: Vec<String>,
    is_over: bool,
}

/// A program that has ended.
#[derive(Debug)]
pub struct Finished {
    /// The exit code; none if a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Process {
    #[track_caller]
    pub fn start(program: &str, arguments: &[&str]) -> Self {
        Self::spawn(Command::new(program).args(arguments))
    }

    /// The program under test, for as long as it runs.
    #[track_caller]
    pub fn forebay(arguments: &[&str]) -> Self {
        Self::spawn(Command::new(program()).args(arguments))
    }

    #[track_caller]
    pub fn spawn(command: &mut Command) -> Self {
        Self::spawn_fed(command, Stdio::null())
    }

    /// With this as its standard input.
    #[track_caller]
    pub(crate) fn spawn_fed(command: &mut Command, stdin: Stdio) -> Self {
        Self::spawn_with(command.stdout(Stdio::piped()), stdin)
    }

    #[track_caller]
    fn spawn_with(command: &mut Command, stdin: Stdio) -> Self {
        let name = command.get_program().to_string_lossy().into_owned();
        command.stdin(stdin).stderr(Stdio::piped());
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => panic!("{name} cannot be started: {error}"),
        };
        let stdout = follow(child.stdout.take());
        let stderr = follow(child.stderr.take());
        Self {
            child,
            name,
            stdout,
            stderr,
        }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).unwrap();
    }

    /// The exit code; none if a signal ended it.
    #[track_caller]
    pub fn wait_exit(&mut self) -> Option<i32> {
        let what = format!("{} does not end", self.name);
        until(&what, || self.child.try_wait().unwrap()).code()
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    #[track_caller]
    pub fn finish(mut self) -> Finished {
        let code = self.wait_exit();
        let text = |said: &Watched<Said>| {
            said.wait("a stream stays open", |said| {
                said.is_over.then(|| said.lines.join("\n"))
            })
        };
        Finished {
            code,
            stdout: text(&self.stdout),
            stderr: text(&self.stderr),
        }
    }

    /// Waits for a line on standard error in which `look` finds something.
    #[track_caller]
    pub fn stderr_line<R>(&self, what: &str, look: impl Fn(&str) -> Option<R>) -> R {
        wait_line(&self.stderr, what, look)
    }

    /// Waits for a line on standard output in which `look` finds something.
    #[track_caller]
    pub fn stdout_line<R>(&self, what: &str, look: impl Fn(&str) -> Option<R>) -> R {
        wait_line(&self.stdout, what, look)
    }

    /// The lines on standard output, once there are so many.
    #[track_caller]
    pub fn stdout_lines(&self, count: usize) -> Vec<String> {
        self.stdout.wait("lines on standard output", |said| {
            (said.lines.len() >= count).then(|| said.lines.clone())
        })
    }

    pub fn stderr(&self) -> String {
        self.stderr.read(|said| said.lines.join("\n"))
    }
}

#[track_caller]
fn wait_line<R>(said: &Watched<Said>, what: &str, look: impl Fn(&str) -> Option<R>) -> R {
    let found = said.wait(what, |said| {
        let found = said.lines.iter().find_map(|line| look(line));
        found.map(Some).or_else(|| said.is_over.then_some(None))
    });
    match found {
        Some(found) => found,
        None => panic!("the program ended without a line: {what}"),
    }
}

/// Collects what comes on a stream; on one that is not followed, nothing does.
fn follow(stream: Option<impl Read + Send + 'static>) -> Arc<Watched<Said>> {
    let said = Arc::new(Watched::<Said>::default());
    let kept = Arc::clone(&said);
    std::thread::spawn(move || {
        let lines = stream
            .into_iter()
            .flat_map(|stream| BufReader::new(stream).lines());
        for line in lines.map_while(Result::ok) {
            kept.update(|said| said.lines.push(line));
        }
        kept.update(|said| said.is_over = true);
    });
    said
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let show = |said: &Watched<Said>| said.read(|said| said.lines.join("\n"));
            eprintln!("--- {}, standard output\n{}", self.name, show(&self.stdout));
            eprintln!("--- {}, standard error\n{}", self.name, show(&self.stderr));
        }
    }
}

/// Runs `forebay` to its end.
#[track_caller]
pub fn forebay(arguments: &[&str]) -> Finished {
    Process::spawn(Command::new(program()).args(arguments)).finish()
}

/// The same with a standard output that nobody reads any more.
#[track_caller]
pub fn forebay_with_closed_output(arguments: &[&str]) -> Finished {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = Command::new(program());
    let command = command.args(arguments).stdout(writer);
    Process::spawn_with(command, Stdio::null()).finish()
}

/// `forebay`, to be given arguments and more.
pub fn command() -> Command {
    Command::new(program())
}

/// The program under test, beside this test's own.
pub(crate) fn program() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    // target/PROFILE/deps/TEST
    let profile = own.ancestors().nth(2).unwrap();
    let program = profile.join("forebay");
    assert!(
        program.exists(),
        "{} is missing: run `cargo build -p forebay-cli` first",
        program.display()
    );
    program
}

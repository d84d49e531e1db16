//! The old process's side.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use forebay::{Leaving, Live};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tracing::info;

use super::{GO, MAIN, Program, READY, REFUSAL, VARIABLE, letter, refusal};

/// Until everything is open.
const UNTIL_READY: Duration = Duration::from_secs(30);
/// From then on until it is the main process.
const UNTIL_MAIN: Duration = Duration::from_secs(5);
/// Between two looks at whether it is wanted still.
const STEP: Duration = Duration::from_millis(100);

/// A new process, killed unless it is let go.
struct Successor {
    child: Option<Child>,
    /// For people.
    name: String,
    stream: UnixStream,
}

/// Starts the program anew and waits until it has taken over; returns the number
/// of its process. `is_settled` is set by whoever is first: the one who wants no
/// upgrade any more, or this, when the new one may begin. Blocks.
pub(super) fn succeed(
    program: &Program,
    live: &Live,
    is_settled: &AtomicBool,
) -> Result<u32, String> {
    let mut successor = start(program)?;
    let is_unwanted = || is_settled.load(Ordering::Acquire);
    live.refuse_changes(Leaving::HandedOver);
    wait_until_quiet(live, is_unwanted)?;
    // Nobody writes it until the upgrade is over, however long that takes.
    live.save();
    let sockets = live.sockets();
    let sockets = sockets.map_err(|error| format!("the sockets cannot be passed: {error}"))?;
    let sent = letter::send(&successor.stream, &sockets, &live.handover());
    drop(sockets);
    sent.map_err(|why| successor.has_ended().unwrap_or(why))?;
    successor.wait_for(READY, UNTIL_READY, is_unwanted)?;
    if is_settled.swap(true, Ordering::AcqRel) {
        return Err(UNWANTED.to_owned());
    }
    live.refuse_changes(Leaving::Succeeded);
    let told = successor.stream.write_all(&[GO]);
    told.map_err(|error| format!("{} cannot be told to go on: {error}", successor.name))?;
    successor.wait_for(MAIN, UNTIL_MAIN, || false)?;
    // Before the end of the link, which says so.
    live.leave_admin();
    successor.let_go()
}

/// Waits until no change is under way that the new one would not know of.
#[expect(clippy::disallowed_methods, reason = "the program owns its clock")]
fn wait_until_quiet(live: &Live, is_unwanted: impl Fn() -> bool) -> Result<(), String> {
    let end = Instant::now() + UNTIL_READY;
    while !live.is_quiet() {
        if is_unwanted() {
            return Err(UNWANTED.to_owned());
        }
        if Instant::now() >= end {
            return Err(format!("a change takes longer than {UNTIL_READY:?}"));
        }
        std::thread::sleep(STEP / 10);
    }
    Ok(())
}

const UNWANTED: &str = "Forebay is to end";

fn start(program: &Program) -> Result<Successor, String> {
    let path = program.path.display();
    let fault = |error| format!("{path} cannot be started: {error}");
    let (own, theirs) = UnixStream::pair().map_err(fault)?;
    let child = Command::new(&program.path)
        .args(&program.arguments)
        .env(VARIABLE, std::process::id().to_string())
        .env_remove("LISTEN_PID")
        .env_remove("LISTEN_FDS")
        .env_remove("LISTEN_FDNAMES")
        .stdin(OwnedFd::from(theirs))
        // So that nothing it has started outlives it if it has to be killed.
        .process_group(0)
        .spawn()
        .map_err(fault)?;
    info!(successor = child.id(), "upgrade: {path} is started");
    let successor = Successor {
        name: format!("the new process {}", child.id()),
        child: Some(child),
        stream: own,
    };
    let times = successor.stream.set_read_timeout(Some(STEP));
    let times = times.and_then(|()| successor.stream.set_write_timeout(Some(UNTIL_READY)));
    times.map_err(fault).map(|()| successor)
}

impl Successor {
    /// Waits for this byte, but no longer than `time`, and not once it is unwanted.
    #[expect(clippy::disallowed_methods, reason = "the program owns its clock")]
    fn wait_for(
        &mut self,
        expected: u8,
        time: Duration,
        is_unwanted: impl Fn() -> bool,
    ) -> Result<(), String> {
        let end = Instant::now() + time;
        let mut said = [0];
        while Instant::now() < end {
            if is_unwanted() {
                return Err(UNWANTED.to_owned());
            }
            match self.stream.read(&mut said) {
                Ok(1) if said == [expected] => return Ok(()),
                Ok(0) => {
                    let silent = format!("{} does not want to take over", self.name);
                    return Err(self.has_ended().unwrap_or(silent));
                }
                Ok(1) if said == [REFUSAL] => {
                    let why = refusal::hear(&self.stream);
                    return Err(format!("{} does not take over:\n{why}", self.name));
                }
                Ok(_) => return Err(format!("{} says what nobody understands", self.name)),
                Err(error) if is_nothing_yet(&error) => {}
                Err(error) => {
                    let deaf = format!("{} cannot be heard: {error}", self.name);
                    return Err(self.has_ended().unwrap_or(deaf));
                }
            }
        }
        Err(format!(
            "{} has not become ready within {time:?}",
            self.name
        ))
    }

    /// How it has ended, if it does so within a moment.
    fn has_ended(&mut self) -> Option<String> {
        let child = self.child.as_mut()?;
        for _ in 0..20 {
            if is_over(child) {
                kill_group(child);
                let status = child.wait().ok()?;
                self.child = None;
                return Some(format!(
                    "{} ended with {status} before it was ready; its own messages say why",
                    self.name
                ));
            }
            std::thread::sleep(STEP / 2);
        }
        None
    }

    fn let_go(mut self) -> Result<u32, String> {
        let child = self.child.take().ok_or("the new process is gone")?;
        Ok(child.id())
    }
}

fn is_nothing_yet(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}

/// Whether it has ended; its number stays its own until it is waited for.
fn is_over(child: &Child) -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    let status = waitid(WaitId::Pid(Pid::from_child(child)), options);
    !matches!(status, Ok(None))
}

/// With all that it has started, unless that has left the group.
fn kill_group(child: &Child) {
    // There may be nobody in it any more.
    let _ = kill_process_group(Pid::from_child(child), Signal::KILL);
}

impl Drop for Successor {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            kill_group(child);
            // It may have ended by itself, or left its group.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

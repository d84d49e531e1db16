//! `forebay upgrade`.
#![expect(clippy::print_stderr, reason = "the program owns the terminal")]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::REFUSED;
use crate::arguments::UpgradeOptions;
use crate::commands::print;
use crate::pid_file;
use crate::upgrade::{Outcome, Watching};

/// More than the serving process gives the new one.
const PATIENCE: Duration = Duration::from_secs(45);
/// Between two looks.
const STEP: Duration = Duration::from_millis(20);

pub(crate) fn upgrade(options: &UpgradeOptions) -> ExitCode {
    let old = match (&options.pid, &options.pid_file) {
        (Some(pid), _) => Ok(*pid),
        (None, Some(path)) => pid_file::read(path),
        (None, None) => {
            eprintln!(
                "error: which process is to be succeeded?\n\n  \
                 forebay upgrade --pid-file FILE   the file of `forebay run --pid-file FILE`\n  \
                 forebay upgrade --pid N           its number, as in `forebay ctl status`"
            );
            return ExitCode::from(2);
        }
    };
    match old.and_then(|old| Ok((old, ask(old)?))) {
        Ok((old, new)) => print(&format!(
            "upgraded: process {new} serves; {old} finishes what it has begun and ends\n"
        )),
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::from(REFUSED)
        }
    }
}

/// Asks the process and waits for what comes of it: the number of the new one.
fn ask(pid: u32) -> Result<u32, String> {
    let process = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let process = process.ok_or("that is not the number of a process")?;
    // Whoever does not know the signal would be ended by it.
    let mut watching = Watching::of(pid).ok_or_else(|| {
        format!("process {pid} is no Forebay that serves, or belongs to somebody else")
    })?;
    if watching.next().last() == Some(&Outcome::Begun) {
        return Err("an upgrade is under way already".to_owned());
    }
    kill_process(process, Signal::USR2)
        .map_err(|error| format!("process {pid} cannot be asked: {error}"))?;
    wait(&mut watching, pid)
}

#[expect(clippy::disallowed_methods, reason = "the program owns its clock")]
fn wait(watching: &mut Watching, pid: u32) -> Result<u32, String> {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        // Before the look, so that the last word of one that has gone is heard.
        let is_there = std::path::Path::new(&format!("/proc/{pid}")).exists();
        for outcome in watching.next() {
            match outcome {
                Outcome::Begun => {}
                Outcome::Done(new) => return Ok(new),
                Outcome::Failed(why) => {
                    return Err(format!("process {pid} goes on as before: {why}"));
                }
            }
        }
        if !is_there {
            return Err(format!("process {pid} has ended without a word"));
        }
        std::thread::sleep(STEP);
    }
    Err(format!(
        "process {pid} has said nothing within {PATIENCE:?}; see its log"
    ))
}

//! The new process's side.
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use forebay::Predecessor;
use rustix::net::sockopt::socket_peercred;
use rustix::process::{getpgid, getppid, setpgid};

use super::{GO, MAIN, READY, VARIABLE, letter, refusal};

/// The old process's word takes no longer than this.
const PATIENCE: Duration = Duration::from_secs(30);

/// To the process that is to be succeeded.
pub(crate) struct Link {
    stream: Arc<UnixStream>,
}

impl Link {
    /// None where nobody is to be succeeded.
    pub(crate) fn find() -> Result<Option<Self>, String> {
        let value = std::env::var_os(VARIABLE);
        let value = value.as_ref().map(|value| value.to_string_lossy());
        let parent = getppid().map(|pid| pid.as_raw_pid());
        if !is_for_us(value.as_deref(), parent)? {
            return Ok(None);
        }
        let stream = from_stdin(parent).map_err(|why| format!("{VARIABLE} is set, but {why}"))?;
        Ok(Some(Self {
            stream: Arc::new(stream),
        }))
    }

    /// What the old process hands over, and what of it cannot be understood.
    pub(crate) fn receive(&self) -> Result<(Predecessor, Option<String>), String> {
        let received = letter::receive(&self.stream)
            .map_err(|why| format!("the process before hands over nothing of use: {why}"))?;
        let stream = Arc::clone(&self.stream);
        let predecessor = Predecessor {
            sockets: received.sockets,
            handover: received.handover,
            agree: Some(Box::new(move || agree(&stream))),
        };
        Ok((predecessor, received.trouble))
    }

    /// Says that this is not going to be the main process, and why.
    pub(crate) fn refuse(&self, why: &str) {
        refusal::tell(&self.stream, why);
    }

    /// Says that this is the main process now.
    pub(crate) fn take_office(self) {
        join_group_of_parent();
        // Without an old one that listens, it is all the more.
        let _ = (&*self.stream).write_all(&[MAIN]);
    }
}

/// Until now it had a group of its own, to be killed with all that it had started
/// if it was no good. From now on, signals to the service's group are for it.
fn join_group_of_parent() {
    let group = getppid().map(|parent| getpgid(Some(parent)));
    if let Some(Ok(group)) = group {
        // In another session there is no such group to join.
        let _ = setpgid(None, Some(group));
    }
}

/// Says that everything is open, and waits for the word to go.
fn agree(mut stream: &UnixStream) -> Result<(), String> {
    let mut answer = [0];
    let read = stream
        .write_all(&[READY])
        .and_then(|()| stream.read_exact(&mut answer));
    match (read, answer) {
        (Ok(()), [GO]) => Ok(()),
        _ => Err("the process before goes on itself".to_owned()),
    }
}

/// Whether the variable means this process. It stays in the environment, so
/// children of a successor have it too.
fn is_for_us(value: Option<&str>, parent: Option<i32>) -> Result<bool, String> {
    let Some(value) = value else {
        return Ok(false);
    };
    match value.parse::<i32>() {
        Ok(pid) if pid > 0 => Ok(parent == Some(pid)),
        _ => Err(format!(
            "{VARIABLE} is {value:?}, and not the number of a process; only Forebay itself sets it"
        )),
    }
}

/// Takes the socket that is standard input, which is nothing from then on.
fn from_stdin(parent: Option<i32>) -> Result<UnixStream, String> {
    let stdin = std::io::stdin();
    let peer = socket_peercred(&stdin)
        .map_err(|_| "standard input is not a socket of the process before")?;
    if Some(peer.pid.as_raw_pid()) != parent {
        return Err("standard input is somebody else's socket".to_owned());
    }
    let fault = |error: std::io::Error| error.to_string();
    let stream = UnixStream::from(stdin.as_fd().try_clone_to_owned().map_err(fault)?);
    let nothing = File::open("/dev/null").map_err(fault)?;
    rustix::stdio::dup2_stdin(nothing).map_err(|error| error.to_string())?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(fault)?;
    stream.set_write_timeout(Some(PATIENCE)).map_err(fault)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_parents_number_means_this_process() {
        for (value, expected) in [
            (None, Ok(false)),
            (Some("7"), Ok(true)),
            (Some("8"), Ok(false)),
            (Some("1"), Ok(false)),
            (Some(""), Err(())),
            (Some("0"), Err(())),
            (Some("-7"), Err(())),
            (Some("7 "), Err(())),
            (Some("7,3=127.0.0.1:80"), Err(())),
            (Some("99999999999999999999"), Err(())),
            (Some("\u{fffd}"), Err(())),
        ] {
            assert_eq!(
                is_for_us(value, Some(7)).map_err(drop),
                expected,
                "{value:?}"
            );
        }
        assert_eq!(is_for_us(Some("7"), None), Ok(false));
    }
}

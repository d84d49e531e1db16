//! The new process's side.
//!
//! The process before may die at any moment, by `kill -9` or for want of memory.
//! Then nobody else serves, so this one goes on alone: with the sockets, if all of
//! them have come, and otherwise with its own.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use forebay::Predecessor;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt::socket_peercred;
use rustix::process::{getpgid, getppid, setpgid};
use tracing::warn;

use super::{GO, MAIN, READY, VARIABLE, letter, refusal};

/// The old process's word takes no longer than this.
const PATIENCE: Duration = Duration::from_secs(30);
/// A process that has hung up is gone within this time, and its sockets with it.
const DYING: Duration = Duration::from_secs(5);
/// Between two looks at whether it is.
const STEP: Duration = Duration::from_millis(10);

/// To the process that is to be succeeded.
pub(crate) struct Link {
    stream: Arc<UnixStream>,
    /// The number of that process.
    old: i32,
}

/// Still to come from the process that has been succeeded.
pub(crate) struct LastWord(Arc<UnixStream>);

/// What has come over the link.
pub(crate) struct Received {
    pub(crate) predecessor: Predecessor,
    /// None where the process before has died too early.
    pub(crate) link: Option<Link>,
    /// What of it is of no use, and why.
    pub(crate) trouble: Option<String>,
}

impl Link {
    /// None where nobody is to be succeeded.
    pub(crate) fn find() -> Result<Option<Self>, String> {
        let value = std::env::var_os(VARIABLE);
        let value = value.as_ref().map(|value| value.to_string_lossy());
        let Some(old) = number(value.as_deref())? else {
            return Ok(None);
        };
        // The variable stays in the environment, so children of a successor have it
        // too. It means this process where the old one has started it, also if that
        // one is dead already.
        if parent() != Some(old) && !is_orphan_of(old, std::io::stdin().as_fd()) {
            return Ok(None);
        }
        let stream = from_stdin(old).map_err(|why| format!("{VARIABLE} is set, but {why}"))?;
        let stream = Arc::new(stream);
        Ok(Some(Self { stream, old }))
    }

    /// What the old process hands over.
    pub(crate) fn receive(self) -> Result<Received, String> {
        let received = match letter::receive(&self.stream) {
            Ok(received) => received,
            Err(_) if is_gone(&self.stream, self.old) => {
                // What has come of it is closed here, and what has not with the link:
                // sockets that nobody knows of would be in the way.
                return Ok(Received {
                    predecessor: Predecessor::default(),
                    link: None,
                    trouble: Some(DEAD.to_owned()),
                });
            }
            Err(why) => {
                return Err(format!(
                    "the process before hands over nothing of use: {why}"
                ));
            }
        };
        let (stream, old) = (Arc::clone(&self.stream), self.old);
        let useless = |why| format!("what the process before knows is of no use: {why}");
        Ok(Received {
            predecessor: Predecessor {
                sockets: received.sockets,
                handover: received.handover,
                agree: Some(Box::new(move || agree(&stream, old))),
            },
            link: Some(self),
            trouble: received.trouble.map(useless),
        })
    }

    /// Says that this is not going to be the main process, and why.
    pub(crate) fn refuse(&self, why: &str) {
        refusal::tell(&self.stream, why);
    }

    /// Says that this is the main process now.
    pub(crate) fn take_office(self) -> LastWord {
        join_group_of(self.old);
        // Without an old one that listens, it is all the more.
        let _ = (&*self.stream).write_all(&[MAIN]);
        LastWord(self.stream)
    }
}

impl LastWord {
    /// Waits until the old process answers nobody at the admin API any more, which
    /// it says by hanging up, but not for long.
    pub(crate) fn wait(self) {
        // It makes no difference how it ends.
        let _ = (&*self.0).read(&mut [0]);
    }
}

const DEAD: &str =
    "the process before has died and cannot hand over any more; this one goes on alone";

fn parent() -> Option<i32> {
    getppid().map(|pid| pid.as_raw_pid())
}

/// Until now it had a group of its own, to be killed with all that it had started
/// if it was no good. From now on, signals to the service's group are for it.
fn join_group_of(old: i32) {
    let parent = getppid().filter(|parent| parent.as_raw_pid() == old);
    let group = parent.map(|parent| getpgid(Some(parent)));
    if let Some(Ok(group)) = group {
        // In another session there is no such group to join.
        let _ = setpgid(None, Some(group));
    }
}

/// Says that everything is open, and waits for the word to go.
fn agree(mut stream: &UnixStream, old: i32) -> Result<(), String> {
    let mut answer = [0];
    let read = stream
        .write_all(&[READY])
        .and_then(|()| stream.read_exact(&mut answer));
    match (read, answer) {
        (Ok(()), [GO]) => Ok(()),
        (Err(_), _) if is_gone(stream, old) => {
            warn!("{DEAD}");
            Ok(())
        }
        _ => Err("the process before goes on itself".to_owned()),
    }
}

/// Whether the process at the other end is no more. One that has hung up is about
/// to end; its sockets are closed when it is nobody's parent any more.
#[expect(clippy::disallowed_methods, reason = "the program owns its clock")]
fn is_gone(stream: &UnixStream, old: i32) -> bool {
    let end = Instant::now() + DYING;
    while has_hung_up(stream.as_fd()) {
        if parent() != Some(old) {
            return true;
        }
        if Instant::now() >= end {
            break;
        }
        std::thread::sleep(STEP);
    }
    false
}

fn has_hung_up(stream: BorrowedFd<'_>) -> bool {
    let mut looked = [PollFd::from_borrowed_fd(stream, PollFlags::empty())];
    let at_once = Timespec::default();
    poll(&mut looked, Some(&at_once)).is_ok() && looked[0].revents().contains(PollFlags::HUP)
}

/// The number of a process, if there is any.
fn number(value: Option<&str>) -> Result<Option<i32>, String> {
    let Some(value) = value else {
        return Ok(None);
    };
    match value.parse::<i32>() {
        Ok(pid) if pid > 0 => Ok(Some(pid)),
        _ => Err(format!(
            "{VARIABLE} is {value:?}, and not the number of a process; only Forebay itself sets it"
        )),
    }
}

/// Whether this is a socket of the process of that number, which has hung up.
fn is_orphan_of(old: i32, stdin: BorrowedFd<'_>) -> bool {
    let peer = socket_peercred(stdin);
    peer.is_ok_and(|peer| peer.pid.as_raw_pid() == old) && has_hung_up(stdin)
}

/// Takes the socket that is standard input, which is nothing from then on.
fn from_stdin(old: i32) -> Result<UnixStream, String> {
    let stdin = std::io::stdin();
    let peer = socket_peercred(&stdin)
        .map_err(|_| "standard input is not a socket of the process before")?;
    if peer.pid.as_raw_pid() != old {
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
    fn only_numbers_of_processes_mean_anything() {
        for (value, expected) in [
            (None, Ok(None)),
            (Some("7"), Ok(Some(7))),
            (Some(""), Err(())),
            (Some("0"), Err(())),
            (Some("-7"), Err(())),
            (Some("7 "), Err(())),
            (Some("7,3=127.0.0.1:80"), Err(())),
            (Some("99999999999999999999"), Err(())),
            (Some("\u{fffd}"), Err(())),
        ] {
            assert_eq!(number(value).map_err(drop), expected, "{value:?}");
        }
    }

    #[test]
    fn an_orphan_has_a_socket_of_that_process_which_has_hung_up() {
        let own = std::process::id() as i32;
        let (one, other) = UnixStream::pair().unwrap();
        assert!(!is_orphan_of(own, one.as_fd()));
        (&other).write_all(b"unread").unwrap();
        drop(other);
        assert!(is_orphan_of(own, one.as_fd()));
        assert!(!is_orphan_of(own + 1, one.as_fd()));
        assert!(!is_orphan_of(own, File::open("/dev/null").unwrap().as_fd()));
    }

    #[test]
    fn a_process_that_still_is_there_or_still_listens_is_not_gone() {
        let (one, other) = UnixStream::pair().unwrap();
        assert!(!is_gone(&one, 0));
        drop(other);
        assert!(is_gone(&one, 0));
    }
}

//! One try at an upgrade, while everything else goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use forebay::Live;
use rustix::process::{Pid, Signal, kill_process};
use tokio::task::JoinHandle;

use super::{Program, successor};

/// An upgrade under way.
pub(crate) struct Attempt {
    task: JoinHandle<Result<u32, String>>,
    is_settled: Arc<AtomicBool>,
    forward: Forward,
}

/// What was asked for meanwhile, and is the new process's business if there is
/// one.
#[derive(Default, Clone, Copy)]
pub(crate) struct Forward {
    pub(crate) reload: bool,
    pub(crate) reopen: bool,
}

impl Attempt {
    pub(crate) fn begin(program: &Arc<Program>, live: &Arc<Live>) -> Self {
        let is_settled = Arc::new(AtomicBool::new(false));
        let (program, live) = (Arc::clone(program), Arc::clone(live));
        let settled = Arc::clone(&is_settled);
        let work = move || successor::succeed(&program, &live, &settled);
        Self {
            task: tokio::task::spawn_blocking(work),
            is_settled,
            forward: Forward::default(),
        }
    }

    /// Asked for meanwhile, to be done when it is over.
    pub(crate) fn note(&mut self) -> &mut Forward {
        &mut self.forward
    }

    /// What comes of it: the number of the new process. Loses nothing when it is
    /// dropped before.
    pub(crate) async fn outcome(&mut self) -> (Result<u32, String>, Forward) {
        let result = (&mut self.task).await;
        let result = result.unwrap_or_else(|_| Err("it has failed".to_owned()));
        (result, self.forward)
    }

    /// It is not wanted any more; it may be too late for that.
    pub(crate) async fn stop(mut self) -> Result<u32, String> {
        self.is_settled.store(true, Ordering::Release);
        self.outcome().await.0
    }
}

impl Forward {
    /// Asks the new process for it.
    pub(crate) fn send_to(self, pid: u32) {
        let signals = [(self.reload, Signal::HUP), (self.reopen, Signal::USR1)];
        for (_, signal) in signals.into_iter().filter(|(is_asked, _)| *is_asked) {
            send(pid, signal);
        }
    }

    /// The end was asked for, and the new process is the one to end.
    pub(crate) fn end(pid: u32) {
        send(pid, Signal::TERM);
    }
}

fn send(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // One that has gone has no use for it.
        let _ = kill_process(pid, signal);
    }
}

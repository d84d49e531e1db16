//! Signals: SIGINT and SIGTERM end the program well, a second one at once;
//! SIGUSR1 opens the logs anew, SIGHUP reads the configuration anew, SIGUSR2
//! lets the program as it is on disk now take over.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::warn;

pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    user1: Signal,
    user2: Signal,
    hang_up: Signal,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    End,
    ReopenLogs,
    Reload,
    Upgrade,
}

impl Signals {
    pub(crate) fn watch() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            user1: signal(SignalKind::user_defined1())?,
            user2: signal(SignalKind::user_defined2())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Does what the end takes, unless a second signal wants it at once: that ends
    /// the program.
    pub(crate) async fn or_end_at_once<T>(&mut self, work: impl Future<Output = T>) -> T {
        tokio::select! {
            done = work => done,
            () = self.end() => end_at_once(),
        }
    }

    /// Waits until the end is asked for; nothing else is of interest.
    pub(crate) async fn end(&mut self) {
        while self.next().await != Asked::End {}
    }

    pub(crate) async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.interrupt.recv() => Asked::End,
            _ = self.terminate.recv() => Asked::End,
            _ = self.user1.recv() => Asked::ReopenLogs,
            _ = self.hang_up.recv() => Asked::Reload,
            _ = self.user2.recv() => Asked::Upgrade,
        }
    }
}

/// Whatever is under way.
pub(crate) fn end_at_once() -> ! {
    warn!("second signal: ending at once");
    std::process::exit(1)
}

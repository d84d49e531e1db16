//! Signals: SIGINT and SIGTERM end the program well, a second one at once;
//! SIGUSR1 opens the logs anew, SIGHUP reads the configuration anew, SIGUSR2
//! lets the program as it is on disk now take over.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    user1: Signal,
    user2: Signal,
    hang_up: Signal,
}

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

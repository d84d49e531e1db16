//! Signals: SIGINT and SIGTERM end the program well, a second one at once;
//! SIGUSR1 opens the logs anew.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    user1: Signal,
}

pub(crate) enum Asked {
    ToEnd,
    ToReopenLogs,
}

impl Signals {
    pub(crate) fn watch() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            user1: signal(SignalKind::user_defined1())?,
        })
    }

    pub(crate) async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.interrupt.recv() => Asked::ToEnd,
            _ = self.terminate.recv() => Asked::ToEnd,
            _ = self.user1.recv() => Asked::ToReopenLogs,
        }
    }
}

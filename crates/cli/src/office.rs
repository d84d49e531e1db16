//! Who is the main process: said to the process before, to the service manager
//! and in the PID file.

use tracing::warn;

use crate::pid_file::PidFile;
use crate::service;
use crate::upgrade::{LastWord, Link};

pub(crate) struct Office {
    link: Option<Link>,
    pid_file: Option<PidFile>,
}

impl Office {
    pub(crate) fn new(link: Option<Link>, pid_file: Option<PidFile>) -> Self {
        Self { link, pid_file }
    }

    /// This process serves, and is the main one.
    pub(crate) fn take(&mut self) -> Option<LastWord> {
        self.claim_file();
        match self.link.take() {
            None => {
                service::ready();
                None
            }
            Some(link) => {
                // The process before may end as soon as it has been told, which
                // must not look like the end of the service.
                service::main_and_ready();
                Some(link.take_office())
            }
        }
    }

    /// This process does not serve, and why. Who is to be succeeded is told.
    pub(crate) fn refuse(&mut self, why: &str) {
        if let Some(link) = self.link.take() {
            link.refuse(why);
        }
    }

    /// Another one may have said that it is, and is not.
    pub(crate) fn take_back(&self) {
        self.claim_file();
        service::main_and_ready();
    }

    fn claim_file(&self) {
        if let Some(file) = &self.pid_file
            && let Err(error) = file.claim()
        {
            warn!(%error, "the PID file cannot be written");
        }
    }
}

//! What a serving process does besides serving: what signals ask for, and
//! looking after files that are watched.

use std::sync::Arc;

use forebay::Live;
use tracing::{error, info, warn};

use crate::logging::Log;
use crate::office::Office;
use crate::reloads::Reloads;
use crate::service;
use crate::signals::{Asked, Signals};
use crate::upgrade::{Attempt, Forward, Outcome, Outcomes, Program};

pub(crate) struct Duties {
    pub(crate) reloads: Reloads,
    pub(crate) upgrades: Upgrades,
}

/// Why it is over.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// A signal wants it.
    Asked,
    /// Another process serves: its number.
    Succeeded(u32),
}

/// Upgrades, of which there is one at a time.
pub(crate) struct Upgrades {
    program: Option<Arc<Program>>,
    outcomes: Outcomes,
    attempt: Option<Attempt>,
}

/// What is to be done next.
enum Next {
    Signal(Asked),
    /// Nothing, after a reload or a look at the files.
    GoOn,
    Upgraded(Result<u32, String>, Forward),
}

impl Duties {
    /// Does what there is to do until it is over.
    pub(crate) async fn obey(
        &mut self,
        live: &Arc<Live>,
        signals: &mut Signals,
        log: &Log,
        office: &Office,
    ) -> End {
        loop {
            match self.next(live, signals).await {
                Next::Signal(Asked::End) => {
                    let stopped = self.upgrades.stop(live, office);
                    return signals.or_end_at_once(stopped).await;
                }
                Next::Signal(asked) => self.serve(asked, live, log),
                Next::GoOn => {}
                Next::Upgraded(Ok(pid), mut forward) => {
                    forward.reload = self.reloads.take_over();
                    forward.send_to(pid);
                    self.upgrades.succeeded(pid);
                    return End::Succeeded(pid);
                }
                Next::Upgraded(Err(why), _) => self.upgrades.failed(why, live, office),
            }
        }
    }

    async fn next(&mut self, live: &Arc<Live>, signals: &mut Signals) -> Next {
        let attempt = &mut self.upgrades.attempt;
        // The new process reads the files itself.
        let may_begin = attempt.is_none();
        tokio::select! {
            asked = signals.next() => Next::Signal(asked),
            (result, forward) = outcome(attempt) => Next::Upgraded(result, forward),
            () = self.reloads.go_on(live, may_begin) => Next::GoOn,
        }
    }

    fn serve(&mut self, asked: Asked, live: &Arc<Live>, log: &Log) {
        match (asked, &mut self.upgrades.attempt) {
            (Asked::End, _) => {}
            (Asked::Upgrade, _) => self.upgrades.begin(live),
            (Asked::ReopenLogs, attempt) => {
                log.reopen();
                live.running().reopen_logs();
                info!("logs opened anew");
                // The new process may have opened them before they were moved.
                if let Some(attempt) = attempt {
                    attempt.note().reopen = true;
                }
            }
            (Asked::Reload, Some(_)) => {
                info!("the configuration is read anew when the upgrade is over");
                self.reloads.ask();
            }
            (Asked::Reload, None) => self.reloads.ask(),
        }
    }
}

async fn outcome(attempt: &mut Option<Attempt>) -> (Result<u32, String>, Forward) {
    match attempt {
        Some(attempt) => attempt.outcome().await,
        None => std::future::pending().await,
    }
}

impl Upgrades {
    pub(crate) fn new(program: Option<Program>) -> Self {
        Self {
            program: program.map(Arc::new),
            outcomes: Outcomes::new(),
            attempt: None,
        }
    }

    fn begin(&mut self, live: &Arc<Live>) {
        if self.attempt.is_some() {
            warn!("upgrade: one is under way already");
            return;
        }
        self.outcomes.add(&Outcome::Begun);
        let refusal = match &self.program {
            // Of a container: with its first process, it ends.
            Some(_) if std::process::id() == 1 => "process 1 cannot be succeeded",
            Some(program) => {
                self.attempt = Some(Attempt::begin(program, live));
                return;
            }
            None => "there is no program to start",
        };
        self.refused(refusal.to_owned());
    }

    fn succeeded(&mut self, pid: u32) {
        self.attempt = None;
        info!(successor = pid, "upgrade: process {pid} serves");
        self.outcomes.add(&Outcome::Done(pid));
    }

    fn failed(&mut self, why: String, live: &Live, office: &Office) {
        self.attempt = None;
        live.allow_changes();
        office.take_back();
        self.refused(why);
    }

    fn refused(&self, why: String) {
        error!("upgrade: failed, and everything goes on as before: {why}");
        self.outcomes.add(&Outcome::Failed(why));
    }

    /// The end is wanted, whether there is an upgrade under way or not. One that
    /// has come too far goes on; the new process is told of the end then.
    async fn stop(&mut self, live: &Live, office: &Office) -> End {
        let outcome = match self.attempt.take() {
            Some(attempt) => attempt.stop().await,
            None => Err(String::new()),
        };
        match outcome {
            Ok(pid) => {
                self.succeeded(pid);
                Forward::end(pid);
                End::Succeeded(pid)
            }
            Err(why) => {
                if !why.is_empty() {
                    self.failed(why, live, office);
                }
                service::stopping();
                End::Asked
            }
        }
    }
}

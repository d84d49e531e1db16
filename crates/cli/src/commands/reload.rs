//! Taking up a configuration anew while serving.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use forebay::{Live, LiveFault, Problems, Reloaded, lines, sums};
use tracing::{error, info, warn};

use crate::logging::Log;

/// Reads the configuration anew and goes by it; false where it has to be tried
/// again, or by another process. Blocks.
#[expect(clippy::disallowed_methods, reason = "the time that people are told")]
pub(crate) fn reload(live: &Live) -> bool {
    let result = live.reload(SystemTime::now());
    !matches!(result, Err(LiveFault::Leaving(_)))
}

/// What the configuration that was taken up last is warned of.
pub(super) struct Warned(Mutex<BTreeSet<String>>);

impl Warned {
    pub(super) fn of(problems: &Problems) -> Self {
        Self(Mutex::new(messages(problems)))
    }

    /// Says what is new, a line for each.
    fn tell(&self, problems: &Problems) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for problem in problems.iter().filter(|one| !told.contains(&one.message)) {
            let (file, _, _) = problems.place(problem.span);
            let place = problems.position(problem.span);
            match &problem.help {
                Some(help) => warn!("{file}:{place}: {}; {help}", problem.message),
                None => warn!("{file}:{place}: {}", problem.message),
            }
        }
        *told = messages(problems);
    }
}

fn messages(problems: &Problems) -> BTreeSet<String> {
    problems.iter().map(|one| one.message.clone()).collect()
}

/// Says in the log what came of a configuration, whoever asked for it.
pub(super) fn told(result: &Result<Reloaded, LiveFault>, log: &Log, warned: &Warned) {
    match result {
        Ok(reloaded) => tell(reloaded, log, warned),
        Err(fault) => refuse(fault),
    }
}

fn refuse(fault: &LiveFault) {
    error!("the configuration is refused; everything goes on as before:\n{fault}");
}

fn tell(reloaded: &Reloaded, log: &Log, warned: &Warned) {
    let Reloaded {
        plan,
        differences,
        hash,
        read,
        workers_differ,
    } = reloaded;
    if let Err(fault) = log.adopt(&plan.logging) {
        error!("the runtime log goes on as before: {fault}");
    }
    warned.tell(&read.problems);
    if *workers_differ {
        warn!("another number of workers takes a restart");
    }
    match differences.is_empty() {
        true => info!(%hash, "configuration read anew: it means the same as before"),
        false => {
            for line in lines(differences) {
                info!("configuration: {line}");
            }
            info!(%hash, "configuration taken up: {}", sums(differences));
        }
    }
}

//! Taking up a configuration anew while serving.

use std::time::SystemTime;

use forebay::{Live, LiveFault, Reloaded, lines, sums};
use tracing::{error, info, warn};

use crate::logging::Log;

/// Reads the configuration anew and goes by it; false where it has to be tried
/// again, or by another process. Blocks.
#[expect(clippy::disallowed_methods, reason = "the time that people are told")]
pub(crate) fn reload(live: &Live) -> bool {
    let result = live.reload(SystemTime::now());
    !matches!(result, Err(LiveFault::Leaving(_)))
}

/// Says in the log what came of a configuration, whoever asked for it.
pub(super) fn told(result: &Result<Reloaded, LiveFault>, log: &Log) {
    match result {
        Ok(reloaded) => tell(reloaded, log),
        Err(fault) => refuse(fault),
    }
}

fn refuse(fault: &LiveFault) {
    error!("the configuration is refused; everything goes on as before:\n{fault}");
}

fn tell(reloaded: &Reloaded, log: &Log) {
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
    if !read.problems.is_empty() {
        warn!("{}", read.problems.render(false).trim_end());
    }
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

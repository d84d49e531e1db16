//! The file of the access log: opening it, and letting go of it without losing
//! its last lines.

use std::thread::JoinHandle;

use plan::Plan;
use telemetry::{LogWriter, Output, Trouble};
use tracing::{error, warn};

use crate::StartFault;

pub(crate) fn output(plan: &Plan) -> Option<&Output> {
    plan.access_log.as_ref().map(|log| &log.output)
}

pub(crate) fn open(plan: &Plan) -> Result<Option<LogWriter>, StartFault> {
    let Some(output) = output(plan) else {
        return Ok(None);
    };
    LogWriter::open(output.clone(), |trouble| match trouble {
        Trouble::Recovered { .. } => warn!("access log: {trouble}"),
        _ => error!("access log: {trouble}"),
    })
    .map(Some)
    .map_err(StartFault::AccessLog)
}

/// Closes it on a thread of its own, which ends in any case.
pub(crate) fn close(log: LogWriter) -> Option<JoinHandle<()>> {
    log.close_in_background(LogWriter::LAST_LINES, || {
        warn!("the access log takes nothing any more; its last lines are lost");
    })
}

pub(crate) fn wait_until_closed(closing: Option<JoinHandle<()>>) {
    if let Some(closing) = closing {
        // It has nothing to tell.
        let _ = closing.join();
    }
}

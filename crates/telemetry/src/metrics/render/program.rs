//! The program itself: build, panics, log, and what the system says of it.

use std::fmt;

use prometheus_client::registry::Unit;

use super::family::{Family, Page};
use crate::metrics::{ProcessFigures, Snapshot};

/// What no worker knows.
#[derive(Debug, Clone, Default)]
pub struct Program {
    pub version: String,
    /// Lines of the access log that were lost.
    pub access_log_dropped: u64,
    pub process: ProcessFigures,
}

const BUILD: Family = Family::new("forebay_build", "Which Forebay this is.");
const PANICS: Family = Family::new("forebay_panics", "Panics that failed an exchange.");
const LOG_DROPPED: Family = Family::new(
    "forebay_access_log_dropped",
    "Lines of the access log that were lost because writing was too slow or failed.",
);
// The names that Prometheus gives these figures for every process.
const CPU: Family = Family::in_unit(
    "process_cpu",
    Unit::Seconds,
    "User and system CPU time spent.",
);
const RESIDENT: Family =
    Family::in_unit("process_resident_memory", Unit::Bytes, "Resident memory.");
const OPEN_FDS: Family = Family::new("process_open_fds", "Open file descriptors.");
const MAX_FDS: Family = Family::new("process_max_fds", "Most file descriptors that may be open.");
const START: Family = Family::in_unit(
    "process_start_time",
    Unit::Seconds,
    "When the process began, since the Unix epoch.",
);

pub(super) fn write(page: &mut Page<'_>, snapshot: &Snapshot, program: &Program) -> fmt::Result {
    page.facts(&BUILD, [("version", program.version.as_str())])?;
    page.counter(&PANICS, snapshot.panics)?;
    page.counter(&LOG_DROPPED, program.access_log_dropped)?;
    process(page, &program.process)
}

fn process(page: &mut Page<'_>, process: &ProcessFigures) -> fmt::Result {
    if let Some(seconds) = process.cpu_seconds {
        page.counter(&CPU, seconds)?;
    }
    if let Some(bytes) = process.resident_bytes {
        page.gauge(&RESIDENT, bytes)?;
    }
    if let Some(count) = process.open_fds {
        page.gauge(&OPEN_FDS, count)?;
    }
    if let Some(count) = process.max_fds {
        page.gauge(&MAX_FDS, count)?;
    }
    if let Some(seconds) = process.start_unix_seconds {
        page.gauge(&START, seconds)?;
    }
    Ok(())
}

//! The program itself: build, panics, log, and what the system says of it.

use std::fmt;

use prometheus_client::registry::Unit;

use super::CertificateFigures;
use super::family::{Family, Page};
use crate::metrics::{ProcessFigures, Snapshot};

/// What no worker knows.
#[derive(Debug, Clone, Default)]
pub struct Program {
    pub version: String,
    /// Lines of the access log that were lost.
    pub access_log_dropped: u64,
    pub configuration: ConfigurationFigures,
    pub sources: Vec<SourceFigures>,
    pub certificates: CertificateFigures,
    pub process: ProcessFigures,
}

/// One place where backends are found.
#[derive(Debug, Clone)]
pub struct SourceFigures {
    /// Such as `dns app.example.com:8080`.
    pub source: String,
    /// That it has found.
    pub backends: u64,
    /// It answered when it was asked last.
    pub is_good: bool,
    /// Times that it gave no good answer.
    pub failures: u64,
}

/// What became of the configuration.
#[derive(Debug, Clone, Default)]
pub struct ConfigurationFigures {
    /// Of the running one's text.
    pub hash: String,
    /// The last one that was read is the running one.
    pub is_latest: bool,
    /// Since when the running one is that, in seconds since the Unix epoch.
    pub since_unix_seconds: f64,
    /// How often another one was taken up, and refused.
    pub taken: u64,
    pub refused: u64,
    /// What was changed could be written to its file, where there is one.
    pub is_state_kept: Option<bool>,
}

const CONFIGURATION: Family = Family::new(
    "forebay_config",
    "Which configuration is running: a hash of its text.",
);
const CONFIG_SUCCESS: Family = Family::new(
    "forebay_config_last_reload_success",
    "Whether the configuration that was read last is the running one.",
);
const CONFIG_SINCE: Family = Family::in_unit(
    "forebay_config_last_reload_success_timestamp",
    Unit::Seconds,
    "When the running configuration was taken up, since the Unix epoch.",
);
const CONFIG_RELOADS: Family = Family::new(
    "forebay_config_reloads",
    "Configurations that were read after the start.",
);
const STATE_KEPT: Family = Family::new(
    "forebay_state_file_last_write_success",
    "Whether what was changed could be written to the state file when that was tried last.",
);

const SOURCE_UP: Family = Family::new(
    "forebay_source_up",
    "Whether a source of backends gave a good answer when it was asked last.",
);
const SOURCE_BACKENDS: Family = Family::new(
    "forebay_source_backends",
    "Backends that a source has found.",
);
const SOURCE_FAILURES: Family = Family::new(
    "forebay_source_failures",
    "Times that a source of backends gave no good answer.",
);

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
    configuration(page, &program.configuration)?;
    sources(page, &program.sources)?;
    process(page, &program.process)
}

fn sources(page: &mut Page<'_>, sources: &[SourceFigures]) -> fmt::Result {
    if sources.is_empty() {
        return Ok(());
    }
    let each = |figure: fn(&SourceFigures) -> u64| {
        let series = sources.iter();
        series.map(move |s| ([("source", s.source.as_str())], figure(s)))
    };
    page.gauges(&SOURCE_UP, each(|s| u64::from(s.is_good)))?;
    page.gauges(&SOURCE_BACKENDS, each(|s| s.backends))?;
    page.counters(&SOURCE_FAILURES, each(|s| s.failures))
}

fn configuration(page: &mut Page<'_>, figures: &ConfigurationFigures) -> fmt::Result {
    page.facts(&CONFIGURATION, [("hash", figures.hash.as_str())])?;
    page.gauge(&CONFIG_SUCCESS, u64::from(figures.is_latest))?;
    page.gauge(&CONFIG_SINCE, figures.since_unix_seconds)?;
    let results = [("taken", figures.taken), ("refused", figures.refused)];
    page.counters(
        &CONFIG_RELOADS,
        results.map(|(result, count)| ([("result", result)], count)),
    )?;
    match figures.is_state_kept {
        Some(is_kept) => page.gauge(&STATE_KEPT, u64::from(is_kept)),
        None => Ok(()),
    }
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

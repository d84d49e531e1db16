//! The runtime log: what `tracing` collects, written where the plan says.

use std::io::IsTerminal;

use forebay::{LogWriter, Logging, OpenFault, Output};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::prelude::*;

/// Starts the runtime log. The writer must be closed at the end.
pub(crate) fn start(logging: &Logging) -> Result<LogWriter, OpenFault> {
    // Trouble with the log itself has no better place to go than the log.
    let log = LogWriter::open(logging.output.clone(), |_| {})?;
    let level = match &*logging.level {
        "debug" => LevelFilter::DEBUG,
        "warn" => LevelFilter::WARN,
        "error" => LevelFilter::ERROR,
        _ => LevelFilter::INFO,
    };
    let color = match logging.output {
        Output::Stderr => std::io::stderr().is_terminal(),
        Output::Stdout => std::io::stdout().is_terminal(),
        Output::File(_) => false,
    };
    let handle = log.writer();
    let layer = fmt::layer()
        .with_writer(move || handle.clone())
        .with_ansi(color);
    let registry = tracing_subscriber::registry().with(level);
    // A second start in one process keeps the first log.
    let _ = if logging.json {
        registry.with(layer.json().flatten_event(true)).try_init()
    } else {
        registry.with(layer.with_target(false)).try_init()
    };
    Ok(log)
}

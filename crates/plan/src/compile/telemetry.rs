//! `telemetry`.

use std::net::SocketAddr;

use ::telemetry::{Format, Output};
use config::{
    AccessLogFormat, AccessLogOutput, LogFormat, LogLevel, LogOutput, Problems, Settings,
};

use crate::{AccessLog, Logging, MetricsEndpoint};

pub(super) fn compile(
    settings: &Settings,
    problems: &mut Problems,
) -> (Option<MetricsEndpoint>, Logging, Option<AccessLog>) {
    let telemetry = &settings.telemetry;
    if telemetry.tracing.enabled.value {
        problems
            .warning(
                telemetry.tracing.enabled.span,
                "traces are not sent by this version of Forebay",
            )
            .help("logs and metrics carry each request's id and reason meanwhile");
    }
    let metrics = &telemetry.metrics;
    let metrics = metrics.enabled.then(|| MetricsEndpoint {
        address: SocketAddr::new(*metrics.address, *metrics.port),
        path: metrics.path.as_str().into(),
    });
    (
        metrics,
        logging(&telemetry.logging),
        access_log(&telemetry.access_log, &telemetry.logging, problems),
    )
}

fn logging(written: &config::Logging) -> Logging {
    Logging {
        level: match written.level {
            LogLevel::Debug => "debug",
            LogLevel::Info => "info",
            LogLevel::Warn => "warn",
            LogLevel::Error => "error",
        }
        .into(),
        json: written.format == LogFormat::Json,
        output: match &*written.output {
            LogOutput::Stderr => Output::Stderr,
            LogOutput::Stdout => Output::Stdout,
            LogOutput::File(path) => Output::File(path.into()),
        },
    }
}

/// Where nothing is said, the access log joins a runtime log that goes to a
/// file, and goes to standard output otherwise.
fn access_log(
    written: &config::AccessLog,
    logging: &config::Logging,
    problems: &mut Problems,
) -> Option<AccessLog> {
    let output = match (written.output.as_ref().map(|o| &o.value), &*logging.output) {
        (Some(AccessLogOutput::Off), _) => return None,
        (Some(AccessLogOutput::File(path)), _) | (None, LogOutput::File(path)) => {
            Output::File(path.into())
        }
        (Some(AccessLogOutput::Stdout) | None, _) => Output::Stdout,
    };
    let text = match &*written.format {
        AccessLogFormat::Json => "json",
        AccessLogFormat::Combined => "combined",
        AccessLogFormat::Template(text) => text,
    };
    match Format::parse(text) {
        Ok(format) => Some(AccessLog { format, output }),
        Err(fault) => {
            let problem = problems.error(written.format.span, fault.message);
            if let Some(help) = fault.suggestion {
                problem.help(help);
            }
            None
        }
    }
}

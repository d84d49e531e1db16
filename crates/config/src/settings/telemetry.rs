//! Telemetry: metrics, traces and logs.

use std::net::{IpAddr, Ipv4Addr};

use crate::span::Spanned;
use crate::value::form::{PATH, WORD};
use crate::value::{AccessLogFormat, AccessLogOutput, LogOutput};

choices! {
    /// How much the runtime log says.
    pub enum LogLevel {
        /// Everything, for finding faults.
        Debug = "debug",
        /// What happens to the proxy.
        Info = "info",
        /// What someone should look at.
        Warn = "warn",
        /// What does not work.
        Error = "error",
    }

    /// What lines of the runtime log look like.
    pub enum LogFormat {
        /// One JSON object per line.
        Json = "json",
        /// For people.
        Text = "text",
    }
}

settings! {
    /// What an operator sees.
    "telemetry" => pub struct Telemetry {
        /// Metrics for Prometheus.
        metrics: Spanned<Metrics>, example {"enabled": true, "port": 9090};
        /// Traces.
        tracing: Spanned<Tracing>, example {"enabled": false};
        /// The runtime log: what happens to the proxy itself.
        logging: Spanned<Logging>, example {"level": "info", "format": "json"};
        /// The access log: one line for each request.
        access_log: Spanned<AccessLog>, example {"output": "/var/log/forebay/access.log"};
    }

    /// Metrics for Prometheus, on a port of their own.
    "metrics" => pub struct Metrics {
        /// Whether to serve them.
        enabled: Spanned<bool> = Spanned::unwritten(false), example true;
        /// IP address to serve them at.
        address: Spanned<IpAddr> = Spanned::unwritten(IpAddr::V4(Ipv4Addr::LOCALHOST)), example "0.0.0.0";
        /// Port to serve them at; 0 takes any free port.
        port: Spanned<u16> = Spanned::unwritten(9090), example 9100;
        /// Path to serve them at.
        path: Spanned<String> = Spanned::unwritten("/metrics".to_owned()), rule Form(&PATH), example "/metrics";
    }

    /// Traces, sent to a collector.
    "tracing" => pub struct Tracing {
        /// Whether to send them.
        enabled: Spanned<bool> = Spanned::unwritten(false), example true;
        /// Host and port of the collector.
        endpoint: Spanned<String> = Spanned::unwritten("localhost:4318".to_owned()),
            rule Form(&WORD), example "collector:4318";
        /// Share of the requests to trace, from 0 to 1.
        sample_rate: f64 = 1.0, rule Within(0, 1), example 0.1;
    }

    /// The runtime log.
    "logging" => pub struct Logging {
        /// How much it says.
        level: LogLevel = LogLevel::Info, example "debug";
        /// What its lines look like.
        format: LogFormat = LogFormat::Text, example "json";
        /// Where it goes: `stderr`, `stdout` or the path of a file.
        output: Spanned<LogOutput> = Spanned::unwritten(LogOutput::Stderr), example "logs/proxy.log";
    }

    /// The access log.
    "access log" short output => pub struct AccessLog {
        /// Where it goes: `off` (or `false`), `-` for standard output, or the path of a file. Without it, to the file of
        /// `logging.output`, and to standard output when that is no file.
        output: Option<Spanned<AccessLogOutput>>, example "-";
        /// What its lines look like: `json`, `combined`, or a template with `${...}` in it.
        format: Spanned<AccessLogFormat> = Spanned::unwritten(AccessLogFormat::Json), example "combined";
    }
}

//! What happened in many runs: whether they reach what they are for.

use std::collections::BTreeMap;
use std::fmt;

#[derive(Debug, Default)]
pub(crate) struct Tally(BTreeMap<String, u64>);

/// Counters that are told apart by their reason, and some that are not.
const COUNTED: &[&str] = &[
    "forebay_retries_total",
    "forebay_retries_refused_total",
    "forebay_http_requests_total",
    "forebay_upstream_connections_created_total",
    "forebay_upstream_connections_reused_total",
    "forebay_upstream_stale_connections_total",
    "forebay_upstream_waits_total",
];

/// What a few hundred runs have to bring about, or they prove little.
const REACHED: &[&str] = &[
    "http_request_error",
    "invalid_host",
    "invalid_body",
    "request_header_timeout",
    "request_body_timeout",
    "request_body_too_large",
    "client_disconnected",
    "client_write_timeout",
    "connection_limit_reached",
    "connection_queue_timeout",
    "too_many_connections",
    "shutdown_timeout",
    "drain_timeout",
    "connection_refused",
    "connection_timeout",
    "connection_terminated",
    "http_protocol_error",
    "http_response_incomplete",
    "http_response_timeout",
    "connection_read_timeout",
    "retried: 5xx",
    "retried: connection_error",
    "retried: hedge",
    "retried: timeout",
    "stale_connections",
    "upstream_waits",
];

impl Tally {
    /// Of the page of one run.
    pub(crate) fn of(page: &str) -> Self {
        let mut tally = Self::default();
        for line in page.lines() {
            let Some((series, value)) = line.rsplit_once(' ') else {
                continue;
            };
            let name = series.split('{').next().unwrap_or_default();
            if !COUNTED.contains(&name) {
                continue;
            }
            let reason = series
                .split_once("reason=\"")
                .and_then(|(_, rest)| rest.split_once('"'));
            let key = match (name, reason) {
                ("forebay_retries_total", Some((reason, _))) => format!("retried: {reason}"),
                (_, Some((reason, _))) => reason.to_owned(),
                _ => name
                    .trim_start_matches("forebay_")
                    .trim_end_matches("_total")
                    .to_owned(),
            };
            tally.count(&key, value.parse::<f64>().unwrap_or_default() as u64);
        }
        tally
    }

    pub(crate) fn count(&mut self, key: &str, count: u64) {
        if count > 0 {
            *self.0.entry(key.to_owned()).or_default() += count;
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (key, count) in &other.0 {
            self.count(key, *count);
        }
    }

    pub(crate) fn check_reach(&self) {
        for wanted in REACHED {
            assert!(
                self.0.keys().any(|key| key.contains(wanted)),
                "no run has come to {wanted}:\n{self}"
            );
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (key, count) in &self.0 {
            writeln!(f, "{count:9} {key}")?;
        }
        Ok(())
    }
}

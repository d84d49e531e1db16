//! What a running Forebay goes by: decided, checked, never changed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use filters::Filter;
use telemetry::{Format, Names, Output};
use upstream::RetryPolicy;
use wire::h1::Limits;

use crate::Trusted;

pub struct Plan {
    pub listeners: Vec<Listener>,
    /// In the order of the file; `table` speaks of them by index.
    pub routes: Vec<Route>,
    pub table: routing::Table,
    pub groups: Vec<Group>,
    /// Peers whose word about the client is believed.
    pub trusted: Trusted,
    /// Every client is told the details of a failure.
    pub debug_errors: bool,
    /// Absent: one per core.
    pub workers: Option<usize>,
    pub shutdown_timeout: Duration,
    pub metrics: Option<MetricsEndpoint>,
    pub logging: Logging,
    /// Absent: switched off.
    pub access_log: Option<AccessLog>,
    /// What the numbers in metrics mean.
    pub names: Arc<Names>,
}

impl Plan {
    /// Sends the access log elsewhere; one that was off becomes `combined`.
    pub fn log_access_to(&mut self, output: Output) {
        match &mut self.access_log {
            Some(log) => log.output = output,
            None => {
                self.access_log = Some(AccessLog {
                    format: Format::combined(),
                    output,
                });
            }
        }
    }
}

/// Where connections are taken, and what they may do.
#[derive(Debug, Clone)]
pub struct Listener {
    pub id: Box<str>,
    pub address: SocketAddr,
    /// Over all workers.
    pub max_connections: usize,
    pub limits: Limits,
    /// Bytes of a request body.
    pub max_body: u64,
    pub header_timeout: Duration,
    pub body_timeout: Duration,
    pub keep_alive_timeout: Duration,
    pub write_timeout: Duration,
}

pub struct Route {
    pub id: Box<str>,
    /// In the order in which requests pass them.
    pub filters: Vec<Box<dyn Filter>>,
    /// Absent where a filter always answers.
    pub group: Option<usize>,
}

pub struct Group {
    pub balance: upstream::Group,
    /// The number of each backend in the names of the metrics.
    pub numbers: Vec<u32>,
    /// Until a connection stands.
    pub connect_timeout: Duration,
    /// From sending the request until the response head is complete.
    pub response_timeout: Duration,
    /// Silence while a body is moving.
    pub idle_timeout: Duration,
    /// How long a request may wait for a connection.
    pub wait_timeout: Duration,
    /// From a request's arrival until the response head is complete, over all attempts.
    pub total_timeout: Option<Duration>,
    pub retry: RetryPolicy,
}

#[derive(Debug, Clone)]
pub struct MetricsEndpoint {
    pub address: SocketAddr,
    pub path: Box<str>,
}

/// The runtime log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logging {
    /// `error`, `warn`, `info` or `debug`.
    pub level: Box<str>,
    pub json: bool,
    pub output: Output,
}

pub struct AccessLog {
    pub format: Format,
    pub output: Output,
}

//! `/status`: what runs.

use axum::Json;
use plan::Plan;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::backends::{Backend, of_group};
use crate::clock::{self, micros, rfc3339};
use crate::problem::Problem;
use crate::shared::Api;
use crate::table::Endpoint;
use crate::{Control, LastReload, OrderedCertificate};

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::new("get", "/status", "What runs, and how it is.", status)
            .gives::<Status>(200)
            .refuses(&[503]),
    ]
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Status {
    version: String,
    pid: u32,
    /// `serving` or `draining`.
    state: String,
    /// When the admin API began, as RFC 3339.
    started: String,
    uptime_seconds: f64,
    workers: u64,
    configuration: Configuration,
    listeners: Vec<Listener>,
    groups: Vec<Group>,
    /// Those that are had from an authority.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    certificates: Vec<OrderedCertificate>,
    /// What is wrong with renewed files of certificates, authorities and revocation lists; what was in them before goes on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    refused_files: Vec<String>,
}

/// What became of the latest configuration.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Configuration {
    /// What the running one is; other text, other digits.
    hash: String,
    /// Since when it runs.
    since: String,
    /// When one was last read.
    tried: String,
    /// Why that is not the running one.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
    /// Part of it takes a restart or an upgrade.
    restart_needed: bool,
    /// How often another was taken up, and refused.
    taken: u64,
    refused: u64,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Listener {
    id: String,
    address: String,
    /// `http`, `https`, `tcp`, or `tls` for TCP where TLS is ended.
    protocol: String,
    /// Connections of clients that are open.
    connections: u64,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Group {
    id: String,
    strategy: String,
    backends: Vec<Backend>,
}

async fn status(api: Api) -> Result<Json<Status>, Problem> {
    let started = api.started;
    let uptime = clock::wall().duration_since(started).unwrap_or_default();
    api.ask(move |control| {
        Ok(Json(Status {
            started: rfc3339(micros(started)),
            uptime_seconds: uptime.as_secs_f64(),
            ..of(control)
        }))
    })
    .await
}

fn of(control: &dyn Control) -> Status {
    let running = control.running();
    let state = match running.is_draining() {
        true => "draining",
        false => "serving",
    };
    let listeners = running.listening().into_iter().map(|listening| Listener {
        id: listening.id.into(),
        address: listening.address.to_string(),
        protocol: listening.protocol.to_owned(),
        connections: listening.connections as u64,
    });
    Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        state: state.to_owned(),
        started: String::new(),
        uptime_seconds: 0.0,
        workers: running.workers() as u64,
        configuration: Configuration {
            restart_needed: running.plan().needs_restart(running.workers()),
            ..configuration(control.last())
        },
        listeners: listeners.collect(),
        groups: groups(&running.plan()),
        certificates: control.ordered_certificates(),
        refused_files: control.refused_files(),
    }
}

fn configuration(last: LastReload) -> Configuration {
    Configuration {
        hash: last.hash,
        since: rfc3339(micros(last.since)),
        tried: rfc3339(micros(last.tried)),
        failure: last.failure,
        restart_needed: false,
        taken: last.taken,
        refused: last.refused,
    }
}

fn groups(plan: &Plan) -> Vec<Group> {
    let groups = plan.groups.iter();
    groups
        .map(|group| Group {
            id: group.balance.id.to_string(),
            strategy: group.balance.strategy.to_string(),
            backends: of_group(group),
        })
        .collect()
}

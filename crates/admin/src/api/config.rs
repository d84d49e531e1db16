//! `/config` and `/reload`: the configuration that runs, and others.

use axum::Json;
use axum::extract::Query;
use plan::{Changes, Plan};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::routes::{self, Route};
use crate::body::Text;
use crate::problem::Problem;
use crate::shared::Api;
use crate::table::Endpoint;
use crate::{Mistakes, Taken};

pub(crate) fn endpoints() -> Vec<Endpoint> {
    const FORMAT: (&str, &str) = ("format", "`yaml` (the default), `json` or `toml`.");
    vec![
        Endpoint::new(
            "get",
            "/config",
            "The running plan, without secrets.",
            config,
        )
        .gives::<Config>(200)
        .refuses(&[503]),
        Endpoint::new(
            "post",
            "/config/check",
            "What is wrong with a configuration; nothing is changed.",
            check,
        )
        .query(FORMAT.0, FORMAT.1)
        .takes_configuration()
        .gives::<Mistakes>(200)
        .refuses(&[400, 413, 422]),
        Endpoint::new(
            "post",
            "/config/diff",
            "What a configuration would change; nothing is changed.",
            diff,
        )
        .query(FORMAT.0, FORMAT.1)
        .takes_configuration()
        .gives::<Differences>(200)
        .refuses(&[400, 413, 422]),
        Endpoint::new(
            "post",
            "/reload",
            "Reads the configuration anew and goes by it.",
            reload,
        )
        .gives::<Taken>(200)
        .refuses(&[422, 503]),
    ]
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Config {
    hash: String,
    /// The plan in the words of `forebay explain`.
    text: String,
    listeners: Vec<Listener>,
    /// In the order in which they are decided.
    routes: Vec<Route>,
    groups: Vec<Group>,
    trusted_proxies: Vec<String>,
    /// Where the metrics are served.
    metrics: Option<String>,
    access_log: Option<String>,
    log_level: String,
    shutdown_timeout_seconds: f64,
    drain_timeout_seconds: f64,
    /// Included files that are left out because of mistakes, and changes of
    /// groups that are not there.
    left_out: Vec<String>,
    /// What operators have changed since the configuration was written.
    changes: serde_json::Value,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Listener {
    id: String,
    address: String,
    max_connections: u64,
    /// In bytes; absent for any size.
    max_body: Option<u64>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Group {
    id: String,
    strategy: String,
    backends: Vec<Member>,
    connect_timeout_seconds: f64,
    response_timeout_seconds: f64,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Member {
    url: String,
    weight: u64,
    /// `file`, or who else says that it is one of the group.
    origin: String,
    max_connections: u64,
}

/// What a configuration would change.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Differences {
    /// Line by line; empty where it means the same.
    changes: Vec<String>,
}

async fn config(api: Api) -> Result<Json<Config>, Problem> {
    api.ask(|control| {
        let plan = control.running().plan();
        let hash = control.last().hash;
        Ok(Json(of(&plan, hash, &control.changes())))
    })
    .await
}

fn of(plan: &Plan, hash: String, changes: &Changes) -> Config {
    let trusted = plan.trusted.networks().iter();
    let metrics = plan.metrics.as_ref();
    let idle = changes.groups_not_in(plan);
    let idle = idle.map(|group| format!("changes of the group {group}"));
    Config {
        hash,
        text: plan.to_string(),
        listeners: plan.listeners.iter().map(listener).collect(),
        routes: routes::in_order(plan),
        groups: plan.groups.iter().map(group).collect(),
        trusted_proxies: trusted.map(ToString::to_string).collect(),
        metrics: metrics.map(|at| format!("http://{}{}", at.address, at.path)),
        access_log: plan.access_log.as_ref().map(|log| log.output.to_string()),
        log_level: plan.logging.level.to_string(),
        shutdown_timeout_seconds: plan.shutdown_timeout.as_secs_f64(),
        drain_timeout_seconds: plan.drain_timeout.as_secs_f64(),
        left_out: plan.left_out.iter().cloned().chain(idle).collect(),
        changes: serde_json::to_value(changes).unwrap_or_default(),
    }
}

fn listener(listener: &plan::Listener) -> Listener {
    Listener {
        id: listener.id.to_string(),
        address: listener.address.to_string(),
        max_connections: listener.max_connections as u64,
        max_body: (listener.max_body != u64::MAX).then_some(listener.max_body),
    }
}

fn group(group: &plan::Group) -> Group {
    let backends = group.balance.backends.iter();
    let backends = backends.zip(group.balance.weights()).zip(&group.origins);
    Group {
        id: group.balance.id.to_string(),
        strategy: group.balance.strategy.to_string(),
        backends: backends
            .map(|((backend, &weight), origin)| Member {
                url: backend.url.to_string(),
                weight: weight.into(),
                origin: origin.to_string(),
                max_connections: backend.options.max_connections as u64,
            })
            .collect(),
        connect_timeout_seconds: group.times.connect.as_secs_f64(),
        response_timeout_seconds: group.times.response.as_secs_f64(),
    }
}

/// How a configuration is written.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    #[default]
    Yaml,
    Json,
    Toml,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    format: Format,
}

impl Written {
    /// A name that chooses the format.
    fn name(&self) -> &'static str {
        match self.format {
            Format::Yaml => "body.yaml",
            Format::Json => "body.json",
            Format::Toml => "body.toml",
        }
    }
}

async fn check(
    api: Api,
    Query(written): Query<Written>,
    Text(text): Text,
) -> Result<Json<Mistakes>, Problem> {
    api.ask(move |control| {
        let warnings = control.check(written.name(), &text)?;
        Ok(Json(Mistakes { warnings }))
    })
    .await
}

async fn diff(
    api: Api,
    Query(written): Query<Written>,
    Text(text): Text,
) -> Result<Json<Differences>, Problem> {
    api.ask(move |control| {
        let changes = control.diff(written.name(), &text)?;
        Ok(Json(Differences { changes }))
    })
    .await
}

async fn reload(api: Api) -> Result<Json<Taken>, Problem> {
    api.ask(|control| Ok(Json(control.reload()?))).await
}

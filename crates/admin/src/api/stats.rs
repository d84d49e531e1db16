//! `/stats`: the counters of all workers together.

use std::collections::BTreeMap;

use axum::Json;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use telemetry::{Figures, RouteFigures};

use crate::problem::Problem;
use crate::shared::Api;
use crate::table::Endpoint;

pub(crate) fn endpoints() -> Vec<Endpoint> {
    let about = "The counters of all workers together, since the start.";
    vec![
        Endpoint::new("get", "/stats", about, stats)
            .gives::<Stats>(200)
            .refuses(&[503]),
    ]
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Stats {
    /// By id; what had no route is under `none`.
    routes: BTreeMap<String, Route>,
    /// By the reason of the failure.
    failures: BTreeMap<String, u64>,
    /// By id.
    listeners: BTreeMap<String, Listener>,
    retries: Retries,
    backends: Vec<Pool>,
    /// Connections that were passed on as they are.
    tcp: Vec<Tunnels>,
    /// Exchanges that failed because of a mistake in Forebay itself.
    panics: u64,
}

/// Connections of one listener to one backend; those that reached none are under
/// the group `none`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Tunnels {
    listener: String,
    group: String,
    backend: String,
    /// Those that have ended.
    ended: u64,
    /// What clients have sent, and were sent. Of connections that are open, all but the latest MiB.
    received_bytes: u64,
    sent_bytes: u64,
    /// By the reason of the failure.
    failures: BTreeMap<String, u64>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Route {
    requests: u64,
    /// By the class of the status, such as `2xx`; `none` had no status.
    statuses: BTreeMap<String, u64>,
    request_bytes: u64,
    response_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    latency: Option<Latency>,
}

/// In seconds. All but the mean are estimated, within the bounds of a histogram.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Latency {
    mean: f64,
    p50: f64,
    p90: f64,
    p95: f64,
    p99: f64,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Listener {
    /// Connections that are open, and those of them that have a request under way.
    open: u64,
    active: u64,
    /// Connections that were taken, ever.
    accepted: u64,
    /// Requests that are under way.
    in_flight: u64,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Retries {
    /// Further attempts, by what they were made for.
    made: BTreeMap<String, u64>,
    /// Those that were not made because the budget was spent.
    refused: u64,
}

/// The connections to one backend.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Pool {
    group: String,
    url: String,
    idle: u64,
    active: u64,
    /// Opened, ever.
    created: u64,
    /// How often one was used again.
    reused: u64,
    /// How often a request had to wait for one.
    waits: u64,
    /// How often there was no room left to wait.
    queue_full: u64,
    /// Closed because they were dead, idle for too long or too old.
    stale: u64,
}

async fn stats(api: Api) -> Result<Json<Stats>, Problem> {
    let asked = api.ask(|control| Ok(control.running().snapshot())).await?;
    let snapshot = asked.await;
    let snapshot = snapshot.ok_or_else(|| Problem::unavailable("no worker has answered"))?;
    Ok(Json(of(snapshot.figures())))
}

fn of(figures: Figures) -> Stats {
    let named = |(name, count): (&str, u64)| (name.to_owned(), count);
    let listeners = figures.listeners.into_iter().map(|(id, of)| {
        let listener = Listener {
            open: of.open,
            active: of.active,
            accepted: of.accepted,
            in_flight: of.in_flight,
        };
        (id, listener)
    });
    let pools = figures.backends.into_iter().map(|((group, url), of)| Pool {
        group,
        url,
        idle: of.idle,
        active: of.active,
        created: of.created,
        reused: of.reused,
        waits: of.waits,
        queue_full: of.queue_full,
        stale: of.stale,
    });
    let tunnels = figures.tunnels.into_iter();
    let tunnels = tunnels.map(|([listener, group, backend], of)| Tunnels {
        listener,
        group,
        backend,
        ended: of.ended,
        received_bytes: of.received_bytes,
        sent_bytes: of.sent_bytes,
        failures: of.failures.into_iter().map(named).collect(),
    });
    let routes = figures.routes.into_iter();
    Stats {
        routes: routes.map(|(id, of)| (id, route(&of))).collect(),
        failures: figures.failures.into_iter().map(named).collect(),
        listeners: listeners.collect(),
        retries: Retries {
            made: figures.retries.into_iter().map(named).collect(),
            refused: figures.retries_refused,
        },
        backends: pools.collect(),
        tcp: tunnels.collect(),
        panics: figures.panics,
    }
}

fn route(of: &RouteFigures) -> Route {
    const CLASSES: [&str; 6] = ["1xx", "2xx", "3xx", "4xx", "5xx", "none"];
    let statuses = CLASSES.into_iter().zip(of.classes);
    let statuses = statuses.filter(|&(_, count)| count > 0);
    let latency = of.mean.zip(of.quantiles);
    Route {
        requests: of.requests,
        statuses: statuses
            .map(|(class, count)| (class.to_owned(), count))
            .collect(),
        request_bytes: of.request_bytes,
        response_bytes: of.response_bytes,
        latency: latency.map(|(mean, [p50, p90, p95, p99])| Latency {
            mean,
            p50,
            p90,
            p95,
            p99,
        }),
    }
}

//! `/exchanges`: the slowest and the failed of the last minutes.

use axum::Json;
use proxy::Notable;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::rfc3339;
use crate::problem::Problem;
use crate::shared::Api;
use crate::table::Endpoint;

pub(crate) fn endpoints() -> Vec<Endpoint> {
    let about = "The slowest and the failed exchanges of the last five minutes.";
    vec![
        Endpoint::new("get", "/exchanges", about, exchanges)
            .gives::<Exchanges>(200)
            .refuses(&[503]),
    ]
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Exchanges {
    /// The slowest first; at most 32 of each worker.
    slowest: Vec<Exchange>,
    /// The latest first; at most 64 of each worker.
    failed: Vec<Exchange>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Exchange {
    /// When its first byte came, as RFC 3339.
    at: String,
    request_id: String,
    client: String,
    listener: String,
    method: String,
    host: String,
    /// Without the query.
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    route: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    /// The one that was tried last.
    #[serde(skip_serializing_if = "Option::is_none")]
    backend: Option<String>,
    status: u16,
    /// The reason why it failed, and whose doing that was.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    side: Option<String>,
    /// To the last byte of the answer, in milliseconds.
    duration_ms: f64,
    /// Until a connection to the backend stood, where one had to be opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    connect_ms: Option<f64>,
    /// Until the head of the backend's answer was there.
    #[serde(skip_serializing_if = "Option::is_none")]
    head_ms: Option<f64>,
    attempts: u16,
}

async fn exchanges(api: Api) -> Result<Json<Exchanges>, Problem> {
    let asked = api.ask(|control| Ok(control.running().notables())).await?;
    let notables = asked.await;
    Ok(Json(Exchanges {
        slowest: notables.slowest.into_iter().map(of).collect(),
        failed: notables.failed.into_iter().map(of).collect(),
    }))
}

fn of(notable: Notable) -> Exchange {
    let ms = |time: std::time::Duration| time.as_micros() as f64 / 1000.0;
    let (reason, side) = notable.failure.unzip();
    Exchange {
        at: rfc3339(notable.started_unix_micros),
        request_id: notable.request_id,
        client: notable.client.to_string(),
        listener: notable.listener,
        method: notable.method,
        host: notable.host,
        path: notable.path,
        route: notable.route,
        group: notable.group,
        backend: notable.backend,
        status: notable.status,
        reason: reason.map(str::to_owned),
        side: side.map(str::to_owned),
        duration_ms: ms(notable.duration),
        connect_ms: notable.connect_time.map(ms),
        head_ms: notable.head_time.map(ms),
        attempts: notable.attempts,
    }
}

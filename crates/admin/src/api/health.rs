//! `/health` and `/ready`, for probes.

use axum::Json;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::problem::Problem;
use crate::shared::Api;
use crate::table::Endpoint;

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::new("get", "/health", "Whether it is alive.", health)
            .gives::<Answer>(200)
            .open(),
        Endpoint::new("get", "/ready", "Whether it takes requests.", ready)
            .gives::<Answer>(200)
            .refuses(&[503])
            .open(),
    ]
}

/// One word.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Answer {
    /// `alive` or `ready`.
    status: String,
}

async fn health() -> Json<Answer> {
    let status = "alive".to_owned();
    Json(Answer { status })
}

async fn ready(api: Api) -> Result<Json<Answer>, Problem> {
    api.ask(|control| {
        let running = control.running();
        if running.is_draining() {
            return Err(Problem::unavailable("it is shutting down"));
        }
        let listening = running.listening();
        let plan = running.plan();
        let mut silent = plan.listeners.iter();
        if silent.any(|listener| !listening.iter().any(|l| l.id == listener.id)) {
            return Err(Problem::unavailable("a listener does not listen"));
        }
        let status = "ready".to_owned();
        Ok(Json(Answer { status }))
    })
    .await
}

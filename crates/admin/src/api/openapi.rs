//! `/openapi.json`: this API, described to programs.

use axum::Json;
use serde_json::Value;

use crate::table::Endpoint;

pub(crate) fn endpoints() -> Vec<Endpoint> {
    let about = "This API, described to programs.";
    vec![Endpoint::new("get", "/openapi.json", about, document).gives::<Value>(200)]
}

async fn document() -> Json<Value> {
    Json(crate::document())
}

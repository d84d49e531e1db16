//! `/log`: how much the runtime log says.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::body::Json;
use crate::problem::Problem;
use crate::shared::Api;
use crate::table::Endpoint;

pub(crate) fn endpoints() -> Vec<Endpoint> {
    let about = "Sets how much the runtime log says, until the configuration says otherwise.";
    vec![
        Endpoint::new("put", "/log", about, set)
            .takes::<Level>()
            .gives::<Level>(200)
            .refuses(&[400, 422]),
    ]
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Level {
    level: Word,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Word {
    Error,
    Warn,
    Info,
    Debug,
}

impl Word {
    fn text(self) -> &'static str {
        match self {
            Word::Error => "error",
            Word::Warn => "warn",
            Word::Info => "info",
            Word::Debug => "debug",
        }
    }
}

async fn set(api: Api, Json(wanted): Json<Level>) -> Result<axum::Json<Level>, Problem> {
    api.ask(move |control| {
        let set = control.set_log_level(wanted.level.text());
        set.map_err(Problem::unavailable)?;
        Ok(axum::Json(wanted))
    })
    .await
}

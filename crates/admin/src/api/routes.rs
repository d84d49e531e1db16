//! `/routes`: which requests go where.

use axum::Json;
use plan::Plan;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::problem::Problem;
use crate::shared::Api;
use crate::table::Endpoint;

pub(crate) fn endpoints() -> Vec<Endpoint> {
    let about = "The routes, in the order in which they are decided.";
    vec![
        Endpoint::new("get", "/routes", about, routes)
            .gives::<Vec<Route>>(200)
            .refuses(&[503]),
    ]
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Route {
    id: String,
    /// What it needs of a request; all of it.
    conditions: Vec<String>,
    /// The group that answers; absent where the route answers itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    /// What it does to requests and answers, without secrets.
    filters: Vec<String>,
}

async fn routes(api: Api) -> Result<Json<Vec<Route>>, Problem> {
    api.ask(|control| Ok(Json(in_order(&control.running().plan()))))
        .await
}

/// A route with several hosts may come several times among the ways; the first
/// of them counts.
pub(crate) fn in_order(plan: &Plan) -> Vec<Route> {
    let mut order: Vec<usize> = Vec::new();
    for way in plan.table.ways() {
        if !order.contains(&way.route) {
            order.push(way.route);
        }
    }
    order.into_iter().filter_map(|at| route(plan, at)).collect()
}

fn route(plan: &Plan, at: usize) -> Option<Route> {
    let route = plan.routes.get(at)?;
    let conditions = plan.table.conditions(at).all();
    let group = route.group.and_then(|group| plan.groups.get(group));
    Some(Route {
        id: route.id.to_string(),
        conditions: conditions.map(|condition| condition.to_string()).collect(),
        group: group.map(|group| group.balance.id.to_string()),
        filters: route.filters.iter().map(|f| f.describe()).collect(),
    })
}

//! `/explain`: what would become of a request.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use plan::Plan;
use proxy::{Explanation, Question, aim, request_head};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::body::Json;
use crate::clock;
use crate::problem::Problem;
use crate::shared::Api;
use crate::table::Endpoint;

pub(crate) fn endpoints() -> Vec<Endpoint> {
    let about = "What would become of a request now, and why; nothing is sent.";
    vec![
        Endpoint::new("post", "/explain", about, explain)
            .takes::<Asked>()
            .gives::<Explained>(200)
            .refuses(&[400, 422, 503]),
    ]
}

/// A request to be explained.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// `GET` if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    method: Option<String>,
    /// Such as `http://example.com/api/x`, or just `/api/x`.
    url: String,
    /// Header fields; one that comes several times has a list.
    #[serde(default)]
    headers: BTreeMap<String, Values>,
    /// Where it comes from; 127.0.0.1 if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client: Option<IpAddr>,
    /// The listener's id; if there is none, the one that a full URL leads to, or the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    listener: Option<String>,
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(untagged, expecting = "a field has a text or a list of texts")]
enum Values {
    One(String),
    Many(Vec<String>),
}

/// Everything that was decided, as far as the request came.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
struct Explained {
    /// Host and path as they were routed.
    host: String,
    path: String,
    /// The id of the listener that it comes to.
    #[serde(skip_serializing_if = "Option::is_none")]
    listener: Option<String>,
    /// Who asks, as far as that is believed.
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<String>,
    /// What is known of the client's certificate, where the listener asks for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_certificate: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    route: Option<String>,
    /// Every other route with what kept it from the request, the nearest first.
    misses: Vec<Miss>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    /// Where it leads through a forward proxy.
    #[serde(skip_serializing_if = "Option::is_none")]
    forward: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strategy: Option<String>,
    /// The group's limit that follows its latency, and how many requests are
    /// under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<String>,
    candidates: Vec<Candidate>,
    /// The backend's request, line by line, without secrets.
    upstream: Vec<String>,
    /// What it is sent over: `HTTP/1.1`, `HTTP/2`, or which of the two may come of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    protocol: Option<String>,
    /// The answer of a route that answers itself; without a route, of the listener.
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<Answer>,
    /// Why the request would be refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<Failure>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Miss {
    route: String,
    why: String,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Candidate {
    url: String,
    chosen: bool,
    /// Weight, load, and why it was chosen or not.
    note: String,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Answer {
    status: u16,
    fields: Vec<(String, String)>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Failure {
    status: u16,
    reason: String,
    detail: String,
}

async fn explain(api: Api, Json(asked): Json<Asked>) -> Result<axum::Json<Explained>, Problem> {
    api.ask(move |control| {
        let plan = control.running().plan();
        follow(&plan, asked).map(axum::Json)
    })
    .await
}

fn follow(plan: &Plan, asked: Asked) -> Result<Explained, Problem> {
    let method = asked.method.as_deref().unwrap_or("GET");
    let aim = aim(plan, method, &asked.url, asked.listener.as_deref()).map_err(Problem::invalid)?;
    let (host, target) = (&*aim.host, &*aim.target);
    let fields = fields(asked.headers);
    let lines = fields.iter().flat_map(|(name, value)| [name, value]);
    let mut texts = lines.map(String::as_str).chain([method, host, target]);
    if texts.any(|text| text.chars().any(char::is_control)) {
        return Err(Problem::invalid("a request has no control characters"));
    }
    let head = request_head(method, target, host, &fields);
    let client = asked.client.unwrap_or(Ipv4Addr::LOCALHOST.into());
    let question = Question {
        head: &head,
        client: SocketAddr::new(client, 0),
        listener: aim.listener,
        certificate: None,
        unix_micros: clock::micros(clock::wall()),
        random: (fastrand::u64(..), fastrand::u64(..)),
        now: Some(clock::now()),
        takes_turn: false,
    };
    Ok(explained(plan, proxy::explain(plan, &question)))
}

fn fields(headers: BTreeMap<String, Values>) -> Vec<(String, String)> {
    let fields = headers.into_iter().flat_map(|(name, values)| {
        let values = match values {
            Values::One(value) => vec![value],
            Values::Many(values) => values,
        };
        values.into_iter().map(move |value| (name.clone(), value))
    });
    fields.collect()
}

fn explained(plan: &Plan, explanation: Explanation) -> Explained {
    let id = |at: usize| plan.routes.get(at).map(|route| route.id.to_string());
    let group = explanation.group.and_then(|at| plan.groups.get(at));
    let listener = explanation.listener.and_then(|at| plan.listeners.get(at));
    let upstream = explanation.upstream_shown();
    let protocol = explanation.protocol_shown().map(str::to_owned);
    let fields = explanation.answer_shown();
    let misses = explanation.misses.into_iter();
    let candidates = explanation.candidates.into_iter();
    Explained {
        host: explanation.host,
        path: explanation.path,
        listener: listener.map(|listener| listener.id.to_string()),
        client: explanation.client.map(|client| client.ip().to_string()),
        client_certificate: explanation.certificate,
        route: explanation.route.and_then(id),
        misses: misses
            .map(|(at, why)| Miss {
                route: id(at).unwrap_or_default(),
                why,
            })
            .collect(),
        forward: explanation.forward,
        group: group.map(|group| group.balance.id.to_string()),
        strategy: group.map(|group| group.balance.strategy.to_string()),
        limit: explanation.limit,
        candidates: candidates
            .map(|candidate| Candidate {
                url: candidate.url,
                chosen: candidate.is_chosen,
                note: candidate.note,
            })
            .collect(),
        upstream,
        protocol,
        answer: explanation.answer.map(|answer| Answer {
            status: answer.status,
            fields,
        }),
        failure: explanation.failure.map(|failure| Failure {
            status: failure.status(),
            reason: failure.kind.reason().to_owned(),
            detail: failure.to_string(),
        }),
    }
}

//! `/backends`: who answers, and changing that while it runs.

mod add;

use axum::extract::{Path, Query};
use axum::http::StatusCode;
use plan::{Changes, GroupChanges, Origin, Plan};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Control;
use crate::body::Json;
use crate::clock;
use crate::problem::Problem;
use crate::shared::Api;
use crate::table::Endpoint;

/// The largest weight, as in settings.
const HEAVIEST: u32 = 1000;

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::new("get", "/backends", "Who answers, and how they are.", list)
            .query("group", "Only those of this group.")
            .gives::<Vec<Backend>>(200)
            .refuses(&[404, 503]),
        Endpoint::new("post", "/backends", add::ABOUT, add::add)
            .takes::<add::Additions>()
            .up_to(add::LIST)
            .gives::<add::There>(201)
            .refuses(&[400, 404, 409, 413, 422, 503]),
        Endpoint::new("delete", "/backends", "Takes a backend away.", remove)
            .query("group", "Its group.")
            .query("url", "Its URL.")
            .gives_nothing(204)
            .refuses(&[400, 404, 422, 503]),
        Endpoint::new(
            "patch",
            "/backends/{group}/{backend}",
            "Changes a backend's weight, drains it, disables it, or enables it again.",
            change,
        )
        .takes::<Wanted>()
        .gives::<Backend>(200)
        .refuses(&[400, 404, 422, 503]),
        Endpoint::new(
            "post",
            "/backends/{group}/{backend}/check",
            "Checks a backend now, as its group says.",
            check,
        )
        .gives::<Checked>(200)
        .refuses(&[404, 409]),
    ]
}

/// A backend as it is now.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Backend {
    group: String,
    url: String,
    /// `up`, `warming`, `failing`, `half_open`, `unknown`, `ejected`, `breaker_open`,
    /// `checked_bad`, `draining` or `disabled`.
    state: String,
    /// What brought it there.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    /// How long it has been in this state.
    #[serde(skip_serializing_if = "Option::is_none")]
    state_seconds: Option<f64>,
    /// When the state ends by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    back_in_seconds: Option<f64>,
    weight: u32,
    /// `file`, `api`, or what else says that it is one of the group.
    origin: String,
    /// Requests under way, those that wait for a connection included.
    in_flight: u64,
    /// Connections open or being opened.
    connections: u64,
    /// Requests that wait for a connection.
    waiting: u64,
    consecutive_failures: u32,
    /// Ever.
    ejections: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<String>,
    /// What is odd about what was asked for, though it was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<String>,
}

pub(crate) fn of_group(group: &plan::Group) -> Vec<Backend> {
    those_of(group, |_| true).collect()
}

/// Those of a group whose URL is asked for.
fn those_of(group: &plan::Group, wanted: impl Fn(&str) -> bool) -> impl Iterator<Item = Backend> {
    let now = clock::now();
    let backends = group.balance.backends.iter();
    let backends = backends.zip(group.balance.weights()).zip(&group.origins);
    let wanted = backends.filter(move |((backend, _), _)| wanted(&backend.url));
    wanted.map(move |((backend, &weight), &origin)| {
        let view = backend.standing.view(&group.balance.health, now);
        Backend {
            group: group.balance.id.to_string(),
            url: backend.url.to_string(),
            state: view.state.label().to_owned(),
            why: (!view.why.is_empty()).then(|| view.why.to_string()),
            state_seconds: view
                .since
                .map(|since| now.saturating_duration_since(since).as_secs_f64()),
            back_in_seconds: view
                .until
                .filter(|_| !view.state.is_up())
                .map(|until| until.saturating_duration_since(now).as_secs_f64()),
            weight,
            origin: origin.to_string(),
            in_flight: backend.load() as u64,
            connections: backend.open() as u64,
            waiting: backend.waiting() as u64,
            consecutive_failures: view.consecutive_failures,
            ejections: view.ejections,
            last_error: view.last_error.map(|error| error.to_string()),
            warning: None,
        }
    })
}

fn group<'a>(plan: &'a Plan, id: &str) -> Result<&'a plan::Group, Problem> {
    let group = plan.groups.iter().find(|group| *group.balance.id == *id);
    group.ok_or_else(|| Problem::not_found(format!("there is no group `{id}`")))
}

fn backend(plan: &Plan, id: &str, url: &str) -> Result<Backend, Problem> {
    let group = group(plan, id)?;
    if let Some(found) = those_of(group, |known| known == url).next() {
        return Ok(found);
    }
    let with_scheme = format!("http://{url}");
    let hint = match those_of(group, |known| known == with_scheme).next() {
        Some(_) => format!("; did you mean {with_scheme}?"),
        None => String::new(),
    };
    let detail = format!("the group `{id}` has no backend {url}{hint}");
    Err(Problem::not_found(detail))
}

/// A URL in the form that plans have. One that is none is no backend's.
fn known_url(control: &dyn Control, written: &str) -> String {
    let url = control.backend_url(written);
    url.unwrap_or_else(|_| written.to_owned())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    group: Option<String>,
}

async fn list(api: Api, Query(which): Query<Which>) -> Result<axum::Json<Vec<Backend>>, Problem> {
    api.ask(move |control| {
        let plan = control.running().plan();
        let backends = match &which.group {
            Some(id) => of_group(group(&plan, id)?),
            None => plan.groups.iter().flat_map(of_group).collect(),
        };
        Ok(axum::Json(backends))
    })
    .await
}

/// A weight has been asked for that makes no difference.
fn idle_weight(plan: &Plan, there: &Backend) -> Option<String> {
    let strategy = group(plan, &there.group).ok()?.balance.strategy;
    let warning = plan::idle_weights(strategy)?;
    let Backend { group, url, .. } = there;
    tracing::warn!("weight of {url} of group {group}: {warning}");
    Some(warning)
}

/// As one segment of a path (RFC 3986 section 2.1).
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(char::from(byte));
            }
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

fn weight(wanted: Option<u32>) -> Result<Option<u32>, Problem> {
    match wanted {
        Some(weight) if weight > HEAVIEST => {
            let detail = format!("`weight` is from 0 to {HEAVIEST}, found {weight}");
            Err(Problem::invalid(detail))
        }
        wanted => Ok(wanted),
    }
}

fn of<'a>(changes: &'a mut Changes, group: &str) -> &'a mut GroupChanges {
    changes.groups.entry(group.to_owned()).or_default()
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Removed {
    group: String,
    url: String,
}

async fn remove(api: Api, Query(removed): Query<Removed>) -> Result<StatusCode, Problem> {
    api.ask(move |control| {
        let url = known_url(control, &removed.url);
        let plan = control.running().plan();
        let there = backend(&plan, &removed.group, &url)?;
        let is_added = there.origin == Origin::Api.label();
        control.change(&mut |changes| {
            of(changes, &removed.group).remove(&url, !is_added);
        })?;
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}

/// What is to become of a backend.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// 1000 at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    weight: Option<u32>,
    /// True: it takes nobody new, and clients whose session is there stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    drain: Option<bool>,
    /// False: it takes no request at all. True: neither drained nor disabled any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    enabled: Option<bool>,
}

async fn change(
    api: Api,
    Path((group_id, url)): Path<(String, String)>,
    Json(wanted): Json<Wanted>,
) -> Result<axum::Json<Backend>, Problem> {
    api.ask(move |control| {
        let url = known_url(control, &url);
        backend(&control.running().plan(), &group_id, &url)?;
        let weight = weight(wanted.weight)?;
        let order = order(&wanted)?;
        if let Some(weight) = weight {
            control.change(&mut |changes| of(changes, &group_id).weigh(&url, weight))?;
        }
        if let Some(order) = order {
            control
                .order(&mut || order_about(&control.running().plan(), &group_id, &url, order))?;
        }
        let plan = control.running().plan();
        let mut there = backend(&plan, &group_id, &url)?;
        there.warning = weight.and_then(|_| idle_weight(&plan, &there));
        Ok(axum::Json(there))
    })
    .await
}

#[derive(Clone, Copy)]
enum Order {
    Drain,
    Disable,
    Enable,
}

fn order(wanted: &Wanted) -> Result<Option<Order>, Problem> {
    Ok(match (wanted.drain, wanted.enabled) {
        (Some(true), Some(false)) => {
            let detail = "either `drain` or `enabled: false`: a disabled backend takes nobody";
            return Err(Problem::invalid(detail));
        }
        (Some(true), _) => Some(Order::Drain),
        (_, Some(false)) => Some(Order::Disable),
        (_, Some(true)) | (Some(false), None) => Some(Order::Enable),
        (None, None) if wanted.weight.is_none() => {
            return Err(Problem::invalid("give `weight`, `drain` or `enabled`"));
        }
        (None, None) => None,
    })
}

/// Of a group or backend that went a moment ago, the answer tells.
fn order_about(plan: &Plan, id: &str, url: &str, order: Order) {
    let Ok(group) = group(plan, id) else { return };
    let (health, now) = (&group.balance.health, clock::now());
    let mut backends = group.balance.backends.iter();
    if let Some(backend) = backends.find(|backend| *backend.url == *url) {
        let standing = &backend.standing;
        match order {
            Order::Drain => standing.drain(health, now),
            Order::Disable => standing.disable(health, now),
            Order::Enable => standing.enable(health, now),
        }
    }
}

/// What a check has found.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Checked {
    good: bool,
    /// What was wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    latency_ms: f64,
    backend: Backend,
}

async fn check(
    api: Api,
    Path((group_id, url)): Path<(String, String)>,
) -> Result<axum::Json<Checked>, Problem> {
    let of = (group_id.clone(), url.clone());
    let url = api
        .ask(move |control| {
            let url = known_url(control, &of.1);
            backend(&control.running().plan(), &of.0, &url).map(|there| there.url)
        })
        .await?;
    let control = api.control()?;
    let checked = control.running().check(&group_id, &url).await;
    let checked = checked.ok_or_else(|| {
        let detail = format!("the group `{group_id}` has no `health_check`");
        Problem::new(StatusCode::CONFLICT, detail)
    })?;
    let there = api
        .ask(move |control| backend(&control.running().plan(), &group_id, &url))
        .await?;
    Ok(axum::Json(Checked {
        good: checked.error.is_none(),
        error: checked.error.map(|error| error.to_string()),
        latency_ms: checked.latency.as_micros() as f64 / 1000.0,
        backend: there,
    }))
}

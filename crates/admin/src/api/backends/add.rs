//! Adding backends, one or many at a time.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::{Backend, escaped, group, idle_weight, of, those_of, weight};
use crate::Control;
use crate::body::Json;
use crate::problem::Problem;
use crate::shared::Api;

/// Bytes of a list of backends.
pub(super) const LIST: usize = 1 << 20;

pub(super) const ABOUT: &str = "Adds a backend to a group, or a list of them; all or none.";

/// A backend that is to be one of a group.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Added {
    group: String,
    /// `http://host:port` or `unix:/path/of/socket`.
    url: String,
    /// 1 if there is none; 1000 at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    weight: Option<u32>,
}

/// One, or a list of them.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Additions {
    One(Added),
    Many(Vec<Added>),
}

impl<'de> Deserialize<'de> for Additions {
    /// By what stands there, so that a mistake is told of what was meant.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = Value::deserialize(deserializer)?;
        let read = match written.is_array() {
            true => serde_json::from_value(written).map(Self::Many),
            false => serde_json::from_value(written).map(Self::One),
        };
        read.map_err(D::Error::custom)
    }
}

/// What was added, as it was asked for.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum There {
    One(Box<Backend>),
    Many(Vec<Backend>),
}

pub(super) async fn add(api: Api, Json(additions): Json<Additions>) -> Result<Response, Problem> {
    api.ask(move |control| {
        Ok(match additions {
            Additions::One(one) => match add_all(control, vec![one])?.pop() {
                Some(there) => created(&there),
                None => StatusCode::CREATED.into_response(),
            },
            Additions::Many(many) => {
                let there = There::Many(add_all(control, many)?);
                (StatusCode::CREATED, axum::Json(there)).into_response()
            }
        })
    })
    .await
}

/// All in one change, or none. By their groups and URLs.
fn add_all(control: &dyn Control, all: Vec<Added>) -> Result<Vec<Backend>, Problem> {
    let plan = control.running().plan();
    let mut new: BTreeMap<String, BTreeMap<String, u32>> = BTreeMap::new();
    let mut weighed = BTreeSet::new();
    for Added {
        group: id,
        url,
        weight: wanted,
    } in all
    {
        let url = control.backend_url(&url).map_err(Problem::invalid)?;
        let weight = weight(wanted)?.unwrap_or(1);
        let conflict = |detail| Problem::new(StatusCode::CONFLICT, detail);
        if backend_is_there(group(&plan, &id)?, &url) {
            let detail = format!("the group `{id}` has the backend {url} already");
            return Err(conflict(detail));
        }
        if wanted.is_some() {
            weighed.insert(id.clone());
        }
        let of_group = new.entry(id.clone()).or_default();
        if of_group.insert(url.clone(), weight).is_some() {
            return Err(conflict(format!("{url} is to be added to `{id}` twice")));
        }
    }
    control.change(&mut |changes| {
        for (id, backends) in &new {
            let of_group = of(changes, id);
            for (url, &weight) in backends {
                of_group.add(url, weight);
            }
        }
    })?;
    let plan = control.running().plan();
    let mut there = Vec::new();
    for (id, backends) in &new {
        let from = there.len();
        there.extend(those_of(group(&plan, id)?, |url| {
            backends.contains_key(url)
        }));
        // Said of one: it is the same for all of a group.
        if let (true, Some(first)) = (weighed.contains(id), there.get_mut(from)) {
            first.warning = idle_weight(&plan, first);
        }
    }
    Ok(there)
}

fn created(backend: &Backend) -> Response {
    let place = format!(
        "/backends/{}/{}",
        escaped(&backend.group),
        escaped(&backend.url)
    );
    let mut response = (StatusCode::CREATED, axum::Json(backend)).into_response();
    if let Ok(place) = HeaderValue::from_str(&place) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    response
}

fn backend_is_there(group: &plan::Group, url: &str) -> bool {
    let mut backends = group.balance.backends.iter();
    backends.any(|backend| *backend.url == *url)
}

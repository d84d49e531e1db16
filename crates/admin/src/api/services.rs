//! `/v1/services`: services that register themselves on a lease.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, RawQuery};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::sse::Event as Sent;
use axum::response::{IntoResponse, Response};
use registry::{
    Cursor, Ended, Faults, Filter, Leased, NoWatch, Outcome, Registration, Registry, Service,
    Watcher,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::backends::escaped;
use crate::body::Json;
use crate::clock;
use crate::problem::{FieldProblem, Problem};
use crate::shared::Api;
use crate::stream::{self, Comes};
use crate::table::Endpoint;

pub(crate) fn endpoints() -> Vec<Endpoint> {
    const NAME: (&str, &str) = ("name", "Only services of this name.");
    const TAG: (&str, &str) = (
        "tag",
        "Only services with this tag; may come several times.",
    );
    vec![
        Endpoint::new(
            "get",
            "/v1/services",
            "The services that are registered.",
            list,
        )
        .query(NAME.0, NAME.1)
        .query(TAG.0, TAG.1)
        .gives::<Listed>(200)
        .refuses(&[400]),
        Endpoint::new(
            "post",
            "/v1/services",
            "Registers a service, or renews it.",
            register,
        )
        .takes::<RegistrationShape>()
        .gives::<ServiceShape>(201)
        .gives::<ServiceShape>(200)
        .refuses(&[400, 422, 503]),
        Endpoint::new(
            "get",
            "/v1/services/watch",
            "Changes, as server-sent events, from a cursor or `Last-Event-ID` on.",
            watch,
        )
        .query("cursor", "Where to begin; now if there is none.")
        .query(NAME.0, NAME.1)
        .query(TAG.0, TAG.1)
        .streams()
        .refuses(&[400, 410, 503]),
        Endpoint::new("get", "/v1/services/{id}", "One service.", get)
            .gives::<ServiceShape>(200)
            .refuses(&[404]),
        Endpoint::new("delete", "/v1/services/{id}", "A service leaves.", leave)
            .gives_nothing(204)
            .refuses(&[404, 503]),
        Endpoint::new(
            "put",
            "/v1/services/{id}/heartbeat",
            "A service is alive: its lease begins anew.",
            heartbeat,
        )
        .gives::<Lease>(200)
        .refuses(&[404, 503]),
    ]
}

/// What a service says about itself.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename = "Registration")]
struct RegistrationShape {
    /// One is made if there is none.
    id: Option<String>,
    name: String,
    /// `host:port`.
    address: String,
    /// `http` if there is none.
    scheme: Option<String>,
    metadata: Option<std::collections::BTreeMap<String, String>>,
    tags: Option<Vec<String>>,
    /// How long it is believed without a heartbeat: `30s` if there is none.
    ttl: Option<String>,
}

/// A service that is registered.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename = "Service", deny_unknown_fields)]
struct ServiceShape {
    id: String,
    name: String,
    scheme: String,
    address: AddressShape,
    metadata: std::collections::BTreeMap<String, String>,
    tags: Vec<String>,
    weight: u16,
    ttl: String,
    /// What is left of its lease, in seconds.
    expires_in: f64,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename = "Address", deny_unknown_fields)]
struct AddressShape {
    host: String,
    port: u16,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Listed {
    /// From where to watch on, so that no change is missed.
    cursor: String,
    #[schemars(with = "Vec<ServiceShape>")]
    services: Vec<Value>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Lease {
    /// How long it is, in seconds; the next heartbeat should come well before.
    ttl_seconds: f64,
}

/// A query in which keys may come several times.
fn query(text: Option<String>, keys: &[&str]) -> Result<Vec<(String, String)>, Problem> {
    let bad = |detail: String| Problem::new(StatusCode::BAD_REQUEST, detail);
    let uri: axum::http::Uri = format!("/?{}", text.unwrap_or_default())
        .parse()
        .map_err(|_| bad("the query cannot be read".to_owned()))?;
    let pairs = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&uri);
    let axum::extract::Query(pairs) = pairs.map_err(|refused| bad(refused.body_text()))?;
    match pairs.iter().find(|(key, _)| !keys.contains(&&**key)) {
        Some((key, _)) => Err(bad(format!(
            "there is no `{key}` here; it takes {}",
            keys.join(", ")
        ))),
        None => Ok(pairs),
    }
}

fn filter(pairs: &[(String, String)]) -> Filter {
    let of = |wanted: &'static str| {
        let pairs = pairs.iter().filter(move |(key, _)| key == wanted);
        pairs.map(|(_, value)| value.clone())
    };
    Filter {
        name: of("name").next_back(),
        tags: of("tag").collect(),
    }
}

fn leased(registry: &Registry, service: &Service) -> Value {
    shown(service, registry.left(service.id(), clock::now()))
}

fn shown(service: &Service, left: Option<Duration>) -> Value {
    let leased = Leased {
        service,
        expires_in: left.unwrap_or_default(),
    };
    serde_json::to_value(leased).unwrap_or_default()
}

fn unknown(id: &str) -> Problem {
    Problem::not_found(format!(
        "no service `{id}` is registered, or its lease is over"
    ))
}

async fn list(api: Api, RawQuery(text): RawQuery) -> Result<axum::Json<Listed>, Problem> {
    let filter = filter(&query(text, &["name", "tag"])?);
    api.ask(move |control| {
        let (cursor, services) = {
            let (mut registry, now) = (control.registry().lock(), clock::now());
            registry.expire(now);
            let services = registry.list(&filter).map(|service| {
                let left = registry.left(service.id(), now);
                (Arc::clone(service), left)
            });
            let services: Vec<_> = services.collect();
            (registry.cursor(), services)
        };
        // Heartbeats do not wait until all of them are written down.
        let services = services.iter().map(|(service, left)| shown(service, *left));
        Ok(axum::Json(Listed {
            cursor: cursor.to_string(),
            services: services.collect(),
        }))
    })
    .await
}

async fn register(api: Api, Json(registration): Json<Registration>) -> Result<Response, Problem> {
    api.ask(move |control| {
        let service = Service::check(registration, fastrand::u128(..)).map_err(refused)?;
        let id = Arc::clone(service.id());
        let mut registry = control.registry_to_change()?;
        let outcome = registry.register(service, clock::now());
        let outcome = outcome.map_err(|full| Problem::unavailable(full.to_string()))?;
        let service = registry.get(&id).ok_or_else(|| unknown(&id))?;
        let answer = axum::Json(leased(&registry, service));
        Ok(match outcome {
            Outcome::Registered => {
                let mut response = (StatusCode::CREATED, answer).into_response();
                let place = format!("/v1/services/{}", escaped(&id));
                if let Ok(place) = HeaderValue::from_str(&place) {
                    response.headers_mut().insert(header::LOCATION, place);
                }
                response
            }
            Outcome::Updated | Outcome::Renewed => answer.into_response(),
        })
    })
    .await
}

fn refused(faults: Faults) -> Problem {
    let mut problem = Problem::invalid(faults.to_string());
    let fields = faults.0.into_iter().map(|fault| FieldProblem {
        field: fault.field.to_owned(),
        problem: fault.problem,
    });
    problem.fields = fields.collect();
    problem
}

async fn get(api: Api, Path(id): Path<String>) -> Result<axum::Json<Value>, Problem> {
    api.ask(move |control| {
        let mut registry = control.registry().lock();
        registry.expire(clock::now());
        let service = registry.get(&id).ok_or_else(|| unknown(&id))?;
        Ok(axum::Json(leased(&registry, service)))
    })
    .await
}

async fn leave(api: Api, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    api.ask(move |control| {
        let mut registry = control.registry_to_change()?;
        let left = registry.deregister(&id, clock::now());
        left.map_err(|_| unknown(&id))?;
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}

/// Thousands of them come each second, and one is a look-up: another thread
/// would cost more than the answer.
async fn heartbeat(api: Api, Path(id): Path<String>) -> Result<axum::Json<Lease>, Problem> {
    let control = api.control()?;
    let mut registry = control.registry_to_renew()?;
    let ttl = registry.heartbeat(&id, clock::now());
    let ttl_seconds = ttl.map_err(|_| unknown(&id))?.as_secs_f64();
    Ok(axum::Json(Lease { ttl_seconds }))
}

async fn watch(
    api: Api,
    RawQuery(text): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let pairs = query(text, &["cursor", "name", "tag"])?;
    let asked = pairs.iter().find(|(key, _)| key == "cursor");
    // Who comes back says where it was, whatever it began with.
    let cursor = stream::last_seen(&headers).or(asked.map(|(_, cursor)| &**cursor));
    let cursor = cursor.map(str::parse::<Cursor>).transpose();
    let bad = |fault: registry::NoCursor| Problem::new(StatusCode::BAD_REQUEST, fault.to_string());
    let cursor = cursor.map_err(bad)?;
    let control = api.control()?;
    let watcher = {
        let mut registry = control.registry().lock();
        let cursor = cursor.unwrap_or_else(|| registry.cursor());
        registry.watch(cursor, filter(&pairs))
    };
    let watcher = watcher.map_err(|why| match why {
        // Both are mended by listing the services again.
        NoWatch::Gone | NoWatch::Behind => Problem::new(
            StatusCode::GONE,
            format!("{why}; `GET /v1/services` has a new cursor"),
        ),
        NoWatch::TooMany => Problem::unavailable(why.to_string()),
    })?;
    let reader = Reader {
        watcher,
        has_ended: false,
        greets: true,
    };
    Ok(stream::answer(reader, api.stop.clone()))
}

/// One who watches services.
struct Reader {
    watcher: Watcher,
    has_ended: bool,
    greets: bool,
}

impl Comes for Reader {
    async fn next(&mut self) -> Option<Sent> {
        if self.has_ended {
            return None;
        }
        if std::mem::take(&mut self.greets) {
            return Some(Sent::default().comment("connected"));
        }
        match self.watcher.next().await {
            Ok(event) => {
                let sent = stream::event(event.change.word(), &*event);
                Some(sent.id(event.cursor.to_string()))
            }
            Err(Ended::TooSlow) => {
                self.has_ended = true;
                let cursor = self.watcher.cursor().to_string();
                let about = json!({"detail": "events were not read in time", "cursor": cursor});
                Some(stream::event("too-slow", &about))
            }
            Err(Ended::Closed) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use registry::Limits;

    #[test]
    fn services_have_the_shape_that_is_described() {
        let registration = json!({"name": "web", "address": "10.0.0.1:80", "tags": ["a"]});
        let registration: Registration = serde_json::from_str(&registration.to_string()).unwrap();
        let service = Service::check(registration, 1).unwrap();
        let mut registry = Registry::new(Limits::default(), 1);
        registry.register(service.clone(), clock::now()).unwrap();
        let shown = leased(&registry, &service);
        let read: ServiceShape = serde_json::from_str(&shown.to_string()).unwrap();
        assert_eq!(read.address.port, 80);
        assert!(read.expires_in > 29.0);
    }

    #[test]
    fn a_query_may_say_things_twice_and_nothing_else() {
        let pairs = |text: &str| query(Some(text.to_owned()), &["name", "tag"]);
        let found = filter(&pairs("tag=a&tag=b%20c&name=web").unwrap());
        assert_eq!(found.name.as_deref(), Some("web"));
        assert_eq!(found.tags, ["a", "b c"]);
        assert!(pairs("tga=a").unwrap_err().detail.contains("`tga`"));
    }
}

//! The shapes in which services and events travel as JSON.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};

use crate::address::Address;
use crate::event::{Change, Event};
use crate::service::Service;
use crate::ttl;

/// What a service says about itself to be registered; nothing in it is checked
/// before [`Service::check`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// One is made if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    pub name: String,
    pub address: WrittenAddress,
    /// `http` if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheme: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// 30 seconds if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<WrittenTtl>,
}

/// `{"host": "10.0.0.1", "port": 8080}` or `"10.0.0.1:8080"`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "an address is `\"host:port\"` or `{\"host\": \"...\", \"port\": 8080}`"
)]
pub enum WrittenAddress {
    Text(String),
    Parts(Parts),
}

/// An address in two fields; an IPv6 address has no brackets here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parts {
    pub host: String,
    pub port: u64,
}

/// `"30s"`, or `30` for as many seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "a ttl is a duration such as `\"30s\"`, or a number of seconds"
)]
pub enum WrittenTtl {
    Seconds(f64),
    Text(String),
}

impl WrittenAddress {
    pub(crate) fn check(&self) -> Result<Address, String> {
        match self {
            Self::Text(text) => Address::parse(text),
            Self::Parts(parts) => Address::new(&parts.host, parts.port),
        }
    }
}

impl From<&Address> for Parts {
    fn from(address: &Address) -> Self {
        Self {
            host: address.host.to_string(),
            port: address.port.get().into(),
        }
    }
}

impl WrittenTtl {
    pub(crate) fn check(&self) -> Result<Duration, String> {
        match self {
            Self::Seconds(number) => ttl::seconds(*number),
            Self::Text(text) => ttl::parse(text),
        }
    }
}

impl From<&Service> for Registration {
    /// What would register the same service again.
    fn from(service: &Service) -> Self {
        Self {
            id: Some(service.id().to_string()),
            name: service.name().to_string(),
            address: WrittenAddress::Parts(service.address().into()),
            scheme: Some(service.scheme().to_owned()),
            metadata: service.metadata().clone(),
            tags: service.tags().iter().cloned().collect(),
            ttl: Some(WrittenTtl::Text(ttl::text(service.ttl()))),
        }
    }
}

impl Serialize for Service {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut shape = serializer.serialize_struct("Service", 8)?;
        shape.serialize_field("id", &**self.id())?;
        shape.serialize_field("name", &**self.name())?;
        shape.serialize_field("scheme", self.scheme())?;
        shape.serialize_field("address", &Parts::from(self.address()))?;
        shape.serialize_field("metadata", self.metadata())?;
        shape.serialize_field("tags", self.tags())?;
        shape.serialize_field("weight", &self.weight())?;
        shape.serialize_field("ttl", &ttl::text(self.ttl()))?;
        shape.end()
    }
}

/// A service and how much of its lease is left, in seconds.
#[derive(Debug, Serialize)]
pub struct Leased<'a> {
    #[serde(flatten)]
    pub service: &'a Service,
    #[serde(serialize_with = "as_seconds")]
    pub expires_in: Duration,
}

fn as_seconds<S: Serializer>(left: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    let millis = u32::try_from(left.as_millis()).unwrap_or(u32::MAX);
    serializer.serialize_f64(f64::from(millis) / 1000.0)
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut shape = serializer.serialize_struct("Event", 3)?;
        shape.serialize_field("cursor", &self.cursor.to_string())?;
        shape.serialize_field("kind", self.change.word())?;
        shape.serialize_field("service", &*self.service)?;
        shape.end()
    }
}

impl Serialize for Change {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(json: Value) -> Result<Service, String> {
        let registration: Registration =
            serde_json::from_str(&json.to_string()).map_err(|e| e.to_string())?;
        Service::check(registration, 7).map_err(|faults| faults.to_string())
    }

    #[test]
    fn a_registration_in_short_and_in_full() {
        let short = read(json!({"name": "web", "address": "10.0.0.1:8080"})).unwrap();
        assert_eq!(&**short.id(), "web-00000000000000000000000000000007");
        assert_eq!(short.url(), "http://10.0.0.1:8080");
        assert_eq!(short.ttl(), Duration::from_secs(30));
        assert_eq!(short.weight(), 1);
        let full = json!({
            "id": "web-1",
            "name": "web",
            "scheme": "https",
            "address": {"host": "::1", "port": 8443},
            "metadata": {"weight": "5", "zone": "a"},
            "tags": ["v2", "eu", "v2"],
            "ttl": 90,
        });
        let full = read(full).unwrap();
        assert_eq!(
            serde_json::to_value(&full).unwrap(),
            json!({
                "id": "web-1",
                "name": "web",
                "scheme": "https",
                "address": {"host": "::1", "port": 8443},
                "metadata": {"weight": "5", "zone": "a"},
                "tags": ["eu", "v2"],
                "weight": 5,
                "ttl": "1m30s",
            })
        );
        let again = serde_json::to_value(Registration::from(&full)).unwrap();
        assert_eq!(read(again), Ok(full));
    }

    #[test]
    fn what_is_left_of_a_lease_is_beside_its_service() {
        let service = read(json!({"name": "web", "address": "web:80", "id": "a"})).unwrap();
        let expires_in = Duration::from_millis(12_345);
        let leased = Leased {
            service: &service,
            expires_in,
        };
        let shown = serde_json::to_value(leased).unwrap();
        assert_eq!(shown["id"], "a");
        assert_eq!(shown["expires_in"], 12.345);
    }

    #[test]
    fn an_event_is_a_cursor_a_kind_and_a_service() {
        let service = read(json!({"name": "web", "address": "web:80", "id": "a"})).unwrap();
        let event = Event {
            cursor: "beef-7".parse().unwrap(),
            change: Change::Expired,
            service: service.clone().into(),
            was: None,
        };
        assert_eq!(
            serde_json::to_value(event).unwrap(),
            json!({"cursor": "beef-7", "kind": "expired", "service": service})
        );
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (json, said) in [
            (json!({"address": "web:80"}), "missing field `name`"),
            (json!({"name": "web"}), "missing field `address`"),
            (json!({"name": "web", "address": 80}), "an address is"),
            (
                json!({"name": "web", "address": {"host": "web"}}),
                "an address is",
            ),
            (
                json!({"name": "web", "address": {"host": "web", "port": 80, "x": 1}}),
                "an address is",
            ),
            (
                json!({"name": "web", "address": {"host": "web", "port": 70_000}}),
                "`address`: a port is",
            ),
            (
                json!({"name": "web", "address": "w:80", "tll": 1}),
                "unknown field `tll`",
            ),
            (
                json!({"name": "web", "address": "w:80", "ttl": []}),
                "a ttl is",
            ),
            (
                json!({"name": "web", "address": "w:80", "ttl": "0s"}),
                "`ttl`: is from 1s",
            ),
            (
                json!({"name": "web", "address": "w:80", "ttl": 100_000}),
                "`ttl`: is from 1s",
            ),
            (
                json!({"name": "web", "address": "w:80", "id": ".."}),
                "`id`: is made of",
            ),
            (
                json!({"name": "web", "address": "w:80", "id": "watch"}),
                "`id`: `watch` is where changes are watched",
            ),
            (
                json!({"name": "a b", "address": "w:80"}),
                "`name`: is made of",
            ),
            (
                json!({"name": "web", "address": "w:80", "scheme": "://"}),
                "`scheme`: is a",
            ),
            (
                json!({"name": "web", "address": "w:80", "metadata": {"weight": "x"}}),
                "`metadata`: `weight` is",
            ),
            (
                json!({"name": "web", "address": "w:80", "metadata": {"k": 1}}),
                "expected a string",
            ),
            (
                json!({"name": "web", "address": "w:80", "tags": [""]}),
                "`tags`: a tag has",
            ),
            (
                json!({"name": "", "address": "w", "ttl": "soon"}),
                "`name`: is empty; `address`: is a host and a port such as `10.0.0.1:8080`, found `w`; `ttl`:",
            ),
        ] {
            let refused = read(json.clone()).expect_err(said);
            assert!(refused.contains(said), "{json}: {refused}");
        }
    }
}

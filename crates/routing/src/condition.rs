use std::borrow::Cow;
use std::fmt;

use ipnet::IpNet;
use message::{Fields, HIDDEN, cookies, is_secret, parameters};

use crate::{Facts, HostPattern, PathPattern, ValuePattern};

/// One demand on a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// Any one of these.
    Host(Vec<HostPattern>),
    Path(PathPattern),
    /// Exactly one of these.
    Method(Vec<Box<str>>),
    Header(Demand),
    Query(Demand),
    Cookie(Demand),
    /// On what the client's certificate says: `name` is one of [`ClientCertificate::FACTS`].
    Certificate(Demand),
    /// The client's address is in one of these.
    Client(Vec<IpNet>),
    Not(Box<Condition>),
}

/// A demand on something that has a name and may be there several times: one
/// of its values has to fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demand {
    pub name: Box<str>,
    pub value: ValuePattern,
}

impl Demand {
    /// Reads a demand on a header field. The error is a sentence for people.
    pub fn header(name: &str, value: &str) -> Result<Self, String> {
        if name.is_empty() || !name.bytes().all(is_token_byte) {
            return Err(format!("`{name}` is not a header name"));
        }
        let demand = Self::parse(name, value)?;
        match &demand.value {
            ValuePattern::Exact(exact) if exact.trim() != &**exact => Err(format!(
                "`{exact}` can never be received: spaces around a header value are not part of \
                 it; write `{}`",
                exact.trim()
            )),
            _ => Ok(demand),
        }
    }

    /// Reads a demand on a cookie. The error is a sentence for people.
    pub fn cookie(name: &str, value: &str) -> Result<Self, String> {
        if name.is_empty() || !name.bytes().all(is_token_byte) {
            return Err(format!("`{name}` is not the name of a cookie"));
        }
        Self::parse(name, value)
    }

    /// Reads a demand on a query parameter, in decoded form. The error is a
    /// sentence for people.
    pub fn parse(name: &str, value: &str) -> Result<Self, String> {
        Ok(Self {
            name: name.into(),
            value: ValuePattern::parse(value)?,
        })
    }

    /// The value, unless its name says that it is a secret.
    pub fn shown(&self) -> String {
        match self.value {
            ValuePattern::Any => self.value.to_string(),
            _ if is_secret(&self.name) => HIDDEN.to_owned(),
            _ => self.value.to_string(),
        }
    }

    fn takes<V: AsRef<[u8]>>(&self, mut values: impl Iterator<Item = V>) -> bool {
        values.any(|value| self.value.takes(value.as_ref()))
    }
}

impl Condition {
    pub fn holds(&self, facts: &Facts<'_>) -> bool {
        match self {
            Self::Host(hosts) => hosts.iter().any(|host| host.takes(facts.host)),
            Self::Path(path) => path.takes(facts.path),
            Self::Method(methods) => takes_method(methods, facts),
            Self::Header(demand) => demand.takes(header(facts.fields, &demand.name)),
            Self::Query(demand) => demand.takes(parameter(facts.query, &demand.name)),
            Self::Cookie(demand) => demand.takes(cookie(facts.fields, &demand.name)),
            Self::Certificate(demand) => demand.takes(certificate(facts, &demand.name)),
            Self::Client(networks) => {
                let client = facts.client.to_canonical();
                networks.iter().any(|network| network.contains(&client))
            }
            Self::Not(condition) => !condition.holds(facts),
        }
    }

    /// Why it does not hold, as a sentence for people.
    pub(crate) fn text(&self, facts: &Facts<'_>) -> String {
        match self {
            Self::Host(_) if facts.host.is_empty() => {
                format!(
                    "the request names no host, the route takes {}",
                    self.wanted()
                )
            }
            Self::Host(_) => self.differs("host", facts.host),
            Self::Path(_) => self.differs("path", facts.path),
            Self::Method(_) => self.differs("method", facts.method_text),
            Self::Client(_) => {
                let client = facts.client.to_canonical().to_string();
                self.differs("client", client.as_bytes())
            }
            Self::Header(demand) => {
                let values: Vec<&[u8]> = header(facts.fields, &demand.name).collect();
                self.absent_or("header", demand, &values)
            }
            Self::Query(demand) => {
                let values: Vec<_> = parameter(facts.query, &demand.name).collect();
                self.absent_or("query parameter", demand, &values)
            }
            Self::Cookie(demand) => {
                let values: Vec<&[u8]> = cookie(facts.fields, &demand.name).collect();
                self.absent_or("cookie", demand, &values)
            }
            Self::Certificate(demand) => {
                let values: Vec<&[u8]> = certificate(facts, &demand.name).collect();
                self.absent_or("client certificate", demand, &values)
            }
            Self::Not(condition) => match &**condition {
                Self::Header(demand) if self.is_secret() => {
                    format!("header {} is what the route refuses", demand.name)
                }
                Self::Query(demand) if self.is_secret() => {
                    format!("query parameter {} is what the route refuses", demand.name)
                }
                Self::Cookie(demand) if self.is_secret() => {
                    format!("cookie {} is what the route refuses", demand.name)
                }
                condition => format!("{condition} holds, and the route refuses that"),
            },
        }
    }

    /// Demands a value that has no place in a log, neither as it is found nor
    /// as it should be. What clients have in cookies is theirs, whatever its name.
    fn is_secret(&self) -> bool {
        match self {
            Self::Cookie(_) => true,
            Self::Header(Demand { name, .. }) | Self::Query(Demand { name, .. }) => is_secret(name),
            Self::Not(condition) => condition.is_secret(),
            _ => false,
        }
    }

    fn differs(&self, what: &str, found: &[u8]) -> String {
        let wanted = self.wanted();
        format!("{what} is {}, the route takes {wanted}", shown(found))
    }

    fn absent_or<V: AsRef<[u8]>>(&self, what: &str, demand: &Demand, values: &[V]) -> String {
        let found = match values {
            [] => "absent".to_owned(),
            _ if self.is_secret() => "another".to_owned(),
            values => {
                let first = values.iter().take(VALUES_SHOWN);
                let mut parts: Vec<String> = first.map(|value| shown(value.as_ref())).collect();
                if values.len() > VALUES_SHOWN {
                    parts.push(format!("{} more", values.len() - VALUES_SHOWN));
                }
                parts.join(" and ")
            }
        };
        let wanted = match demand.value {
            ValuePattern::Any => self.wanted(),
            _ if self.is_secret() => "a value that is not shown".to_owned(),
            _ => self.wanted(),
        };
        format!(
            "{what} {} is {found}, the route takes {wanted}",
            demand.name
        )
    }

    /// What is demanded, without saying of what.
    pub(crate) fn wanted(&self) -> String {
        match self {
            Self::Host(hosts) => listed(hosts),
            Self::Path(path) => path.to_string(),
            Self::Method(methods) => listed(methods),
            Self::Header(demand) => format!("{}: {}", demand.name, demand.shown()),
            Self::Query(demand) | Self::Cookie(demand) | Self::Certificate(demand) => {
                format!("{}={}", demand.name, demand.shown())
            }
            Self::Client(networks) => listed(networks),
            Self::Not(condition) => condition.wanted(),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self {
            Self::Host(_) => "host",
            Self::Path(_) => "path",
            Self::Method(_) => "method",
            Self::Header(_) => "header",
            Self::Query(_) => "query",
            Self::Cookie(_) => "cookie",
            Self::Certificate(_) => "client certificate",
            Self::Client(_) => "client",
            Self::Not(condition) => return write!(f, "not {condition}"),
        };
        write!(f, "{what} {}", self.wanted().replace(", ", " or "))
    }
}

pub(crate) fn takes_method(methods: &[Box<str>], facts: &Facts<'_>) -> bool {
    methods
        .iter()
        .any(|method| method.as_bytes() == facts.method_text)
}

fn certificate<'a>(facts: &Facts<'a>, fact: &'a str) -> impl Iterator<Item = &'a [u8]> {
    let shown = facts.certificate.into_iter();
    shown.flat_map(move |shown| shown.values(fact))
}

/// A repeated field is looked at line by line.
fn header<'a>(fields: &'a Fields, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
    fields.all_named(name.as_bytes())
}

fn cookie<'a>(fields: &'a Fields, wanted: &'a str) -> impl Iterator<Item = &'a [u8]> {
    cookies(fields)
        .filter(move |(name, _)| *name == wanted.as_bytes())
        .map(|(_, value)| value)
}

/// The decoded values of a parameter.
fn parameter<'a>(query: &'a [u8], wanted: &'a str) -> impl Iterator<Item = Cow<'a, [u8]>> {
    parameters(query)
        .filter(move |(name, _)| **name == *wanted.as_bytes())
        .map(|(_, value)| value)
}

/// Bytes shown of what a client sent, and how many of a field's values: a log
/// does not grow by more than requests do.
const SHOWN: usize = 100;
const VALUES_SHOWN: usize = 3;

/// What a client sent, shortened when it is long.
fn shown(found: &[u8]) -> String {
    match found.get(..SHOWN) {
        Some(beginning) if found.len() > SHOWN => {
            format!("{}... ({} bytes)", beginning.escape_ascii(), found.len())
        }
        _ => found.escape_ascii().to_string(),
    }
}

fn listed<T: ToString>(items: &[T]) -> String {
    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
    items.join(", ")
}

/// `tchar` of RFC 9110 section 5.6.2.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests;

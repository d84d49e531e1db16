//! Where backends of a group are found while it runs.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use crate::Origin;

/// Where backends are found. Two that are equal find the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BackendSource {
    Dns(DnsSource),
    /// A file that lists them, as it is called in the configuration.
    File(Box<str>),
    Registry(RegistrySource),
}

/// A name that is looked up again and again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DnsSource {
    pub name: Box<str>,
    pub records: Records,
    /// The least and the most time from one look to the next.
    pub min_interval: Duration,
    pub max_interval: Duration,
    /// Absent: those of the system.
    pub resolver: Option<SocketAddr>,
}

/// What is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Records {
    /// A and AAAA.
    Addresses { port: u16, weight: u32 },
    /// SRV.
    Services,
}

/// Services that register themselves.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegistrySource {
    pub name: Box<str>,
    /// All of which a service has.
    pub tags: Vec<Box<str>>,
    /// What a service speaks.
    pub scheme: Box<str>,
}

impl BackendSource {
    /// What its finds are called.
    pub fn origin(&self) -> Origin {
        match self {
            Self::Dns(_) => Origin::Dns,
            Self::File(_) => Origin::List,
            Self::Registry(_) => Origin::Registry,
        }
    }

    /// What it is called, and on what terms it is looked at.
    pub fn in_full(&self) -> String {
        let Self::Dns(dns) = self else {
            return self.to_string();
        };
        let (min, max) = (dns.min_interval, dns.max_interval);
        let weight = match dns.records {
            Records::Addresses { weight, .. } if weight != 1 => format!(", weight {weight}"),
            _ => String::new(),
        };
        let at = dns.resolver.map(|resolver| format!(" at {resolver}"));
        let at = at.unwrap_or_default();
        format!("{self}, looked up{at} every {min:?} to {max:?}{weight}")
    }
}

impl fmt::Display for BackendSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(dns) => match dns.records {
                Records::Addresses { port, .. } => write!(f, "dns {}:{port}", dns.name),
                Records::Services => write!(f, "dns srv {}", dns.name),
            },
            Self::File(path) => write!(f, "file {path}"),
            Self::Registry(RegistrySource { name, tags, scheme }) => {
                write!(f, "registry {name}")?;
                for tag in tags {
                    write!(f, " {tag:?}")?;
                }
                match &**scheme {
                    "http" => Ok(()),
                    scheme => write!(f, " over {scheme}"),
                }
            }
        }
    }
}

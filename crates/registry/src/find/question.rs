//! What to look up, and what becomes of the answers.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use super::srv::{Target, classes};
use super::{Place, set};

/// Whoever can send an answer decides how long it is: what is beyond this is
/// left out.
const MOST_PLACES: usize = 1024;
/// Names of targets that are looked up for one answer.
const MOST_HOSTS: usize = 128;

/// What a name says of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// Its addresses, all with this port and weight.
    Addresses {
        name: String,
        port: u16,
        weight: u32,
    },
    /// Its services.
    Services { name: String },
}

/// An answer, which may be empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<T> {
    pub items: Vec<T>,
    /// How long it is valid; none where nothing was said.
    pub valid: Option<Duration>,
}

/// Why there is no answer, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoAnswer(pub String);

/// Whoever can be asked. Empty answers are answers.
#[expect(async_fn_in_trait, reason = "asked by one thread")]
pub trait LookUp {
    async fn ipv4(&self, name: &str) -> Result<Answer<Ipv4Addr>, NoAnswer>;
    async fn ipv6(&self, name: &str) -> Result<Answer<Ipv6Addr>, NoAnswer>;
    async fn services(&self, name: &str) -> Result<Answer<Target>, NoAnswer>;
}

impl Question {
    /// All places there are by now. `known` are those of before.
    ///
    /// # Errors
    ///
    /// When what there is cannot be known.
    pub async fn ask<L: LookUp>(
        &self,
        look_up: &L,
        known: &[Place],
    ) -> Result<Answer<Place>, NoAnswer> {
        match self {
            Self::Addresses { name, port, weight } => {
                let target = (*port, *weight);
                let answer = places(look_up, name, target, known).await?;
                Ok(answer.limited())
            }
            Self::Services { name } => services(look_up, name, known).await,
        }
    }
}

/// The best class that has an address. RFC 2782 has clients try the next where
/// one cannot be reached; that is left to those who look after the records, for
/// a backend that is down is to come back.
async fn services<L: LookUp>(
    look_up: &L,
    name: &str,
    known: &[Place],
) -> Result<Answer<Place>, NoAnswer> {
    let said = look_up.services(name).await?;
    let mut all = Answer {
        items: Vec::new(),
        valid: said.valid,
    };
    let mut hosts = 0;
    for class in classes(said.items) {
        for target in class {
            hosts += 1;
            if hosts > MOST_HOSTS {
                return Ok(all.limited());
            }
            let share = (target.port, target.share());
            let of_target = places(look_up, &target.host, share, known).await?;
            all.add(of_target);
        }
        if !all.items.is_empty() {
            break;
        }
    }
    Ok(all.limited())
}

async fn places<L: LookUp>(
    look_up: &L,
    host: &str,
    (port, weight): (u16, u32),
    known: &[Place],
) -> Result<Answer<Place>, NoAnswer> {
    let (ipv4, ipv6) = tokio::join!(look_up.ipv4(host), look_up.ipv6(host));
    let is_known = |v6: bool| {
        let mut urls = known.iter().map(|place| &place.url);
        urls.any(|url| url.starts_with("http://[") == v6)
    };
    let place = |address: IpAddr| Place {
        url: url(address, port),
        weight,
    };
    let ipv4 = ipv4.map(|answer| answer.map(|address| place(address.into())));
    let ipv6 = ipv6.map(|answer| answer.map(|address| place(address.into())));
    joined(ipv4, is_known(false), ipv6, is_known(true))
}

/// Some name servers have no answer for one of the families, ever. Where the
/// other has addresses and this one never had, they will do.
fn joined<T>(
    ipv4: Result<Answer<T>, NoAnswer>,
    ipv4_known: bool,
    ipv6: Result<Answer<T>, NoAnswer>,
    ipv6_known: bool,
) -> Result<Answer<T>, NoAnswer> {
    match (ipv4, ipv6) {
        (Ok(mut all), Ok(more)) => {
            all.add(more);
            Ok(all)
        }
        (Ok(answer), Err(_)) if !answer.items.is_empty() && !ipv6_known => Ok(answer),
        (Err(_), Ok(answer)) if !answer.items.is_empty() && !ipv4_known => Ok(answer),
        (Err(why), _) | (_, Err(why)) => Err(why),
    }
}

fn url(address: IpAddr, port: u16) -> String {
    format!("http://{}", std::net::SocketAddr::from((address, port)))
}

impl<T> Answer<T> {
    fn map<U>(self, with: impl FnMut(T) -> U) -> Answer<U> {
        Answer {
            items: self.items.into_iter().map(with).collect(),
            valid: self.valid,
        }
    }

    /// What was put together is valid while all of it is.
    fn add(&mut self, other: Self) {
        self.items.extend(other.items);
        self.valid = match (self.valid, other.valid) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }
}

impl Answer<Place> {
    fn limited(mut self) -> Self {
        self.items = set(self.items);
        self.items.truncate(MOST_PLACES);
        self
    }
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests;

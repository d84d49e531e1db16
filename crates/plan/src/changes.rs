//! What has been changed since the settings were written: by operators, and by
//! whatever finds backends.
//!
//! Changes are applied to the settings of a group when these become a plan, so
//! that a change is a new plan like any other.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;

use config::BackendUrl;
use serde::{Deserialize, Serialize};

/// By the name of the group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    #[serde(default)]
    pub groups: BTreeMap<String, GroupChanges>,
}

/// What has changed in one group. Backends are called by their URLs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupChanges {
    /// Backends that an operator has added, with their weights.
    #[serde(default)]
    pub added: BTreeMap<String, u32>,
    /// Backends that an operator has taken away.
    #[serde(default)]
    pub removed: BTreeSet<String>,
    /// Weights that an operator has set.
    #[serde(default)]
    pub weights: BTreeMap<String, u32>,
    /// Backends that were found. They are found again, and not kept.
    #[serde(skip)]
    pub found: BTreeMap<Origin, Vec<Found>>,
}

/// A backend that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub url: String,
    pub weight: u32,
}

/// Who says that a backend is one of its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The configuration.
    File,
    /// An operator, while it runs.
    Api,
    /// A service that registered itself.
    Registry,
    /// The domain name system.
    Dns,
    /// A list that is kept in a file of its own.
    List,
}

/// A backend of a group once all changes have been made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) url: BackendUrl,
    pub(crate) weight: u32,
    /// Its own limit, if the configuration gives it one.
    pub(crate) max_connections: Option<u32>,
    pub(crate) origin: Origin,
}

/// A group's backends as they are now. Where several say that a backend is one
/// of the group, the first of them counts, in the order of [`Origin`].
pub(crate) fn members(group: &config::BackendGroup, changes: &GroupChanges) -> Vec<Member> {
    let mut members: Vec<Member> = group
        .backends
        .iter()
        .map(|backend| Member {
            url: backend.url.value.clone(),
            weight: *backend.weight,
            max_connections: backend.max_connections,
            origin: Origin::File,
        })
        .collect();
    let added = changes.added.iter();
    let added = added.map(|(url, &weight)| (Origin::Api, url, weight));
    let found = changes.found.iter().flat_map(|(&origin, found)| {
        let found = found.iter();
        found.map(move |found| (origin, &found.url, found.weight))
    });
    let mut known: HashSet<String> = members.iter().map(|m| m.url.to_string()).collect();
    for (origin, url, weight) in added.chain(found) {
        // What is no URL was refused where it came from.
        let Ok(url) = url.parse::<BackendUrl>() else {
            continue;
        };
        if known.insert(url.to_string()) {
            members.push(Member {
                url,
                weight,
                max_connections: None,
                origin,
            });
        }
    }
    // Nearly always nothing of either.
    if !changes.removed.is_empty() {
        members.retain(|member| !changes.removed.contains(&member.url.to_string()));
    }
    if !changes.weights.is_empty() {
        for member in &mut members {
            if let Some(&weight) = changes.weights.get(&member.url.to_string()) {
                member.weight = weight;
            }
        }
    }
    members
}

impl GroupChanges {
    /// True where an operator has changed anything.
    pub(crate) fn are_by_operators(&self) -> bool {
        !(self.added.is_empty() && self.removed.is_empty() && self.weights.is_empty())
    }
}

impl Origin {
    pub fn label(self) -> &'static str {
        match self {
            Origin::File => "file",
            Origin::Api => "api",
            Origin::Registry => "registry",
            Origin::Dns => "dns",
            Origin::List => "list",
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.label())
    }
}

//! What has been changed since the settings were written: by operators, and by
//! whatever finds backends.
//!
//! Changes are applied to the settings of a group when these become a plan, so
//! that a change is a new plan like any other.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;

use config::BackendUrl;
use serde::{Deserialize, Serialize};

use crate::Plan;

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

impl Changes {
    /// The groups that operators have changed and that this plan does not have.
    pub fn groups_not_in<'a>(&'a self, plan: &'a Plan) -> impl Iterator<Item = &'a str> {
        let of_operators = self.groups.iter();
        let of_operators = of_operators.filter(|(_, changes)| changes.are_by_operators());
        let is_there = |id: &str| plan.groups.iter().any(|group| *group.balance.id == *id);
        of_operators
            .map(|(id, _)| &**id)
            .filter(move |id| !is_there(id))
    }
}

impl GroupChanges {
    /// An operator adds a backend.
    pub fn add(&mut self, url: &str, weight: u32) {
        self.added.insert(url.to_owned(), weight);
        // One of the file that was taken away comes back with this weight.
        if self.removed.remove(url) {
            self.weights.insert(url.to_owned(), weight);
        }
    }

    /// An operator takes a backend away, which somebody else may have named too.
    pub fn remove(&mut self, url: &str, is_named_elsewhere: bool) {
        self.added.remove(url);
        self.weights.remove(url);
        if is_named_elsewhere {
            self.removed.insert(url.to_owned());
        }
    }

    /// An operator sets a weight: every one that is written for it.
    pub fn weigh(&mut self, url: &str, weight: u32) {
        let added = self.added.get_mut(url);
        let is_enough = added.is_some() && !self.weights.contains_key(url);
        if let Some(added) = added {
            *added = weight;
        }
        if !is_enough {
            self.weights.insert(url.to_owned(), weight);
        }
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_weight_counts() {
        const URL: &str = "http://a:1";
        let text = "server: { address: 127.0.0.1:0 }\n\
             backend_groups: [ { id: app, backends: [ { url: http://a:1 } ] } ]";
        let settings = config::read("a.yaml", text, &|_| None).settings;
        let group = &settings.backend_groups[0];
        let mut changes = GroupChanges::default();
        let weight = |changes: &GroupChanges| {
            let members = members(group, changes);
            members.first().map(|member| member.weight)
        };
        changes.weigh(URL, 0);
        assert_eq!(weight(&changes), Some(0));
        changes.remove(URL, true);
        assert_eq!(weight(&changes), None);
        changes.add(URL, 1);
        assert_eq!(weight(&changes), Some(1));
        changes.weigh(URL, 9);
        assert_eq!(weight(&changes), Some(9));
        assert_eq!(changes.added, changes.weights);
        // One that only an operator has named has its weight in one place.
        let mut changes = GroupChanges::default();
        changes.add("http://b:1", 1);
        changes.weigh("http://b:1", 5);
        assert_eq!(changes.added["http://b:1"], 5);
        assert!(changes.weights.is_empty());
    }
}

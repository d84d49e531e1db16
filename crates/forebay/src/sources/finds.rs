//! What the sources of each group have found, as changes of the configuration.

use std::collections::{BTreeMap, BTreeSet};

use config::BackendUrl;
use plan::{BackendSource, Changes, Found, GroupChanges, Origin, Plan};
use registry::find::Place;
use tracing::info;

type OfGroup = BTreeMap<Origin, Vec<Found>>;

/// By group.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finds(BTreeMap<String, OfGroup>);

impl Finds {
    /// Of the groups of a plan.
    pub(super) fn of(plan: &Plan, places: impl Fn(&BackendSource) -> Vec<Place>) -> Self {
        let mut groups: BTreeMap<String, OfGroup> = BTreeMap::new();
        for group in &plan.groups {
            for source in &group.sources {
                let found: Vec<Found> = places(source).into_iter().filter_map(found).collect();
                if !found.is_empty() {
                    let of_group = groups.entry(group.balance.id.to_string()).or_default();
                    of_group.entry(source.origin()).or_default().extend(found);
                }
            }
        }
        Self(groups)
    }

    /// True if these are the changes' own already.
    pub(crate) fn are_in(&self, changes: &Changes) -> bool {
        *self == Self::in_changes(changes)
    }

    /// The changes with these finds in place of their own.
    pub(crate) fn put_into(&self, changes: &mut Changes) {
        for group in changes.groups.values_mut() {
            group.found.clear();
        }
        for (id, found) in &self.0 {
            let group = changes.groups.entry(id.clone()).or_default();
            group.found.clone_from(found);
        }
        let nothing = GroupChanges::default();
        changes.groups.retain(|_, group| *group != nothing);
    }

    fn in_changes(changes: &Changes) -> Self {
        let groups = changes.groups.iter();
        let groups = groups.filter(|(_, group)| !group.found.is_empty());
        Self(
            groups
                .map(|(id, group)| (id.clone(), group.found.clone()))
                .collect(),
        )
    }

    /// Tells what is new and what is gone.
    pub(crate) fn tell_since(&self, before: &Changes) {
        for line in self.lines_since(before) {
            info!("{line}");
        }
    }

    fn lines_since(&self, before: &Changes) -> Vec<String> {
        let before = Self::in_changes(before);
        let (old, new) = (before.all(), self.all());
        let gone = old.difference(&new).map(|(group, url, origin)| {
            let by = by(*origin);
            format!("group {group}: backend {url} gone, {by} has it no more")
        });
        let came = new.difference(&old).map(|(group, url, origin)| {
            let by = by(*origin);
            format!("group {group}: backend {url} found by {by}")
        });
        gone.chain(came).collect()
    }

    fn all(&self) -> BTreeSet<(&str, &str, Origin)> {
        let mut all = BTreeSet::new();
        for (id, of_group) in &self.0 {
            for (&origin, found) in of_group {
                all.extend(found.iter().map(|f| (&**id, &*f.url, origin)));
            }
        }
        all
    }
}

/// Spelt as a configuration would have it; what is no URL of a backend was
/// refused where it came from.
fn found(place: Place) -> Option<Found> {
    let url: BackendUrl = place.url.parse().ok()?;
    Some(Found {
        url: url.to_string(),
        weight: place.weight,
    })
}

fn by(origin: Origin) -> &'static str {
    match origin {
        Origin::List => "file",
        origin => origin.label(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// URLs with weights.
    type Urls<'a> = &'a [(&'a str, u32)];

    fn finds(groups: &[(&str, Origin, Urls<'_>)]) -> Finds {
        let mut all: BTreeMap<String, OfGroup> = BTreeMap::new();
        for (id, origin, found) in groups {
            let found = found.iter().map(|&(url, weight)| Found {
                url: url.to_owned(),
                weight,
            });
            let of_group = all.entry((*id).to_owned()).or_default();
            of_group.insert(*origin, found.collect());
        }
        Finds(all)
    }

    #[test]
    fn what_operators_have_changed_stays() {
        let mut changes = Changes::default();
        let group = changes.groups.entry("app".to_owned()).or_default();
        group.weights.insert("http://a:1".to_owned(), 7);
        let operators = changes.clone();
        let one = finds(&[("app", Origin::Dns, &[("http://a:1", 1)])]);
        assert!(!one.are_in(&changes));
        one.put_into(&mut changes);
        assert!(one.are_in(&changes));
        let other = finds(&[("new", Origin::List, &[("http://b:1", 1)])]);
        other.put_into(&mut changes);
        assert!(other.are_in(&changes) && !one.are_in(&changes));
        let none = finds(&[]);
        none.put_into(&mut changes);
        assert_eq!(changes, operators);
        assert!(none.are_in(&changes));
    }

    #[test]
    fn what_came_and_went_is_told_in_words() {
        let mut before = Changes::default();
        finds(&[("app", Origin::Dns, &[("http://a:1", 1), ("http://b:1", 1)])])
            .put_into(&mut before);
        let now = finds(&[
            ("app", Origin::Dns, &[("http://b:1", 2)]),
            ("app", Origin::List, &[("http://c:1", 1)]),
        ]);
        assert_eq!(
            now.lines_since(&before),
            [
                "group app: backend http://a:1 gone, dns has it no more",
                "group app: backend http://c:1 found by file",
            ]
        );
    }
}

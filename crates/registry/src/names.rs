//! The services of each name, and when those of a name last changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::service::Service;

/// Services by name and id, in order. A name is kept only while it has
/// services, so made-up names cannot pile up.
#[derive(Debug, Default)]
pub(crate) struct Names(BTreeMap<Arc<str>, Named>);

#[derive(Debug, Default)]
struct Named {
    /// The number of the event that changed it last.
    version: u64,
    services: BTreeMap<Arc<str>, Arc<Service>>,
}

impl Names {
    /// A service that is new under its name, or in the place of another of its
    /// id; `version` if that makes a difference to anyone.
    pub(crate) fn put(&mut self, service: Arc<Service>, version: Option<u64>) {
        let named = self.0.entry(Arc::clone(service.name())).or_default();
        named.version = version.unwrap_or(named.version);
        named.services.insert(Arc::clone(service.id()), service);
    }

    pub(crate) fn remove(&mut self, service: &Service, version: u64) {
        let Some(named) = self.0.get_mut(service.name()) else {
            return;
        };
        named.services.remove(service.id());
        named.version = version;
        if named.services.is_empty() {
            self.0.remove(service.name());
        }
    }

    /// 0 while the name has no services; otherwise larger after every change
    /// than it ever was before.
    pub(crate) fn version(&self, name: &str) -> u64 {
        self.0.get(name).map_or(0, |named| named.version)
    }

    /// Services of one name by id, or all by name and id.
    pub(crate) fn list(&self, name: Option<&str>) -> impl Iterator<Item = &Arc<Service>> {
        let one = name.and_then(|name| self.0.get(name));
        let all = name
            .is_none()
            .then(|| self.0.values())
            .into_iter()
            .flatten();
        one.into_iter()
            .chain(all)
            .flat_map(|named| named.services.values())
    }
}

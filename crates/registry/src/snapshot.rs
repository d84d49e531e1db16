//! What is written down of a registry so that it survives a restart.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::fault::Faults;
use crate::registry::{Full, Registry};
use crate::service::Service;
use crate::wire::Registration;

/// What is left of a lease at least after a restart, so that a service which
/// could not reach the registry meanwhile has the time to.
const GRACE: Duration = Duration::from_secs(5);

/// All services, by name and id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    pub services: Vec<Saved>,
}

/// One service, and what was left of its lease in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    pub service: Registration,
    pub left_ms: u64,
}

/// What became of a snapshot.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Services that are back.
    pub services: usize,
    /// Those that are not, because this version refuses what was written.
    pub refused: Vec<Faults>,
    /// Those for which there was no room.
    pub full: usize,
}

/// A service and what is left of its lease.
pub type Left = (Arc<Service>, Duration);

impl Snapshot {
    pub(crate) fn of(leases: &[Left]) -> Self {
        let saved = |(service, left): &Left| Saved {
            service: Registration::from(&**service),
            left_ms: u64::try_from(left.as_millis()).unwrap_or(u64::MAX),
        };
        Self {
            services: leases.iter().map(saved).collect(),
        }
    }
}

impl Registry {
    /// Every service with what is left of its lease, by name and id.
    pub fn leases(&self, now: Instant) -> Vec<Left> {
        let all = crate::Filter::default();
        let leased = |service: &Arc<Service>| {
            let left = self.left(service.id(), now)?;
            Some((Arc::clone(service), left))
        };
        self.list(&all).filter_map(leased).collect()
    }

    /// What [`Self::restore`] takes.
    pub fn snapshot(&self, now: Instant) -> Snapshot {
        Snapshot::of(&self.leases(now))
    }

    /// Registers what was there `downtime` ago, with what is left of each lease
    /// but at least five seconds. A service that has registered meanwhile is
    /// left alone: it knows better.
    pub fn restore(&mut self, snapshot: Snapshot, now: Instant, downtime: Duration) -> Restored {
        let mut restored = Restored::default();
        for saved in snapshot.services {
            let left = Duration::from_millis(saved.left_ms).saturating_sub(downtime);
            // An id was given or made when it registered first.
            let service = match Service::check(saved.service, 0) {
                Ok(service) => service,
                Err(faults) => {
                    restored.refused.push(faults);
                    continue;
                }
            };
            if self.get(service.id()).is_some() {
                continue;
            }
            let left = left.min(service.ttl()).max(GRACE);
            match self.register_until(service, now + left, now) {
                Ok(_) => restored.services += 1,
                Err(Full { .. }) => restored.full += 1,
            }
        }
        restored
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::tests::{registry, service_with};
    use crate::{Filter, Gone, Limits};

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test begins some time")]
    fn services_come_back_with_what_is_left_of_their_leases() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut before = registry();
        for (id, ttl) in [("long", 100), ("short", 10), ("tiny", 1)] {
            before
                .register(service_with(id, "web", &["v1"], ttl), at(0))
                .unwrap();
        }
        let cursor = before.cursor();
        let written = serde_json::to_string(&before.snapshot(at(0))).unwrap();
        let read: Snapshot = serde_json::from_str(&written).unwrap();

        let mut after = Registry::new(Limits::default(), 2);
        let known = service_with("short", "web", &["v2"], 20);
        after.register(known, at(30)).unwrap();
        let restored = after.restore(read, at(30), Duration::from_secs(30));
        assert_eq!((restored.services, restored.full), (2, 0));
        let left = |id| after.left(id, at(30)).map(|left| left.as_secs());
        assert_eq!(left("long"), Some(70));
        assert_eq!(left("short"), Some(20), "it has registered meanwhile");
        assert_eq!(left("tiny"), Some(5), "the grace");
        assert_eq!(after.since(cursor, 10, &Filter::default()), Err(Gone));
        assert_eq!(after.serving("web", &["v1"]).len(), 2);
        assert_eq!(after.heartbeat("tiny", at(34)), Ok(Duration::from_secs(1)));
        assert_eq!(after.expire(at(36)), 1);
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test begins some time")]
    fn what_cannot_come_back_is_told() {
        let now = Instant::now();
        let mut before = registry();
        for id in ["a", "b", "c"] {
            before
                .register(service_with(id, "web", &[], 30), now)
                .unwrap();
        }
        let mut snapshot = before.snapshot(now);
        snapshot.services[0].service.name = "not a name".to_owned();
        snapshot.services[1].left_ms = u64::MAX;
        let limits = Limits {
            services: 1,
            ..Limits::default()
        };
        let mut after = Registry::new(limits, 2);
        let restored = after.restore(snapshot, now, Duration::ZERO);
        assert_eq!(
            (restored.services, restored.full, restored.refused.len()),
            (1, 1, 1)
        );
        assert_eq!(after.left("b", now), Some(Duration::from_secs(30)));
    }
}

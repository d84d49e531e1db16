//! Leases over an upgrade.
//!
//! The process before answers heartbeats until this one serves, and a moment
//! longer, and does not tell of each. So no lease ends before that, and then each
//! begins anew, and once more when that one answers nobody any more.

use std::time::{Duration, Instant};

use registry::{Filter, Service, Shared as Registry, Snapshot};

/// Longer than any process waits for its successor.
const TAKING_OVER: Duration = Duration::from_secs(60);

/// The services are there, and stay until their leases begin anew.
pub(crate) fn restore(registry: &Registry, services: Snapshot, now: Instant) {
    let later = now + TAKING_OVER;
    registry.lock().restore(services, later, Duration::ZERO);
}

/// Every service is believed as if it had registered now.
pub(crate) fn begin_anew(registry: &Registry, now: Instant) {
    let mut registry = registry.lock();
    let all: Vec<Service> = registry
        .list(&Filter::default())
        .map(|service| Service::clone(service))
        .collect();
    for service in all {
        // There is room for one that is there.
        let _ = registry.register(service, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(ttl: &str) -> Service {
        let text =
            format!(r#"{{"id": "a", "name": "web", "address": "10.0.0.1:80", "ttl": {ttl}}}"#);
        Service::check(serde_json::from_str(&text).unwrap(), 1).unwrap()
    }

    #[test]
    fn no_lease_ends_while_another_process_takes_over_and_all_end_afterwards() {
        let start = crate::live::instant();
        let at = |seconds| start + Duration::from_secs(seconds);
        let empty = || Registry::new(registry::Registry::new(registry::Limits::default(), 1));
        let (old, new) = (empty(), empty());
        old.lock().register(service("2"), at(0)).unwrap();
        restore(&new, old.snapshot(at(1)), at(1));
        assert_eq!(new.lock().expire(at(40)), 0);
        begin_anew(&new, at(40));
        let left = new.lock().left("a", at(40));
        assert_eq!(left, Some(Duration::from_secs(2)));
        assert_eq!(new.lock().expire(at(41)), 0);
        assert_eq!(new.lock().expire(at(43)), 1);
    }
}

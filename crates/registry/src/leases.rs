//! Who must say something until when.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The leases of all services, in the order in which they end.
///
/// Renewing a lease is one look-up: its place in the order stays as it was, too
/// early, and is put right when that time has come. So there is exactly one
/// place for each lease, and a heartbeat costs the same however many there are.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    by_id: HashMap<Arc<str>, Lease>,
    order: BTreeSet<(Instant, Arc<str>)>,
}

#[derive(Debug, Clone, Copy)]
struct Lease {
    ttl: Duration,
    ends: Instant,
    /// Its place in the order, never later than `ends`.
    placed: Instant,
}

impl Leases {
    /// A new lease, or a new end and new terms for one that there is.
    pub(crate) fn grant(&mut self, id: &Arc<str>, ttl: Duration, ends: Instant) {
        let found = self.by_id.get_mut(id);
        let before = found.as_ref().map(|lease| lease.placed);
        let placed = before.map_or(ends, |placed| placed.min(ends));
        let lease = Lease { ttl, ends, placed };
        match found {
            Some(known) => *known = lease,
            None => drop(self.by_id.insert(Arc::clone(id), lease)),
        }
        if before == Some(placed) {
            return;
        }
        if let Some(before) = before {
            self.order.remove(&(before, Arc::clone(id)));
        }
        self.order.insert((placed, Arc::clone(id)));
    }

    /// Another `ttl` from now on; returns how long that is, or nothing if there
    /// is no such lease. A clock that is a little behind shortens no lease.
    pub(crate) fn renew(&mut self, id: &str, now: Instant) -> Option<Duration> {
        let lease = self.by_id.get_mut(id)?;
        lease.ends = lease.ends.max(now + lease.ttl);
        Some(lease.ttl)
    }

    pub(crate) fn end(&mut self, id: &str) {
        if let Some((id, lease)) = self.by_id.remove_entry(id) {
            self.order.remove(&(lease.placed, id));
        }
    }

    /// Takes out the next lease that is over, the one that ended first.
    pub(crate) fn over(&mut self, now: Instant) -> Option<Arc<str>> {
        while self.next().is_some_and(|placed| placed <= now) {
            let (placed, id) = self.order.pop_first()?;
            match self.by_id.get_mut(&id) {
                Some(lease) if lease.ends > placed => {
                    lease.placed = lease.ends;
                    self.order.insert((lease.ends, id));
                }
                _ => {
                    self.by_id.remove(&id);
                    return Some(id);
                }
            }
        }
        None
    }

    /// No lease ends before then.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.order.first().map(|(placed, _)| *placed)
    }

    /// What is left of a lease.
    pub(crate) fn left(&self, id: &str, now: Instant) -> Option<Duration> {
        let lease = self.by_id.get(id)?;
        Some(lease.ends.saturating_duration_since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> Arc<str> {
        text.into()
    }

    fn all_over(leases: &mut Leases, now: Instant) -> Vec<String> {
        std::iter::from_fn(|| leases.over(now))
            .map(|id| id.to_string())
            .collect()
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test begins some time")]
    fn leases_end_in_order_each_in_its_time() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut leases = Leases::default();
        for (name, ttl) in [("a", 10), ("b", 20), ("c", 5)] {
            leases.grant(&id(name), Duration::from_secs(ttl), at(ttl));
        }
        assert_eq!(leases.next(), Some(at(5)));
        assert_eq!(leases.renew("a", at(4)), Some(Duration::from_secs(10)));
        assert_eq!(leases.renew("c", at(4)), Some(Duration::from_secs(5)));
        assert_eq!(leases.renew("x", at(4)), None);
        assert_eq!(all_over(&mut leases, at(8)), [""; 0]);
        assert_eq!(leases.next(), Some(at(9)));
        assert_eq!(leases.left("a", at(8)), Some(Duration::from_secs(6)));
        assert_eq!(all_over(&mut leases, at(30)), ["c", "a", "b"]);
        assert_eq!(
            (leases.by_id.len(), leases.order.len(), leases.next()),
            (0, 0, None)
        );
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test begins some time")]
    fn a_lease_has_one_place_however_often_its_terms_change() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut leases = Leases::default();
        for ttl in [60, 10, 90, 5, 5, 30, 1] {
            leases.grant(&id("a"), Duration::from_secs(ttl), at(ttl));
            assert_eq!((leases.by_id.len(), leases.order.len()), (1, 1), "{ttl}");
            assert!(leases.next() <= Some(at(ttl)));
        }
        assert_eq!(leases.renew("a", start), Some(Duration::from_secs(1)));
        assert_eq!(all_over(&mut leases, at(1)), ["a"]);
        leases.grant(&id("b"), Duration::from_secs(1), at(1));
        leases.end("b");
        leases.end("b");
        assert_eq!((leases.by_id.len(), leases.order.len()), (0, 0));
    }
}

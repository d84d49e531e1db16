use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::hash::hash_address;

/// Which backend each client address was sent to: living state, shared by all
/// workers and kept across reloads.
///
/// It remembers at least as many of the latest clients as it was told, and at
/// most twice as many: what is new goes into one half, and when that is full,
/// the other half is forgotten.
#[derive(Debug)]
pub struct Clients {
    timeout: Duration,
    most: usize,
    shards: [Mutex<Shard>; SHARDS],
}

/// Locks, so that workers seldom meet at one.
const SHARDS: usize = 16;

#[derive(Debug, Default)]
struct Shard {
    young: HashMap<IpAddr, Seat>,
    old: HashMap<IpAddr, Seat>,
}

#[derive(Debug, Clone, Copy)]
struct Seat {
    /// The backend's id, which is never used twice.
    backend: u64,
    seen: Instant,
}

impl Clients {
    /// A client that asks for nothing for `timeout` is forgotten.
    pub fn new(timeout: Duration, most: usize) -> Self {
        Self {
            timeout,
            most,
            shards: Default::default(),
        }
    }

    /// How long a client may be silent before it is forgotten, and how many of
    /// the latest are remembered at least.
    pub fn terms(&self) -> (Duration, usize) {
        (self.timeout, self.most)
    }

    pub(crate) fn has_terms(&self, timeout: Duration, most: usize) -> bool {
        self.terms() == (timeout, most)
    }

    /// The id of the backend that a client was sent to.
    pub(crate) fn find(&self, client: IpAddr, now: Instant) -> Option<u64> {
        let client = client.to_canonical();
        let shard = self.shard(client);
        let seat = shard
            .young
            .get(&client)
            .or_else(|| shard.old.get(&client))?;
        let silence = now.saturating_duration_since(seat.seen);
        (silence < self.timeout).then_some(seat.backend)
    }

    pub(crate) fn put(&self, client: IpAddr, backend: u64, now: Instant) {
        let client = client.to_canonical();
        let mut shard = self.shard(client);
        if shard.young.len() >= self.most.div_ceil(SHARDS) && !shard.young.contains_key(&client) {
            shard.old = std::mem::take(&mut shard.young);
        }
        let seat = Seat { backend, seen: now };
        shard.young.insert(client, seat);
    }

    fn shard(&self, client: IpAddr) -> std::sync::MutexGuard<'_, Shard> {
        let at = hash_address(client) as usize % SHARDS;
        self.shards[at]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn client(n: u32) -> IpAddr {
        Ipv4Addr::from_bits(n).into()
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test begins some time")]
    fn a_seat_is_kept_while_its_client_comes_back_in_time() {
        let clients = Clients::new(Duration::from_secs(10), 100);
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(clients.find(client(1), at(0)), None);
        clients.put(client(1), 7, at(0));
        assert_eq!(clients.find(client(1), at(9)), Some(7));
        clients.put(client(1), 7, at(9));
        assert_eq!(clients.find(client(1), at(18)), Some(7));
        assert_eq!(clients.find(client(1), at(19)), None);
        clients.put(client(1), 8, at(19));
        assert_eq!(clients.find(client(1), at(20)), Some(8));
        let mapped = Ipv4Addr::from_bits(1).to_ipv6_mapped().into();
        assert_eq!(clients.find(mapped, at(20)), Some(8));
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test begins some time")]
    fn the_latest_are_remembered_and_memory_is_bounded() {
        let clients = Clients::new(Duration::from_secs(10), 1600);
        let now = Instant::now();
        for n in 0..100_000 {
            clients.put(client(n), 1, now);
        }
        let count = |shard: &Mutex<Shard>| {
            let shard = shard.lock().unwrap();
            shard.young.len() + shard.old.len()
        };
        let kept: usize = clients.shards.iter().map(count).sum();
        assert!((1600..=3200).contains(&kept), "{kept}");
        let last = (99_000..100_000).filter(|&n| clients.find(client(n), now).is_some());
        assert!(last.count() >= 990);
    }
}

use std::net::IpAddr;
use std::sync::Arc;

use crate::Backend;
use crate::candidates::Candidates;
use crate::hash::{hash_address, hash_bytes, mix};

/// The client's address decides: rendezvous hashing.
///
/// Every pair of client and backend has a score, and the best score wins, so
/// each client has its own order of all backends. A backend that goes hands
/// only its own clients on, each to the next in that client's order; one that
/// comes takes only its share. The hash is fixed: every worker, every restart
/// and every Forebay in front of the same URLs decides alike.
#[derive(Debug)]
pub(crate) struct IpHash {
    seeds: Box<[Seed]>,
}

#[derive(Debug)]
struct Seed {
    url: u64,
    share: u32,
}

impl IpHash {
    pub(super) fn new(backends: &[Arc<Backend>], shares: Vec<u32>) -> Self {
        let seeds = backends.iter().zip(shares).map(|(backend, share)| Seed {
            url: hash_bytes(backend.url.as_bytes()),
            share,
        });
        Self {
            seeds: seeds.collect(),
        }
    }

    pub(super) fn has_share(&self, index: usize) -> bool {
        self.seeds.get(index).is_some_and(|seed| seed.share > 0)
    }

    pub(super) fn choose(&self, candidates: Candidates<'_>, client: IpAddr) -> Option<usize> {
        let client = hash_address(client);
        let mut best = None;
        let mut least = f64::INFINITY;
        for (index, seed) in self.seeds.iter().enumerate() {
            let delay = seed.delay(client);
            if delay < least && candidates.contains(index) {
                (best, least) = (Some(index), delay);
            }
        }
        best
    }
}

impl Seed {
    /// How long this backend lets the client wait, if each one arrives after
    /// an exponentially distributed time with its share as the rate: the
    /// chance to be first is then exactly proportional to the share. Infinite
    /// without a share.
    fn delay(&self, client: u64) -> f64 {
        let bits = mix(self.url ^ client) >> 12;
        // 52 bits and half a step: exact, and neither 0 nor 1.
        let uniform = (bits as f64 + 0.5) / (1u64 << 52) as f64;
        -uniform.ln() / f64::from(self.share)
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;
    use crate::backend::tests::backends;
    use crate::group::tests::{counts, group};
    use crate::{Ask, Excluded, Group, Silent, Strategy};

    fn choose(group: &Group, client: IpAddr, exclude: &Excluded) -> Option<usize> {
        let ask = Ask {
            client,
            ..crate::group::tests::ask(fastrand::u64(..), exclude)
        };
        group.choose(&ask, &mut Silent)
    }

    /// Neighbouring addresses, as in a real network.
    fn clients(n: u32) -> impl Iterator<Item = IpAddr> {
        (0..n).map(|i| Ipv4Addr::from_bits(0x0a00_0000 + i).into())
    }

    #[test]
    fn neighbouring_clients_spread_by_share() {
        for (weights, expected) in [
            (&[1, 1, 1, 1][..], [2500, 2500, 2500, 2500]),
            (&[1, 2, 3, 4], [1000, 2000, 3000, 4000]),
            (&[0, 0, 0, 0], [2500, 2500, 2500, 2500]),
            (&[5, 0, 5, 0], [5000, 0, 5000, 0]),
        ] {
            let group = group(Strategy::IpHash, weights);
            let mut counts = [0usize; 4];
            for client in clients(10_000) {
                counts[choose(&group, client, &Excluded::new()).unwrap()] += 1;
            }
            for (count, expected) in counts.iter().zip(expected) {
                assert!(count.abs_diff(expected) <= expected / 10, "{counts:?}");
            }
        }
    }

    #[test]
    fn six_is_spread_too_and_a_mapped_address_is_the_same_client() {
        let group = group(Strategy::IpHash, &[1, 1]);
        let none = Excluded::new();
        let net = 0x2001_0db8_u128 << 96;
        let first = (0..1000)
            .map(|i| IpAddr::from(Ipv6Addr::from_bits(net + i)))
            .filter(|&client| choose(&group, client, &none) == Some(0));
        assert!((400..=600).contains(&first.count()));
        for client in clients(50) {
            let IpAddr::V4(v4) = client else { continue };
            let mapped = IpAddr::V6(v4.to_ipv6_mapped());
            assert_eq!(choose(&group, client, &none), choose(&group, mapped, &none));
        }
    }

    #[test]
    fn the_choice_does_not_change_between_releases() {
        let group = group(Strategy::IpHash, &[1; 8]);
        let chosen: Vec<_> = clients(8)
            .filter_map(|client| choose(&group, client, &Excluded::new()))
            .collect();
        assert_eq!(chosen, [4, 2, 2, 6, 4, 6, 4, 4]);
    }

    #[test]
    fn a_backend_that_goes_or_comes_moves_only_its_own_clients() {
        let all = backends(10);
        let with = |members: Vec<Arc<Backend>>| {
            Group::new("api", Strategy::IpHash, members.into_iter().map(|b| (b, 1)))
        };
        let mut fewer = all.clone();
        let gone = fewer.remove(4);
        let (before, after) = (with(all), with(fewer));
        let mut moved = 0;
        for client in clients(10_000) {
            let old = choose(&before, client, &Excluded::new()).unwrap();
            let new = choose(&after, client, &Excluded::new()).unwrap();
            let (old, new) = (&before.backends[old], &after.backends[new]);
            if old.url == gone.url {
                moved += 1;
                let next = choose(&before, client, &[4].into_iter().collect()).unwrap();
                assert_eq!(new.url, before.backends[next].url, "the client's next one");
            } else {
                assert_eq!(old.url, new.url);
            }
        }
        assert!((850..=1150).contains(&moved), "{moved}");
    }

    proptest! {
        #[test]
        fn one_client_one_backend(bits: u128, n in 1usize..30) {
            let group = group(Strategy::IpHash, &vec![1; n]);
            let client = IpAddr::from(Ipv6Addr::from_bits(bits));
            let none = Excluded::new();
            let first = choose(&group, client, &none);
            prop_assert!(first.is_some());
            for _ in 0..10 {
                prop_assert_eq!(choose(&group, client, &none), first);
            }
        }

        #[test]
        fn the_order_of_backends_in_the_group_does_not_matter(bits: u32, shift in 0usize..6) {
            let members = backends(6);
            let mut turned = members.clone();
            turned.rotate_left(shift);
            let url = |members: Vec<Arc<Backend>>| {
                let group = Group::new("api", Strategy::IpHash, members.into_iter().map(|b| (b, 2)));
                let client = IpAddr::from(Ipv4Addr::from_bits(bits));
                let chosen = choose(&group, client, &Excluded::new()).unwrap();
                group.backends[chosen].url.clone()
            };
            prop_assert_eq!(url(members), url(turned));
        }
    }

    #[test]
    fn random_clients_are_spread_evenly() {
        let counts = counts(&group(Strategy::IpHash, &[1; 3]), 9000, &Excluded::new());
        for count in &counts {
            assert!((2750..=3250).contains(count), "{counts:?}");
        }
    }
}

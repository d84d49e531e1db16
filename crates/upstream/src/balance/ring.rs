use std::sync::Arc;

use super::two_choices;
use crate::candidates::{Candidates, below};
use crate::hash::{hash_bytes, mix};
use crate::{Ask, Backend, Verdict};

/// Points of all backends together, at most about this many.
const MOST: u64 = 1 << 20;

/// Points of the backend with the largest share: from half of this to all of
/// it. The more, the fairer: the shares of keys differ by about one part in the
/// root of this.
const POINTS: u64 = 1024;

/// In a quiet group nothing is gained by sending a key elsewhere.
const QUIET: u64 = 8;

/// A key decides: consistent hashing with bounded loads (Mirrokni, Thorup and
/// Zadimoghaddam, 2016).
///
/// Every backend has points on a ring, as many as its share says, and a key
/// belongs to the backend whose point comes next. So a backend that goes hands
/// only its own keys on, and one that comes takes only its share. A backend
/// whose load is above its bound is passed over for the next on the ring, so a
/// key that everybody asks for spreads instead of bringing one backend down.
#[derive(Debug)]
pub(crate) struct Ring {
    /// Sorted by place.
    points: Box<[Point]>,
    shares: Box<[u32]>,
    /// Percent of the average load that a backend may have; 0 is no bound.
    load_factor: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Point {
    place: u64,
    backend: u32,
}

impl Ring {
    pub(super) fn new(backends: &[Arc<Backend>], shares: Vec<u32>, load_factor: u32) -> Self {
        let shift = shift(&shares);
        let mut points = Vec::new();
        for (index, (backend, &share)) in backends.iter().zip(&shares).enumerate() {
            let count = (u64::from(share) * POINTS) >> shift;
            let seed = hash_bytes(backend.url.as_bytes());
            let places = (0..count.max(u64::from(share.min(1)))).map(|n| mix(mix(seed) ^ mix(n)));
            points.extend(places.map(|place| Point {
                place,
                backend: index as u32,
            }));
        }
        points.sort_unstable();
        Self {
            points: points.into(),
            shares: shares.into(),
            load_factor,
        }
    }

    pub(super) fn has_share(&self, index: usize) -> bool {
        self.share(index) > 0
    }

    /// A request without a key goes wherever there is room.
    pub(super) fn choose(
        &self,
        candidates: Candidates<'_>,
        key: Option<u64>,
        random: u64,
    ) -> Option<usize> {
        let Some(key) = key else {
            return self.without_key(candidates, random);
        };
        let bound = Bound::of(self, candidates);
        let mut first = None;
        for index in self.from(key).filter(|&index| candidates.contains(index)) {
            if bound.has_room(candidates.load(index), self.share(index)) {
                return Some(index);
            }
            first.get_or_insert(index);
        }
        first
    }

    fn without_key(&self, candidates: Candidates<'_>, random: u64) -> Option<usize> {
        match two_choices::choose(candidates, random) {
            Some(index) if self.has_share(index) => Some(index),
            _ => self.any_with_a_share(candidates, random),
        }
    }

    /// Each of those with a share is as likely as the next.
    fn any_with_a_share(&self, candidates: Candidates<'_>, random: u64) -> Option<usize> {
        let with_a_share = || candidates.indices().filter(|&index| self.has_share(index));
        let (nth, _) = below(mix(random), with_a_share().count() as u64);
        with_a_share().nth(nth as usize)
    }

    /// The backends from a place on, once around.
    fn from(&self, key: u64) -> impl Iterator<Item = usize> {
        let start = self.points.partition_point(|point| point.place < key);
        let (before, after) = self.points.split_at(start);
        after
            .iter()
            .chain(before)
            .map(|point| point.backend as usize)
    }

    pub(super) fn why_not(
        &self,
        candidates: Candidates<'_>,
        ask: &Ask<'_>,
        index: usize,
    ) -> Verdict {
        if !self.has_share(index) {
            return Verdict::NoWeight;
        }
        if ask.key.is_none() {
            return two_choices::why_not(candidates, ask.random, index);
        }
        let bound = Bound::of(self, candidates);
        match bound.has_room(candidates.load(index), self.share(index)) {
            true => Verdict::FartherOnRing,
            false => Verdict::AboveBound,
        }
    }

    fn share(&self, index: usize) -> u64 {
        self.shares.get(index).map_or(0, |&share| u64::from(share))
    }
}

/// How many bits shares are scaled down by. Powers of two, so that the points
/// of a backend seldom depend on who else is there.
fn shift(shares: &[u32]) -> u32 {
    let largest = shares.iter().max().map_or(0, |&share| u64::from(share));
    let total: u64 = shares.iter().map(|&share| u64::from(share)).sum();
    let for_largest = u64::BITS - largest.leading_zeros();
    let for_total = u64::BITS - (total * POINTS / MOST).leading_zeros();
    for_largest.max(for_total)
}

/// How much load a backend may have.
struct Bound {
    load_factor: u64,
    /// Of all candidates, with the request that is being placed.
    load: u64,
    share: u64,
}

impl Bound {
    fn of(ring: &Ring, candidates: Candidates<'_>) -> Self {
        let load_factor = u64::from(ring.load_factor);
        let (mut load, mut share) = (1, 0);
        if load_factor > 0 {
            for (index, in_flight) in candidates.loads() {
                load += in_flight as u64;
                share += ring.share(index);
            }
        }
        Self {
            load_factor,
            load,
            share,
        }
    }

    fn has_room(&self, load: usize, share: u64) -> bool {
        let fair = (self.load * share * self.load_factor).div_ceil((100 * self.share).max(1));
        self.load_factor == 0 || (load as u64) < fair.max(QUIET)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::backend::tests::backends;
    use crate::hash::hash_key;
    use crate::{Excluded, Group, InFlight, Silent, Strategy};

    const HASH: Strategy = Strategy::Hash { load_factor: 125 };

    fn group_of(members: Vec<Arc<Backend>>, weights: &[u32]) -> Group {
        Group::new(
            "api",
            HASH,
            members.into_iter().zip(weights.iter().copied()),
        )
    }

    fn choose(group: &Group, key: Option<u64>, exclude: &Excluded) -> Option<usize> {
        let ask = Ask {
            key,
            ..crate::group::tests::ask(fastrand::u64(..), exclude)
        };
        group.choose(&ask, &mut Silent)
    }

    fn keys(n: u64) -> impl Iterator<Item = Option<u64>> {
        (0..n).map(|n| Some(hash_key(format!("user-{n}").as_bytes())))
    }

    #[test]
    fn keys_spread_by_share() {
        for (weights, expected) in [
            (&[1, 1, 1, 1][..], [2500, 2500, 2500, 2500]),
            (&[1, 2, 3, 4], [1000, 2000, 3000, 4000]),
            (&[0, 0, 0, 0], [2500, 2500, 2500, 2500]),
            (&[5, 0, 5, 0], [5000, 0, 5000, 0]),
        ] {
            let group = group_of(backends(4), weights);
            let mut counts = [0usize; 4];
            for key in keys(10_000) {
                counts[choose(&group, key, &Excluded::new()).unwrap()] += 1;
            }
            for (count, expected) in counts.iter().zip(expected) {
                assert!(
                    count.abs_diff(expected) <= expected * 15 / 100,
                    "{counts:?}"
                );
            }
        }
    }

    #[test]
    fn the_choice_does_not_change_between_releases() {
        let group = group_of(backends(8), &[1; 8]);
        let chosen: Vec<_> = keys(8)
            .filter_map(|key| choose(&group, key, &Excluded::new()))
            .collect();
        assert_eq!(chosen, [2, 1, 6, 5, 7, 6, 7, 6]);
    }

    #[test]
    fn a_backend_that_goes_or_comes_moves_only_its_own_keys() {
        for weights in [[1; 10], [100; 10], [3, 1, 2, 3, 2, 3, 1, 3, 1, 2]] {
            moves_only_its_own_keys(weights);
        }
    }

    fn moves_only_its_own_keys(weights: [u32; 10]) {
        let all = backends(10);
        let mut fewer = all.clone();
        let gone = fewer.remove(4);
        let fewer_weights: Vec<u32> = (0..10).filter(|&i| i != 4).map(|i| weights[i]).collect();
        let (before, after) = (group_of(all, &weights), group_of(fewer, &fewer_weights));
        let mut moved = 0;
        for key in keys(10_000) {
            let none = Excluded::new();
            let old = &before.backends[choose(&before, key, &none).unwrap()];
            let new = &after.backends[choose(&after, key, &none).unwrap()];
            if old.url == gone.url {
                moved += 1;
            } else {
                assert_eq!(old.url, new.url);
            }
            let without = [4].into_iter().collect();
            let next = &before.backends[choose(&before, key, &without).unwrap()];
            assert_eq!(new.url, next.url, "the key's next one");
        }
        assert!((800..=1200).contains(&moved), "{moved}");
    }

    #[test]
    fn large_groups_keep_a_ring_of_bounded_size() {
        for (n, weight) in [(1, 1000), (2000, 1), (2000, 1000)] {
            let shares = vec![weight; n];
            let ring = Ring::new(&backends(n), shares, 125);
            assert!(
                ring.points.len() as u64 <= 2 * MOST,
                "{}",
                ring.points.len()
            );
            assert!(ring.points.len() >= n * 256, "{}", ring.points.len());
        }
    }

    /// One key that everybody asks for spreads over all, none far above the rest.
    #[test]
    fn no_backend_is_loaded_above_the_bound() {
        let group = group_of(backends(4), &[1; 4]);
        let key = keys(1).next().unwrap();
        let none = Excluded::new();
        let mut held = Vec::new();
        for n in 1..=400 {
            let index = choose(&group, key, &none).unwrap();
            held.push(InFlight::new(Arc::clone(&group.backends[index])));
            let most = group.backends.iter().map(|b| b.load()).max().unwrap();
            let bound = (n * 125usize).div_ceil(400).max(8);
            assert!(most <= bound, "{n}: {most} > {bound}");
        }
        assert!(group.backends.iter().all(|backend| backend.load() > 0));
        let unbounded = Strategy::Hash { load_factor: 0 };
        let members = group.backends.iter().cloned().map(|backend| (backend, 1));
        let unbounded = Group::new("api", unbounded, members);
        let first = choose(&unbounded, key, &none);
        assert!(first.is_some() && first == held_first(&group, key));
    }

    /// Where the key belongs, whatever the loads.
    fn held_first(group: &Group, key: Option<u64>) -> Option<usize> {
        let idle = group_of(backends(4), &[1; 4]);
        assert_eq!(idle.backends[0].url, group.backends[0].url);
        choose(&idle, key, &Excluded::new())
    }

    #[test]
    fn requests_without_a_key_go_evenly_to_all_with_a_share() {
        let group = group_of(backends(6), &[0, 1, 0, 0, 1, 1]);
        let mut random = fastrand::Rng::with_seed(7);
        let none = Excluded::new();
        let mut counts = [0; 6];
        for _ in 0..9000 {
            let ask = crate::group::tests::ask(random.u64(..), &none);
            counts[group.choose(&ask, &mut Silent).unwrap()] += 1;
        }
        for (index, count) in counts.into_iter().enumerate() {
            match index {
                1 | 4 | 5 => assert!((2800..=3200).contains(&count), "{counts:?}"),
                _ => assert_eq!(count, 0, "{counts:?}"),
            }
        }
    }

    #[test]
    fn requests_without_a_key_avoid_the_busiest() {
        let group = group_of(backends(2), &[1, 1]);
        let _held = InFlight::new(Arc::clone(&group.backends[0]));
        for _ in 0..100 {
            assert_eq!(choose(&group, None, &Excluded::new()), Some(1));
        }
    }

    proptest! {
        #[test]
        fn one_key_one_backend_in_any_order_of_the_group(key: u64, n in 1usize..30, shift in 0usize..30) {
            let members = backends(n);
            let mut turned = members.clone();
            turned.rotate_left(shift % n);
            let url = |members: Vec<Arc<Backend>>| {
                let group = group_of(members, &vec![2; n]);
                let chosen = choose(&group, Some(key), &Excluded::new()).unwrap();
                group.backends[chosen].url.clone()
            };
            prop_assert_eq!(url(members), url(turned));
        }

        /// Whoever is tried already is passed over, until nobody is left.
        #[test]
        fn every_backend_is_tried_once(key: u64, n in 1usize..12) {
            let group = group_of(backends(n), &vec![1; n]);
            let mut tried = Excluded::new();
            for _ in 0..n {
                let chosen = choose(&group, Some(key), &tried).unwrap();
                prop_assert!(!tried.contains(chosen));
                tried.insert(chosen);
            }
            prop_assert_eq!(choose(&group, Some(key), &tried), None);
        }
    }
}

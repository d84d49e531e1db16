use super::turns::{Deal, Turns};
use crate::Verdict;
use crate::candidates::{Candidates, below};

/// The fewest exchanges in flight for its share. Those that are equal take
/// turns, or are drawn by their shares where these differ, so that little
/// traffic is spread as well.
#[derive(Debug)]
pub(crate) struct LeastConnections {
    shares: Box<[u32]>,
    /// All shares are the same.
    even: bool,
    turns: Turns,
}

/// Load and share of a backend; less is better.
#[derive(Clone, Copy)]
struct Strain {
    load: u64,
    share: u64,
}

impl Strain {
    fn cmp(self, other: Self) -> std::cmp::Ordering {
        (self.load * other.share).cmp(&(other.load * self.share))
    }
}

impl LeastConnections {
    pub(super) fn new(shares: Vec<u32>, turns: Turns) -> Self {
        let even = shares.iter().all(|share| Some(share) == shares.first());
        Self {
            shares: shares.into(),
            even,
            turns,
        }
    }

    pub(super) fn choose(
        &self,
        candidates: Candidates<'_>,
        random: u64,
        deal: Deal,
    ) -> Option<usize> {
        let least = self.least(candidates)?;
        if least.count == 1 {
            return Some(least.first);
        }
        // Other workers may change loads between the two looks; then whoever
        // was first is still a good choice.
        let mut equal = self
            .strains(candidates)
            .filter(|(_, strain)| strain.cmp(least.strain).is_le());
        let found = if self.even {
            equal.nth(self.turns.next(least.count, deal))
        } else {
            let mut left = below(random, least.shares).0;
            equal.find(|(_, strain)| {
                let found = left < strain.share;
                left = left.saturating_sub(strain.share);
                found
            })
        };
        Some(found.map_or(least.first, |(index, _)| index))
    }

    fn least(&self, candidates: Candidates<'_>) -> Option<Least> {
        self.strains(candidates)
            .fold(None, |least: Option<Least>, (index, strain)| {
                let Some(mut least) = least else {
                    return Some(Least::new(index, strain));
                };
                match strain.cmp(least.strain) {
                    std::cmp::Ordering::Less => Some(Least::new(index, strain)),
                    std::cmp::Ordering::Greater => Some(least),
                    std::cmp::Ordering::Equal => {
                        least.count += 1;
                        least.shares += strain.share;
                        Some(least)
                    }
                }
            })
    }

    /// Of those that have a share.
    fn strains(&self, candidates: Candidates<'_>) -> impl Iterator<Item = (usize, Strain)> {
        candidates.loads().filter_map(|(index, load)| {
            let share = u64::from(*self.shares.get(index)?);
            let load = load as u64;
            (share > 0).then_some((index, Strain { load, share }))
        })
    }

    pub(super) fn why_not(&self, candidates: Candidates<'_>, index: usize) -> Verdict {
        let Some((_, strain)) = self.strains(candidates).find(|&(at, _)| at == index) else {
            return Verdict::NoWeight;
        };
        match self.least(candidates) {
            Some(least) if strain.cmp(least.strain).is_gt() => Verdict::Busier,
            _ => Verdict::NotItsTurn,
        }
    }
}

/// The least strained ones.
struct Least {
    first: usize,
    strain: Strain,
    count: usize,
    /// The sum of their shares.
    shares: u64,
}

impl Least {
    fn new(first: usize, strain: Strain) -> Self {
        Self {
            first,
            strain,
            count: 1,
            shares: strain.share,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use crate::group::tests::{ask, counts, group};
    use crate::{Excluded, Group, InFlight, Silent, Strategy};

    fn with_loads(loads: &[usize]) -> (Group, Vec<InFlight>) {
        with_weights(loads, &vec![1; loads.len()])
    }

    fn with_weights(loads: &[usize], weights: &[u32]) -> (Group, Vec<InFlight>) {
        let group = group(Strategy::LeastConnections, weights);
        let held = loads
            .iter()
            .zip(&group.backends)
            .flat_map(|(&load, backend)| {
                std::iter::repeat_with(|| InFlight::new(Arc::clone(backend))).take(load)
            });
        let held = held.collect();
        (group, held)
    }

    #[test]
    fn the_least_busy_get_all_and_share_it_in_turn() {
        for (loads, expected) in [
            (&[0, 5, 10][..], &[30, 0, 0][..]),
            (&[5, 0, 10], &[0, 30, 0]),
            (&[0, 0, 0], &[10, 10, 10]),
            (&[1, 1, 2], &[15, 15, 0]),
            (&[2, 1, 1], &[0, 15, 15]),
            (&[1, 7, 1], &[15, 0, 15]),
        ] {
            let (group, _held) = with_loads(loads);
            assert_eq!(counts(&group, 30, &Excluded::new()), expected, "{loads:?}");
        }
    }

    #[test]
    fn exchanges_that_stay_level_the_loads() {
        let (group, mut held) = with_loads(&[4, 0, 1]);
        let none = Excluded::new();
        for _ in 0..13 {
            let index = group.choose(&ask(0, &none), &mut Silent).unwrap();
            held.push(InFlight::new(Arc::clone(&group.backends[index])));
        }
        let loads: Vec<_> = group
            .backends
            .iter()
            .map(|backend| backend.load())
            .collect();
        assert_eq!(loads, [6, 6, 6]);
    }

    /// Exchanges that stay end up in proportion to the weights; with none in
    /// flight the draw is in proportion as well.
    #[test]
    fn weights_count() {
        let (group, mut held) = with_weights(&[0, 0, 0, 3], &[1, 2, 5, 0]);
        let none = Excluded::new();
        let idle = counts(&group, 8000, &none);
        for (count, expected) in idle.iter().zip([1000, 2000, 5000, 0]) {
            assert!(count.abs_diff(expected) <= 200, "{idle:?}");
        }
        for n in 0..80 {
            let index = group.choose(&ask(n, &none), &mut Silent).unwrap();
            held.push(InFlight::new(Arc::clone(&group.backends[index])));
        }
        let loads: Vec<_> = group.backends.iter().map(|b| b.load()).collect();
        assert_eq!(loads, [10, 20, 50, 3]);
    }

    proptest! {
        #[test]
        fn never_a_busier_one(
            loads in prop::collection::vec(0usize..6, 1..20),
            out in prop::collection::vec(0usize..20, 0..10),
        ) {
            let (group, _held) = with_loads(&loads);
            let exclude: Excluded = out.into_iter().collect();
            let allowed = (0..loads.len()).filter(|&i| !exclude.contains(i));
            let least = allowed.map(|i| loads[i]).min();
            let chosen = group.choose(&ask(0, &exclude), &mut Silent);
            prop_assert_eq!(chosen.map(|i| loads[i]), least);
        }
    }
}

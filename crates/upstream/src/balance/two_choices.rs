//! The less busy of two drawn at random: nearly as even as looking at all of
//! them, at constant cost, and workers that choose at the same moment do not
//! all run to the same backend.

use crate::Verdict;
use crate::candidates::{Candidates, below};

pub(super) fn choose(candidates: Candidates<'_>, random: u64) -> Option<usize> {
    let (one, other) = pair(candidates, random)?;
    if candidates.load(other) < candidates.load(one) {
        Some(other)
    } else {
        Some(one)
    }
}

pub(super) fn why_not(candidates: Candidates<'_>, random: u64, index: usize) -> Verdict {
    match pair(candidates, random) {
        Some((one, other)) if index == one || index == other => Verdict::Busier,
        _ => Verdict::NotDrawn,
    }
}

/// Two different candidates, every pair equally likely; twice the same one
/// only if there is no other.
fn pair(candidates: Candidates<'_>, random: u64) -> Option<(usize, usize)> {
    let n = candidates.len() as u64;
    let (one, rest) = below(random, n);
    let (mut other, _) = below(rest, n.saturating_sub(1));
    if other >= one && n > 1 {
        other += 1;
    }
    Some((
        candidates.nth(one as usize)?,
        candidates.nth(other as usize)?,
    ))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Arc;

    use super::*;
    use crate::backend::tests::backends;
    use crate::group::tests::{ask, counts, group};
    use crate::{Excluded, InFlight, Silent, Strategy};

    #[test]
    fn pairs_are_distinct_and_equally_likely() {
        let backends = backends(5);
        let exclude = [2].into_iter().collect();
        let candidates = Candidates::new(&backends, &exclude);
        let mut random = fastrand::Rng::with_seed(1);
        let mut seen: HashMap<(usize, usize), usize> = HashMap::new();
        for _ in 0..12_000 {
            *seen
                .entry(pair(candidates, random.u64(..)).unwrap())
                .or_default() += 1;
        }
        assert_eq!(seen.len(), 12, "four candidates make twelve ordered pairs");
        for (pair, count) in seen {
            assert_ne!(pair.0, pair.1);
            assert!((850..=1150).contains(&count), "{pair:?} {count}");
        }
    }

    #[test]
    fn the_busiest_gets_nothing_and_a_lone_one_everything() {
        let busy = group(Strategy::TwoChoices, &[1, 1, 1]);
        let _held = InFlight::new(Arc::clone(&busy.backends[1]));
        let counts = counts(&busy, 3000, &Excluded::new());
        assert_eq!(counts[1], 0);
        assert!((1360..=1640).contains(&counts[0]), "{counts:?}");

        let lone = group(Strategy::TwoChoices, &[1]);
        assert_eq!(
            lone.choose(&ask(!0, &Excluded::new()), &mut Silent),
            Some(0)
        );
    }

    #[test]
    fn exchanges_that_stay_are_spread_nearly_evenly() {
        let group = group(Strategy::TwoChoices, &[1; 10]);
        let mut random = fastrand::Rng::with_seed(5);
        let none = Excluded::new();
        let mut held = Vec::new();
        for _ in 0..1000 {
            let index = group
                .choose(&ask(random.u64(..), &none), &mut Silent)
                .unwrap();
            held.push(InFlight::new(Arc::clone(&group.backends[index])));
        }
        for backend in &group.backends {
            assert!((90..=110).contains(&backend.load()), "{backend:?}");
        }
    }
}

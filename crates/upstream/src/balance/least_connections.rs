use super::turns::Turns;
use crate::Verdict;
use crate::candidates::Candidates;

/// The fewest exchanges in flight. Those that are equal take turns, so that
/// little traffic is spread as well.
#[derive(Debug, Default)]
pub(crate) struct LeastConnections {
    turns: Turns,
}

impl LeastConnections {
    pub(super) fn choose(&self, candidates: Candidates<'_>) -> Option<usize> {
        let (first, least, equal) = least(candidates)?;
        if equal == 1 {
            return Some(first);
        }
        // Other workers may change loads between the two looks; then whoever
        // was first is still a good choice.
        candidates
            .loads()
            .filter(|&(_, load)| load <= least)
            .nth(self.turns.next(equal))
            .map_or(Some(first), |(index, _)| Some(index))
    }
}

/// The first of the least busy ones, their load, and how many they are.
fn least(candidates: Candidates<'_>) -> Option<(usize, usize, usize)> {
    candidates
        .loads()
        .fold(None, |best, (index, load)| match best {
            Some((first, least, equal)) if load == least => Some((first, least, equal + 1)),
            Some(best) if load > best.1 => Some(best),
            _ => Some((index, load, 1)),
        })
}

pub(super) fn why_not(candidates: Candidates<'_>, index: usize) -> Verdict {
    match least(candidates) {
        Some((_, least, _)) if candidates.load(index) > least => Verdict::Busier,
        _ => Verdict::NotItsTurn,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use crate::group::tests::{ask, counts, group};
    use crate::{Excluded, Group, InFlight, Silent, Strategy};

    fn with_loads(loads: &[usize]) -> (Group, Vec<InFlight>) {
        let group = group(Strategy::LeastConnections, &vec![1; loads.len()]);
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

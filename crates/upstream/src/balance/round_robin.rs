use super::turns::{Deal, Turns};
use crate::candidates::Candidates;

/// Each in turn, from one counter shared by all workers.
#[derive(Debug)]
pub(crate) struct RoundRobin {
    turns: Turns,
}

impl RoundRobin {
    pub(super) fn new(turns: Turns) -> Self {
        Self { turns }
    }

    pub(super) fn choose(
        &self,
        candidates: Candidates<'_>,
        random: u64,
        deal: Deal,
    ) -> Option<usize> {
        if candidates.takes_turns() {
            candidates.nth(self.turns.next(candidates.len(), deal))
        } else {
            candidates.draw(random)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::group::tests::{ask, counts, counts_of_threads, group};
    use crate::{Excluded, Silent, Strategy};

    #[test]
    fn the_first_requests_already_go_in_turn() {
        let group = group(Strategy::RoundRobin, &[1, 1, 1]);
        let none = Excluded::new();
        let order: Vec<_> = (0..6)
            .filter_map(|_| group.choose(&ask(0, &none), &mut Silent))
            .collect();
        assert_eq!(order, [0, 1, 2, 0, 1, 2]);
    }

    #[test]
    fn a_hundred_over_three_is_33_33_34() {
        let group = group(Strategy::RoundRobin, &[1, 1, 1]);
        assert_eq!(counts(&group, 100, &Excluded::new()), [34, 33, 33]);
    }

    #[test]
    fn weights_do_not_matter() {
        let group = group(Strategy::RoundRobin, &[0, 9]);
        assert_eq!(counts(&group, 10, &Excluded::new()), [5, 5]);
    }

    #[test]
    fn threads_share_the_turns_exactly() {
        let group = group(Strategy::RoundRobin, &[1; 3]);
        let counts = counts_of_threads(&group, 8, 20_000);
        assert_eq!(counts, [53_334, 53_333, 53_333]);
    }

    #[test]
    fn retries_of_a_failing_backend_fall_evenly_on_the_others() {
        let group = group(Strategy::RoundRobin, &[1; 3]);
        let (none, failed) = (Excluded::new(), [0].into_iter().collect());
        let mut random = fastrand::Rng::with_seed(3);
        let mut served = [0; 3];
        for _ in 0..6000 {
            let first = group.choose(&ask(random.u64(..), &none), &mut Silent);
            let last = match first {
                Some(0) => group.choose(&ask(random.u64(..), &failed), &mut Silent),
                other => other,
            };
            served[last.unwrap()] += 1;
        }
        assert_eq!(served[0], 0);
        assert!((2850..=3150).contains(&served[1]), "{served:?}");
    }

    proptest! {
        #[test]
        fn counts_differ_by_one_at_most(backends in 1usize..40, requests in 0usize..500) {
            let group = group(Strategy::RoundRobin, &vec![1; backends]);
            let counts = counts(&group, requests, &Excluded::new());
            prop_assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1);
            prop_assert_eq!(counts.iter().sum::<usize>(), requests);
        }
    }
}

use super::turns::{Deal, Turns};
use crate::candidates::{Candidates, below};

/// Longest cycle kept, in turns (of four bytes each). Weights whose reduced sum
/// is larger are scaled down to it, which costs less than 0.1% of exactness
/// unless one backend has a share smaller than that.
const LONGEST: u64 = 65_536;

/// Smooth weighted round robin: a whole cycle is worked out beforehand, so a
/// choice is one step of a shared counter and exact over all workers.
#[derive(Debug)]
pub(crate) struct Weighted {
    cycle: Box<[u32]>,
    shares: Box<[u32]>,
    /// How many turns of the cycle each has.
    reduced: Box<[u64]>,
    turns: Turns,
}

impl Weighted {
    pub(super) fn new(shares: Vec<u32>, turns: Turns) -> Self {
        let reduced = reduced(&shares);
        Self {
            cycle: smooth(&reduced),
            reduced: reduced.into(),
            shares: shares.into(),
            turns,
        }
    }

    pub(super) fn has_share(&self, index: usize) -> bool {
        self.share(index) > 0
    }

    pub(super) fn choose(
        &self,
        candidates: Candidates<'_>,
        random: u64,
        deal: Deal,
    ) -> Option<usize> {
        if candidates.complete() {
            let turn = self.turns.next(self.cycle.len(), deal);
            self.cycle.get(turn).map(|&index| index as usize)
        } else if candidates.takes_turns() {
            self.turn_among(candidates, deal)
        } else {
            self.draw(candidates, random)
        }
    }

    /// The next turn of a cycle over what is left: as many places as there are
    /// shares, visited in steps that meet each of them once and mix them well.
    fn turn_among(&self, candidates: Candidates<'_>, deal: Deal) -> Option<usize> {
        let total: u64 = candidates.indices().map(|index| self.reduced(index)).sum();
        let turn = self.turns.next(total as usize, deal) as u64;
        let place = (turn * stride(total)).checked_rem(total)?;
        self.at(candidates, place, |index| self.reduced(index))
    }

    /// The candidate that has the place where their shares are laid end to end.
    fn at(
        &self,
        candidates: Candidates<'_>,
        place: u64,
        share: impl Fn(usize) -> u64,
    ) -> Option<usize> {
        let mut left = place;
        candidates.indices().find(|&index| {
            let share = share(index);
            let found = left < share;
            left = left.saturating_sub(share);
            found
        })
    }

    /// Any candidate, each as likely as its share says.
    fn draw(&self, candidates: Candidates<'_>, random: u64) -> Option<usize> {
        let total: u64 = candidates.indices().map(|index| self.share(index)).sum();
        let place = below(random, total).0;
        self.at(candidates, place, |index| self.share(index))
    }

    fn reduced(&self, index: usize) -> u64 {
        self.reduced.get(index).copied().unwrap_or(0)
    }

    fn share(&self, index: usize) -> u64 {
        self.shares.get(index).map_or(0, |&share| u64::from(share))
    }
}

/// The same proportions in the smallest numbers, and at most [`LONGEST`] in
/// all as far as every backend with a share keeps one turn.
fn reduced(shares: &[u32]) -> Vec<u64> {
    let divisor = shares.iter().fold(0, |a, &b| gcd(a, u64::from(b))).max(1);
    let shares = shares.iter().map(|&share| u64::from(share) / divisor);
    let total: u64 = shares.clone().sum();
    if total <= LONGEST {
        return shares.collect();
    }
    shares
        .map(|share| (share * LONGEST / total).max(share.min(1)))
        .collect()
}

/// A step that meets every one of `n` places once, near the golden ratio of
/// them, so that neighbours are visited far apart.
fn stride(n: u64) -> u64 {
    let golden = n * 618 / 1000;
    (golden.max(1)..n)
        .find(|&step| gcd(step, n) == 1)
        .unwrap_or(1)
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// One cycle in the smooth order: at each turn every backend earns its share,
/// and the richest one (the first of several) takes the turn and pays for all.
fn smooth(shares: &[u64]) -> Box<[u32]> {
    let total: u64 = shares.iter().sum();
    let mut credit = vec![0i64; shares.len()];
    (0..total)
        .map(|_| {
            let mut richest = 0;
            let mut most = i64::MIN;
            for (index, (credit, &share)) in credit.iter_mut().zip(shares).enumerate() {
                *credit += share as i64;
                if *credit > most {
                    (richest, most) = (index, *credit);
                }
            }
            if let Some(credit) = credit.get_mut(richest) {
                *credit -= total as i64;
            }
            richest as u32
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::group::tests::{ask, counts, counts_of_threads, group};
    use crate::{Excluded, Silent, Strategy};

    fn order(weights: &[u32], n: usize) -> String {
        let group = group(Strategy::Weighted, weights);
        let none = Excluded::new();
        (0..n)
            .filter_map(|_| group.choose(&ask(0, &none), &mut Silent))
            .map(|index| (b'A' + index as u8) as char)
            .collect()
    }

    #[test]
    fn orders_are_smooth() {
        for (weights, expected) in [
            (&[5, 1, 1][..], "AABACAAAABACAA"),
            (&[50, 100, 200], "CBCACBCCBCACBC"),
            (&[1, 2, 3], "CBACBCCBACBC"),
            (&[1, 1, 1], "ABCABC"),
            (&[0, 0, 0], "ABCABC"),
            (&[0, 1, 0], "BBBB"),
            (&[2, 0, 2], "ACACAC"),
        ] {
            assert_eq!(order(weights, expected.len()), expected, "{weights:?}");
        }
    }

    #[test]
    fn whole_cycles_are_exact() {
        for (weights, requests, expected) in [
            (&[1, 2, 3][..], 60, [10, 20, 30]),
            (&[50, 100, 200], 70, [10, 20, 40]),
            (&[0, 100, 200], 300, [0, 100, 200]),
            (&[7, 11, 13], 3100, [700, 1100, 1300]),
        ] {
            let group = group(Strategy::Weighted, weights);
            assert_eq!(counts(&group, requests, &Excluded::new()), expected);
        }
    }

    #[test]
    fn counts_stay_exact_with_many_threads() {
        let group = group(Strategy::Weighted, &[1, 2, 3]);
        // 200,020 requests: 33,336 whole cycles of six, and the turns C B A C.
        let counts = counts_of_threads(&group, 10, 20_002);
        assert_eq!(counts, [33_337, 66_673, 100_010]);
    }

    #[test]
    fn later_attempts_keep_the_proportions_of_what_is_left() {
        let group = group(Strategy::Weighted, &[1, 2, 0, 7]);
        let counts = counts(&group, 6000, &[3].into_iter().collect());
        assert_eq!((counts[2], counts[3]), (0, 0));
        assert!((1830..=2170).contains(&counts[0]), "{counts:?}");
        let only_without_weight = [0, 1, 3].into_iter().collect();
        assert_eq!(
            group.choose(&ask(5, &only_without_weight), &mut Silent),
            None
        );
    }

    #[test]
    fn huge_weights_are_scaled_and_nobody_starves() {
        let shares = reduced(&[u32::MAX, u32::MAX - 1, 1, 0]);
        assert!(shares.iter().sum::<u64>() <= LONGEST + 1, "{shares:?}");
        assert!(shares[0].abs_diff(shares[1]) <= 1);
        assert_eq!((shares[2], shares[3]), (1, 0));
    }

    proptest! {
        #[test]
        fn a_cycle_is_exact_and_never_far_behind(weights in prop::collection::vec(0u32..30, 1..12)) {
            prop_assume!(weights.iter().any(|&weight| weight > 0));
            let shares = reduced(&weights);
            let cycle = smooth(&shares);
            let total: u64 = shares.iter().sum();
            prop_assert_eq!(cycle.len() as u64, total);
            let mut seen = vec![0u64; shares.len()];
            for (turn, &index) in cycle.iter().enumerate() {
                seen[index as usize] += 1;
                for (count, share) in seen.iter().zip(&shares) {
                    // After each turn nobody is further from its due than the
                    // number of rivals.
                    let due = share * (turn as u64 + 1);
                    prop_assert!((count * total).abs_diff(due) <= total * shares.len() as u64);
                }
            }
            prop_assert_eq!(seen, shares);
        }
    }
}

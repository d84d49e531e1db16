//! The backends among which a strategy chooses, and fair draws among them.

use std::sync::Arc;

use crate::{Backend, Excluded};

/// A group's backends without the excluded ones.
#[derive(Clone, Copy)]
pub(crate) struct Candidates<'a> {
    backends: &'a [Arc<Backend>],
    exclude: &'a Excluded,
    takes_turns: bool,
}

impl<'a> Candidates<'a> {
    /// All but those that this exchange has tried.
    pub(crate) fn new(backends: &'a [Arc<Backend>], tried: &'a Excluded) -> Self {
        Self {
            backends,
            exclude: tried,
            takes_turns: tried.is_empty(),
        }
    }

    /// Without those that are out as well; `exclude` has them and the tried.
    pub(crate) fn without(self, exclude: &'a Excluded) -> Self {
        Self { exclude, ..self }
    }

    /// A first attempt: the strategies that deal turns deal one.
    pub(crate) fn takes_turns(&self) -> bool {
        self.takes_turns
    }

    /// Every backend of the group is a candidate.
    pub(crate) fn complete(&self) -> bool {
        self.exclude.is_empty()
    }

    pub(crate) fn contains(&self, index: usize) -> bool {
        index < self.backends.len() && !self.exclude.contains(index)
    }

    pub(crate) fn indices(self) -> impl Iterator<Item = usize> + 'a {
        (0..self.backends.len()).filter(move |&index| self.contains(index))
    }

    /// Index and load of every candidate.
    pub(crate) fn loads(self) -> impl Iterator<Item = (usize, usize)> + 'a {
        self.indices().map(move |index| (index, self.load(index)))
    }

    pub(crate) fn load(&self, index: usize) -> usize {
        self.backends.get(index).map_or(0, |backend| backend.load())
    }

    pub(crate) fn len(&self) -> usize {
        if self.complete() {
            self.backends.len()
        } else {
            self.indices().count()
        }
    }

    /// The index of the `n`th candidate, counted from 0.
    pub(crate) fn nth(&self, n: usize) -> Option<usize> {
        if self.complete() {
            (n < self.backends.len()).then_some(n)
        } else {
            self.indices().nth(n)
        }
    }

    /// Any candidate, each as likely as the others.
    pub(crate) fn draw(&self, random: u64) -> Option<usize> {
        self.nth(below(random, self.len() as u64).0 as usize)
    }
}

/// A number below `n` from 64 random bits, and the randomness left over for
/// another draw. Multiplies instead of dividing; the bias is `n` in 2^64.
pub(crate) fn below(random: u64, n: u64) -> (u64, u64) {
    let product = u128::from(random) * u128::from(n);
    ((product >> 64) as u64, product as u64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::backend::tests::backends;

    proptest! {
        #[test]
        fn nth_counts_only_candidates(n in 0usize..100, out in prop::collection::vec(0usize..100, 0..50), random: u64) {
            let backends = backends(n);
            let exclude: Excluded = out.iter().copied().collect();
            let candidates = Candidates::new(&backends, &exclude);
            let expected: Vec<usize> = (0..n).filter(|i| !out.contains(i)).collect();
            let nths: Vec<usize> = (0..=n).filter_map(|k| candidates.nth(k)).collect();
            prop_assert_eq!(candidates.len(), expected.len());
            prop_assert_eq!(candidates.draw(random).is_some(), !expected.is_empty());
            prop_assert_eq!(nths, expected);
        }

        #[test]
        fn below_is_below(random: u64, n in 1u64..1000) {
            prop_assert!(below(random, n).0 < n);
        }
    }
}

/// The backends that may not be chosen (again) in one exchange, by index in
/// their group. The first 64 cost no allocation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Excluded {
    low: u64,
    high: Vec<u64>,
}

impl Excluded {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn insert(&mut self, index: usize) {
        let bit = 1 << (index % 64);
        match (index / 64).checked_sub(1) {
            None => self.low |= bit,
            Some(word) => {
                if self.high.len() <= word {
                    self.high.resize(word + 1, 0);
                }
                if let Some(word) = self.high.get_mut(word) {
                    *word |= bit;
                }
            }
        }
    }

    pub fn contains(&self, index: usize) -> bool {
        let word = match (index / 64).checked_sub(1) {
            None => self.low,
            Some(word) => self.high.get(word).copied().unwrap_or(0),
        };
        word & (1 << (index % 64)) != 0
    }

    pub fn is_empty(&self) -> bool {
        self.low == 0 && self.high.is_empty()
    }
}

impl FromIterator<usize> for Excluded {
    fn from_iter<I: IntoIterator<Item = usize>>(indices: I) -> Self {
        let mut excluded = Self::new();
        indices.into_iter().for_each(|index| excluded.insert(index));
        excluded
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_set(indices in prop::collection::hash_set(0usize..300, 0..40)) {
            let excluded: Excluded = indices.iter().copied().collect();
            let read: HashSet<usize> = (0..400).filter(|&i| excluded.contains(i)).collect();
            prop_assert_eq!(excluded.is_empty(), indices.is_empty());
            prop_assert_eq!(read, indices);
        }
    }
}

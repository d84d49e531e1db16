//! What a source has found, through good answers and bad.

use super::{Place, set};

/// What was found last, and how often there was no answer since.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    places: Vec<Place>,
    /// A first answer or failure is there.
    is_settled: bool,
    /// In a row.
    failures: u32,
    all_failures: u64,
}

/// What an answer, or that there was none, means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// Nothing new.
    Same,
    /// Other places than before.
    Changed,
    /// The first failure after the beginning or a good answer.
    Fails,
    /// The first good answer after failures; whether it has other places.
    Recovered { has_changed: bool },
}

impl Known {
    /// In order, each URL once.
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    pub fn is_settled(&self) -> bool {
        self.is_settled
    }

    /// In a row.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Since the beginning.
    pub fn all_failures(&self) -> u64 {
        self.all_failures
    }

    /// Takes a good answer, which may be empty.
    pub fn take(&mut self, places: Vec<Place>) -> News {
        let places = set(places);
        let has_changed = places != self.places;
        let is_first = !self.is_settled;
        let has_failed = self.failures > 0;
        self.places = places;
        self.is_settled = true;
        self.failures = 0;
        match (has_failed, has_changed || is_first) {
            (true, _) => News::Recovered { has_changed },
            (false, true) => News::Changed,
            (false, false) => News::Same,
        }
    }

    /// There is no good answer. What was found stays.
    pub fn fail(&mut self) -> News {
        self.is_settled = true;
        self.failures = self.failures.saturating_add(1);
        self.all_failures += 1;
        match self.failures {
            1 => News::Fails,
            _ => News::Same,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn places(urls: &[&str]) -> Vec<Place> {
        let place = |url: &&str| Place {
            url: (*url).to_owned(),
            weight: 1,
        };
        urls.iter().map(place).collect()
    }

    #[test]
    fn failures_are_news_once_and_keep_what_was_found() {
        let mut known = Known::default();
        assert_eq!(known.take(places(&["b", "a"])), News::Changed);
        assert_eq!(known.take(places(&["a", "b", "a"])), News::Same);
        assert_eq!(known.fail(), News::Fails);
        assert_eq!(known.fail(), News::Same);
        assert_eq!(known.places(), places(&["a", "b"]));
        let same = News::Recovered { has_changed: false };
        assert_eq!(known.take(places(&["b", "a"])), same);
        assert_eq!(known.fail(), News::Fails);
        let other = News::Recovered { has_changed: true };
        assert_eq!(known.take(places(&[])), other);
        assert_eq!((known.failures(), known.all_failures()), (0, 3));
        assert!(known.places().is_empty());
    }

    #[test]
    fn a_first_answer_is_news_also_if_it_is_empty() {
        let mut known = Known::default();
        assert!(!known.is_settled());
        assert_eq!(known.take(Vec::new()), News::Changed);
        assert!(known.is_settled());
        assert_eq!(known.take(Vec::new()), News::Same);
    }

    #[test]
    fn a_weight_is_a_difference() {
        let mut known = Known::default();
        known.take(places(&["a"]));
        let url = "a".to_owned();
        assert_eq!(known.take(vec![Place { url, weight: 2 }]), News::Changed);
    }

    proptest! {
        #[test]
        fn the_last_good_answer_counts(answers in proptest::collection::vec(proptest::option::of(proptest::collection::vec("[a-d]", 0..5)), 0..30)) {
            let mut known = Known::default();
            let mut last = Vec::new();
            for answer in answers {
                let before = known.places().to_vec();
                match answer {
                    None => { known.fail(); }
                    Some(urls) => {
                        let urls: Vec<&str> = urls.iter().map(|url| &**url).collect();
                        last = places(&urls);
                        last.sort();
                        last.dedup();
                        let news = known.take(last.iter().rev().cloned().collect());
                        prop_assert!(news != News::Same || before == known.places());
                    }
                }
                prop_assert_eq!(known.places(), &*last);
            }
        }
    }
}

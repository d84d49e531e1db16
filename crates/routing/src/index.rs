//! From a host and a path to the few routes that could take them.
//!
//! A rank is a route's turn: the lowest rank that takes a request wins. The
//! index is filled in ascending order of rank, so every list in it is sorted,
//! and the first rank of a part bounds what that part can still offer. With
//! the most specific route first, the parts are visited in the order of their
//! ranks, and the first hit ends the search; with file order the bounds alone
//! keep it short. The cost follows the request, not the number of routes,
//! but for expressions, which are tried one after another.

use crate::by_length::{ByLength, Map};
use crate::{HostPattern, PathPattern, Pattern};

#[derive(Debug, Clone, Default)]
pub(crate) struct Index {
    exact: Map<Paths>,
    below: ByLength<Paths>,
    /// The first rank anywhere in `below`.
    below_first: Option<usize>,
    any: Paths,
}

/// The routes of one host pattern.
#[derive(Debug, Clone, Default)]
struct Paths {
    first: Option<usize>,
    exact: Map<Vec<usize>>,
    below: ByLength<Vec<usize>>,
    /// The first rank anywhere in `below`.
    below_first: Option<usize>,
    expressions: Vec<(usize, Pattern)>,
    any: Vec<usize>,
}

/// The lowest rank accepted so far.
struct Search<F> {
    best: usize,
    accepts: F,
}

impl Index {
    /// Adds a rank that is higher than every rank before it.
    pub(crate) fn add(&mut self, host: &HostPattern, path: &PathPattern, rank: usize) {
        let paths = match host {
            HostPattern::Any => &mut self.any,
            HostPattern::Exact(exact) => self.exact.entry(exact.as_bytes().into()).or_default(),
            HostPattern::Suffix(suffix) => {
                self.below_first.get_or_insert(rank);
                self.below.entry(suffix.as_bytes())
            }
        };
        paths.add(path, rank);
    }

    /// The lowest rank whose host and path patterns take these and that
    /// `accepts` takes too.
    pub(crate) fn lowest(
        &self,
        host: &[u8],
        path: &[u8],
        accepts: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        let mut search = Search {
            best: usize::MAX,
            accepts,
        };
        if let Some(paths) = self.exact.get(host) {
            paths.search(path, &mut search);
        }
        if search.may_gain(self.below_first) {
            for paths in self.below.endings(host, b'.') {
                paths.search(path, &mut search);
            }
        }
        self.any.search(path, &mut search);
        (search.best != usize::MAX).then_some(search.best)
    }
}

impl Paths {
    fn add(&mut self, path: &PathPattern, rank: usize) {
        self.first.get_or_insert(rank);
        match path {
            PathPattern::Any => self.any.push(rank),
            PathPattern::Exact(exact) => self.add_exact(exact, rank),
            PathPattern::Below(prefix) => self.add_below(prefix, rank),
            PathPattern::Tree(root) => {
                self.add_exact(root, rank);
                self.add_below(&format!("{root}/"), rank);
            }
            PathPattern::Regex(pattern) => self.expressions.push((rank, pattern.clone())),
        }
    }

    fn add_exact(&mut self, path: &str, rank: usize) {
        self.exact
            .entry(path.as_bytes().into())
            .or_default()
            .push(rank);
    }

    fn add_below(&mut self, prefix: &str, rank: usize) {
        self.below_first.get_or_insert(rank);
        self.below.entry(prefix.as_bytes()).push(rank);
    }

    fn search<F: Fn(usize) -> bool>(&self, path: &[u8], search: &mut Search<F>) {
        if !search.may_gain(self.first) {
            return;
        }
        if let Some(ranks) = self.exact.get(path) {
            search.among(ranks);
        }
        search.among_expressions(&self.expressions, path);
        if search.may_gain(self.below_first) {
            for ranks in self.below.beginnings(path, b'/') {
                search.among(ranks);
            }
        }
        search.among(&self.any);
    }
}

impl<F: Fn(usize) -> bool> Search<F> {
    fn may_gain(&self, first: Option<usize>) -> bool {
        first.is_some_and(|first| first < self.best)
    }

    fn among(&mut self, ranks: &[usize]) {
        let mut worthwhile = ranks.iter().copied().take_while(|&rank| rank < self.best);
        if let Some(rank) = worthwhile.find(|&rank| (self.accepts)(rank)) {
            self.best = rank;
        }
    }

    fn among_expressions(&mut self, expressions: &[(usize, Pattern)], path: &[u8]) {
        let mut worthwhile = expressions.iter().take_while(|(rank, _)| *rank < self.best);
        let taken = worthwhile.find(|(rank, p)| p.takes(path) && (self.accepts)(*rank));
        if let Some((rank, _)) = taken {
            self.best = *rank;
        }
    }
}

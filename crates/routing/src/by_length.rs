//! A map from beginnings or endings of a text, longest first.

use std::collections::HashMap;

use foldhash::fast::FixedState;

/// Keys come from the configuration and never from a peer, so nobody can
/// choose keys that collide, and a fixed seed is safe.
pub(crate) type Map<V> = HashMap<Box<[u8]>, V, FixedState>;

/// Entries whose key begins or ends a text are found with one look-up for each
/// distinct key length, and most lengths are ruled out by a single byte.
#[derive(Debug, Clone)]
pub(crate) struct ByLength<V> {
    /// Every length that some key has, longest first.
    lengths: Vec<usize>,
    entries: Map<V>,
}

impl<V> Default for ByLength<V> {
    fn default() -> Self {
        Self {
            lengths: Vec::new(),
            entries: Map::default(),
        }
    }
}

impl<V: Default> ByLength<V> {
    pub(crate) fn entry(&mut self, key: &[u8]) -> &mut V {
        if let Err(at) = self.lengths.binary_search_by(|n| key.len().cmp(n)) {
            self.lengths.insert(at, key.len());
        }
        self.entries.entry(key.into()).or_default()
    }
}

impl<V> ByLength<V> {
    /// Entries whose key begins `text`; every key ends in `last`.
    pub(crate) fn beginnings(&self, text: &[u8], last: u8) -> impl Iterator<Item = &V> {
        self.lengths.iter().filter_map(move |&n| {
            let key = text.get(..n)?;
            if key.last() != Some(&last) {
                return None;
            }
            self.entries.get(key)
        })
    }

    /// Entries whose key ends `text` and is shorter than it; every key begins
    /// with `first`.
    pub(crate) fn endings(&self, text: &[u8], first: u8) -> impl Iterator<Item = &V> {
        self.lengths.iter().filter_map(move |&n| {
            let at = text.len().checked_sub(n).filter(|&at| at > 0)?;
            let key = text.get(at..)?;
            if key.first() != Some(&first) {
                return None;
            }
            self.entries.get(key)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(keys: &[&str]) -> ByLength<String> {
        let mut map = ByLength::default();
        for key in keys {
            *map.entry(key.as_bytes()) = (*key).to_owned();
        }
        map
    }

    #[test]
    fn beginnings_longest_first() {
        let map = of(&["/a/", "/a/b/", "/x/", "/a/b/c/"]);
        let found: Vec<_> = map.beginnings(b"/a/b/d", b'/').collect();
        assert_eq!(found, ["/a/b/", "/a/"]);
        assert_eq!(map.beginnings(b"/a/", b'/').count(), 1);
        assert_eq!(map.beginnings(b"/ab/", b'/').count(), 0);
        assert_eq!(map.beginnings(b"", b'/').count(), 0);
    }

    #[test]
    fn endings_longest_first() {
        let map = of(&[".example", ".b.example", ".c.example"]);
        let found: Vec<_> = map.endings(b"a.b.example", b'.').collect();
        assert_eq!(found, [".b.example", ".example"]);
        assert_eq!(map.endings(b".example", b'.').count(), 0);
        assert_eq!(map.endings(b"", b'.').count(), 0);
    }
}

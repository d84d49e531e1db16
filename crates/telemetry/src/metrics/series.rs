//! One counter per combination of method, route, backend and status that has
//! occurred: a small open-addressing table that remembers its last hit,
//! because a worker tends to count the same thing again.

use std::collections::HashSet;

use message::Method;

/// Distinct combinations that one worker keeps. A backend that answers with
/// every status there is must not fill the memory; combinations that come too
/// late are counted together.
const LIMIT: usize = 8_192;

/// Bits for the number of a route or backend; larger numbers count as none.
const NUMBER_BITS: u32 = 24;
const STATUS_BITS: u32 = 10;

const METHODS: [Method; 10] = [
    Method::Get,
    Method::Head,
    Method::Post,
    Method::Put,
    Method::Delete,
    Method::Connect,
    Method::Options,
    Method::Trace,
    Method::Patch,
    Method::Other,
];

/// A combination in one word, from the top: a bit that is always set, so that
/// no key is zero; method; route; backend; status. A route or backend is its
/// number and one, zero for none; a status is zero where it is none of HTTP's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key(u64);

impl Key {
    pub(super) fn new(
        method: Method,
        route: Option<u32>,
        backend: Option<u32>,
        status: u16,
    ) -> Self {
        let status = match status {
            100..600 => u64::from(status),
            _ => 0,
        };
        let method = 1 << 5 | method as u64;
        let key = method << NUMBER_BITS | shifted(route);
        let key = key << NUMBER_BITS | shifted(backend);
        Self(key << STATUS_BITS | status)
    }

    pub(super) fn method(self) -> Method {
        let at = (self.0 >> (2 * NUMBER_BITS + STATUS_BITS)) & 31;
        METHODS.get(at as usize).copied().unwrap_or(Method::Other)
    }

    pub(super) fn route(self) -> Option<u32> {
        unshifted(self.0 >> (NUMBER_BITS + STATUS_BITS))
    }

    pub(super) fn backend(self) -> Option<u32> {
        unshifted(self.0 >> STATUS_BITS)
    }

    /// `None` for a number that is no status of HTTP.
    pub(super) fn status(self) -> Option<u16> {
        let status = (self.0 & ((1 << STATUS_BITS) - 1)) as u16;
        (status != 0).then_some(status)
    }

    /// Whether its route or its backend is one of these.
    pub(super) fn has_any(self, routes: &HashSet<u32>, backends: &HashSet<u32>) -> bool {
        let is_in = |number: Option<u32>, all: &HashSet<u32>| {
            number.is_some_and(|number| all.contains(&number))
        };
        is_in(self.route(), routes) || is_in(self.backend(), backends)
    }

    /// Where to begin looking in a table of 2^`bits` slots.
    fn slot(self, bits: u32) -> usize {
        // Fibonacci hashing: the upper bits depend on all of the key.
        (self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - bits)) as usize
    }
}

fn shifted(number: Option<u32>) -> u64 {
    match number {
        Some(n) if n < (1 << NUMBER_BITS) - 1 => u64::from(n) + 1,
        _ => 0,
    }
}

fn unshifted(bits: u64) -> Option<u32> {
    ((bits & ((1 << NUMBER_BITS) - 1)) as u32).checked_sub(1)
}

const EMPTY: Key = Key(0);

#[derive(Debug, Clone, Copy)]
struct Slot {
    key: Key,
    count: u64,
}

/// The counters.
#[derive(Debug)]
pub(super) struct Series {
    /// 2^`bits` slots, at most half of them in use.
    slots: Vec<Slot>,
    bits: u32,
    used: usize,
    last: usize,
    overflow: u64,
}

impl Default for Series {
    fn default() -> Self {
        Self::with_bits(6)
    }
}

impl Series {
    fn with_bits(bits: u32) -> Self {
        let empty = Slot {
            key: EMPTY,
            count: 0,
        };
        Self {
            slots: vec![empty; 1 << bits],
            bits,
            used: 0,
            last: 0,
            overflow: 0,
        }
    }

    pub(super) fn bump(&mut self, key: Key) {
        if self.slots[self.last].key != key {
            match self.find_or_make(key) {
                Some(at) => self.last = at,
                None => {
                    self.overflow += 1;
                    return;
                }
            }
        }
        self.slots[self.last].count += 1;
    }

    /// The combinations that have occurred.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Key, u64)> {
        self.slots
            .iter()
            .filter(|slot| slot.key != EMPTY)
            .map(|slot| (slot.key, slot.count))
    }

    /// What was counted beyond the limit.
    pub(super) fn overflow(&self) -> u64 {
        self.overflow
    }

    /// Drops the counts of all other combinations.
    pub(super) fn retain(&mut self, keep: impl Fn(Key) -> bool) {
        let mut kept = Self::with_bits(self.bits);
        kept.overflow = self.overflow;
        for (key, count) in self.iter().filter(|&(key, _)| keep(key)) {
            let at = kept.find(key);
            kept.slots[at] = Slot { key, count };
            kept.used += 1;
        }
        *self = kept;
    }

    fn find_or_make(&mut self, key: Key) -> Option<usize> {
        let at = self.find(key);
        if self.slots[at].key == key {
            return Some(at);
        }
        if self.used >= LIMIT {
            return None;
        }
        if 2 * (self.used + 1) > self.slots.len() {
            self.grow();
        }
        let at = self.find(key);
        self.slots[at].key = key;
        self.used += 1;
        Some(at)
    }

    /// The slot that holds the key, or the empty one where it belongs. There
    /// always is an empty one.
    fn find(&self, key: Key) -> usize {
        let mask = self.slots.len() - 1;
        let mut at = key.slot(self.bits);
        while self.slots[at].key != key && self.slots[at].key != EMPTY {
            at = (at + 1) & mask;
        }
        at
    }

    fn grow(&mut self) {
        let mut larger = Self::with_bits(self.bits + 1);
        for (key, count) in self.iter() {
            let at = larger.find(key);
            larger.slots[at] = Slot { key, count };
        }
        larger.used = self.used;
        larger.overflow = self.overflow;
        *self = larger;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    #[test]
    fn a_key_gives_back_what_went_in() {
        let largest = (1 << NUMBER_BITS) - 2;
        for method in METHODS {
            for (number, kept) in [
                (None, None),
                (Some(0), Some(0)),
                (Some(largest), Some(largest)),
                (Some(largest + 1), None),
                (Some(u32::MAX), None),
            ] {
                for (status, known) in [
                    (100, Some(100)),
                    (599, Some(599)),
                    (0, None),
                    (99, None),
                    (600, None),
                    (u16::MAX, None),
                ] {
                    let key = Key::new(method, number, None, status);
                    assert_ne!(key, EMPTY);
                    assert_eq!(
                        (key.method(), key.route(), key.backend(), key.status()),
                        (method, kept, None, known)
                    );
                    let key = Key::new(method, None, number, status);
                    assert_eq!((key.route(), key.backend()), (None, kept));
                }
            }
        }
    }

    #[test]
    fn beyond_the_limit_counts_are_kept_together() {
        let mut series = Series::default();
        let key = |n| Key::new(Method::Get, Some(n), None, 200);
        let known = LIMIT as u32;
        (0..known + 10).for_each(|n| series.bump(key(n)));
        (0..5).for_each(|n| series.bump(key(n)));
        assert_eq!(series.iter().count(), LIMIT);
        assert_eq!(series.overflow(), 10);
        assert_eq!(
            series.iter().map(|(_, n)| n).sum::<u64>(),
            u64::from(known) + 5
        );
    }

    proptest! {
        #[test]
        fn counts_like_a_map(
            hits in prop::collection::vec((0u32..40, 0u32..10, 195u16..205), 0..600),
        ) {
            let mut series = Series::default();
            let mut map = HashMap::new();
            for (route, backend, status) in hits {
                let key = Key::new(Method::Post, Some(route), Some(backend), status);
                series.bump(key);
                *map.entry(key.0).or_insert(0) += 1;
            }
            let counted: HashMap<u64, u64> = series.iter().map(|(k, n)| (k.0, n)).collect();
            prop_assert_eq!(counted, map);
            prop_assert_eq!(series.overflow(), 0);
        }
    }
}

//! Requests that fare differently, counted by what happens to them.

use std::collections::HashMap;

use super::{Example, Fate, Shift};
use crate::recorded::Recorded;

/// Kinds of shifts that are told apart.
const MOST: usize = 4096;

/// Of texts that clients choose, this many bytes are kept.
const KEPT: usize = 256;

#[derive(Default)]
pub(super) struct Shifts {
    found: HashMap<Key, Found>,
    ungrouped: u64,
}

/// What the requests of a shift have in common.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    method: String,
    /// The first segment of the path.
    beginning: String,
    old: Fate,
    new: Fate,
}

struct Found {
    paths: Paths,
    count: u64,
    uncertain: u64,
    example: Example,
}

impl Shifts {
    pub(super) fn add(
        &mut self,
        recorded: &Recorded,
        path: &str,
        (old, new): (Fate, Fate),
        (old_aim, new_aim): (String, String),
        is_uncertain: bool,
    ) {
        let beginning = path.split('/').nth(1).unwrap_or(path);
        let key = Key {
            method: clipped(&recorded.method),
            beginning: clipped(beginning),
            old,
            new,
        };
        if self.found.len() >= MOST && !self.found.contains_key(&key) {
            self.ungrouped += 1;
            return;
        }
        let found = self.found.entry(key).or_insert_with(|| Found {
            paths: Paths::one(path),
            count: 0,
            uncertain: 0,
            example: Example {
                url: clipped(&recorded.url()),
                old: clipped(&old_aim),
                new: clipped(&new_aim),
            },
        });
        found.paths.widen(path);
        found.count += 1;
        found.uncertain += u64::from(is_uncertain);
    }

    /// The shifts, the most frequent first, and how many requests are in none.
    pub(super) fn finish(self) -> (Vec<Shift>, u64) {
        let shifts = self.found.into_iter().map(|(key, found)| Shift {
            method: key.method,
            paths: found.paths.shown(),
            old: key.old,
            new: key.new,
            count: found.count,
            uncertain: found.uncertain,
            example: found.example,
        });
        let mut shifts: Vec<Shift> = shifts.collect();
        // The rest of the order only has to be the same every time.
        shifts.sort_by(|a, b| {
            let by_count = b.count.cmp(&a.count);
            let by_name = |shift: &Shift| {
                let fates = [&shift.old, &shift.new].map(Fate::to_string);
                (shift.paths.clone(), shift.method.clone(), fates)
            };
            by_count.then_with(|| by_name(a).cmp(&by_name(b)))
        });
        (shifts, self.ungrouped)
    }
}

/// Some paths, by what they have in common.
struct Paths {
    common: String,
    /// All are this very path.
    is_one: bool,
}

impl Paths {
    fn one(path: &str) -> Self {
        let mut paths = Self {
            common: path.to_owned(),
            is_one: true,
        };
        if path.len() > KEPT {
            // The segment that is cut is none of the path's.
            let (whole, _) = path.split_at(path.floor_char_boundary(KEPT));
            let (whole, _) = whole.rsplit_once('/').unwrap_or_default();
            paths.common = whole.to_owned();
            paths.is_one = false;
        }
        paths
    }

    fn widen(&mut self, path: &str) {
        if self.is_one && self.common == path {
            return;
        }
        let pairs = self.common.split('/').zip(path.split('/'));
        let same: Vec<&str> = pairs
            .take_while(|(one, other)| one == other)
            .map(|(one, _)| one)
            .collect();
        self.common = same.join("/");
        self.is_one = false;
    }

    fn shown(self) -> String {
        match self.is_one {
            true => self.common,
            false => format!("{}/*", self.common),
        }
    }
}

fn clipped(text: &str) -> String {
    match text.len() <= KEPT {
        true => text.to_owned(),
        false => {
            let (kept, _) = text.split_at(text.floor_char_boundary(KEPT));
            format!("{kept}\u{2026}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_by_what_they_have_in_common() {
        let long = format!("/a/{}", "x".repeat(300));
        for (paths, expected) in [
            (&["/api/x"][..], "/api/x"),
            (&["/api/x", "/api/x"], "/api/x"),
            (&["/api/x", "/api/y/z"], "/api/*"),
            (&["/api/x/1", "/api/x/2", "/api/x"], "/api/x/*"),
            (&["/api", "/api/x"], "/api/*"),
            (&["/api/", "/api/x"], "/api/*"),
            (&["/apix", "/api"], "/*"),
            (&["/"], "/"),
            (&["*"], "*"),
            (&[&long], "/a/*"),
            (&[&long, &long], "/a/*"),
        ] {
            let mut found = Paths::one(paths[0]);
            paths.iter().for_each(|path| found.widen(path));
            assert_eq!(found.shown(), expected, "{paths:?}");
        }
    }
}

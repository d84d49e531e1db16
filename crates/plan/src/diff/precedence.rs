//! Which routes come before which, where a request could tell.

use std::collections::{HashMap, HashSet};

use routing::{HostPattern, Table, Way};

use super::{Precedence, Turned};

/// Pairs that are looked at. Beyond that a file has been turned over.
const LOOKS: usize = 20_000_000;

/// Pairs that are kept.
const KEPT: usize = 1000;

/// A way to a route that both tables have: how it is reached now, and how the
/// same requests reached it before.
struct Kept<'a> {
    id: &'a str,
    old: Way<'a>,
    new: Way<'a>,
    /// The old way's place among those of the old table.
    place: usize,
}

pub(super) fn compare(old: &Table, new: &Table) -> Precedence {
    let kept = kept(old, new);
    let moved = moved(&kept);
    let mut seen = HashSet::new();
    let mut precedence = Precedence::default();
    let mut looks = 0;
    for at in moved {
        let Some(way) = kept.get(at) else { continue };
        for (other_at, other) in kept.iter().enumerate() {
            looks += 1;
            if looks > LOOKS || precedence.turned.len() >= KEPT {
                precedence.is_cut_short = true;
                return precedence;
            }
            if (at < other_at) == (way.place < other.place) || !meet(old, new, way, other) {
                continue;
            }
            let (first, second) = match at < other_at {
                true => (way, other),
                false => (other, way),
            };
            let turned = Turned {
                first: first.id.to_owned(),
                second: second.id.to_owned(),
            };
            if seen.insert(turned.clone()) {
                precedence.turned.push(turned);
            }
        }
    }
    precedence
}

/// The ways of routes that both tables have, in the order of the new one. A
/// host that only one of them has goes with those of the other that it meets.
fn kept<'a>(old: &'a Table, new: &'a Table) -> Vec<Kept<'a>> {
    let (in_old, in_new) = (by_id(old), by_id(new));
    let mut kept = Vec::new();
    for now in new.ways() {
        let id = &*new.conditions(now.route).id;
        let (Some(before), Some(after)) = (in_old.get(id), in_new.get(id)) else {
            continue;
        };
        let has = |ways: &Ways<'_>, host: &HostPattern| ways.iter().any(|(_, w)| w.host == host);
        let is_new = !has(before, now.host);
        let same = before.iter().filter(|(_, way)| match way.host == now.host {
            true => true,
            false => way.host.may_meet(now.host) && (is_new || !has(after, way.host)),
        });
        kept.extend(same.map(|&(place, old)| Kept {
            id,
            old,
            new: now,
            place,
        }));
    }
    kept
}

type Ways<'a> = Vec<(usize, Way<'a>)>;

/// The ways of each route with their places.
fn by_id(table: &Table) -> HashMap<&str, Ways<'_>> {
    let mut by_id: HashMap<&str, Ways<'_>> = HashMap::new();
    for (place, way) in table.ways().into_iter().enumerate() {
        let id = &*table.conditions(way.route).id;
        by_id.entry(id).or_default().push((place, way));
    }
    by_id
}

/// The fewest ways that have to move for one order to become the other: all
/// but a longest run that has stayed in order. Two ways that have turned are
/// never both in that run.
fn moved(kept: &[Kept<'_>]) -> Vec<usize> {
    let place = |at: usize| kept.get(at).map_or(0, |way| way.place);
    // The last way of the best run of each length, and each way's forerunner.
    let mut ends: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(kept.len());
    for (at, way) in kept.iter().enumerate() {
        let length = ends.partition_point(|&end| place(end) < way.place);
        before.push(length.checked_sub(1).and_then(|l| ends.get(l)).copied());
        match ends.get_mut(length) {
            Some(end) => *end = at,
            None => ends.push(at),
        }
    }
    let mut stays = vec![false; kept.len()];
    let mut run = ends.last().copied();
    while let Some(at) = run {
        if let Some(stays) = stays.get_mut(at) {
            *stays = true;
        }
        run = before.get(at).copied().flatten();
    }
    let each = stays.into_iter().enumerate();
    each.filter(|(_, stays)| !stays).map(|(at, _)| at).collect()
}

/// Whether a request can have both, before and after.
fn meet(old: &Table, new: &Table, a: &Kept<'_>, b: &Kept<'_>) -> bool {
    let ways_meet = |table: &Table, a: Way<'_>, b: Way<'_>| {
        let conditions = table.conditions(a.route);
        a.host.may_meet(b.host) && conditions.may_meet(table.conditions(b.route))
    };
    a.id != b.id && ways_meet(new, a.new, b.new) && ways_meet(old, a.old, b.old)
}

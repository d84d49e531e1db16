//! How error pages differ: not as lists, but by which page a failure gets.

use filters::{ErrorPage, ErrorPages};

use super::Change;
use super::aspect::replaced;

pub(super) fn changes(old: &ErrorPages, new: &ErrorPages) -> Vec<Change> {
    if old == new {
        return Vec::new();
    }
    let mut changes = of_kind("page", old, new, false);
    changes.extend(of_kind("JSON page", old, new, true));
    changes
}

/// Neighbouring statuses with the same change are one.
fn of_kind(kind: &str, old: &ErrorPages, new: &ErrorPages, is_json: bool) -> Vec<Change> {
    type Pages<'a> = (Option<&'a ErrorPage>, Option<&'a ErrorPage>);
    let ranges = || old.statuses().chain(new.statuses());
    let first = ranges().map(|range| *range.start()).min();
    let last = ranges().map(|range| *range.end()).max();
    let mut runs: Vec<(u16, u16, Pages<'_>)> = Vec::new();
    for status in first.unwrap_or(1)..=last.unwrap_or(0) {
        let found = (old.find(status, is_json), new.find(status, is_json));
        match runs.last_mut() {
            Some((_, to, pages)) if *pages == found => *to = status,
            _ => runs.push((status, status, found)),
        }
    }
    let differing = runs.into_iter().filter(|(_, _, (old, new))| old != new);
    let change = |(from, to, (old, new)): (u16, u16, Pages<'_>)| {
        let what = match from == to {
            true => format!("{kind} for {from}"),
            false => format!("{kind}s for {from}-{to}"),
        };
        replaced(&what, &text(old), &text(new))
    };
    differing.map(change).collect()
}

fn text(page: Option<&ErrorPage>) -> String {
    match page {
        Some(page) => format!("{}: {page}", page.content_type),
        None => "none".to_owned(),
    }
}

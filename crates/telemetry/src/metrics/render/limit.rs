//! Limits that follow the latency.

use std::fmt;

use prometheus_client::registry::Unit;

use super::family::{Family, Labels, Page};
use crate::metrics::{LimitFigures, Snapshot};

const LIMIT: Family = Family::new(
    "forebay_group_concurrency_limit",
    "Requests that may be under way in a group, as its latency says.",
);
const UNDER_WAY: Family = Family::new(
    "forebay_group_concurrency",
    "Requests under way in a group with adaptive concurrency.",
);
const REFUSED: Family = Family::new(
    "forebay_group_concurrency_refused",
    "Requests above a group's adaptive limit: refused, or only counted in shadow mode.",
);
const BASE: Family = Family::in_unit(
    "forebay_group_latency_base",
    Unit::Seconds,
    "A group's latency without waiting, until the head of an answer; a geometric mean.",
);
const CURRENT: Family = Family::in_unit(
    "forebay_group_latency_current",
    Unit::Seconds,
    "A group's latency lately, until the head of an answer; a geometric mean.",
);

pub(super) fn write(page: &mut Page<'_>, snapshot: &Snapshot) -> fmt::Result {
    page.gauges(&LIMIT, groups(snapshot, |figures| Some(figures.limit)))?;
    page.gauges(
        &UNDER_WAY,
        groups(snapshot, |figures| Some(figures.under_way)),
    )?;
    page.counters(&REFUSED, groups(snapshot, |figures| Some(figures.refused)))?;
    let seconds = |figures: &LimitFigures| figures.base.map(|time| time.as_secs_f64());
    page.gauges(&BASE, groups(snapshot, seconds))?;
    let seconds = |figures: &LimitFigures| figures.current.map(|time| time.as_secs_f64());
    page.gauges(&CURRENT, groups(snapshot, seconds))
}

fn groups<'a, V>(
    snapshot: &'a Snapshot,
    value: impl Fn(&LimitFigures) -> Option<V> + 'a,
) -> impl Iterator<Item = (Labels<'a, 1>, V)> {
    let limits = snapshot.limits.iter();
    limits.filter_map(move |(group, figures)| Some(([("group", &**group)], value(figures)?)))
}

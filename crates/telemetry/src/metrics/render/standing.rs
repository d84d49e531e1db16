//! Whether backends are given requests.

use std::fmt;

use super::family::{Family, Labels, Page};
use crate::metrics::{Snapshot, StandingFigures};

const UP: Family = Family::new(
    "forebay_backend_up",
    "Whether a backend is given requests as any other (1) or is out for whatever reason, or fails and is kept in (0).",
);
const BREAKER: Family = Family::new(
    "forebay_backend_breaker",
    "Whether a backend's circuit breaker is closed (0), half open (1) or open (2).",
);
const EJECTIONS: Family = Family::new(
    "forebay_backend_ejections",
    "Times a backend was taken out because ordinary requests failed there.",
);

pub(super) fn write(page: &mut Page<'_>, snapshot: &Snapshot) -> fmt::Result {
    page.gauges(
        &UP,
        backends(snapshot).map(|(labels, figures)| (labels, u64::from(figures.is_up))),
    )?;
    page.gauges(
        &BREAKER,
        backends(snapshot).map(|(labels, figures)| (labels, figures.breaker as u64)),
    )?;
    page.counters(
        &EJECTIONS,
        backends(snapshot).map(|(labels, figures)| (labels, figures.ejections)),
    )
}

fn backends(snapshot: &Snapshot) -> impl Iterator<Item = (Labels<'_, 2>, StandingFigures)> {
    let numbered = (0..).zip(&snapshot.standing);
    numbered.filter_map(|(number, figures)| {
        let (group, url) = snapshot.names.backend_name(number)?;
        Some(([("group", group), ("backend", url)], (*figures)?))
    })
}

//! The differences of two plans, as a page.

use std::fmt::{self, Write};

use forebay::words::{count, excerpts, plain};
use forebay::{Change, Difference, Differences, Precedence, What, sums};

/// Pairs of routes in another order that are shown.
const PAIRS: usize = 20;

/// The widest line that is not broken.
const WIDTH: usize = 110;

/// The widest name that its neighbours line up with.
const NAME: usize = 44;

pub(super) fn show(out: &mut String, found: &Differences) -> fmt::Result {
    if found.is_empty() {
        return writeln!(out, "no difference");
    }
    if !found.whole.is_empty() {
        writeln!(out, "general")?;
        changes(out, &found.whole)?;
        writeln!(out)?;
    }
    section(out, "listeners", &found.listeners, &Precedence::default())?;
    section(out, "routes", &found.routes, &found.precedence)?;
    section(out, "groups", &found.groups, &Precedence::default())?;
    writeln!(out, "{}", sums(found))
}

fn section(
    out: &mut String,
    title: &str,
    differences: &[Difference],
    precedence: &Precedence,
) -> fmt::Result {
    if differences.is_empty() && *precedence == Precedence::default() {
        return Ok(());
    }
    writeln!(out, "{title}")?;
    for difference in differences {
        let (mark, lines) = match &difference.what {
            What::Added(lines) => ('+', lines),
            What::Removed(lines) => ('-', lines),
            What::Changed(list) => {
                writeln!(out, "  ~ {}", plain(&difference.id))?;
                changes(out, list)?;
                continue;
            }
        };
        for (at, line) in lines.iter().enumerate() {
            let mark = if at == 0 { mark } else { ' ' };
            writeln!(out, "  {mark} {}", plain(line))?;
        }
    }
    order(out, precedence)?;
    writeln!(out)
}

fn changes(out: &mut String, changes: &[Change]) -> fmt::Result {
    let name = |change: &Change| match change {
        Change::Replaced { what, .. } => what.chars().count(),
        Change::Gained(_) | Change::Lost(_) => 0,
    };
    let widths = changes.iter().map(name).filter(|&width| width <= NAME);
    let width = widths.max().unwrap_or(0);
    for change in changes {
        let (what, old, new) = match change {
            Change::Gained(what) => {
                writeln!(out, "    + {}", whole(what))?;
                continue;
            }
            Change::Lost(what) => {
                writeln!(out, "    - {}", whole(what))?;
                continue;
            }
            Change::Replaced { what, old, new } => (plain(what), old, new),
        };
        let [old, new] = excerpts(old, new);
        let line = format!("      {what:width$}  {old} -> {new}");
        if line.chars().count() <= WIDTH {
            writeln!(out, "{line}")?;
        } else {
            writeln!(out, "      {what}\n          {old}\n       -> {new}")?;
        }
    }
    Ok(())
}

/// A text by itself.
fn whole(text: &str) -> String {
    let [shown, _] = excerpts(text, "");
    shown
}

fn order(out: &mut String, precedence: &Precedence) -> fmt::Result {
    for turned in precedence.turned.iter().take(PAIRS) {
        let (first, second) = (plain(&turned.first), plain(&turned.second));
        writeln!(
            out,
            "  ~ {first} now comes before {second}, for requests that suit both"
        )?;
    }
    let more = precedence.turned.len().saturating_sub(PAIRS) as u64;
    match (more, precedence.is_cut_short) {
        (0, false) => Ok(()),
        (0, true) => writeln!(
            out,
            "  ~ so many routes are in another order that not all were compared"
        ),
        (more, false) => writeln!(out, "  ~ and so do {}", count(more, "more pair")),
        (more, true) => writeln!(out, "  ~ and so do {} at least", count(more, "more pair")),
    }
}

//! What becomes of recorded requests, as a page.

use std::fmt::{self, Write};

use forebay::{Example, Replayed, Shift, Uncertain};

use forebay::words::{count, number, plain};

/// Shifts that are shown.
const SHOWN: usize = 20;

pub(super) fn show(out: &mut String, replayed: &Replayed) -> fmt::Result {
    let mut body = String::new();
    shifts(&mut body, replayed)?;
    notes(&mut body, replayed)?;
    if !body.is_empty() {
        write!(out, "requests\n{body}")?;
    }
    sum(out, replayed)
}

fn shifts(out: &mut String, replayed: &Replayed) -> fmt::Result {
    for shown in replayed.shifts.iter().take(SHOWN) {
        shift(out, shown)?;
    }
    let others = replayed.shifts.iter().skip(SHOWN);
    let others = others.map(|shift| shift.count).sum::<u64>() + replayed.ungrouped;
    if others > 0 {
        let kinds = replayed.shifts.len().saturating_sub(SHOWN) as u64;
        let at_least = if replayed.ungrouped > 0 {
            "at least "
        } else {
            ""
        };
        writeln!(
            out,
            "  and {} in {at_least}{}",
            count(others, "more request"),
            count(kinds, "other kind"),
        )?;
    }
    Ok(())
}

/// All of it in one line.
fn sum(out: &mut String, replayed: &Replayed) -> fmt::Result {
    let unread = match replayed.unreadable {
        0 => String::new(),
        n => format!("; {} could not be read", count(n, "line")),
    };
    let verb = if replayed.differing == 1 {
        "fares"
    } else {
        "fare"
    };
    writeln!(
        out,
        "{} of {} {verb} differently{unread}",
        number(replayed.differing),
        count(replayed.requests, "request"),
    )
}

fn shift(out: &mut String, shift: &Shift) -> fmt::Result {
    let requests = count(shift.count, "request");
    let one = shift.count == 1;
    write!(out, "  {} {}: ", plain(&shift.paths), plain(&shift.method))?;
    let (old, new) = (shift.old.to_string(), shift.new.to_string());
    let (old, new) = (plain(&old), plain(&new));
    if old == new {
        let verb = if one { "stays" } else { "stay" };
        writeln!(out, "{requests} {verb} with {old}, with another target")?;
    } else {
        let verb = if one { "goes" } else { "go" };
        writeln!(out, "{requests} {verb} from {old} to {new}")?;
    }
    let Example { url, old, new } = &shift.example;
    let example = format!("{} {}", plain(&shift.method), plain(url));
    let target = match (&**old, &**new) {
        (old, new) if old == new => String::new(),
        ("", _) | (_, "") => String::new(),
        (old, new) => format!(": {} -> {}", plain(old), plain(new)),
    };
    writeln!(out, "      for example {example}{target}")?;
    match shift.uncertain {
        0 => Ok(()),
        n if n == shift.count => writeln!(
            out,
            "      {} may depend on headers that the log does not hold",
            if one { "this" } else { "these" }
        ),
        n => writeln!(
            out,
            "      {} of these may depend on headers that the log does not hold",
            number(n)
        ),
    }
}

/// How far the numbers can be trusted.
fn notes(out: &mut String, replayed: &Replayed) -> fmt::Result {
    let Uncertain { differing, alike } = replayed.uncertain;
    if differing + alike > 0 {
        writeln!(
            out,
            "  note: the log holds queries, but of headers only Host, User-Agent and Referer; conditions on other headers and on \
             cookies were\n        decided as if there were none. With them, {} of those that fare differently and {} of the \
             others could fare in another way.",
            number(differing),
            number(alike)
        )?;
    }
    if replayed.requests == 0 && replayed.unreadable > 0 {
        writeln!(
            out,
            "  note: the log has to be in the format `json`; see `telemetry.access_log.format`"
        )?;
    }
    if replayed.recorded_otherwise > 0 {
        writeln!(
            out,
            "  note: {} took another route, so says the log, than the old configuration gives {}: the headers decided, \
             or another\n        configuration was running.",
            count(replayed.recorded_otherwise, "request"),
            if replayed.recorded_otherwise == 1 {
                "it"
            } else {
                "them"
            },
        )?;
    }
    match replayed.without_request {
        0 => Ok(()),
        1 => writeln!(
            out,
            "  note: 1 line is of a request that nobody could read when it came"
        ),
        n => writeln!(
            out,
            "  note: {} lines are of requests that nobody could read when they came",
            number(n)
        ),
    }
}

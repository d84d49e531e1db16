//! What a change of the configuration means, in sentences: for logs, and for
//! whoever asks the admin API.

use plan::{Change, Difference, Differences, Precedence, What};

use crate::words::{excerpts, number, plain};

/// Changes of one listener, route or group that are named.
const NAMED_OF_ONE: usize = 10;

/// Every difference on a line of its own, without what makes it up, for a log.
/// Very many are not all named.
pub fn lines(found: &Differences) -> Vec<String> {
    const NAMED: usize = 50;
    let parts = [
        ("listener", &found.listeners),
        ("route", &found.routes),
        ("group", &found.groups),
    ];
    let mut lines: Vec<String> = found.whole.iter().map(sentence).collect();
    for (part, differences) in parts {
        lines.extend(differences.iter().map(|difference| {
            let name = plain(&difference.id);
            match &difference.what {
                What::Added(_) => format!("{part} {name} added"),
                What::Removed(_) => format!("{part} {name} removed"),
                What::Changed(list) => format!("{part} {name}: {}", sentences(list)),
            }
        }));
    }
    let more = lines.len().saturating_sub(NAMED);
    if more > 0 {
        lines.truncate(NAMED);
        lines.push(format!("and {more} more changes"));
    }
    lines
}

fn sentences(list: &[Change]) -> String {
    let named = list.iter().take(NAMED_OF_ONE).map(sentence);
    let mut sentences: Vec<String> = named.collect();
    let more = list.len().saturating_sub(NAMED_OF_ONE);
    if more > 0 {
        sentences.push(format!("and {} more changes", number(more as u64)));
    }
    sentences.join(", ")
}

fn sentence(change: &Change) -> String {
    match change {
        Change::Gained(what) => format!("now {}", whole(what)),
        Change::Lost(what) => format!("no more {}", whole(what)),
        Change::Replaced { what, old, new } => {
            let [old, new] = excerpts(old, new);
            format!("{what} {old} -> {new}")
        }
    }
}

/// How many differences of each kind there are.
pub fn sums(found: &Differences) -> String {
    let sums = [
        (
            "settings",
            (!found.whole.is_empty()).then(|| format!("{} changed", found.whole.len())),
        ),
        ("listeners", sum(&found.listeners, &Precedence::default())),
        ("routes", sum(&found.routes, &found.precedence)),
        ("groups", sum(&found.groups, &Precedence::default())),
    ];
    let sums = sums.into_iter();
    let sums = sums.filter_map(|(what, sum)| Some(format!("{what}: {}", sum?)));
    sums.collect::<Vec<_>>().join("; ")
}

/// A text by itself.
fn whole(text: &str) -> String {
    let [shown, _] = excerpts(text, "");
    shown
}

/// What there is of differences, in a few words.
fn sum(differences: &[Difference], precedence: &Precedence) -> Option<String> {
    let mut counts = [(0, "added"), (0, "removed"), (0, "changed")];
    for difference in differences {
        let [added, removed, changed] = &mut counts;
        let count = match difference.what {
            What::Added(_) => added,
            What::Removed(_) => removed,
            What::Changed(_) => changed,
        };
        count.0 += 1;
    }
    let counts = counts.iter().filter(|(n, _)| *n > 0);
    let mut parts: Vec<String> = counts.map(|(n, what)| format!("{n} {what}")).collect();
    if *precedence != Precedence::default() {
        parts.push("some in another order".to_owned());
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}

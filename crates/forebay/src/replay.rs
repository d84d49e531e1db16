//! Recorded requests, decided by two plans: which of them would fare
//! differently. Memory is bounded however long the log is.

mod shifts;

use std::fmt;
use std::io::{self, BufRead};

use plan::Plan;
use proxy::{Explanation, decide};

use crate::recorded::{KNOWN_FIELDS, Line, Recorded};
use shifts::Shifts;

/// Longer lines are not looked at.
const LONGEST_LINE: usize = 64 << 10;

/// What became of a log.
#[derive(Debug, Default)]
pub struct Replayed {
    /// Those that were decided.
    pub requests: u64,
    /// Of these, those that the plans decide differently.
    pub differing: u64,
    /// Requests whose decision could be another one with header fields or
    /// cookies that the log does not hold: of those that differ, and of the
    /// others.
    pub uncertain: Uncertain,
    /// Requests that took another route, so says the log, than the old plan
    /// gives them.
    pub recorded_otherwise: u64,
    /// Lines of requests that could not be read when they came.
    pub without_request: u64,
    /// Lines that are no lines of the format `json`, or too long.
    pub unreadable: u64,
    /// The differing requests by what happens to them, the most first.
    pub shifts: Vec<Shift>,
    /// Differing requests that are in no shift, because there were too many.
    pub ungrouped: u64,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Uncertain {
    pub differing: u64,
    pub alike: u64,
}

/// Requests that fare differently in the same way.
#[derive(Debug)]
pub struct Shift {
    pub method: String,
    /// What their paths have in common, such as `/api/*`.
    pub paths: String,
    pub old: Fate,
    pub new: Fate,
    pub count: u64,
    /// Those whose decision could be another one with fields that the log does
    /// not hold.
    pub uncertain: u64,
    pub example: Example,
}

/// One of a shift's requests, in part where it is long.
#[derive(Debug)]
pub struct Example {
    pub url: String,
    /// What backends would be asked for, or where the client would be sent.
    pub old: String,
    pub new: String,
}

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Fate {
    pub route: Option<Box<str>>,
    pub end: End,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum End {
    /// It is sent to a backend of the group.
    Group(Box<str>),
    /// The route answers it.
    Answer(u16),
    /// It is refused, for this reason.
    Failure(u16, &'static str),
    /// A plan has no such routes.
    Nowhere,
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.route, &self.end) {
            (Some(route), End::Group(group)) => write!(f, "route {route} (group {group})"),
            (Some(route), End::Answer(status)) => write!(f, "route {route} (answers {status})"),
            (Some(route), End::Failure(status, reason)) => {
                write!(f, "route {route} (refused: {status} {reason})")
            }
            (Some(route), End::Nowhere) => write!(f, "route {route}"),
            (None, End::Group(group)) => write!(f, "group {group}"),
            (None, End::Answer(status)) => write!(f, "{status}"),
            (None, End::Failure(status, reason)) => write!(f, "{status} ({reason})"),
            (None, End::Nowhere) => f.write_str("nowhere"),
        }
    }
}

/// Decides every request of a log in the format `json` by both plans, as
/// `explain` would.
///
/// # Errors
///
/// Those of reading the log.
pub fn replay(old: &Plan, new: &Plan, log: &mut dyn BufRead) -> io::Result<Replayed> {
    let mut replayed = Replayed::default();
    let mut shifts = Shifts::default();
    let mut line = Vec::new();
    while let Some(length) = next_line(log, &mut line)? {
        if line.trim_ascii().is_empty() && length == line.len() {
            continue;
        }
        match Recorded::read(&line) {
            _ if length > line.len() => replayed.unreadable += 1,
            Line::Unreadable => replayed.unreadable += 1,
            Line::WithoutRequest => replayed.without_request += 1,
            Line::Request(recorded) => {
                decide_both(old, new, &recorded, &mut replayed, &mut shifts);
            }
        }
    }
    (replayed.shifts, replayed.ungrouped) = shifts.finish();
    Ok(replayed)
}

fn decide_both(
    old: &Plan,
    new: &Plan,
    recorded: &Recorded,
    replayed: &mut Replayed,
    shifts: &mut Shifts,
) {
    let head = recorded.head();
    let by = |plan: &Plan| decide(plan, &recorded.question(plan, &head), KNOWN_FIELDS);
    let (before, after) = (by(old), by(new));
    let fates = (fate(old, &before), fate(new, &after));
    let aims = (aim(&before), aim(&after));
    replayed.requests += 1;
    if fates.0.route.as_deref() != recorded.route.as_deref() {
        replayed.recorded_otherwise += 1;
    }
    let differs = fates.0 != fates.1 || aims.0 != aims.1;
    let is_uncertain = before.is_uncertain || after.is_uncertain;
    let uncertain = match differs {
        true => &mut replayed.uncertain.differing,
        false => &mut replayed.uncertain.alike,
    };
    *uncertain += u64::from(is_uncertain);
    if differs {
        replayed.differing += 1;
        let path = match &*before.path {
            "" => &recorded.target,
            path => path,
        };
        shifts.add(recorded, path, fates, aims, is_uncertain);
    }
}

fn fate(plan: &Plan, found: &Explanation) -> Fate {
    let route = found.route.and_then(|at| plan.routes.get(at));
    let group = found.group.and_then(|at| plan.groups.get(at));
    let end = match (&found.answer, &found.failure, group) {
        (Some(answer), _, _) => End::Answer(answer.status),
        (None, Some(failure), _) => End::Failure(failure.status(), failure.kind.reason()),
        (None, None, Some(group)) => End::Group(group.balance.id.clone()),
        (None, None, None) => End::Nowhere,
    };
    Fate {
        route: route.map(|route| route.id.clone()),
        end,
    }
}

/// What the backend is asked for, or where the client is sent.
fn aim(found: &Explanation) -> String {
    let mut words = found.upstream.split(|&byte| byte == b' ');
    if let Some(target) = words.nth(1) {
        return String::from_utf8_lossy(target).into_owned();
    }
    let mut fields = found.answer.iter().flat_map(|answer| answer.fields.iter());
    let location = fields.find(|(name, _)| name.eq_ignore_ascii_case("location"));
    location.map_or(String::new(), |(_, value)| {
        String::from_utf8_lossy(value).into_owned()
    })
}

/// Reads a line, without its end, as far as it is not too long. Gives its whole
/// length; none at the end of the log.
fn next_line(log: &mut dyn BufRead, line: &mut Vec<u8>) -> io::Result<Option<usize>> {
    line.clear();
    let mut length = 0;
    loop {
        let available = match log.fill_buf() {
            Ok(available) => available,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if available.is_empty() {
            return Ok((length > 0).then_some(length));
        }
        let end = available.iter().position(|&byte| byte == b'\n');
        let part = available.get(..end.unwrap_or(available.len()));
        let part = part.unwrap_or_default();
        let room = LONGEST_LINE.saturating_sub(line.len()).min(part.len());
        line.extend_from_slice(part.get(..room).unwrap_or_default());
        length += part.len();
        let used = part.len() + usize::from(end.is_some());
        log.consume(used);
        if end.is_some() {
            return Ok(Some(length));
        }
    }
}

#[cfg(test)]
mod tests;

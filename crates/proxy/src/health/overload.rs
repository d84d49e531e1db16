//! What an exchange tells of how much its group can do: how long the head of
//! the answer took.

use message::{Failure, Kind};
use plan::Group;
use telemetry::{LimitFigures, Snapshot};
use wire::h1::Framing;

use crate::backend::attempt::Attempt;
use crate::exchange::Exchange;
use crate::worker::Worker;

/// A larger body takes as long as the client takes to send it.
const LARGEST_BODY: u64 = 64 * 1024;

/// After the last attempt. Answers that took several, and those with a status
/// of 500 or more, say nothing about the time that one takes.
pub(crate) fn learn(
    x: &Exchange<'_>,
    group: &Group,
    framing: Framing,
    outcome: &Result<Attempt<'_>, Failure>,
) {
    let Some(adaptive) = &group.balance.adaptive else {
        return;
    };
    match framing {
        Framing::Empty => {}
        Framing::Length(length) if length <= LARGEST_BODY => {}
        _ => return,
    }
    match outcome {
        Ok(_) if x.progress.attempts == 1 && x.heads.response.status < 500 => {
            if let Some(time) = x.progress.head_time {
                adaptive.limit.answered(time, (x.started + time).into_std());
            }
        }
        Ok(_) => {}
        Err(failure) if has_waited(failure.kind) => {
            let waited = x.elapsed();
            let now = (x.started + waited).into_std();
            adaptive.limit.unanswered(waited, now);
        }
        Err(_) => {}
    }
}

fn has_waited(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::ClientGone | Kind::QueueTimeout | Kind::ResponseTimeout
    )
}

/// Tells the metrics of the limits there are.
pub(crate) fn count(worker: &Worker, snapshot: &mut Snapshot) {
    for group in &worker.current().plan.groups {
        if let Some(adaptive) = &group.balance.adaptive {
            let figures = adaptive.limit.figures();
            let figures = LimitFigures {
                limit: figures.limit as u64,
                under_way: figures.under_way as u64,
                refused: figures.refused,
                base: figures.base,
                current: figures.current,
            };
            snapshot.put_limit(&group.balance.id, figures);
        }
    }
}

/// The same for people.
pub(crate) fn describe(group: &upstream::Group) -> Option<String> {
    let adaptive = group.adaptive.as_ref()?;
    let figures = adaptive.limit.figures();
    let latency = match (figures.base, figures.current) {
        (Some(base), Some(current)) => format!("latency {current:?}, usually {base:?}"),
        _ => "latency not known yet".to_owned(),
    };
    let mode = match adaptive.mode {
        upstream::AdaptiveMode::On => "",
        upstream::AdaptiveMode::Shadow => " (only reported)",
    };
    let waiting: usize = group.backends.iter().map(|b| b.waiting()).sum();
    Some(format!(
        "adaptive limit {}{mode}, {} under way, {waiting} of them waiting for a connection; {latency}",
        figures.limit, figures.under_way
    ))
}

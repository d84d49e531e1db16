//! Judges how exchanges settle: once, in their order, and with a reason that
//! lies in what really happened.

use message::{Kind, Side};
use telemetry::Record;
use tokio::time::{Duration, Instant};

use crate::case::Case;
use crate::client::Client;
use crate::message::token;
use crate::request::To;
use crate::world::World;

/// Forebay's coarse clock may be behind by a tick on either side.
const SLACK: Duration = Duration::from_millis(100);

pub(crate) fn settled(world: &World, record: &Record<'_>) {
    world.settled.set(world.settled.get() + 1);
    let kind = record.failure.map(|failure| failure.kind);
    world.note(|| {
        let target = String::from_utf8_lossy(record.target).into_owned();
        let failure = record.failure.map(ToString::to_string).unwrap_or_default();
        format!(
            "{} settles: {} {target} {failure}",
            record.peer, record.status
        )
    });
    if let Some(kind) = kind {
        world.failures.borrow_mut().count(kind.reason(), 1);
    }
    if let Err(wrong) = judge(world, record, kind) {
        world.wrong(format!("{} settles: {wrong}", record.peer));
    }
}

fn judge(world: &World, record: &Record<'_>, kind: Option<Kind>) -> Result<(), String> {
    let clients = world.clients.borrow();
    let client = clients
        .iter()
        .find(|client| client.address() == record.peer);
    let client = client.ok_or("nobody's exchange")?;
    let all = clients.len();
    if kind == Some(Kind::TooManyConnections) {
        let may = all > world.settings.max_clients && client.reply_ends.borrow().is_empty();
        return may.then_some(()).ok_or_else(|| "there was room".to_owned());
    }
    let cases = client.cases.borrow();
    let case = cases.iter().find(|case| case.settled.get().is_none());
    if case.is_none() && kind == Some(Kind::ShutDown) && all > world.settings.max_clients {
        // It was just about to hear that there is no room.
        return Ok(());
    }
    let case = case.ok_or("no request is open")?;
    let named = token(record.target);
    if named.is_some_and(|token| token != case.request.token) {
        return Err("not the request whose turn it is".to_owned());
    }
    case.settled.set(Some((record.status, kind)));
    check_reply(case, record, kind)?;
    check_numbers(world, case, record)?;
    match kind {
        None => Ok(()),
        Some(kind) => {
            let is_right = match kind.side() {
                Side::Client => clients_fault(world, client, case, kind, record.duration),
                Side::Proxy => own_fault(world, case, kind, record.duration),
                Side::Upstream => backends_fault(world, case, kind, record.duration),
            };
            is_right
                .then_some(())
                .ok_or_else(|| format!("{} ({}) is not true", kind.reason(), record.status))
        }
    }
}

/// What was recorded is what the client was sent.
fn check_reply(case: &Case, record: &Record<'_>, kind: Option<Kind>) -> Result<(), String> {
    let reply = &case.reply;
    let status = reply.status.get();
    if status.is_some_and(|status| status != record.status) {
        return Err(format!("{} and not {status:?}", record.status));
    }
    let is_whole = reply.is_whole.get() || reply.is_until_end.get();
    match kind {
        None if status.is_none() || !is_whole => Err("without a whole reply".to_owned()),
        None if record.response_bytes != reply.length.get() => Err(format!(
            "{} bytes of a reply of {}",
            record.response_bytes,
            reply.length.get()
        )),
        Some(kind) if reply.is_whole.get() && reply.answer.borrow().is_some() => {
            Err(format!("{} in spite of a whole reply", kind.reason()))
        }
        _ => Ok(()),
    }
}

fn check_numbers(world: &World, case: &Case, record: &Record<'_>) -> Result<(), String> {
    let bytes = record.request_bytes;
    let is_refused = case.request.flaw.is_some_and(|flaw| flaw.is_in_head());
    if bytes > case.request.length as u64 || (record.target.is_empty() || is_refused) && bytes > 0 {
        return Err(format!("{bytes} bytes of a body that had not as many"));
    }
    // A hedge counts as an attempt, but is not kept from one.
    let hedge = usize::from(world.settings.hedges);
    if usize::from(record.attempts) > world.settings.max_attempts + hedge {
        return Err(format!("{} attempts", record.attempts));
    }
    let sent = case.attempts.borrow().len();
    if sent > 2 * usize::from(record.attempts) + hedge {
        return Err(format!("sent {sent} times in {} attempts", record.attempts));
    }
    Ok(())
}

fn has_lasted(real: Duration, wanted: Duration) -> bool {
    real + SLACK >= wanted
}

fn clients_fault(world: &World, client: &Client, case: &Case, kind: Kind, _: Duration) -> bool {
    let settings = &world.settings;
    // A client that moves little for long is as good as one that moves nothing.
    let may_be_slow = |time| settings.min_rate > 0 && has_lasted(case.began_at.elapsed(), time);
    match kind {
        Kind::ClientGone => client.line.peer_has_left(),
        Kind::ClientStalled => {
            has_lasted(client.line.longest_unread(), settings.write_timeout)
                || may_be_slow(settings.write_timeout)
        }
        Kind::HeadTimeout => {
            // The first request has its time from the connection's beginning.
            let is_first = case.starts_at == 0;
            let from = if is_first {
                client.came_at
            } else {
                case.began_at
            };
            // Forebay that drains waits less for one.
            has_lasted(from.elapsed(), settings.header_timeout) || world.drains.get()
        }
        Kind::BodyTimeout => {
            has_lasted(client.line.longest_silence(), settings.body_timeout)
                || may_be_slow(settings.body_timeout)
        }
        Kind::BodyTooLarge => case.request.length > settings.max_body,
        kind => case.request.flaw.is_some_and(|flaw| flaw.kind() == kind),
    }
}

/// Streams are cut when their time is over; all others too, and what was a stream
/// when that of the others was over, with the last.
fn may_be_cut(world: &World, kind: Kind) -> bool {
    let now = Instant::now();
    world
        .cut_at
        .get()
        .is_some_and(|(others, streams)| match kind {
            Kind::Drained => streams <= now,
            _ => others <= now,
        })
}

fn own_fault(world: &World, case: &Case, kind: Kind, duration: Duration) -> bool {
    let settings = &world.settings;
    match kind {
        Kind::NoRoute => case.request.to == To::Nowhere,
        Kind::NoBackend => settings.may_lack_backends,
        Kind::TooManyRequests => {
            (settings.max_requests).is_some_and(|most| most <= case.others.get())
        }
        Kind::QueueFull => settings.max_waiting <= case.others.get(),
        Kind::QueueTimeout => is_late(world, duration, settings.wait),
        Kind::ShutDown | Kind::Drained => may_be_cut(world, kind),
        _ => false,
    }
}

fn backends_fault(world: &World, case: &Case, kind: Kind, duration: Duration) -> bool {
    let settings = &world.settings;
    match kind {
        Kind::ConnectRefused | Kind::Unroutable => world.refused.get() > 0,
        Kind::ConnectTimeout => {
            let may = world.slow_connects.get() > 0 || settings.total.is_some();
            may && is_late(world, duration, settings.connect)
        }
        Kind::Incomplete => case.any(|attempt| attempt.line.peer_has_left()),
        Kind::Terminated => {
            // It may have left before a byte of the request could be sent.
            let heard = world.heard.borrow();
            case.any(|attempt| attempt.line.peer_has_left())
                || heard
                    .iter()
                    .any(|heard| heard.is_unheard() && heard.line.peer_has_left())
        }
        Kind::BadResponse | Kind::ResponseHeadTooLarge => case.any(|attempt| attempt.lied.get()),
        Kind::ResponseTimeout => {
            is_late(world, duration, settings.response)
                && (case.any(|attempt| !attempt.has_head())
                    || world.heard.borrow().iter().any(|heard| heard.is_unheard()))
        }
        Kind::ReadTimeout => {
            case.any(|attempt| has_lasted(attempt.line.longest_silence(), settings.idle))
        }
        _ => false,
    }
}

/// The exchange has lasted for the time, or for as long as any may.
fn is_late(world: &World, duration: Duration, time: Duration) -> bool {
    let total = world.settings.total;
    has_lasted(duration, total.map_or(time, |total| total.min(time)))
}

//! A backend is chosen and connected to, until one is reached or none is left.

use std::sync::Arc;
use std::time::{Duration, Instant};

use message::{Failure, Kind, Retry};
use plan::{Affinity, Choice, Group, Sticky, Tcp, take_backend};
use telemetry::Retried;
use tracing::info;
use upstream::{Backend, Excluded, InFlight, Permit, QueueFull, Taken, hash_key};

use super::session::{Places, Session};
use crate::backend::ask::overload;
use crate::backend::connect::connect;
use crate::health;
use crate::path::dispatch::{nobody, refusal};
use crate::sockets::stream::Stream;
use crate::worker::Worker;

/// A connection to a backend of the group, which begins with `header`. Each backend is tried once, as far
/// as the group's retry policy goes: none has got anything yet.
pub(super) async fn reach(
    session: &mut Session,
    group: &Group,
    tcp: &Tcp,
    header: &[u8],
) -> Result<Stream, Failure> {
    let mut of_group = group.balance.enter().map_err(|c| refusal(group, c))?;
    let mut tried = Excluded::new();
    let mut taken = take(session, group, &tried).ok_or_else(|| nobody(group))?;
    loop {
        let backend = session.choose(group, taken.index)?;
        let outcome = open(session, group, (tcp, header), &backend).await;
        let now = now(session);
        match outcome {
            Ok((stream, mut places)) => {
                places._of_group = of_group.take();
                session.places = Some(places);
                reached(session, group, taken, &backend, now);
                return Ok(stream);
            }
            Err(failure) => {
                health::failed(group, taken.index, taken.probe.take(), &failure, now);
                tried.insert(taken.index);
                let next = next(session, group, &tried, &failure);
                let Some(next) = next else {
                    return Err(failure);
                };
                let (connection_id, backend) = (session.id.as_str(), &*backend.url);
                let (client, listener) = (session.client, session.held.door.name(&session.worker));
                info!(connection_id, %client, listener, backend, %failure, "attempt failed; making another");
                taken = next;
            }
        }
    }
}

fn now(session: &Session) -> Instant {
    session.worker.clock.coarse().into_std()
}

fn take(session: &Session, group: &Group, tried: &Excluded) -> Option<Taken> {
    let (client, now) = (session.client.ip(), now(session));
    let key = || hash_key(client.to_string().as_bytes());
    let choice = Choice {
        client,
        random: session.worker.random(),
        affinity: Affinity {
            key: group.hash_key.is_some().then(key),
            session: match &group.sticky {
                Some(Sticky::Client(clients)) => group.balance.seat(clients, client, now),
                _ => None,
            },
        },
        tried,
        now: Some(now),
    };
    take_backend(group, &choice)
}

/// The next attempt, if the policy wants one and there is another backend.
fn next(session: &Session, group: &Group, tried: &Excluded, failure: &Failure) -> Option<Taken> {
    let is_wanted = group.retry.on_connection_error
        && usize::from(session.attempts) < group.retry.max_attempts
        && failure.retry == Retry::OtherBackend;
    let next = is_wanted.then(|| take(session, group, tried)).flatten()?;
    let mut metrics = session.worker.metrics.borrow_mut();
    metrics.retried(Retried::ConnectionError);
    Some(next)
}

fn reached(session: &Session, group: &Group, taken: Taken, backend: &Backend, now: Instant) {
    if let Some(probe) = taken.probe {
        group.balance.probe_succeeded(*probe, now);
    } else if backend.standing.is_troubled() {
        backend.standing.succeeded(&group.balance.health, now);
    }
    if let Some(Sticky::Client(clients)) = &group.sticky {
        let client = session.client.ip();
        group.balance.take_seat(clients, client, taken.index, now);
    }
}

async fn open(
    session: &mut Session,
    group: &Group,
    (tcp, header): (&Tcp, &[u8]),
    backend: &Arc<Backend>,
) -> Result<(Stream, Places), Failure> {
    let worker = &session.worker;
    // From the moment of the choice, so that the next choice sees it.
    let load = InFlight::new(Arc::clone(backend));
    let permit = permit(worker, backend, group.times.wait).await?;
    let began = worker.clock.now();
    let limit = tcp.connect_timeout.unwrap_or(group.times.connect);
    let stream = connect(worker, backend, limit, header.into()).await?;
    let took = worker.clock.now().saturating_duration_since(began);
    let places = Places {
        _of_group: None,
        _load: load,
        _connection: worker.pool.opened_for_one(permit),
    };
    session.connect_time = Some(took);
    Ok((stream, places))
}

/// The right to one connection, at once or after a wait.
async fn permit(
    worker: &Worker,
    backend: &Arc<Backend>,
    limit: Duration,
) -> Result<Permit, Failure> {
    if let Ok(permit) = worker.pool.permit(backend) {
        return Ok(permit);
    }
    let now = worker.clock.now().into_std();
    match tokio::time::timeout(limit, worker.pool.wait_permit(backend, now)).await {
        Ok(Ok(permit)) => Ok(permit),
        Ok(Err(QueueFull)) => Err(overload(Kind::QueueFull, backend)),
        Err(_) => Err(overload(Kind::QueueTimeout, backend)),
    }
}

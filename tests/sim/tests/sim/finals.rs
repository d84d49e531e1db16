//! What must be true once everything is over.

use std::sync::Arc;

use plan::Plan;
use proxy::sim::Worker;
use telemetry::{Program, Snapshot, render};
use tokio::time::{Duration, Instant, sleep};
use upstream::Backend;

use crate::case::Case;
use crate::client::Client;
use crate::request::To;
use crate::tally::Tally;
use crate::world::World;

/// All clients have gone: Forebay comes to rest, and gives everything back.
pub(crate) async fn at_rest(world: &World, plan: &Plan, workers: &[&Worker]) {
    let settings = &world.settings;
    // What takes longest: trying a backend again and again until the time for
    // it is over.
    let attempt = settings.wait + settings.connect + settings.response + settings.idle;
    let patience = attempt * 2 * settings.max_attempts as u32 + Duration::from_secs(30);
    let began = Instant::now();
    let is_busy = || {
        let clients = world.clients.borrow();
        workers.iter().any(|worker| worker.clients() > 0)
            || clients.iter().any(|client| !client.line.is_dropped())
    };
    while is_busy() {
        if began.elapsed() > patience {
            world.wrong("a connection is kept although its client has gone".to_owned());
            return;
        }
        sleep(Duration::from_millis(50)).await;
    }
    world.note(|| "all clients have gone".to_owned());
    for backend in backends(plan) {
        let idle: usize = workers
            .iter()
            .map(|worker| figures(worker, backend).0)
            .sum();
        let open: usize = workers
            .iter()
            .map(|worker| figures(worker, backend).1)
            .sum();
        let (load, waiting, permits) = (backend.load(), backend.waiting(), backend.open());
        if (load, waiting) != (0, 0) || idle != open || open != permits {
            world.wrong(format!(
                "{}: load {load}, {waiting} waiting, {idle} idle of {open} open, {permits} permits",
                backend.url
            ));
        }
    }
    sleep(settings.pool_idle + Duration::from_secs(3)).await;
    for backend in backends(plan) {
        if backend.open() > 0 {
            world.wrong(format!("{}: idle for ever", backend.url));
        }
    }
}

fn backends(plan: &Plan) -> impl Iterator<Item = &Arc<Backend>> {
    plan.groups.iter().flat_map(|group| &group.balance.backends)
}

/// Idle and open connections.
fn figures(worker: &Worker, backend: &Arc<Backend>) -> (usize, usize) {
    let mut pool = worker.pool();
    let found = pool.find(|(other, _)| Arc::ptr_eq(other, backend));
    found.map_or((0, 0), |(_, stats)| (stats.idle, stats.open))
}

/// The counters agree with what was seen. Returns what they say.
pub(crate) fn metrics<'a>(world: &World, workers: impl Iterator<Item = &'a Worker>) -> Tally {
    let mut all: Option<Snapshot> = None;
    for worker in workers {
        let snapshot = worker.snapshot();
        match &mut all {
            Some(all) => all.merge(&snapshot),
            None => all = Some(snapshot),
        }
    }
    let page = all.and_then(|all| render(all, Program::default()).ok());
    let page = page.unwrap_or_default();
    let sum = |name: &str| -> f64 {
        let lines = page.lines().filter(|line| line.starts_with(name));
        lines
            .filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok())
            .sum()
    };
    let requests = sum("forebay_http_requests_total");
    if requests != world.settled.get() as f64 {
        let settled = world.settled.get();
        world.wrong(format!(
            "{requests} requests in the metrics, {settled} settled"
        ));
    }
    if sum("forebay_panics_total") != 0.0 {
        world.wrong("a panic in the metrics".to_owned());
    }
    let left = sum("forebay_http_requests_in_flight") + sum("forebay_client_connections{");
    if left != 0.0 && !world.drains.get() {
        world.wrong("the metrics show what is long over".to_owned());
    }
    Tally::of(&page)
}

/// Forebay has gone.
pub(crate) fn at_end(world: &World, plan: &Plan) {
    for backend in backends(plan) {
        let (load, waiting, open) = (backend.load(), backend.waiting(), backend.open());
        if (load, waiting, open) != (0, 0, 0) {
            let url = &backend.url;
            world.wrong(format!(
                "{url}: load {load}, {waiting} waiting, {open} open in the end"
            ));
        }
    }
    for heard in world.heard.borrow().iter() {
        if !heard.line.is_dropped() {
            world.wrong(format!("{} is still open in the end", heard.line.name));
        }
    }
    for client in world.clients.borrow().iter() {
        if !client.line.is_dropped() {
            world.wrong(format!("{} is still open in the end", client.line.name));
        }
        let mut may_be_unheard = client.turned_away.get();
        for case in client.cases.borrow().iter() {
            if let Err(wrong) = is_accounted_for(world, client, case, &mut may_be_unheard) {
                let (name, target) = (&client.line.name, &case.request.target);
                world.wrong(format!("{name}: {target} {wrong}"));
            }
        }
    }
}

/// Every request has settled, unless Forebay never had to look at it: behind
/// one that ends the connection, or behind the end of the connection itself.
fn is_accounted_for(
    world: &World,
    client: &Client,
    case: &Case,
    may_be_unheard: &mut bool,
) -> Result<(), String> {
    let reply = &case.reply;
    let Some((_, failure)) = case.settled.get() else {
        if reply.status.get().is_some() && !client.turned_away.get() {
            return Err("has a reply but has not settled".to_owned());
        }
        let came_late = client.line.dropped_at.get() <= Some(case.began_at)
            || client.line.peer_has_left()
            || world.drains.get();
        return match *may_be_unheard || came_late {
            true => Ok(()),
            false => Err("is not answered".to_owned()),
        };
    };
    if world.settings.is_calm && (failure.is_some() && case.request.to == To::Backend) {
        return Err(format!("failed although nothing was wrong: {failure:?}"));
    }
    *may_be_unheard |= client.is_closing.get() || !reply.is_whole.get();
    Ok(())
}

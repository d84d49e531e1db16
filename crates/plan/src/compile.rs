//! Settings become a plan, or a list of everything that keeps them from it.
//!
//! The reader of `config` has checked the shape of each setting; here is what
//! only shows when settings are seen together: references that lead nowhere,
//! names given twice, things that exclude each other. All of it is reported
//! into the same list, so that one run shows every problem there is.

mod groups;
mod listeners;
mod routes;
mod telemetry;
mod unique;

use std::sync::Arc;

use ::telemetry::Names;
use config::{Problems, RoutingMode, Settings};
use upstream::Living;

use crate::{Plan, Trusted};

/// Compiles the settings. Without a plan there is at least one error among the
/// problems. `living` supplies the backends that exist already.
pub fn compile(settings: &Settings, problems: &mut Problems, living: &Living) -> Option<Plan> {
    let mut names = Names::default();
    let listeners = listeners::compile(settings, problems, &mut names);
    let groups = groups::compile(settings, problems, living, &mut names);
    let (routes, conditions) = routes::compile(settings, problems, &mut names);
    let (metrics, logging, access_log) = telemetry::compile(settings, problems);
    if problems.has_errors() {
        return None;
    }
    let order = match *settings.routing {
        RoutingMode::Specific => routing::Order::Specific,
        RoutingMode::Ordered => routing::Order::Ordered,
    };
    Some(Plan {
        listeners,
        routes,
        table: routing::Table::new(conditions, order),
        groups,
        trusted: Trusted::new(settings.trusted_proxies.clone()),
        debug_errors: settings.debug_errors,
        workers: settings.workers.map(|n| n as usize),
        shutdown_timeout: settings.shutdown_timeout,
        metrics,
        logging,
        access_log,
        names: Arc::new(names),
    })
}

#[cfg(test)]
mod tests;

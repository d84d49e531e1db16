//! Settings become a plan, or a list of everything that keeps them from it.
//!
//! The reader of `config` has checked the shape of each setting; here is what
//! only shows when settings are seen together: references that lead nowhere,
//! names given twice, things that exclude each other. All of it is reported
//! into the same list, so that one run shows every problem there is.

mod acme;
mod adaptive;
mod admin;
mod affinity;
mod backend_tls;
mod checked;
mod client_certificates;
mod conditions;
mod filters;
mod groups;
mod health;
mod listeners;
mod pages;
mod routes;
mod sources;
mod tcp;
mod telemetry;
mod tls;
mod unique;

pub use groups::idle_weights;

use std::sync::Arc;

use config::{Problems, RoutingMode, Settings};

use crate::{Heritage, Plan, Trusted};

/// Reads a file that the settings name.
pub type Open<'a> = dyn Fn(&str) -> std::io::Result<Vec<u8>> + 'a;

/// Compiles the settings. Without a plan there is at least one error among the
/// problems. `heritage` supplies what exists already, `open` the files that the
/// settings name.
pub fn compile(
    settings: &Settings,
    problems: &mut Problems,
    heritage: &Heritage,
    open: &Open<'_>,
) -> Option<Plan> {
    let mut names = heritage.names();
    names.turn_page();
    let system = backend_tls::System::new();
    let outside = (open, &system, heritage);
    let acme = acme::compile(settings, open, problems, heritage);
    let mut listeners = listeners::compile(settings, acme.as_ref(), outside, problems, &mut names);
    let groups = groups::compile(settings, outside, problems, &mut names);
    let (routes, conditions) = routes::compile(settings, &groups, open, problems, &mut names);
    tcp::compile(settings, &mut listeners, problems);
    let error_pages = pages::compile(&settings.error_pages, open, problems);
    let (metrics, logging, access_log) = telemetry::compile(settings, problems);
    let admin = admin::compile(settings, problems);
    if problems.has_errors() {
        return None;
    }
    let order = match *settings.routing {
        RoutingMode::Specific => routing::Order::Specific,
        RoutingMode::Ordered => routing::Order::Ordered,
    };
    names.forget_unused();
    let names = Arc::new(names);
    heritage.keep_names(&names);
    Some(Plan {
        listeners,
        routes,
        table: routing::Table::new(conditions, order),
        groups,
        error_pages,
        left_out: Vec::new(),
        trusted: Trusted::new(settings.trusted_proxies.clone()),
        debug_errors: settings.debug_errors,
        workers: settings.workers.map(|n| n as usize),
        shutdown_timeout: settings.shutdown_timeout,
        drain_timeout: settings.drain_timeout,
        metrics,
        logging,
        access_log,
        admin,
        acme,
        names,
    })
}

#[cfg(test)]
mod tests;

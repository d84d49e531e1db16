//! What concerns the whole configuration.

use ipnet::IpNet;
use routing::Order;
use upstream::Secret;

use super::Change;
use super::acme::aspects as of_authority;
use super::aspect::{Aspect, compare};
use super::pages;
use crate::describe::endpoint;
use crate::{AccessLog, AdminEndpoint, Logging, MetricsEndpoint, Plan};

pub(super) fn changes(old: &Plan, new: &Plan) -> Vec<Change> {
    let mut changes = compare(&aspects(old), &aspects(new));
    changes.extend(pages::changes(&old.error_pages, &new.error_pages));
    changes
}

fn aspects(plan: &Plan) -> Vec<Aspect> {
    let Plan {
        // Parts that are compared by themselves.
        listeners: _,
        routes: _,
        groups: _,
        error_pages: _,
        table,
        left_out,
        trusted,
        debug_errors,
        workers,
        shutdown_timeout,
        drain_timeout,
        metrics,
        logging,
        access_log,
        admin,
        acme,
        // The same ids again.
        names: _,
    } = plan;
    let workers = workers.map_or("one per core".to_owned(), |n| n.to_string());
    let shutdown =
        format!("in-flight requests get {shutdown_timeout:?}, streams {drain_timeout:?}");
    let order = match table.order() {
        Order::Specific => "specific",
        Order::Ordered => "ordered",
    };
    let told = match debug_errors {
        true => "every client is told",
        false => "trusted proxies are told",
    };
    let mut all = vec![
        Aspect::items(
            "left out because of mistakes:",
            left_out.iter().map(|file| (file, file)),
            "nothing",
        ),
        Aspect::value("workers", workers, ""),
        Aspect::value("shutdown", shutdown, ""),
        Aspect::value("routing", order, ""),
        Aspect::items("trusted proxy", networks(trusted.networks()), "none"),
        Aspect::value("details of failures", told, ""),
    ];
    all.extend(telemetry(metrics.as_ref(), logging, access_log.as_ref()));
    all.extend(admin.iter().flat_map(of_admin));
    all.extend(acme.iter().flat_map(of_authority));
    all
}

fn telemetry(
    metrics: Option<&MetricsEndpoint>,
    logging: &Logging,
    access_log: Option<&AccessLog>,
) -> Vec<Aspect> {
    let Logging {
        level,
        json,
        output,
    } = logging;
    let form = if *json { "json" } else { "text" };
    let mut all = vec![
        Aspect::value("runtime log level", level, ""),
        Aspect::value("runtime log format", form, ""),
        Aspect::value("runtime log", output, ""),
    ];
    if let Some(MetricsEndpoint { address, path }) = metrics {
        let url = format!("http://{address}{path}");
        all.push(Aspect::value("metrics", url, "off"));
    }
    if let Some(AccessLog { format, output }) = access_log {
        let log = format!("{format} to {output}");
        all.push(Aspect::value("access log", log, "off"));
    }
    all
}

/// Secrets are compared by what tells one from another without giving it away.
fn of_admin(admin: &AdminEndpoint) -> Vec<Aspect> {
    let AdminEndpoint {
        address: _,
        tokens,
        state_file,
    } = admin;
    let prints = tokens.iter().map(|token| {
        let text = String::from_utf8_lossy(token.secret());
        Secret::of(&text).fingerprint().unwrap_or_default()
    });
    let shown = match tokens.is_empty() {
        true => endpoint(admin),
        false => {
            let prints: Vec<_> = prints.collect();
            format!("{} (fingerprints {})", endpoint(admin), prints.join(", "))
        }
    };
    let file = state_file.as_deref().unwrap_or("no file");
    vec![
        Aspect::value("admin API", shown, "off"),
        Aspect::value("changes are kept in", file, "no file"),
    ]
}

/// Networks as they are, whatever pieces they were written in.
pub(super) fn networks(written: &[IpNet]) -> impl Iterator<Item = (String, IpNet)> {
    let whole = IpNet::aggregate(&written.to_vec());
    let shown = |network: IpNet| match network.prefix_len() == network.max_prefix_len() {
        true => network.addr().to_string(),
        false => network.to_string(),
    };
    whole
        .into_iter()
        .map(move |network| (shown(network), network))
}

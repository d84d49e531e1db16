//! How the groups differ.

use std::collections::HashMap;

use upstream::{CheckPolicy, HealthPolicy, RetryPolicy, Strategy};

use super::aspect::{Aspect, compare};
use super::{Change, Difference, What, backends, lines, tls};
use crate::describe::{self, retried};
use crate::{BackendSource, Check, Group, Plan, Sticky, StickyCookie, Times};

pub(super) fn differences(old: &Plan, new: &Plan) -> Vec<Difference> {
    let by_id = |plan: &Plan| -> HashMap<Box<str>, usize> {
        let ids = plan.groups.iter().map(|group| group.balance.id.clone());
        ids.zip(0..).collect()
    };
    let (in_old, in_new) = (by_id(old), by_id(new));
    let mut differences = Vec::new();
    for group in &new.groups {
        let id = &group.balance.id;
        let what = match in_old.get(id).and_then(|&at| old.groups.get(at)) {
            None => What::Added(lines(|f| describe::group(f, group))),
            Some(before) => match changes(before, group) {
                changes if changes.is_empty() => continue,
                changes => What::Changed(changes),
            },
        };
        let id = id.to_string();
        differences.push(Difference { id, what });
    }
    let gone = old.groups.iter();
    for group in gone.filter(|group| !in_new.contains_key(&group.balance.id)) {
        differences.push(Difference {
            id: group.balance.id.to_string(),
            what: What::Removed(lines(|f| describe::group(f, group))),
        });
    }
    differences
}

fn changes(old: &Group, new: &Group) -> Vec<Change> {
    let mut changes = compare(&aspects(old), &aspects(new));
    changes.extend(backends::changes(old, new));
    changes
}

fn aspects(group: &Group) -> Vec<Aspect> {
    let Group {
        balance,
        hash_key,
        sticky,
        // Of the metrics.
        numbers: _,
        origins: _,
        protocol,
        tls,
        sources,
        check,
        times,
        send_proxy_protocol,
        retry,
        hedge,
    } = group;
    let mut all = vec![Aspect::value("strategy", balance.strategy, "")];
    if !sources.is_empty() {
        all.push(of_sources(sources));
    }
    if let Some(key) = hash_key {
        all.push(Aspect::value("hash key", key, "none"));
    }
    if let Strategy::Hash { load_factor } = balance.strategy {
        let bound = match load_factor {
            0 => "no bound".to_owned(),
            percent => format!("none above {percent}% of the average"),
        };
        all.push(Aspect::value("hash load", bound, "none"));
    }
    if let Some(sticky) = sticky {
        all.extend(of_sticky(sticky));
    }
    all.push(Aspect::value("protocol", protocol.name(), "auto"));
    if let Some(tls) = tls {
        all.extend(tls::to_backends(tls));
    }
    all.extend(of_times(times));
    all.extend(of_retry(retry));
    if let Some(most) = balance.max_requests {
        all.push(Aspect::value("requests under way", most, "unlimited"));
    }
    if let Some(limit) = &balance.adaptive {
        all.push(Aspect::value("adaptive limit", limit, "none"));
    }
    if let Some(version) = send_proxy_protocol {
        all.push(Aspect::value("PROXY protocol to backends", version, "no"));
    }
    all.extend(of_health(&balance.health));
    if let Some(check) = check {
        all.extend(of_check(check));
    }
    if let Some(hedge) = hedge {
        all.push(Aspect::value("hedging", hedge, "no"));
    }
    if hedge.is_some() || !retried(retry).is_empty() {
        let what = "budget of retries and hedges";
        all.push(Aspect::value(what, &retry.budget, "none"));
    }
    all
}

fn of_check(check: &Check) -> Vec<Aspect> {
    let Check {
        interval,
        max_interval,
        timeout,
        assume_healthy,
        // The group's own.
        send_proxy_protocol: _,
        probe,
    } = check;
    let every = format!("every {interval:?} to {max_interval:?}, at most {timeout:?} each");
    let before = match assume_healthy {
        true => "used",
        false => "not used",
    };
    vec![
        // Some of what it sends is not shown.
        Aspect::value("check", probe, "none").exactly(format!("{probe:?}")),
        Aspect::value("checks", every, "none"),
        Aspect::value("before the first check", before, "never checked"),
    ]
}

fn of_health(policy: &HealthPolicy) -> Vec<Aspect> {
    let HealthPolicy {
        passive,
        breaker,
        checks,
        slow_start,
        fails_open: _,
    } = policy;
    let mut all = Vec::new();
    if let Some(passive) = passive {
        all.push(Aspect::value("backends taken out", passive, "never"));
    }
    if let Some(breaker) = breaker {
        all.push(Aspect::value("circuit breaker", breaker, "no"));
    }
    if let Some(CheckPolicy { healthy, unhealthy }) = checks {
        let rows = format!("out after {unhealthy} bad ones, back after {healthy} good ones");
        all.push(Aspect::value("checks", rows, "no"));
    }
    if policy.can_take_out() {
        all.push(Aspect::value(
            "slow start",
            format!("{slow_start:?}"),
            "none",
        ));
        let without = describe::without_backends(policy);
        all.push(Aspect::value("without backends", without, "none"));
    }
    all
}

fn of_sticky(sticky: &Sticky) -> Vec<Aspect> {
    let StickyCookie {
        name,
        attributes,
        secure,
        tokens,
    } = match sticky {
        Sticky::Client(clients) => {
            let (timeout, most) = clients.terms();
            let terms = format!("by client address, the latest {most}, each for {timeout:?}");
            return vec![Aspect::value("sticky", terms, "no")];
        }
        Sticky::Cookie(cookie) => cookie,
    };
    let secure = match secure {
        None => "if the client came over TLS",
        Some(true) => "always",
        Some(false) => "never",
    };
    let secret = match tokens.fingerprint() {
        Some(fingerprint) => format!("given (fingerprint {fingerprint})"),
        None => "made up at every start".to_owned(),
    };
    let cookie = format!("by cookie {name}{attributes}");
    vec![
        Aspect::value("sticky", cookie, "no"),
        Aspect::value("sticky cookie secure", secure, "none"),
        Aspect::value("sticky cookie secret", secret, "none"),
    ]
}

/// Each time with what it is called.
pub(super) fn named_times(times: &Times) -> [(&'static str, String); 6] {
    let Times {
        connect,
        response,
        idle,
        tunnel,
        wait,
        total,
    } = times;
    let total = total.map_or("unlimited".to_owned(), |total| format!("{total:?}"));
    [
        ("timeout connect", format!("{connect:?}")),
        ("timeout response head", format!("{response:?}")),
        ("timeout idle body", format!("{idle:?}")),
        ("timeout idle tunnel", format!("{tunnel:?}")),
        ("timeout connection queue", format!("{wait:?}")),
        ("timeout in all", total),
    ]
}

fn of_times(times: &Times) -> impl Iterator<Item = Aspect> {
    let times = named_times(times).into_iter();
    times.map(|(what, time)| Aspect::value(what, time, ""))
}

fn of_sources(sources: &[BackendSource]) -> Aspect {
    let whole = sources.iter().map(|source| source.in_full());
    Aspect::items("sources", whole.map(|text| (text.clone(), text)), "none")
}

fn of_retry(policy: &RetryPolicy) -> Vec<Aspect> {
    let RetryPolicy {
        max_attempts,
        on_connection_error: _,
        on_timeout: _,
        on_server_error: _,
        on_grpc: _,
        backoff,
        delay,
        max_delay,
        // Hedges are paid from it as well.
        budget: _,
    } = policy;
    let on = retried(policy);
    // Nothing else matters where none is made.
    if on.is_empty() {
        return Vec::new();
    }
    let growth = match backoff {
        upstream::Backoff::Exponential => "doubling",
        upstream::Backoff::Linear => "by equal steps",
    };
    let waits = format!("from {delay:?} to {max_delay:?}, {growth}");
    vec![
        Aspect::value("retry", format!("up to {max_attempts} attempts"), "no"),
        Aspect::items("retry on", on.into_iter().map(|why| (why, why)), "nothing"),
        Aspect::value("retry waits", waits, "none"),
    ]
}

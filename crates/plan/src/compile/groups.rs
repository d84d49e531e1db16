//! `backend_groups`.

use std::collections::HashMap;
use std::sync::Arc;

use ::telemetry::Names;
use config::{
    BackendGroup, BackendProtocol, BackendUrl, CheckProtocol, Host, Problems, RetryOn, Scheme,
    SendProxyProtocol, Settings, Span, Spanned,
};
use upstream::{
    Address, Backend, Backoff, HedgePolicy, Keepalive, Living, PoolOptions, Protocol, RetryPolicy,
    Strategy,
};
use wire::proxy_protocol::Version;

use super::backend_tls::System;
use super::unique::Unique;
use super::{Open, affinity, backend_tls, client_certificates, health, sources, tcp};
use crate::changes::{Member, members};
use crate::{BackendTls, Check, Group, GroupChanges, Heritage, Times};

/// Connections at a time to each backend of a group for requests.
const ROOM: u32 = 100;

pub(super) fn compile(
    settings: &Settings,
    outside: (&Open<'_>, &System, &Heritage),
    problems: &mut Problems,
    names: &mut Names,
) -> Vec<Group> {
    let (_, _, heritage) = outside;
    let changes = heritage.changes();
    let mut ids = Unique::default();
    let mut groups = Vec::new();
    for written in &settings.backend_groups {
        ids.check("backend group", &written.id, problems);
        let changed = changes.groups.get(&written.id.value);
        let has_changed = changed.is_some_and(GroupChanges::are_by_operators);
        check_backends(written, has_changed, problems);
        check_protocol(written, problems);
        check_grpc(written, problems);
        warn_of_idle_weights(written, problems);
        health::warn_of_no_checks(written, problems);
        let members = members(written, changed.unwrap_or(&GroupChanges::default()));
        let room = tcp::most_connections(settings, &written.id.value).unwrap_or(ROOM);
        let members = (members, room);
        let group = group(written, members, outside, names, problems);
        let key = group.hash_key.as_ref();
        let key = key.filter(|key| key.quotes_certificate());
        let quoted = key.map(|_| written.hash.key.span);
        client_certificates::warn_of_none(settings, quoted, problems);
        groups.push(group);
    }
    groups
}

fn check_backends(group: &Spanned<BackendGroup>, has_changed: bool, problems: &mut Problems) {
    if group.backends.is_empty() && group.sources.is_empty() && !has_changed {
        let place = group.id.written().map_or(group.span, |_| group.id.span);
        problems
            .error(
                place,
                format!("the backend group `{}` has no backends", group.id.value),
            )
            .help("add at least one under `backends`, such as `- url: \"http://127.0.0.1:3000\"`, or say under `sources` where to find them");
    }
    let mut seen: HashMap<String, Span> = HashMap::new();
    for backend in group.backends.iter().filter(|b| b.url.is_written()) {
        let url = backend.url.to_string();
        match seen.get(&url) {
            Some(&first) => {
                problems
                    .error(
                        backend.url.span,
                        format!("the group has the backend {url} twice"),
                    )
                    .help("use `weight` to send one backend more requests")
                    .also(first, "first given here");
            }
            None => {
                seen.insert(url, backend.url.span);
            }
        }
    }
}

/// What to say where a weight is given to a strategy that does not look at it.
pub fn idle_weights(strategy: Strategy) -> Option<String> {
    let say = || format!("the strategy `{strategy}` does not look at weights");
    (!strategy.uses_weights()).then(say)
}

/// Weights that differ are meant to matter.
fn warn_of_idle_weights(group: &BackendGroup, problems: &mut Problems) {
    let first = group.backends.first().map(|backend| *backend.weight);
    let other = group
        .backends
        .iter()
        .find(|backend| Some(*backend.weight) != first);
    if let Some(backend) = other
        && let Some(warning) = idle_weights(strategy(group))
    {
        let place = match backend.weight.is_written() {
            true => backend.weight.span,
            false => group
                .backends
                .first()
                .map_or(backend.span, |b| b.weight.span),
        };
        problems
            .warning(place, warning)
            .help("use `strategy: weighted` or `least_connections`, or leave the weights out");
    }
}

fn group(
    written: &Spanned<BackendGroup>,
    (members, room): (Vec<Member>, u32),
    outside: (&Open<'_>, &System, &Heritage),
    names: &mut Names,
    problems: &mut Problems,
) -> Group {
    let id = &written.id.value;
    let (_, _, heritage) = outside;
    let living = &heritage.living;
    let is_tls = |member: &Member| match member.url {
        BackendUrl::Tcp { scheme, .. } => matches!(scheme, Scheme::Https | Scheme::Tls),
        BackendUrl::Unix { .. } => false,
    };
    let is_wanted = members.iter().any(is_tls);
    let tls = backend_tls::compile(written, is_wanted, outside, problems);
    let mut numbers = Vec::new();
    let origins = members.iter().map(|member| member.origin).collect();
    let backends: Vec<(Arc<Backend>, u32)> = members
        .iter()
        .map(|member| {
            let wanted = describe(member, written, room, tls.as_ref());
            numbers.push(names.backend(id, &wanted.url));
            (living.backend(id, wanted), member.weight)
        })
        .collect();
    let turns = living.turns(id);
    let mut balance = upstream::Group::with_turns(id.as_str(), strategy(written), backends, turns)
        .with_health(super::health::policy(written));
    balance.max_requests = written.max_requests.map(|most| most as usize);
    balance.adaptive = super::adaptive::limit(written, living, problems);
    Group {
        protocol: *written.protocol,
        hash_key: affinity::hash_key(written, problems),
        sticky: affinity::sticky(written, &balance.backends, living, problems),
        balance,
        numbers,
        origins,
        tls,
        sources: sources::compile(written, problems),
        check: health::check(&written.health_check).map(|check| {
            Arc::new(Check {
                send_proxy_protocol: send_proxy_protocol(written),
                ..check
            })
        }),
        times: Times {
            connect: written.timeout.connect,
            response: written.timeout.request,
            idle: written.timeout.idle,
            tunnel: written.timeout.tunnel,
            wait: written.connection_pool.wait_timeout,
            total: written.timeout.total,
        },
        send_proxy_protocol: send_proxy_protocol(written),
        retry: retry(id, &written.retry, living),
        hedge: written.hedge.as_ref().map(|hedge| {
            let budget = living.hedges(id, hedge.max_percent);
            HedgePolicy::new(hedge.percentile, hedge.min_delay, budget)
        }),
    }
}

fn send_proxy_protocol(written: &BackendGroup) -> Option<Version> {
    match *written.send_proxy_protocol {
        SendProxyProtocol::Off => None,
        SendProxyProtocol::V1 => Some(Version::V1),
        SendProxyProtocol::V2 => Some(Version::V2),
    }
}

fn retry(group: &str, written: &config::Retry, living: &Living) -> RetryPolicy {
    let on = |what| written.retry_on.contains(&what);
    RetryPolicy {
        max_attempts: written.max_attempts as usize,
        on_connection_error: on(RetryOn::ConnectionError),
        on_timeout: on(RetryOn::Timeout),
        on_server_error: on(RetryOn::ServerError),
        on_grpc: [
            (RetryOn::GrpcCancelled, 1),
            (RetryOn::GrpcDeadlineExceeded, 4),
            (RetryOn::GrpcResourceExhausted, 8),
            (RetryOn::GrpcInternal, 13),
            (RetryOn::GrpcUnavailable, 14),
        ]
        .into_iter()
        .filter_map(|(what, status)| on(what).then_some(status))
        .collect(),
        backoff: match written.backoff {
            config::Backoff::Exponential => Backoff::Exponential,
            config::Backoff::Linear => Backoff::Linear,
        },
        delay: written.delay,
        max_delay: written.max_delay,
        budget: living.retries(group, written.budget, written.min_retries_per_second),
    }
}

/// `room` is how many connections each may have where nobody says so.
fn describe(
    backend: &Member,
    group: &BackendGroup,
    room: u32,
    tls: Option<&BackendTls>,
) -> Backend {
    let pool = &group.connection_pool;
    let options = PoolOptions {
        max_idle: match send_proxy_protocol(group) {
            None => pool.max_idle_connections as usize,
            // Each is one client's alone.
            Some(_) => 0,
        },
        idle_timeout: pool.idle_timeout,
        max_age: pool.max_age,
        max_connections: backend
            .max_connections
            .or(pool.max_connections_per_host)
            .unwrap_or(room) as usize,
        max_waiting: pool.max_waiting as usize,
        protocol: spoken(group, &backend.url),
        max_streams: pool.max_concurrent_streams as usize,
        keepalive: pool.keepalive_ping.as_ref().map(|ping| Keepalive {
            interval: ping.interval,
            timeout: ping.timeout,
            when_idle: ping.when_idle,
        }),
    };
    let (address, authority) = match &backend.url {
        BackendUrl::Unix { path } => (Address::Unix(path.into()), "localhost".to_owned()),
        BackendUrl::Tcp { scheme, host, port } => {
            let authority = match (port, scheme) {
                (80, Scheme::Http) | (443, Scheme::Https) => host.to_string(),
                (port, _) => format!("{host}:{port}"),
            };
            let address = match host {
                Host::Ip(ip) => Address::Ip((*ip, *port).into()),
                Host::Name(name) => Address::Name {
                    host: name.as_str().into(),
                    port: *port,
                },
            };
            (address, authority)
        }
    };
    Backend::new(backend.url.to_string(), address, authority, options)
        .with_tls(backend_tls::peer(tls, &backend.url))
}

/// What is spoken with a backend at this URL. A connection that is one client's
/// cannot be shared.
fn spoken(group: &BackendGroup, url: &BackendUrl) -> Protocol {
    let is_tls = matches!(
        url,
        BackendUrl::Tcp {
            scheme: Scheme::Https,
            ..
        }
    );
    match *group.protocol {
        BackendProtocol::Auto if is_tls && send_proxy_protocol(group).is_none() => Protocol::Agreed,
        BackendProtocol::Auto | BackendProtocol::H1 => Protocol::Http1,
        BackendProtocol::H2 | BackendProtocol::H2c => Protocol::Http2,
    }
}

/// Whether all backends that are written down speak HTTP/2, or may agree to it.
pub(super) fn speaks_http2(group: &BackendGroup) -> bool {
    let mut backends = group.backends.iter();
    backends.all(|backend| spoken(group, &backend.url).may_share())
}

/// Calls of gRPC take HTTP/2, also those of checks.
fn check_grpc(group: &BackendGroup, problems: &mut Problems) {
    let check = &group.health_check;
    let asks = *check.enabled && check.protocol == CheckProtocol::Grpc;
    if asks && !speaks_http2(group) {
        problems
            .error(
                check.span,
                "checks with `grpc` take backends that speak HTTP/2",
            )
            .help("write `protocol: h2c` in the group, or `protocol: h2` for those at `https://`");
    }
}

/// HTTP/2 with TLS and without are two protocols.
fn check_protocol(group: &BackendGroup, problems: &mut Problems) {
    let (is_wrong, help) = match *group.protocol {
        BackendProtocol::H2 => (
            false,
            "begin the URL with `https://`, or write `protocol: h2c`",
        ),
        BackendProtocol::H2c => (
            true,
            "begin the URL with `http://`, or write `protocol: h2`",
        ),
        BackendProtocol::Auto | BackendProtocol::H1 => return,
    };
    if send_proxy_protocol(group).is_some() {
        problems
            .error(
                group.protocol.span,
                "with `send_proxy_protocol` a connection is one client's, and HTTP/2 would share it",
            )
            .help("write `protocol: h1`");
    }
    let is_tls = |url: &BackendUrl| {
        matches!(
            url,
            BackendUrl::Tcp {
                scheme: Scheme::Https,
                ..
            }
        )
    };
    let mut urls = group.backends.iter().map(|backend| &backend.url);
    if let Some(url) = urls.find(|url| url.is_written() && is_tls(url) == is_wrong) {
        let with = if is_wrong { "without" } else { "with" };
        let message = format!("`protocol: {}` is HTTP/2 {with} TLS", group.protocol.name());
        problems
            .error(url.span, message)
            .help(help)
            .also(group.protocol.span, "the protocol is given here");
    }
}

fn strategy(group: &BackendGroup) -> Strategy {
    match *group.strategy {
        config::Strategy::RoundRobin => Strategy::RoundRobin,
        config::Strategy::Weighted => Strategy::Weighted,
        config::Strategy::LeastConnections => Strategy::LeastConnections,
        config::Strategy::Random => Strategy::Random,
        config::Strategy::TwoChoices => Strategy::TwoChoices,
        config::Strategy::IpHash => Strategy::IpHash,
        config::Strategy::Hash => Strategy::Hash {
            load_factor: *group.hash.load_factor,
        },
    }
}

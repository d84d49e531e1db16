//! What takes a backend out: `health_check`, `circuit_breaker`,
//! `when_all_unhealthy`.

use config::{BackendGroup, CheckProtocol, HealthCheck, Problems, WhenAllUnhealthy};
use upstream::{BreakerPolicy, CheckPolicy, HealthPolicy, PassivePolicy};

use crate::{Check, HttpProbe, Probe};

pub(super) fn policy(group: &BackendGroup) -> HealthPolicy {
    let checks = &group.health_check;
    let breaker = group.circuit_breaker.as_ref();
    HealthPolicy {
        passive: checks.passive.enabled.then(|| passive(&checks.passive)),
        breaker: breaker.map(|written| BreakerPolicy {
            failure_threshold: written.failure_threshold,
            window: written.window,
            open_timeout: written.open_timeout,
            success_threshold: written.success_threshold,
        }),
        checks: checks.enabled.then(|| CheckPolicy {
            healthy: checks.healthy_threshold,
            unhealthy: checks.unhealthy_threshold,
        }),
        slow_start: checks.slow_start,
        fails_open: group.when_all_unhealthy == WhenAllUnhealthy::FailOpen,
    }
}

fn passive(written: &config::PassiveCheck) -> PassivePolicy {
    PassivePolicy {
        max_failures: written.max_failures,
        window: written.observation_window,
        ejection_time: written.ejection_time,
        max_ejection_time: written.max_ejection_time,
        max_ejected_percent: written.max_ejected_percent,
    }
}

/// Who says how to check the backends, and not that they are not to be checked,
/// takes them to be.
pub(super) fn warn_of_no_checks(group: &BackendGroup, problems: &mut Problems) {
    let written = &group.health_check;
    if written.enabled.is_written() || !says_how(written) {
        return;
    }
    problems
        .warning(
            written.span,
            "no checks are made, for `enabled` is not there",
        )
        .help("write `enabled: true`, or `enabled: false` to keep the rest for later");
}

fn says_how(written: &HealthCheck) -> bool {
    let usual = HealthCheck::default();
    let is_any_other = [
        written.interval != usual.interval,
        written.max_interval != usual.max_interval,
        written.timeout != usual.timeout,
        written.protocol != usual.protocol,
        written.method != usual.method,
        written.assume_healthy != usual.assume_healthy,
        written.healthy_threshold != usual.healthy_threshold,
        written.unhealthy_threshold != usual.unhealthy_threshold,
        written.service.is_some(),
        written.path.is_written(),
        written.host.is_some(),
        written.expected_body.is_some(),
        written.headers.iter().next().is_some(),
        (written.expected_status.iter()).any(|statuses| statuses.is_written()),
    ];
    is_any_other.contains(&true)
}

/// How the backends are checked, if they are.
pub(super) fn check(written: &HealthCheck) -> Option<Check> {
    written.enabled.then(|| Check {
        interval: written.interval,
        max_interval: written.max_interval.max(written.interval),
        timeout: written.timeout,
        assume_healthy: written.assume_healthy,
        send_proxy_protocol: None,
        probe: match written.protocol {
            CheckProtocol::Tcp => Probe::Tcp,
            CheckProtocol::Grpc => {
                let service = written.service.as_ref();
                Probe::Grpc(service.map_or("", |name| name.as_str()).into())
            }
            CheckProtocol::Http => Probe::Http(http_probe(written)),
        },
    })
}

fn http_probe(written: &HealthCheck) -> HttpProbe {
    let statuses = written.expected_status.iter();
    let fields = written.headers.iter();
    HttpProbe {
        method: written.method.name(),
        target: written.path.as_str().into(),
        host: written.host.as_ref().map(|host| host.as_str().into()),
        fields: fields
            .map(|pair| (pair.name.as_str().into(), pair.value.as_str().into()))
            .collect(),
        expected: statuses.map(|statuses| statuses.codes()).collect(),
        body: written.expected_body.as_deref().map(Box::from),
    }
}

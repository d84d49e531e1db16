//! What takes a backend out: `health_check`, `circuit_breaker`,
//! `when_all_unhealthy`.

use config::{BackendGroup, WhenAllUnhealthy};
use upstream::{BreakerPolicy, HealthPolicy, PassivePolicy};

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
        // Nobody makes checks yet.
        checks: None,
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

use std::sync::Arc;
use std::time::Instant;

use super::{Fault, HealthPolicy};
use crate::Backend;

/// The right to send one request through a half-open breaker. Dropping it, for
/// whatever reason, lets the next one have it.
#[derive(Debug)]
#[must_use = "dropping it gives it back"]
pub struct Probe {
    backend: Arc<Backend>,
    number: u64,
}

impl Probe {
    pub(crate) fn take(backend: &Arc<Backend>) -> Option<Self> {
        let number = backend.standing.take_probe()?;
        Some(Self {
            backend: Arc::clone(backend),
            number,
        })
    }

    pub(crate) fn succeeded(self, health: &HealthPolicy, now: Instant) {
        let standing = &self.backend.standing;
        standing.probe_succeeded(health, self.number, now);
    }

    pub(crate) fn failed(self, health: &HealthPolicy, most: usize, fault: Fault<'_>, now: Instant) {
        let standing = &self.backend.standing;
        standing.failed(health, most, fault, Some(self.number), now);
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.backend.standing.give_probe_back(self.number);
    }
}

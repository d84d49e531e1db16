//! What of a standing goes to a process that takes over.
//!
//! Moments mean nothing to another process, so it is told how long things still
//! last, and how long ago they were. Requests that are under way, and what has led
//! a breaker or checks to a decision, stay behind.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// A backend's standing, as far as another process can go on with it. All of it
/// is optional: the two may be of different versions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Legacy {
    #[serde(skip_serializing_if = "is_false")]
    pub draining: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub disabled: bool,
    /// Checks have found it unwell.
    #[serde(skip_serializing_if = "is_false")]
    pub checked_bad: bool,
    /// Checks have found it well.
    #[serde(skip_serializing_if = "is_false")]
    pub checked_good: bool,
    /// Failures in a row, and how long ago the last one was, in milliseconds.
    #[serde(skip_serializing_if = "is_zero")]
    pub failures: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed_ms: Option<u64>,
    /// It should be out, but enough others are.
    #[serde(skip_serializing_if = "is_false")]
    pub kept_in: bool,
    /// How long its ejection still lasts, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ejected_ms: Option<u64>,
    /// Ejections ever, and those that still make the next one longer.
    pub ejections: u64,
    pub repeats: u32,
    /// How long its breaker is still open, in milliseconds; 0 where it is half open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_ms: Option<u64>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands out references"
)]
fn is_false(value: &bool) -> bool {
    !value
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands out references"
)]
fn is_zero(value: &u32) -> bool {
    *value == 0
}

/// How long from one moment to another, in milliseconds; 0 where that is earlier.
pub(super) fn millis_between(from: Instant, to: Instant) -> u64 {
    let between = to.saturating_duration_since(from).as_millis();
    u64::try_from(between).unwrap_or(u64::MAX)
}

/// So many milliseconds ago, as far as this machine has been up for so long.
pub(super) fn before_millis(now: Instant, millis: u64) -> Option<Instant> {
    now.checked_sub(Duration::from_millis(millis))
}

/// When so many milliseconds have passed. What lasts for days is not believed.
pub(super) fn after_millis(now: Instant, millis: u64) -> Instant {
    const MOST: Duration = Duration::from_secs(24 * 60 * 60);
    now + Duration::from_millis(millis).min(MOST)
}

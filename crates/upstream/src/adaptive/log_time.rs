//! Latencies as logarithms, in a form that one atomic addition adds up.

use std::time::Duration;

/// Where the count of answers begins; below it is the sum of their logarithms.
const COUNT: u32 = 42;

/// A logarithm is counted in steps of so many to a doubling.
const STEPS: f64 = 1024.0;

/// The greatest logarithm: about an hour, so that 4 million answers fit.
const MOST: f64 = 32.0;

/// One answer, to be added to others.
pub(super) fn one(latency: Duration) -> u64 {
    let micros = (latency.as_micros() as f64).max(1.0);
    (1 << COUNT) + (micros.log2().min(MOST) * STEPS) as u64
}

/// How many there are, and the mean of their logarithms.
pub(super) fn mean(sum: u64) -> (u64, f64) {
    let (count, logs) = (sum >> COUNT, sum & ((1 << COUNT) - 1));
    (count, logs as f64 / STEPS / (count.max(1) as f64))
}

/// The time that has this logarithm.
pub(super) fn time(log: f64) -> Duration {
    Duration::from_micros(log.clamp(0.0, MOST).exp2() as u64)
}

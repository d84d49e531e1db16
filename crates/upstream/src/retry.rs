//! When another attempt is worth it: how long to wait before, and how many a
//! group can afford.

mod budget;

use std::sync::Arc;
use std::time::Duration;

pub use budget::Budget;

/// How the waits before further attempts grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backoff {
    /// Once, twice, four times the first.
    Exponential,
    /// Once, twice, three times the first.
    Linear,
}

/// When a group makes another attempt.
#[derive(Debug)]
pub struct RetryPolicy {
    /// All attempts of one request, the first one included.
    pub max_attempts: usize,
    /// A backend could not be reached, or hung up before its answer.
    pub on_connection_error: bool,
    /// An answer did not begin in time.
    pub on_timeout: bool,
    /// An answer has a status from 500 to 599.
    pub on_server_error: bool,
    /// An answer is nothing but one of these values of `grpc-status`.
    pub on_grpc: Vec<u8>,
    pub backoff: Backoff,
    /// The first wait.
    pub delay: Duration,
    /// No wait is longer.
    pub max_delay: Duration,
    pub budget: Arc<Budget>,
}

impl RetryPolicy {
    /// The wait before another attempt when `made` have been made. Between
    /// half and all of what the backoff says, as the random bits will have it,
    /// so that requests that failed together do not come back together.
    pub fn wait(&self, made: usize, random: u64) -> Duration {
        let step = made.saturating_sub(1).min(31) as u32;
        let factor = match self.backoff {
            Backoff::Exponential => 1 << step,
            Backoff::Linear => step + 1,
        };
        let whole = self.delay.saturating_mul(factor).min(self.max_delay);
        let share = 0.5 + (random >> 11) as f64 / (1u64 << 54) as f64;
        whole.mul_f64(share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(backoff: Backoff) -> RetryPolicy {
        RetryPolicy {
            max_attempts: 3,
            on_connection_error: true,
            on_timeout: true,
            on_server_error: true,
            on_grpc: Vec::new(),
            backoff,
            delay: Duration::from_millis(100),
            max_delay: Duration::from_millis(1000),
            budget: Arc::new(Budget::new(20, 3)),
        }
    }

    #[test]
    fn waits_grow_up_to_their_limit_and_are_spread() {
        for (backoff, waits) in [
            (Backoff::Exponential, [100, 200, 400, 800, 1000, 1000]),
            (Backoff::Linear, [100, 200, 300, 400, 500, 600]),
        ] {
            let policy = policy(backoff);
            for (i, whole) in waits.into_iter().enumerate() {
                let whole = Duration::from_millis(whole);
                assert_eq!(policy.wait(i + 1, 0), whole / 2);
                let most = policy.wait(i + 1, u64::MAX);
                assert!(most <= whole && most > whole.mul_f64(0.999), "{most:?}");
            }
            assert!(policy.wait(1000, u64::MAX) <= policy.max_delay);
        }
    }
}

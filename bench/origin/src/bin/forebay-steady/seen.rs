//! What became of the requests.

use std::fmt;
use std::time::Duration;

/// Latencies, and what went wrong. Only requests behind the warm-up are in here;
/// errors are, whenever they happen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// From the time a request was due to the end of its answer.
    pub(crate) latencies: Vec<Duration>,
    /// From the time a request was due until it was sent.
    pub(crate) late: Vec<Duration>,
    pub(crate) errors: Errors,
}

/// All 0 is what it must be.
#[derive(Debug, Default)]
pub(crate) struct Errors {
    /// Complete answers with a status other than 200.
    pub(crate) status: u64,
    /// Answers begun and not finished, or no answers at all.
    pub(crate) cut: u64,
    /// Requests without a byte of an answer on a connection that ended.
    pub(crate) unanswered: u64,
    /// Requests still without an answer long after the last was sent.
    pub(crate) hung: u64,
    /// Requests that the socket did not take.
    pub(crate) unsent: u64,
    /// Connections that were not accepted.
    pub(crate) refused: u64,
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Errors {
            status,
            cut,
            unanswered,
            hung,
            unsent,
            refused,
        } = self.errors;
        write!(
            f,
            "{{\"answered\": {}, \"latency_us\": {}, \"late_us\": {}, \"errors\": {{\"status\": {status}, \"cut\": {cut}, \
             \"unanswered\": {unanswered}, \"hung\": {hung}, \"unsent\": {unsent}, \"refused\": {refused}}}}}",
            self.latencies.len(),
            Percentiles::of(&self.latencies),
            Percentiles::of(&self.late),
        )
    }
}

struct Percentiles(Vec<Duration>);

impl Percentiles {
    fn of(times: &[Duration]) -> Percentiles {
        let mut sorted = times.to_vec();
        sorted.sort_unstable();
        Percentiles(sorted)
    }

    /// The smallest time that at least so many in a thousand do not exceed.
    fn at(&self, per_mille: usize) -> Duration {
        let rank = (self.0.len() * per_mille).div_ceil(1000);
        self.0
            .get(rank.saturating_sub(1))
            .copied()
            .unwrap_or_default()
    }
}

impl fmt::Display for Percentiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = |per_mille| self.at(per_mille).as_secs_f64() * 1e6;
        write!(
            f,
            "{{\"p50\": {:.1}, \"p95\": {:.1}, \"p99\": {:.1}, \"p999\": {:.1}, \"max\": {:.1}}}",
            micros(500),
            micros(950),
            micros(990),
            micros(999),
            micros(1000)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::{Percentiles, Seen};
    use std::time::Duration;

    #[test]
    fn percentiles_are_times_that_were_measured() {
        let times: Vec<Duration> = (1..=200).rev().map(Duration::from_micros).collect();
        let sorted = Percentiles::of(&times);
        let micros = |per_mille| sorted.at(per_mille).as_micros();
        assert_eq!([micros(500), micros(950), micros(990)], [100, 190, 198]);
        assert_eq!([micros(0), micros(999), micros(1000)], [1, 200, 200]);
        assert_eq!(Percentiles::of(&[]).at(500), Duration::ZERO);
    }

    #[test]
    fn one_line_of_json() {
        let seen = Seen {
            latencies: vec![Duration::from_nanos(1_250); 2],
            ..Seen::default()
        };
        let text = seen.to_string();
        assert!(
            text.starts_with("{\"answered\": 2, \"latency_us\": {\"p50\": 1.2, "),
            "{text}"
        );
        assert!(text.contains("\"errors\": {\"status\": 0, "), "{text}");
    }
}

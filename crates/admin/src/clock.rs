//! The clocks of the control thread.
#![expect(
    clippy::disallowed_methods,
    reason = "this is the file that owns reading the clocks"
)]

use std::time::{Instant, SystemTime};

pub(crate) fn now() -> Instant {
    Instant::now()
}

pub(crate) fn wall() -> SystemTime {
    SystemTime::now()
}

/// Microseconds since the Unix epoch.
pub(crate) fn micros(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_micros() as u64)
}

/// A moment as RFC 3339 has it, in UTC and to the millisecond.
pub fn rfc3339(micros: u64) -> String {
    let millis = i64::try_from(micros / 1000).unwrap_or(i64::MAX);
    let moment = jiff::Timestamp::from_millisecond(millis);
    moment.map_or_else(|_| String::new(), |moment| format!("{moment:.3}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_in_utc() {
        let written = rfc3339(1_795_222_923_456_789);
        assert_eq!(written, "2026-11-21T01:02:03.456Z");
    }
}

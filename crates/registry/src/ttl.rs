//! How long a lease lasts: `30s`, `1m30s`, `500ms`, or a number of seconds.

use std::fmt::Write;
use std::time::Duration;

use crate::fault::shown;

/// The lease of a service that does not say.
pub(crate) const DEFAULT: Duration = Duration::from_secs(30);
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Units, longest first, in milliseconds.
const UNITS: [(&str, u64); 5] = [
    ("d", 24 * 60 * 60 * 1000),
    ("h", 60 * 60 * 1000),
    ("m", 60 * 1000),
    ("s", 1000),
    ("ms", 1),
];

/// Reads whole numbers with units.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let fault = || {
        let text = shown(text);
        format!("is a duration such as `30s` or `1m30s`, or a number of seconds, found `{text}`")
    };
    let mut rest = text.trim();
    let mut millis = 0_u64;
    if rest.is_empty() {
        return Err(fault());
    }
    while !rest.is_empty() {
        let (part, behind) = part(rest).ok_or_else(fault)?;
        millis = millis.saturating_add(part);
        rest = behind.trim_start();
    }
    within(Duration::from_millis(millis))
}

/// Milliseconds of the first `90s` of `text`, and what follows.
fn part(text: &str) -> Option<(u64, &str)> {
    let behind = text.trim_start_matches(|letter: char| letter.is_ascii_digit());
    let number = text
        .strip_suffix(behind)
        .filter(|digits| !digits.is_empty())?;
    let behind = behind.trim_start();
    let rest = behind.trim_start_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = behind.strip_suffix(rest)?;
    let (_, millis) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let number: u64 = number.parse().unwrap_or(u64::MAX);
    Some((number.saturating_mul(*millis), rest))
}

/// Takes seconds, to the millisecond.
pub(crate) fn seconds(seconds: f64) -> Result<Duration, String> {
    let whole = Duration::try_from_secs_f64(seconds);
    let checked = whole.map_err(|_| out_of_bounds(&format!("{seconds}s")))?;
    let millis = u64::try_from(checked.as_millis()).unwrap_or(u64::MAX);
    within(Duration::from_millis(millis))
}

fn within(ttl: Duration) -> Result<Duration, String> {
    if (SHORTEST..=LONGEST).contains(&ttl) {
        Ok(ttl)
    } else {
        Err(out_of_bounds(&text(ttl)))
    }
}

fn out_of_bounds(found: &str) -> String {
    let (shortest, longest) = (text(SHORTEST), text(LONGEST));
    format!("is from {shortest} to {longest}, found {found}")
}

/// As [`parse`] reads it.
pub(crate) fn text(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (unit, millis) in UNITS {
        let count = rest / millis;
        rest %= millis;
        if count > 0 {
            let _ = write!(text, "{count}{unit}");
        }
    }
    if text.is_empty() {
        text.push_str("0s");
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_read() {
        for (text, millis) in [
            ("30s", 30_000),
            ("1500ms", 1_500),
            ("1m30s", 90_000),
            (" 1m 30 s ", 90_000),
            ("24h", 86_400_000),
            ("1d", 86_400_000),
            ("1s", 1_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        assert_eq!(seconds(30.0), Ok(Duration::from_secs(30)));
        assert_eq!(seconds(1.5), Ok(Duration::from_millis(1500)));
    }

    #[test]
    fn others_are_refused() {
        for text in [
            "",
            " ",
            "30",
            "s",
            "30sec",
            "30S",
            "1.5s",
            "-5s",
            "0s",
            "999ms",
            "86401s",
            "2d",
            "99999999999999999999d",
            "30s!",
            "3é",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        for number in [0.0, 0.999, -1.0, 86_400.1, 1e300, f64::NAN, f64::INFINITY] {
            assert!(seconds(number).is_err(), "{number}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(millis in 1_000..=86_400_000_u64) {
            let ttl = Duration::from_millis(millis);
            prop_assert_eq!(parse(&text(ttl)), Ok(ttl));
        }
    }
}

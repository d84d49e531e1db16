//! Durations: `500ms`, `30s`, `1m30s`, `2h`.

use std::time::Duration;

use super::written::{Fault, Written, number_and_unit, unlike};
use crate::shape::Rule;

/// Longest duration that means anything here. The bound keeps later sums of time from overflowing.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// Units, longest first, in milliseconds.
const UNITS: [(&str, u64); 5] = [
    ("d", 24 * 60 * 60 * 1000),
    ("h", 60 * 60 * 1000),
    ("m", 60 * 1000),
    ("s", 1000),
    ("ms", 1),
];

impl Written for Duration {
    const NOUN: &'static str = "a duration such as `30s`";
    const PATTERN: &'static str = "^([0-9]+ *(d|h|m|s|ms) *)+$";

    fn parse(text: &str) -> Result<Self, Fault> {
        let mut rest = text.trim();
        if rest.is_empty() {
            return Err(unlike(Self::NOUN, text));
        }
        let mut total = Self::ZERO;
        while !rest.is_empty() {
            let (part, behind) = part(rest, text)?;
            total = total.saturating_add(part);
            rest = behind;
        }
        if total > LONGEST {
            return Err(Fault::new(format!("the duration `{text}` is too long"))
                .help("a year is the most that is allowed"));
        }
        Ok(total)
    }

    fn text(&self) -> String {
        let mut rest = u64::try_from(self.as_millis()).unwrap_or(u64::MAX);
        let mut text = String::new();
        for (unit, millis) in UNITS {
            let count = rest / millis;
            rest %= millis;
            if count > 0 {
                text.push_str(&format!("{count}{unit}"));
            }
        }
        if text.is_empty() {
            "0s".to_owned()
        } else {
            text
        }
    }

    fn placeholder() -> Self {
        Self::ZERO
    }

    fn check(&self, rule: &Rule) -> Result<(), Fault> {
        if matches!(rule, Rule::Positive) && self.is_zero() {
            return Err(Fault::new("this duration must be longer than zero")
                .help("leave the key out to get its default"));
        }
        Ok(())
    }

    fn help_for_number(number: &str) -> Option<String> {
        Some(format!(
            "add a unit: `{number}s` for seconds, `{number}ms` for milliseconds"
        ))
    }
}

/// The first "90s" of `rest`, and what follows; `whole` is for messages.
fn part<'t>(rest: &'t str, whole: &str) -> Result<(Duration, &'t str), Fault> {
    let (number, behind) = number_and_unit(rest);
    let unit_end = behind
        .find(|letter: char| !letter.is_ascii_alphabetic())
        .unwrap_or(behind.len());
    let (unit, behind) = behind.split_at(unit_end);
    if number.is_empty() {
        return Err(unlike(Duration::NOUN, whole)
            .help("write whole numbers with units, as in `1m30s` or `500ms`"));
    }
    if unit.is_empty() && behind.is_empty() {
        let fault = unlike(Duration::NOUN, whole);
        return Err(Fault {
            help: Duration::help_for_number(number),
            ..fault
        });
    }
    let Some((_, millis)) = UNITS.iter().find(|(name, _)| *name == unit) else {
        return Err(unlike(Duration::NOUN, whole).help("the units are `ms`, `s`, `m`, `h` and `d`"));
    };
    let count = number.parse::<u64>().unwrap_or(u64::MAX);
    let part = Duration::from_millis(count.saturating_mul(*millis));
    Ok((part, behind.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_with_units_are_read() {
        for (text, millis) in [
            ("30s", 30_000),
            ("500ms", 500),
            ("1m30s", 90_000),
            ("1m 30s", 90_000),
            ("2 h", 7_200_000),
            ("1d", 86_400_000),
            ("0s", 0),
            (" 5s ", 5_000),
        ] {
            assert_eq!(
                Duration::parse(text),
                Ok(Duration::from_millis(millis)),
                "{text}"
            );
        }
    }

    #[test]
    fn others_are_refused_with_advice() {
        for (text, help) in [
            ("30", "add a unit: `30s`"),
            ("1m30", "add a unit"),
            ("30sec", "the units are"),
            ("30S", "the units are"),
            ("1.5s", "the units are"),
            ("soon", "whole numbers with units"),
            ("-5s", "whole numbers with units"),
            ("99999999999999999999d", "a year is the most"),
            ("9000h", "a year is the most"),
        ] {
            let fault = Duration::parse(text).expect_err(text);
            assert!(
                fault.help.as_deref().unwrap_or_default().contains(help),
                "{text}: {fault:?}"
            );
        }
        assert!(Duration::parse("").is_err());
    }

    #[test]
    fn zero_is_refused_where_it_would_mean_never() {
        assert!(Duration::ZERO.check(&Rule::Positive).is_err());
        assert!(Duration::ZERO.check(&Rule::Any).is_ok());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(millis in 0..LONGEST.as_millis() as u64) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(Duration::parse(&duration.text()), Ok(duration));
        }
    }
}

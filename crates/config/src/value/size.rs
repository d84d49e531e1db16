//! Sizes in bytes: `8KiB`, `64k`, `1MB`.

use super::written::{Fault, Written, number_and_unit, unlike};
use crate::shape::Rule;

/// A number of bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Size(u64);

/// Units in lower case. The first of a value is how it is written back.
const UNITS: [(&str, &str, u64); 11] = [
    ("gib", "GiB", 1 << 30),
    ("mib", "MiB", 1 << 20),
    ("kib", "KiB", 1 << 10),
    ("gb", "GB", 1_000_000_000),
    ("mb", "MB", 1_000_000),
    ("kb", "kB", 1_000),
    ("b", "B", 1),
    ("g", "g", 1 << 30),
    ("m", "m", 1 << 20),
    ("k", "k", 1 << 10),
    ("bytes", "bytes", 1),
];

impl Size {
    /// `count` bytes.
    pub const fn bytes(count: u64) -> Self {
        Self(count)
    }

    /// `count` times 1024 bytes.
    pub const fn kib(count: u64) -> Self {
        Self(count * 1024)
    }

    /// How many bytes.
    pub const fn as_bytes(self) -> u64 {
        self.0
    }
}

impl Written for Size {
    const NOUN: &'static str = "a size such as `64KiB`";
    const PATTERN: &'static str = "^[0-9]+ *([kKmMgG](i?[bB])?|[bB]|bytes)$";
    const NONE: Option<&'static str> = Some("none");

    fn parse(text: &str) -> Result<Self, Fault> {
        let (number, unit) = number_and_unit(text.trim());
        if number.is_empty() {
            return Err(unlike(Self::NOUN, text)
                .help("write a whole number and a unit: `512B`, `8KiB`, `1MB`"));
        }
        if unit.is_empty() {
            let fault = unlike(Self::NOUN, text);
            return Err(Fault {
                help: Self::help_for_number(number),
                ..fault
            });
        }
        let wanted = unit.to_ascii_lowercase();
        let Some((_, _, bytes)) = UNITS.iter().find(|(name, ..)| *name == wanted) else {
            return Err(unlike(Self::NOUN, text)
                .help("the units are `B`; `k`, `m`, `g` or `KiB`, `MiB`, `GiB` (by 1024); `kB`, `MB`, `GB` (by 1000)"));
        };
        let count = number.parse::<u64>().ok();
        count
            .and_then(|count| count.checked_mul(*bytes))
            .filter(|bytes| i64::try_from(*bytes).is_ok())
            .map(Self)
            .ok_or_else(|| Fault::new(format!("the size `{text}` is too large")))
    }

    fn text(&self) -> String {
        let whole = UNITS
            .iter()
            .find(|(_, _, bytes)| self.0 >= *bytes && self.0.is_multiple_of(*bytes));
        whole.map_or_else(
            || "0B".to_owned(),
            |(_, name, bytes)| format!("{}{name}", self.0 / bytes),
        )
    }

    fn placeholder() -> Self {
        Self(0)
    }

    fn check(&self, rule: &Rule) -> Result<(), Fault> {
        let Rule::Within(min, max) = *rule else {
            return Ok(());
        };
        if i64::try_from(self.0).is_ok_and(|bytes| (min..=max).contains(&bytes)) {
            return Ok(());
        }
        let size = |bytes: i64| Self(bytes.unsigned_abs()).text();
        Err(Fault::new(format!(
            "expected a size from {} to {}, found {}",
            size(min),
            size(max),
            self.text()
        )))
    }

    fn help_for_number(number: &str) -> Option<String> {
        Some(format!(
            "add a unit: `{number}B` for bytes, `{number}KiB` for 1024 bytes each"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_with_units_are_read() {
        for (text, bytes) in [
            ("8KiB", 8192),
            ("64k", 65_536),
            ("64K", 65_536),
            ("1MB", 1_000_000),
            ("1 MiB", 1 << 20),
            ("2g", 2 << 30),
            ("10kB", 10_000),
            ("512B", 512),
            ("0B", 0),
        ] {
            assert_eq!(Size::parse(text), Ok(Size(bytes)), "{text}");
        }
    }

    #[test]
    fn others_are_refused_with_advice() {
        for (text, part) in [
            ("512", "add a unit: `512B`"),
            ("8 KiBi", "the units are"),
            ("1.5MB", "the units are"),
            ("-1k", "a whole number and a unit"),
            ("", "a whole number and a unit"),
            ("big", "a whole number and a unit"),
        ] {
            let fault = Size::parse(text).expect_err(text);
            assert!(
                fault.help.as_deref().unwrap_or_default().contains(part),
                "{text}: {fault:?}"
            );
        }
        for text in ["99999999999999999999B", "99999999999GiB"] {
            let fault = Size::parse(text).expect_err(text);
            assert!(fault.message.contains("too large"), "{fault:?}");
        }
    }

    #[test]
    fn bounds_are_kept_and_named() {
        let rule = Rule::Within(1024, 65_536);
        assert_eq!(Size::kib(1).check(&rule), Ok(()));
        let fault = Size::bytes(1023).check(&rule).expect_err("too small");
        assert_eq!(
            fault.message,
            "expected a size from 1KiB to 64KiB, found 1023B"
        );
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(bytes in 0..i64::MAX as u64, shift in 0..40_u32) {
            let size = Size(bytes >> shift << shift);
            prop_assert_eq!(Size::parse(&size.text()), Ok(size));
        }
    }
}

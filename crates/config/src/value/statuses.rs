//! Status codes: one, such as `404`, or a hundred of them, such as `5xx`.

use std::ops::RangeInclusive;

use serde_json::Value as Json;

use super::Value;
use crate::node::{Kind, Node};
use crate::reader::Reader;
use crate::shape::{Rule, Shape};

/// One status code, or all that begin with one digit; from `FROM` to 599.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Statuses<const FROM: u16 = 400> {
    first: u16,
    last: u16,
}

impl<const FROM: u16> Statuses<FROM> {
    fn parse(text: &str) -> Option<Self> {
        let Some(class) = text.strip_suffix("xx") else {
            return Self::one(text.parse().ok()?);
        };
        let first = class.parse::<u16>().ok()?.checked_mul(100)?;
        (FROM..=500)
            .contains(&first)
            .then(|| Self::range(first, first + 99))
    }

    fn one(status: i64) -> Option<Self> {
        let status = u16::try_from(status).ok()?;
        (FROM..=599)
            .contains(&status)
            .then_some(Self::range(status, status))
    }

    /// All codes that begin with this digit.
    pub const fn class(digit: u16) -> Self {
        Self::range(digit * 100, digit * 100 + 99)
    }

    const fn range(first: u16, last: u16) -> Self {
        Self { first, last }
    }

    /// The codes.
    pub fn codes(self) -> RangeInclusive<u16> {
        self.first..=self.last
    }

    fn noun() -> &'static str {
        match FROM {
            400 => "a status such as `404` or `5xx`",
            _ => "a status such as `200` or `2xx`",
        }
    }
}

impl<const FROM: u16> Value for Statuses<FROM> {
    fn read(node: &Node, _: &Rule, reader: &mut Reader<'_>) -> Option<Self> {
        let value = match node.scalar() {
            Kind::Int(status) => Self::one(status),
            _ => node.text().and_then(|text| Self::parse(text.trim())),
        };
        if value.is_none() {
            reader
                .expected(Self::noun(), node)?
                .help(format!("here are statuses from {FROM} to 599"));
        }
        value
    }

    fn absent() -> Self {
        Self::range(FROM, 599)
    }

    fn write(&self) -> Json {
        match (self.first, self.last) {
            (first, last) if first == last => first.into(),
            (first, _) => format!("{}xx", first / 100).into(),
        }
    }

    fn shape(_: &Rule) -> Shape {
        Shape::Statuses { from: FROM }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_or_a_hundred() {
        for (text, codes) in [
            ("404", Some(404..=404)),
            ("4xx", Some(400..=499)),
            ("5xx", Some(500..=599)),
            ("3xx", None),
            ("399", None),
            ("600", None),
            ("40x", None),
            ("", None),
            ("70000", None),
            ("655xx", None),
            ("x", None),
            ("xx", None),
        ] {
            assert_eq!(
                Statuses::<400>::parse(text).map(Statuses::codes),
                codes,
                "{text}"
            );
        }
    }
}

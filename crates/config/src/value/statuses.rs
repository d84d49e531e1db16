//! Status codes: one, such as `404`, or a hundred of them, such as `5xx`.

use std::ops::RangeInclusive;

use serde_json::Value as Json;

use super::Value;
use crate::node::{Kind, Node};
use crate::reader::Reader;
use crate::shape::{Rule, Shape};

/// One status code, or all that begin with one digit; from 400 to 599.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Statuses {
    first: u16,
    last: u16,
}

const NOUN: &str = "a status such as `404` or `5xx`";

impl Statuses {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "4xx" => Some(Self::range(400, 499)),
            "5xx" => Some(Self::range(500, 599)),
            one => Self::one(one.parse().ok()?),
        }
    }

    fn one(status: i64) -> Option<Self> {
        let status = u16::try_from(status).ok()?;
        (400..=599)
            .contains(&status)
            .then_some(Self::range(status, status))
    }

    const fn range(first: u16, last: u16) -> Self {
        Self { first, last }
    }

    /// The codes.
    pub fn codes(self) -> RangeInclusive<u16> {
        self.first..=self.last
    }
}

impl Value for Statuses {
    fn read(node: &Node, _: &Rule, reader: &mut Reader<'_>) -> Option<Self> {
        let value = match node.scalar() {
            Kind::Int(status) => Self::one(status),
            _ => node.text().and_then(|text| Self::parse(text.trim())),
        };
        if value.is_none() {
            reader
                .expected(NOUN, node)?
                .help("pages are for statuses from 400 to 599");
        }
        value
    }

    fn absent() -> Self {
        Self::range(400, 599)
    }

    fn write(&self) -> Json {
        match (self.first, self.last) {
            (first, last) if first == last => first.into(),
            (first, _) => format!("{}xx", first / 100).into(),
        }
    }

    fn shape(_: &Rule) -> Shape {
        Shape::Statuses
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
        ] {
            assert_eq!(Statuses::parse(text).map(Statuses::codes), codes, "{text}");
        }
    }
}

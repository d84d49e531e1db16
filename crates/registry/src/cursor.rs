//! A place among the events, which can be kept and come back to.

use std::fmt;
use std::str::FromStr;

/// The place after the event of this number, in one life of the registry: a
/// cursor of another life means nothing in this one. Written as
/// `epoch-number`, the epoch in hexadecimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cursor {
    /// Which life: drawn at random when the registry begins.
    pub epoch: u64,
    /// Events of this life up to here.
    pub number: u64,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{}", self.epoch, self.number)
    }
}

/// The text is not a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoCursor;

impl fmt::Display for NoCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a cursor is the text that came with an event or a list")
    }
}

impl std::error::Error for NoCursor {}

impl FromStr for Cursor {
    type Err = NoCursor;

    /// Takes exactly what is written.
    fn from_str(text: &str) -> Result<Self, NoCursor> {
        let (epoch, number) = text.split_once('-').ok_or(NoCursor)?;
        let cursor = Self {
            epoch: u64::from_str_radix(epoch, 16).map_err(|_| NoCursor)?,
            number: number.parse().map_err(|_| NoCursor)?,
        };
        (cursor.to_string() == text)
            .then_some(cursor)
            .ok_or(NoCursor)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_what_was_written_is_read() {
        let cursor = Cursor {
            epoch: 0xbeef,
            number: 7,
        };
        assert_eq!("beef-7".parse(), Ok(cursor));
        for text in [
            "",
            "-",
            "7",
            "beef",
            "beef-",
            "-7",
            "BEEF-7",
            "beef-07",
            "+1-7",
            "beef-+7",
            "0beef-7",
            "beef-7-1",
            " beef-7",
            "beef-99999999999999999999",
            "11112222333344445-1",
        ] {
            assert_eq!(text.parse::<Cursor>(), Err(NoCursor), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(epoch: u64, number: u64) {
            let cursor = Cursor { epoch, number };
            prop_assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
    }
}

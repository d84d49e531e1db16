//! What is wrong with a registration, said to the one who sent it.

use std::fmt;

use serde::Serialize;

/// One thing that is wrong, and in which field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    pub field: &'static str,
    pub problem: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.field, self.problem)
    }
}

/// Everything that is wrong with one registration, so that it can be mended in
/// one go; never empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Faults(pub Vec<Fault>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, fault) in self.0.iter().enumerate() {
            let between = if place == 0 { "" } else { "; " };
            write!(f, "{between}{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

/// Takes faults in while a registration is checked.
#[derive(Debug, Default)]
pub(crate) struct Findings(Vec<Fault>);

impl Findings {
    /// What was checked, or nothing and a fault more.
    pub(crate) fn take<T>(&mut self, field: &'static str, checked: Result<T, String>) -> Option<T> {
        match checked {
            Ok(value) => Some(value),
            Err(problem) => {
                self.0.push(Fault { field, problem });
                None
            }
        }
    }

    pub(crate) fn faults(self) -> Faults {
        Faults(self.0)
    }
}

/// At most so much of what a client wrote is repeated to it.
const SHOWN: usize = 64;

/// What a client wrote, cut where it is long, without control characters.
pub(crate) fn shown(text: &str) -> String {
    let clean = text.chars().take(SHOWN);
    let mut short: String = clean
        .map(|c| if c.is_control() { '?' } else { c })
        .collect();
    if text.chars().nth(SHOWN).is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_and_strange_text_is_shown_cut_and_clean() {
        assert_eq!(shown("web"), "web");
        assert_eq!(shown("a\r\nb"), "a??b");
        assert_eq!(shown(&"x".repeat(1000)), format!("{}…", "x".repeat(64)));
        assert_eq!(shown(&"é".repeat(64)), "é".repeat(64));
    }
}

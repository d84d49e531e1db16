use crate::{Conditions, Facts};

/// Why a route did not take a request. The greater, the nearer it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Miss {
    Host,
    Path,
    Method,
    /// The first of the route's further conditions that failed.
    Further {
        which: usize,
    },
    /// All conditions hold, but another route comes first.
    Outranked,
}

impl Miss {
    /// The miss as a sentence for people. It quotes the request, so it is for
    /// the operator and not for the client.
    pub fn text(self, facts: &Facts<'_>, conditions: &Conditions) -> String {
        match conditions.missed(self) {
            Some(condition) => condition.text(facts),
            None => "every condition holds, but another route comes first".to_owned(),
        }
    }
}

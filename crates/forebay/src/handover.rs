//! What one process leaves to the one that takes over: its sockets, and what
//! it knows that no file says.
//!
//! The two may be of different versions. So everything is optional, what is not
//! known is left out, and nothing of it is needed in order to serve.

use std::sync::Arc;

use plan::{Changes, Heritage};
use proxy::{Agree, Sockets};
use serde::{Deserialize, Serialize};
use upstream::Secret;

/// What comes from the process before. The default: there was none.
#[derive(Default)]
pub struct Predecessor {
    pub sockets: Vec<Sockets>,
    pub handover: Handover,
    /// Asked once, when everything is open and before anything is accepted.
    pub agree: Option<Agree>,
}

/// What is known. A further thing is a field here, with a default; it is filled
/// in [`Handover::of`] and used in [`Handover::prepare`] or at the start.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Handover {
    /// Of the sticky cookies of groups without one of their own, as
    /// hexadecimal digits.
    secret: Option<String>,
    pub reloads: Reloads,
    /// What operators have changed.
    changes: Changes,
    /// Services that have registered themselves.
    pub(crate) services: Option<registry::Snapshot>,
}

/// How often a configuration was taken up anew, and refused.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Reloads {
    pub taken: u64,
    pub refused: u64,
}

impl Handover {
    pub(crate) fn of(heritage: &Heritage, reloads: Reloads, services: registry::Snapshot) -> Self {
        let secret = heritage.living.secret_so_far();
        let secret = secret.and_then(|secret| secret.bytes());
        Self {
            secret: secret.map(|bytes| bytes.iter().map(|b| format!("{b:02x}")).collect()),
            reloads,
            changes: Changes::clone(&heritage.changes()),
            services: Some(services),
        }
    }

    /// What the reading of the configuration needs. Comes before it.
    pub fn prepare(&self, heritage: &Heritage) {
        if let Some(bytes) = self.secret.as_deref().and_then(bytes_of) {
            heritage.living.take_over_secret(Secret::made_up(bytes));
        }
        heritage.set_changes(Arc::new(self.changes.clone()));
    }
}

/// Not the secret.
impl std::fmt::Debug for Handover {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Handover");
        shown
            .field("reloads", &self.reloads)
            .finish_non_exhaustive()
    }
}

fn bytes_of(digits: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if digits.len() != 64 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none() -> registry::Snapshot {
        registry::Snapshot {
            services: Vec::new(),
        }
    }

    #[test]
    fn what_is_handed_over_is_there_again() {
        let old = Heritage::default();
        let secret = old.living.secret().unwrap();
        let reloads = Reloads {
            taken: 7,
            refused: 2,
        };
        let text = serde_json::to_string(&Handover::of(&old, reloads, none())).unwrap();
        let handover: Handover = serde_json::from_str(&text).unwrap();
        assert_eq!(handover.reloads, reloads);
        assert!(!format!("{handover:?}").contains(&text[20..40]));
        let new = Heritage::default();
        handover.prepare(&new);
        assert_eq!(new.living.secret().unwrap().bytes(), secret.bytes());
    }

    #[test]
    fn a_secret_that_was_never_made_up_is_not_made_up_now() {
        let handover = Handover::of(&Heritage::default(), Reloads::default(), none());
        assert_eq!(handover.secret, None);
    }

    #[test]
    fn other_versions_are_understood_as_far_as_possible() {
        for (text, taken) in [
            ("{}", 0),
            (r#"{ "reloads": { "taken": 3, "new": [] }, "more": {} }"#, 3),
            (r#"{ "secret": "short" }"#, 0),
        ] {
            let handover: Handover = serde_json::from_str(text).unwrap();
            handover.prepare(&Heritage::default());
            assert_eq!(handover.reloads.taken, taken, "{text}");
        }
        for digits in ["", "zz", &"é".repeat(32), &"g".repeat(64)] {
            assert_eq!(bytes_of(digits), None, "{digits}");
        }
    }
}

//! What one process leaves to the one that takes over: its sockets, and what
//! it knows that no file says.
//!
//! The two may be of different versions. So everything is optional, what is not
//! known is left out, and nothing of it is needed in order to serve.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use plan::{Changes, Heritage, Plan};
use proxy::{Agree, Sockets};
use serde::{Deserialize, Serialize};
use tls::Tickets;
use upstream::{Legacy, Secret};

use crate::sources::LastFound;

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
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Handover {
    /// Of the sticky cookies of groups without one of their own, as
    /// hexadecimal digits.
    secret: Option<String>,
    /// Keys of TLS session tickets, as [`tls::Tickets::to_text`] writes them: a secret.
    tickets: Option<String>,
    pub reloads: Reloads,
    /// What operators have changed.
    changes: Changes,
    /// Services that have registered themselves.
    pub(crate) services: Option<registry::Snapshot>,
    /// What sources of backends have found last, until they are asked anew.
    pub(crate) found: LastFound,
    /// How the backends stand, by group and URL.
    standings: BTreeMap<String, BTreeMap<String, Legacy>>,
}

/// How often a configuration was taken up anew, and refused.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Reloads {
    pub taken: u64,
    pub refused: u64,
}

impl Handover {
    pub(crate) fn of(
        heritage: &Heritage,
        plan: &Plan,
        reloads: Reloads,
        services: registry::Snapshot,
        found: LastFound,
        now: Instant,
    ) -> Self {
        let secret = heritage.living.secret_so_far();
        let secret = secret.and_then(|secret| secret.bytes());
        Self {
            tickets: heritage.tickets_so_far().map(|tickets| tickets.to_text()),
            secret: secret.map(|bytes| bytes.iter().map(|b| format!("{b:02x}")).collect()),
            reloads,
            changes: Changes::clone(&heritage.changes()),
            services: Some(services),
            found,
            standings: standings(plan, now),
        }
    }

    /// The backends go on where the ones before have left off; `why` is what is
    /// said of their states. Comes before the first request.
    pub(crate) fn bring_back(&self, plan: &Plan, why: &'static str, now: Instant) {
        for group in plan.groups.iter().map(|group| &group.balance) {
            let Some(standings) = self.standings.get(&*group.id) else {
                continue;
            };
            for backend in &group.backends {
                if let Some(legacy) = standings.get(&*backend.url) {
                    backend.standing.inherit(&group.health, legacy, why, now);
                }
            }
        }
    }

    /// What is worth keeping for the next start: neither secrets, which are no
    /// file's business, nor what is found again, nor how backends stand but for
    /// what operators want.
    pub(crate) fn worth_keeping(mut self) -> Self {
        self.secret = None;
        self.tickets = None;
        self.reloads = Reloads::default();
        self.found = LastFound::default();
        for standings in self.standings.values_mut() {
            standings.retain(|_, legacy| {
                *legacy = Legacy {
                    draining: legacy.draining,
                    disabled: legacy.disabled,
                    ..Legacy::default()
                };
                *legacy != Legacy::default()
            });
        }
        self.standings.retain(|_, standings| !standings.is_empty());
        self
    }

    /// There was another process, which has left all it knows.
    pub(crate) fn has_come(&self) -> bool {
        self.services.is_some()
    }

    /// The same but for how long leases still last.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        let ids = |handover: &Self| -> Vec<registry::Registration> {
            let saved = handover
                .services
                .iter()
                .flat_map(|snapshot| &snapshot.services);
            saved.map(|saved| saved.service.clone()).collect()
        };
        self.changes == other.changes
            && self.standings == other.standings
            && ids(self) == ids(other)
    }

    /// What the reading of the configuration needs. Comes before it.
    pub fn prepare(&self, heritage: &Heritage) {
        if let Some(bytes) = self.secret.as_deref().and_then(bytes_of) {
            heritage.living.take_over_secret(Secret::made_up(bytes));
        }
        if let Some(tickets) = self.tickets.as_deref().and_then(Tickets::from_text) {
            heritage.take_over_tickets(tickets);
        }
        heritage.set_changes(Arc::new(self.changes.clone()));
    }
}

/// How backends stand of which there is anything to say.
fn standings(plan: &Plan, now: Instant) -> BTreeMap<String, BTreeMap<String, Legacy>> {
    let of_group = |group: &upstream::Group| -> BTreeMap<String, Legacy> {
        let all = group.backends.iter();
        let all = all.map(|backend| (backend.url.to_string(), backend.standing.legacy(now)));
        all.filter(|(_, legacy)| *legacy != Legacy::default())
            .collect()
    };
    let groups = plan.groups.iter().map(|group| &group.balance);
    let groups = groups.map(|group| (group.id.to_string(), of_group(group)));
    groups
        .filter(|(_, standings)| !standings.is_empty())
        .collect()
}

/// Not the secrets.
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

    fn of(heritage: &Heritage, reloads: Reloads) -> Handover {
        let text = "server: { address: 127.0.0.1:0 }\nroutes: [ { id: a, respond: {} } ]";
        let read = crate::read("forebay.yaml", text, &crate::Outside::nothing());
        let services = registry::Snapshot {
            services: Vec::new(),
        };
        let now = crate::live::instant();
        let (plan, found) = (read.plan.unwrap(), LastFound::default());
        Handover::of(heritage, &plan, reloads, services, found, now)
    }

    #[test]
    fn what_is_handed_over_is_there_again() {
        let old = Heritage::default();
        let secret = old.living.secret().unwrap();
        let reloads = Reloads {
            taken: 7,
            refused: 2,
        };
        let text = serde_json::to_string(&of(&old, reloads)).unwrap();
        let handover: Handover = serde_json::from_str(&text).unwrap();
        assert_eq!(handover.reloads, reloads);
        assert!(!format!("{handover:?}").contains(&text[20..40]));
        let new = Heritage::default();
        handover.prepare(&new);
        assert_eq!(new.living.secret().unwrap().bytes(), secret.bytes());
    }

    #[test]
    fn a_secret_that_was_never_made_up_is_not_made_up_now() {
        let handover = of(&Heritage::default(), Reloads::default());
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

//! The decision: which route, and which backend. Pure functions of the plan,
//! the facts of a request, the living state and randomness; the sink of
//! reasons is chosen at compile time, so the data plane pays nothing for it.

use std::net::IpAddr;
use std::time::Instant;

use routing::Facts;
use upstream::{Ask, Excluded, Taken};

use crate::{Group, Plan};

/// The route a request belongs to, as an index into the plan's routes.
pub fn find_route<R: routing::Reasons>(
    plan: &Plan,
    facts: &Facts<'_>,
    reasons: &mut R,
) -> Option<usize> {
    plan.table.find(facts, reasons)
}

/// What a choice among backends depends on.
#[derive(Debug, Clone, Copy)]
pub struct Choice<'a> {
    pub client: IpAddr,
    pub random: u64,
    pub affinity: Affinity,
    /// Backends this exchange has tried already.
    pub tried: &'a Excluded,
    /// Without it nothing ends that ends by itself, such as an ejection.
    pub now: Option<Instant>,
}

/// What draws a request to one backend.
#[derive(Debug, Clone, Copy, Default)]
pub struct Affinity {
    /// The key of `hash`; none where the request has no such thing.
    pub key: Option<u64>,
    /// The backend of the client's session.
    pub session: Option<usize>,
}

/// The backend for the next attempt, as an index into the group's backends.
pub fn choose_backend<R: upstream::Reasons>(
    group: &Group,
    choice: &Choice<'_>,
    reasons: &mut R,
) -> Option<usize> {
    group.balance.choose(&ask(choice), reasons)
}

/// The same for a request that will be sent.
pub fn take_backend(group: &Group, choice: &Choice<'_>) -> Option<Taken> {
    group.balance.take(&ask(choice))
}

fn ask<'a>(choice: &Choice<'a>) -> Ask<'a> {
    Ask {
        client: choice.client,
        random: choice.random,
        key: choice.affinity.key,
        session: choice.affinity.session,
        exclude: choice.tried,
        now: choice.now,
    }
}

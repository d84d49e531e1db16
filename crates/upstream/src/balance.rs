//! The strategies, one per file.
//!
//! `round_robin` and `weighted` deal turns from one shared counter, which makes
//! their shares exact over all workers. Turns belong to first attempts. A later
//! attempt draws at random among what is left: did it take a turn as well, the
//! turns of a failing backend and those of its stand-ins could fall into step,
//! and one stand-in would carry all of the failing one's load.
//!
//! Where some backends are out, the turns are dealt among the rest, as exactly.

mod ip_hash;
mod least_connections;
mod ring;
mod round_robin;
mod turns;
mod two_choices;
mod weighted;

use std::fmt;
use std::sync::Arc;

use crate::candidates::Candidates;
use crate::{Ask, Backend, Verdict};
use ip_hash::IpHash;
use least_connections::LeastConnections;
use ring::Ring;
use round_robin::RoundRobin;
pub use turns::Turns;
pub(crate) use turns::{Deal, Turn};
use weighted::Weighted;

/// How a group chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Strategy {
    /// In turn.
    RoundRobin,
    /// In turn, each as often as its weight says, smoothly mixed.
    Weighted,
    /// The one with the fewest exchanges in flight for its weight.
    LeastConnections,
    /// Any.
    Random,
    /// The less busy of two drawn at random.
    TwoChoices,
    /// By the client's address: always the same one while it is there.
    IpHash,
    /// By a key of the request, on a ring.
    Hash {
        /// Percent of the average load that a backend may have before its keys
        /// go to the next; 0 is no bound.
        load_factor: u32,
    },
}

impl Strategy {
    pub const ALL: [Strategy; 7] = [
        Strategy::RoundRobin,
        Strategy::Weighted,
        Strategy::LeastConnections,
        Strategy::Random,
        Strategy::TwoChoices,
        Strategy::IpHash,
        Strategy::Hash { load_factor: 125 },
    ];

    /// Whether the backends' weights matter to it.
    pub fn uses_weights(self) -> bool {
        match self {
            Strategy::RoundRobin | Strategy::Random | Strategy::TwoChoices => false,
            Strategy::Weighted
            | Strategy::LeastConnections
            | Strategy::IpHash
            | Strategy::Hash { .. } => true,
        }
    }

    /// The word used in settings.
    pub fn label(self) -> &'static str {
        match self {
            Strategy::RoundRobin => "round_robin",
            Strategy::Weighted => "weighted",
            Strategy::LeastConnections => "least_connections",
            Strategy::Random => "random",
            Strategy::TwoChoices => "two_choices",
            Strategy::IpHash => "ip_hash",
            Strategy::Hash { .. } => "hash",
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.label())
    }
}

/// A strategy with what it has worked out for one group.
#[derive(Debug)]
pub(crate) enum Balance {
    RoundRobin(RoundRobin),
    Weighted(Weighted),
    LeastConnections(LeastConnections),
    Random,
    TwoChoices,
    IpHash(IpHash),
    Hash(Ring),
}

impl Balance {
    pub(crate) fn new(
        strategy: Strategy,
        backends: &[Arc<Backend>],
        weights: &[u32],
        turns: Turns,
    ) -> Self {
        match strategy {
            Strategy::RoundRobin => Balance::RoundRobin(RoundRobin::new(turns)),
            Strategy::Weighted => Balance::Weighted(Weighted::new(shares(weights), turns)),
            Strategy::LeastConnections => {
                Balance::LeastConnections(LeastConnections::new(shares(weights), turns))
            }
            Strategy::Random => Balance::Random,
            Strategy::TwoChoices => Balance::TwoChoices,
            Strategy::IpHash => Balance::IpHash(IpHash::new(backends, shares(weights))),
            Strategy::Hash { load_factor } => {
                Balance::Hash(Ring::new(backends, shares(weights), load_factor))
            }
        }
    }

    pub(crate) fn choose(
        &self,
        candidates: Candidates<'_>,
        ask: &Ask<'_>,
        deal: Deal,
    ) -> Option<usize> {
        match self {
            Balance::RoundRobin(balance) => balance.choose(candidates, ask.random, deal),
            Balance::Weighted(balance) => balance.choose(candidates, ask.random, deal),
            Balance::LeastConnections(balance) => balance.choose(candidates, ask.random, deal),
            Balance::Random => candidates.draw(ask.random),
            Balance::TwoChoices => two_choices::choose(candidates, ask.random),
            Balance::IpHash(balance) => balance.choose(candidates, ask.client),
            Balance::Hash(ring) => ring.choose(candidates, ask.key, ask.random),
        }
    }

    /// Why the candidate `index` was not the one that `choose` returned.
    pub(crate) fn why_not(
        &self,
        candidates: Candidates<'_>,
        ask: &Ask<'_>,
        index: usize,
    ) -> Verdict {
        match self {
            Balance::RoundRobin(_) => turn_or_draw(candidates),
            Balance::Weighted(balance) if !balance.has_share(index) => Verdict::NoWeight,
            Balance::Weighted(_) => turn_or_draw(candidates),
            Balance::LeastConnections(balance) => balance.why_not(candidates, index),
            Balance::Random => Verdict::NotDrawn,
            Balance::TwoChoices => two_choices::why_not(candidates, ask.random, index),
            Balance::IpHash(balance) if !balance.has_share(index) => Verdict::NoWeight,
            Balance::IpHash(_) => Verdict::RanksLower,
            Balance::Hash(ring) => ring.why_not(candidates, ask, index),
        }
    }
}

fn turn_or_draw(candidates: Candidates<'_>) -> Verdict {
    if candidates.takes_turns() {
        Verdict::NotItsTurn
    } else {
        Verdict::NotDrawn
    }
}

/// The weights that count: a backend of weight 0 gets nothing, unless all
/// have 0, and then all are equal.
fn shares(weights: &[u32]) -> Vec<u32> {
    if weights.iter().all(|&weight| weight == 0) {
        vec![1; weights.len()]
    } else {
        weights.to_vec()
    }
}

//! Which backends of a group may be chosen, where not all of them are well.

use std::time::Duration;

use crate::hash::{hash_address, mix};
use crate::standing::Look;
use crate::{Ask, Excluded, Group, Strategy};

/// A seed of its own, so that who is left out does not hang together with who
/// is drawn.
const SEED: u64 = 0x5eed_0f51_0e5a_a7c3;

/// One group's backends, as one choice finds them.
pub(crate) struct Sieve {
    looks: Vec<Look>,
    /// Out, for whatever reason.
    pub(crate) out: Excluded,
    /// Warming up, and left out this time.
    pub(crate) cool: Excluded,
    /// Out or cool or tried by the exchange.
    pub(crate) without_cool: Excluded,
    /// Out or tried.
    pub(crate) without_out: Excluded,
    /// Nobody is well, so that nearly everybody may be chosen.
    fails_open: bool,
}

impl Sieve {
    pub(crate) fn new(group: &Group, ask: &Ask<'_>) -> Self {
        let backends = group.backends.iter();
        let looks: Vec<Look> = backends
            .map(|backend| backend.standing.look(&group.health, ask.now))
            .collect();
        let takes_new = |&(index, look): &(usize, &Look)| look.takes_new() && group.counts(index);
        let fails_open =
            group.health.fails_open && !looks.iter().enumerate().any(|l| takes_new(&l));
        let mut sieve = Self {
            looks,
            out: Excluded::new(),
            cool: Excluded::new(),
            without_cool: ask.exclude.clone(),
            without_out: ask.exclude.clone(),
            fails_open,
        };
        for index in 0..sieve.looks.len() {
            sieve.sift(group, ask, index);
        }
        sieve
    }

    fn sift(&mut self, group: &Group, ask: &Ask<'_>, index: usize) {
        let Some(&look) = self.looks.get(index) else {
            return;
        };
        let may = match self.fails_open {
            true => look.is_allowed(),
            false => look.takes_new(),
        };
        if !may {
            self.out.insert(index);
            self.without_out.insert(index);
            self.without_cool.insert(index);
        } else if is_left_out(look, group, ask, index) {
            self.cool.insert(index);
            self.without_cool.insert(index);
        }
    }

    /// Whether a session at this backend stays there.
    pub(crate) fn keeps_session(&self, index: usize, tried: &Excluded) -> bool {
        let look = self.looks.get(index);
        let stays = |look: &Look| look.takes_sessions() || (self.fails_open && look.is_allowed());
        look.is_some_and(stays) && !tried.contains(index)
    }

    /// A request there needs the permission of its breaker.
    pub(crate) fn needs_probe(&self, index: usize) -> bool {
        let look = self.looks.get(index);
        !self.fails_open && look.is_some_and(|look| look.state() == crate::State::HalfOpen)
    }
}

/// Whether a backend that warms up is left out of one choice. What decides by
/// itself where a request goes decides this too, so that clients and keys move
/// once and not to and fro.
fn is_left_out(look: Look, group: &Group, ask: &Ask<'_>, index: usize) -> bool {
    if !look.is_warming() || group.health.slow_start == Duration::ZERO {
        return false;
    }
    let by = match (group.strategy, ask.key) {
        (Strategy::IpHash, _) => hash_address(ask.client),
        (Strategy::Hash { .. }, Some(key)) => key,
        _ => ask.random,
    };
    let drawn = mix(mix(by ^ SEED) ^ index as u64) & 0xffff;
    drawn >= look.share(group.health.slow_start)
}

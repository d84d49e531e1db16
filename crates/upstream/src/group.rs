use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use crate::balance::Balance;
use crate::candidates::Candidates;
use crate::{Backend, Clients, Excluded, Note, Reasons, Strategy, Verdict};

/// What a route points at: some backends and a way to choose among them.
///
/// Frozen: belongs to a plan. Only the strategy's turn counter changes.
#[derive(Debug)]
pub struct Group {
    pub id: Box<str>,
    pub strategy: Strategy,
    pub backends: Vec<Arc<Backend>>,
    weights: Vec<u32>,
    balance: Balance,
}

/// What one choice depends on besides the group.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// The address the choice may stick to (`ip_hash`).
    pub client: IpAddr,
    /// 64 random bits, all of them used.
    pub random: u64,
    /// What decides for `hash`; none where the request has no such thing.
    pub key: Option<u64>,
    /// The backend of the client's session, whatever the strategy says.
    pub session: Option<usize>,
    /// Backends that this exchange has tried already.
    pub exclude: &'a Excluded,
}

impl Group {
    /// Backends come with their weights; only `weighted`, `least_connections`
    /// and the hashes look at those.
    pub fn new(
        id: impl Into<Box<str>>,
        strategy: Strategy,
        backends: impl IntoIterator<Item = (Arc<Backend>, u32)>,
    ) -> Self {
        let (backends, weights): (Vec<_>, Vec<_>) = backends.into_iter().unzip();
        Self {
            id: id.into(),
            strategy,
            balance: Balance::new(strategy, &backends, &weights),
            backends,
            weights,
        }
    }

    pub fn weights(&self) -> &[u32] {
        &self.weights
    }

    /// The backend that a client was sent to, if it is still one of the group.
    pub fn seat(&self, clients: &Clients, client: IpAddr, now: Instant) -> Option<usize> {
        let id = clients.find(client, now)?;
        self.backends.iter().position(|backend| backend.id() == id)
    }

    /// Remembers which backend a client was sent to.
    pub fn take_seat(&self, clients: &Clients, client: IpAddr, index: usize, now: Instant) {
        if let Some(backend) = self.backends.get(index) {
            clients.put(client, backend.id(), now);
        }
    }

    /// The index of the backend for the next attempt; none if every one that
    /// may get requests has been tried.
    ///
    /// Pure but for the shared counters: it reads loads and may take a turn.
    pub fn choose<R: Reasons>(&self, ask: &Ask<'_>, reasons: &mut R) -> Option<usize> {
        let candidates = Candidates::new(&self.backends, ask.exclude);
        let session = ask.session.filter(|&index| candidates.contains(index));
        let chosen = session.or_else(|| self.balance.choose(candidates, ask));
        if R::ON {
            self.explain(candidates, ask, chosen, reasons);
        }
        chosen
    }

    fn explain<R: Reasons>(
        &self,
        candidates: Candidates<'_>,
        ask: &Ask<'_>,
        chosen: Option<usize>,
        reasons: &mut R,
    ) {
        for (index, &weight) in self.weights.iter().enumerate() {
            let verdict = if chosen == Some(index) {
                Verdict::Chosen
            } else if !candidates.contains(index) {
                Verdict::Excluded
            } else if chosen.is_some() && chosen == ask.session {
                Verdict::NotItsSession
            } else {
                self.balance.why_not(candidates, ask, index)
            };
            let note = Note {
                load: candidates.load(index),
                weight,
                verdict,
            };
            reasons.candidate(index, note);
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::net::Ipv4Addr;
    use std::sync::Barrier;
    use std::thread;

    use super::*;
    use crate::backend::tests::backends;
    use crate::{InFlight, Notes, Silent};

    pub(crate) fn group(strategy: Strategy, weights: &[u32]) -> Group {
        let members = backends(weights.len()).into_iter();
        Group::new("api", strategy, members.zip(weights.iter().copied()))
    }

    pub(crate) fn ask(random: u64, exclude: &Excluded) -> Ask<'_> {
        Ask {
            client: IpAddr::V4(Ipv4Addr::from_bits(random as u32)),
            random,
            key: Some(random),
            session: None,
            exclude,
        }
    }

    /// How often each backend is chosen in `n` asks with other clients and
    /// other random bits.
    pub(crate) fn counts(group: &Group, n: usize, exclude: &Excluded) -> Vec<usize> {
        let mut random = fastrand::Rng::with_seed(7);
        let mut counts = vec![0; group.backends.len()];
        for _ in 0..n {
            let ask = ask(random.u64(..), exclude);
            if let Some(index) = group.choose(&ask, &mut Silent) {
                counts[index] += 1;
            }
        }
        counts
    }

    /// The same with several threads at once, `n` asks each.
    pub(crate) fn counts_of_threads(group: &Group, threads: usize, n: usize) -> Vec<usize> {
        let start = Barrier::new(threads);
        let ask = || {
            start.wait();
            counts(group, n, &Excluded::new())
        };
        thread::scope(|scope| {
            let asking: Vec<_> = (0..threads).map(|_| scope.spawn(ask)).collect();
            let mut sums = vec![0; group.backends.len()];
            for thread in asking {
                for (sum, count) in sums.iter_mut().zip(thread.join().unwrap()) {
                    *sum += count;
                }
            }
            sums
        })
    }

    #[test]
    fn nothing_to_choose_is_none() {
        let all: Excluded = (0..3).collect();
        for strategy in Strategy::ALL {
            let empty = group(strategy, &[]);
            assert_eq!(counts(&empty, 5, &Excluded::new()).len(), 0, "{strategy}");
            let tried = group(strategy, &[1, 1, 1]);
            assert_eq!(counts(&tried, 5, &all), [0, 0, 0], "{strategy}");
        }
    }

    #[test]
    fn every_strategy_skips_the_excluded_and_spreads_over_the_rest() {
        let exclude: Excluded = [1, 3].into_iter().collect();
        for strategy in Strategy::ALL {
            let counts = counts(&group(strategy, &[1; 5]), 3000, &exclude);
            assert_eq!((counts[1], counts[3]), (0, 0), "{strategy}");
            for kept in [0, 2, 4] {
                // least_connections rotates, the others draw: 1000 +- 5 sigma.
                assert!(
                    (870..=1130).contains(&counts[kept]),
                    "{strategy} {counts:?}"
                );
            }
        }
    }

    #[test]
    fn a_strategy_tries_every_backend_once_before_it_gives_up() {
        for strategy in Strategy::ALL {
            let group = group(strategy, &[3, 1, 2, 2]);
            let mut tried = Excluded::new();
            for attempt in 0..4 {
                let chosen = group.choose(&ask(!0 / 3, &tried), &mut Silent);
                let chosen = chosen.unwrap_or_else(|| panic!("{strategy} {attempt}"));
                assert!(!tried.contains(chosen));
                tried.insert(chosen);
            }
        }
    }

    #[test]
    fn reasons_name_every_backend_and_why() {
        use Verdict::{Busier, Chosen, Excluded as Tried, NoWeight, NotDrawn};
        use Verdict::{NotItsTurn, RanksLower};
        let exclude: Excluded = [2].into_iter().collect();
        let none = Excluded::new();
        for (strategy, weights, exclude, expected) in [
            (
                Strategy::RoundRobin,
                [1, 1, 1],
                &none,
                [Chosen, NotItsTurn, NotItsTurn],
            ),
            (
                Strategy::RoundRobin,
                [1, 1, 1],
                &exclude,
                [Chosen, NotDrawn, Tried],
            ),
            (
                Strategy::Weighted,
                [0, 5, 1],
                &none,
                [NoWeight, Chosen, NotItsTurn],
            ),
            (
                Strategy::Weighted,
                [0, 5, 1],
                &exclude,
                [NoWeight, Chosen, Tried],
            ),
            (
                Strategy::LeastConnections,
                [1, 1, 1],
                &none,
                [Busier, Chosen, NotItsTurn],
            ),
            (
                Strategy::Random,
                [1, 1, 1],
                &none,
                [Chosen, NotDrawn, NotDrawn],
            ),
            (
                Strategy::TwoChoices,
                [1, 1, 1],
                &none,
                [Busier, Chosen, NotDrawn],
            ),
            (
                Strategy::IpHash,
                [0, 0, 4],
                &none,
                [NoWeight, NoWeight, Chosen],
            ),
            (
                Strategy::IpHash,
                [9, 0, 0],
                &exclude,
                [Chosen, NoWeight, Tried],
            ),
        ] {
            let group = group(strategy, &weights);
            let _busy = InFlight::new(Arc::clone(&group.backends[0]));
            let mut notes = Notes::default();
            let chosen = group.choose(&ask(0, exclude), &mut notes);
            let verdicts: Vec<Verdict> = notes.0.iter().map(|note| note.verdict).collect();
            assert_eq!(verdicts, expected, "{strategy}");
            assert_eq!(verdicts.iter().position(|&v| v == Chosen), chosen);
            assert_eq!(notes.0[0].load, 1);
            assert_eq!(notes.0[1].weight, weights[1]);
        }
        let group = group(Strategy::IpHash, &[1, 1]);
        let mut notes = Notes::default();
        group.choose(&ask(0, &none), &mut notes);
        assert!(notes.0.iter().any(|note| note.verdict == RanksLower));
    }
}

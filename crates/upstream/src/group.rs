use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::balance::{Balance, Deal};
use crate::candidates::Candidates;
use crate::sieve::Sieve;
use crate::standing::Peers;
use crate::{
    AdaptiveLimit, Backend, Clients, Excluded, Fault, HealthPolicy, Note, Probe, Reasons, Refusals,
    Silent, State, Strategy, Turns, Verdict,
};

/// What a route points at: some backends and a way to choose among them.
///
/// Frozen: belongs to a plan. Only the strategy's turn counter changes.
#[derive(Debug)]
pub struct Group {
    pub id: Box<str>,
    pub strategy: Strategy,
    pub backends: Vec<Arc<Backend>>,
    /// What takes a backend out.
    pub health: HealthPolicy,
    /// Requests under way over all workers.
    pub max_requests: Option<usize>,
    /// A limit that follows the latency.
    pub adaptive: Option<AdaptiveLimit>,
    weights: Vec<u32>,
    balance: Balance,
    /// What says whether all are well. One, unless the backends come from
    /// different places.
    pub(crate) peers: Box<[Arc<Peers>]>,
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
    /// Ejections and the like end with time; without it nothing does.
    pub now: Option<Instant>,
}

/// A backend that is to be asked.
#[derive(Debug)]
pub struct Taken {
    pub index: usize,
    /// Its breaker lets this request through, and no other meanwhile.
    pub probe: Option<Box<Probe>>,
}

impl Group {
    /// Backends come with their weights; only `weighted`, `least_connections`
    /// and the hashes look at those.
    pub fn new(
        id: impl Into<Box<str>>,
        strategy: Strategy,
        backends: impl IntoIterator<Item = (Arc<Backend>, u32)>,
    ) -> Self {
        Self::with_turns(id, strategy, backends, Turns::default())
    }

    /// A group that goes on with turns that others have begun.
    pub fn with_turns(
        id: impl Into<Box<str>>,
        strategy: Strategy,
        backends: impl IntoIterator<Item = (Arc<Backend>, u32)>,
        turns: Turns,
    ) -> Self {
        let (backends, weights): (Vec<_>, Vec<_>) = backends.into_iter().unzip();
        Self {
            id: id.into(),
            strategy,
            health: HealthPolicy::default(),
            max_requests: None,
            adaptive: None,
            balance: Balance::new(strategy, &backends, &weights, turns),
            peers: peers(&backends),
            backends,
            weights,
        }
    }

    #[must_use]
    pub fn with_health(mut self, health: HealthPolicy) -> Self {
        self.health = health;
        self
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
    /// Pure but for the shared counters: it reads loads and may take a turn,
    /// unless there are to be reasons; then it only looks.
    pub fn choose<R: Reasons>(&self, ask: &Ask<'_>, reasons: &mut R) -> Option<usize> {
        if self.all_are_well() {
            self.choose_among_all(ask, reasons)
        } else {
            self.choose_among_the_rest(ask, &Sieve::new(self, ask), reasons)
        }
    }

    /// The same for a request that will be sent: with the permission that a
    /// half-open breaker gives to one request at a time.
    pub fn take(&self, ask: &Ask<'_>) -> Option<Taken> {
        if self.all_are_well() {
            let index = self.choose_among_all(ask, &mut Silent)?;
            return Some(Taken { index, probe: None });
        }
        self.take_of_the_rest(ask)
    }

    /// Others may be quicker to take a permission; then it chooses again.
    #[cold]
    fn take_of_the_rest(&self, ask: &Ask<'_>) -> Option<Taken> {
        for _ in 0..=self.backends.len() {
            let sieve = Sieve::new(self, ask);
            let index = self.choose_among_the_rest(ask, &sieve, &mut Silent)?;
            if !sieve.needs_probe(index) {
                return Some(Taken { index, probe: None });
            }
            if let Some(probe) = Probe::take(self.backends.get(index)?) {
                let probe = Some(Box::new(probe));
                return Some(Taken { index, probe });
            }
        }
        None
    }

    pub(crate) fn all_are_well(&self) -> bool {
        self.peers.iter().all(|peers| peers.are_well())
    }

    fn choose_among_all<R: Reasons>(&self, ask: &Ask<'_>, reasons: &mut R) -> Option<usize> {
        let candidates = Candidates::new(&self.backends, ask.exclude);
        let session = ask.session.filter(|&index| candidates.contains(index));
        let chosen = session.or_else(|| self.balance.choose(candidates, ask, deal::<R>()));
        if R::ON {
            let none = Excluded::new();
            let [out, cool] = [&none, &none];
            self.explain(candidates, ask, chosen, Left { out, cool }, reasons);
        }
        chosen
    }

    fn choose_among_the_rest<R: Reasons>(
        &self,
        ask: &Ask<'_>,
        sieve: &Sieve,
        reasons: &mut R,
    ) -> Option<usize> {
        let all = Candidates::new(&self.backends, ask.exclude);
        let stays = |&index: &usize| sieve.keeps_session(index, ask.exclude);
        let mut candidates = all.without(&sieve.without_cool);
        let mut chosen = (ask.session.filter(stays))
            .or_else(|| self.balance.choose(candidates, ask, deal::<R>()));
        if chosen.is_none() && !sieve.cool.is_empty() {
            candidates = all.without(&sieve.without_out);
            chosen = self.balance.choose(candidates, ask, deal::<R>());
        }
        if R::ON {
            let left = Left {
                out: &sieve.out,
                cool: &sieve.cool,
            };
            self.explain(candidates, ask, chosen, left, reasons);
        }
        chosen
    }

    /// Whether the strategy ever chooses this backend.
    pub(crate) fn counts(&self, index: usize) -> bool {
        let has_weight = self.weights.get(index).is_some_and(|&weight| weight > 0);
        has_weight || !self.strategy.uses_weights() || self.weights.iter().all(|&w| w == 0)
    }

    /// A request failed at a backend, on the backend's side.
    #[cold]
    pub fn failed(&self, index: usize, probe: Option<Box<Probe>>, fault: Fault<'_>, now: Instant) {
        let most = (self.health.passive).map_or(0, |policy| policy.most_of(self.backends.len()));
        match (probe, self.backends.get(index)) {
            (Some(probe), _) => probe.failed(&self.health, most, fault, now),
            (None, Some(backend)) => {
                let standing = &backend.standing;
                standing.failed(&self.health, most, fault, None, now);
            }
            (None, None) => {}
        }
    }

    /// The request that a half-open breaker let through was answered well.
    #[cold]
    pub fn probe_succeeded(&self, probe: Probe, now: Instant) {
        probe.succeeded(&self.health, now);
    }

    /// How long until a backend that is out is back, or is tried again, as far
    /// as that is known.
    pub fn retry_after(&self, now: Instant) -> Option<Duration> {
        let backends = self.backends.iter();
        backends
            .filter_map(|backend| backend.standing.retry_after(now))
            .min()
    }

    /// Requests refused for want of room; none where there is no backend.
    pub fn refusals(&self) -> Option<&Refusals> {
        self.peers.first().map(|peers| &peers.refusals)
    }

    /// How many backends are in which state, in words.
    pub fn states(&self) -> String {
        let state = |backend: &Arc<Backend>| backend.standing.word().state();
        let count = |state_: State| self.backends.iter().filter(|b| state(b) == state_).count();
        let counts = State::ALL.into_iter().map(|state| (count(state), state));
        let some = counts.filter(|&(count, _)| count > 0);
        let words: Vec<String> = some.map(|(n, state)| format!("{n} {state}")).collect();
        words.join(", ")
    }

    /// Lets happen what happens by itself. Meant to be called about once a
    /// second, so that changes are told of where there are no requests.
    pub fn tick(&self, now: Instant) {
        for backend in &self.backends {
            backend.standing.tick(&self.health, now);
        }
        if let Some(adaptive) = &self.adaptive {
            adaptive.limit.tick(now);
        }
    }

    fn explain<R: Reasons>(
        &self,
        candidates: Candidates<'_>,
        ask: &Ask<'_>,
        chosen: Option<usize>,
        left: Left<'_>,
        reasons: &mut R,
    ) {
        for (index, &weight) in self.weights.iter().enumerate() {
            let verdict = if chosen == Some(index) {
                Verdict::Chosen
            } else if ask.exclude.contains(index) {
                Verdict::Excluded
            } else if left.out.contains(index) {
                Verdict::Out(self.state(index))
            } else if left.cool.contains(index) && !candidates.contains(index) {
                Verdict::WarmingUp
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

    fn state(&self, index: usize) -> State {
        let backend = self.backends.get(index);
        backend.map_or(State::Up, |backend| backend.standing.word().state())
    }
}

/// Who asks for reasons sends no request.
fn deal<R: Reasons>() -> Deal {
    if R::ON { Deal::Look } else { Deal::Take }
}

/// Who was left out of a choice.
#[derive(Clone, Copy)]
struct Left<'a> {
    out: &'a Excluded,
    /// Warming up.
    cool: &'a Excluded,
}

fn peers(backends: &[Arc<Backend>]) -> Box<[Arc<Peers>]> {
    let mut all: Vec<Arc<Peers>> = Vec::new();
    for backend in backends {
        let peers = backend.standing.peers();
        if !all.iter().any(|known| Arc::ptr_eq(known, peers)) {
            all.push(Arc::clone(peers));
        }
    }
    all.into()
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
            now: None,
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

    #[test]
    fn who_asks_for_reasons_takes_no_turn() {
        for strategy in [
            Strategy::RoundRobin,
            Strategy::Weighted,
            Strategy::LeastConnections,
        ] {
            let group = group(strategy, &[1, 1, 1]);
            let none = Excluded::new();
            for _ in 0..9 {
                let looked = [0; 2].map(|_| group.choose(&ask(0, &none), &mut Notes::default()));
                let taken = group.choose(&ask(0, &none), &mut Silent);
                assert_eq!(looked, [taken; 2], "{strategy}");
            }
        }
    }
}

use std::sync::Mutex as StdMutex;

use proptest::prelude::*;
use proptest::strategy::Strategy as _;

use super::*;
use crate::backend::tests::backends;
use crate::group::tests::{ask, counts};
use crate::{Ask, Backend, Excluded, Group, Notes, Silent, Strategy, Taken, Verdict};

const REFUSED: Fault<'static> = Fault {
    why: "connection refused",
    is_unreachable: true,
};
const BROKEN: Fault<'static> = Fault {
    why: "status 500",
    is_unreachable: false,
};

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[expect(clippy::disallowed_methods, reason = "a test begins some time")]
fn start() -> Instant {
    Instant::now()
}

fn passive() -> PassivePolicy {
    PassivePolicy {
        max_failures: 3,
        window: seconds(60),
        ejection_time: seconds(10),
        max_ejection_time: seconds(35),
        max_ejected_percent: 50,
    }
}

fn breaker() -> BreakerPolicy {
    BreakerPolicy {
        failure_threshold: 3,
        window: seconds(60),
        open_timeout: seconds(30),
        success_threshold: 2,
    }
}

fn ejecting() -> HealthPolicy {
    HealthPolicy {
        passive: Some(passive()),
        ..HealthPolicy::default()
    }
}

fn breaking() -> HealthPolicy {
    HealthPolicy {
        breaker: Some(breaker()),
        ..HealthPolicy::default()
    }
}

fn checking() -> HealthPolicy {
    HealthPolicy {
        checks: Some(CheckPolicy {
            healthy: 2,
            unhealthy: 3,
        }),
        ..ejecting()
    }
}

fn group(strategy: Strategy, n: usize, health: HealthPolicy) -> Group {
    let members = backends(n).into_iter().map(|backend| (backend, 1));
    Group::new("api", strategy, members).with_health(health)
}

fn round_robin(n: usize, health: HealthPolicy) -> Group {
    group(Strategy::RoundRobin, n, health)
}

fn state(group: &Group, index: usize, now: Instant) -> State {
    group.backends[index]
        .standing
        .view(&group.health, now)
        .state
}

fn at(now: Instant, exclude: &Excluded) -> Ask<'_> {
    Ask {
        now: Some(now),
        ..ask(0, exclude)
    }
}

/// What `n` requests one after another are sent to.
fn order(group: &Group, n: usize, now: Instant) -> Vec<Option<usize>> {
    let none = Excluded::new();
    (0..n)
        .map(|_| group.choose(&at(now, &none), &mut Silent))
        .collect()
}

fn check(at: Instant, error: Option<&str>) -> Check {
    Check {
        at,
        latency: seconds(0),
        error: error.map(Into::into),
    }
}

fn operate(group: &Group, index: usize, what: fn(&Standing, &HealthPolicy, Instant)) {
    what(&group.backends[index].standing, &group.health, start());
}

#[test]
fn a_connection_refused_ejects_at_once_and_others_in_a_row() {
    for (faults, ejected) in [
        (&[Some(REFUSED)][..], true),
        (&[Some(BROKEN)], false),
        (&[Some(BROKEN); 2], false),
        (&[Some(BROKEN); 3], true),
        (&[Some(BROKEN), Some(BROKEN), None, Some(BROKEN)], false),
        (&[None, Some(BROKEN), Some(REFUSED)], true),
    ] {
        let (group, now) = (round_robin(2, ejecting()), start());
        for fault in faults {
            match fault {
                Some(fault) => group.failed(0, None, *fault, now),
                None => group.backends[0].standing.succeeded(&group.health, now),
            }
        }
        let expected = if ejected { State::Ejected } else { State::Up };
        assert_eq!(state(&group, 0, now), expected, "{faults:?}");
    }
}

#[test]
fn failures_far_apart_are_not_in_a_row() {
    let (group, now) = (round_robin(2, ejecting()), start());
    for n in 0..9 {
        group.failed(0, None, BROKEN, now + seconds(61) * n);
        assert_eq!(state(&group, 0, now + seconds(61) * n), State::Up);
    }
}

#[test]
fn ejections_grow_and_shrink_again() {
    let (group, mut now) = (round_robin(2, ejecting()), start());
    // How long it stays well before it fails, and how long it is out then.
    for (well, out) in [
        (0, 10),
        (5, 20),
        (59, 30),
        (1, 35),
        (1, 35),
        (240, 20),
        (9999, 10),
    ] {
        now += seconds(well);
        group.failed(0, None, REFUSED, now);
        let view = group.backends[0].standing.view(&group.health, now);
        assert_eq!(view.until, Some(now + seconds(out)), "after {well}");
        now += seconds(out);
        assert_eq!(
            state(&group, 0, now - Duration::from_millis(1)),
            State::Ejected
        );
        assert_eq!(state(&group, 0, now), State::Up);
    }
}

#[test]
fn the_rest_takes_turns_exactly() {
    let (group, now) = (round_robin(3, ejecting()), start());
    group.failed(1, None, REFUSED, now);
    let turns = order(&group, 6, now);
    assert!(turns == [Some(0), Some(2)].repeat(3) || turns == [Some(2), Some(0)].repeat(3));
    assert_eq!(order(&group, 1, now + seconds(10)).len(), 1);
    let later = counts_at(&group, 300, now + seconds(10));
    assert_eq!(later, [100, 100, 100]);
}

fn counts_at(group: &Group, n: usize, now: Instant) -> Vec<usize> {
    let mut counts = vec![0; group.backends.len()];
    for index in order(group, n, now).into_iter().flatten() {
        counts[index] += 1;
    }
    counts
}

#[test]
fn weights_keep_their_proportions() {
    for (weights, out, expected) in [
        ([1, 2, 3], 0, [0, 40, 60]),
        ([1, 2, 3], 2, [33, 67, 0]),
        ([5, 1, 1], 1, [83, 0, 17]),
        ([100, 50, 0], 0, [0, 100, 0]),
    ] {
        let members = backends(3).into_iter().zip(weights);
        let group = Group::new("api", Strategy::Weighted, members).with_health(ejecting());
        let now = start();
        group.failed(out, None, REFUSED, now);
        for (count, expected) in counts_at(&group, 100, now).iter().zip(expected) {
            assert!(count.abs_diff(expected) <= 1, "{weights:?} {out} {count}");
        }
    }
}

#[test]
fn later_attempts_pass_over_those_that_are_out() {
    for strategy in Strategy::ALL {
        let (group, now) = (group(strategy, 5, ejecting()), start());
        group.failed(0, None, REFUSED, now);
        group.failed(1, None, REFUSED, now);
        let tried = [2].into_iter().collect();
        let counts = counts(&group, 1000, &tried);
        assert_eq!(counts[..3], [0, 0, 0], "{strategy}");
        assert_eq!(counts.iter().sum::<usize>(), 1000, "{strategy}");
    }
}

#[test]
fn no_more_are_ejected_than_may_be() {
    for (n, most) in [(1, 0), (2, 1), (3, 1), (4, 2), (9, 4)] {
        let (group, now) = (round_robin(n, ejecting()), start());
        for index in 0..n {
            group.failed(index, None, REFUSED, now);
        }
        let out = (0..n).filter(|&i| state(&group, i, now) == State::Ejected);
        assert_eq!(out.count(), most, "of {n}");
    }
}

#[test]
fn what_may_not_be_taken_out_fails_until_it_answers() {
    let (group, now) = (round_robin(3, ejecting()), start());
    group.failed(0, None, REFUSED, now);
    group.failed(1, None, REFUSED, now);
    let view = |index: usize, now| group.backends[index].standing.view(&group.health, now);
    let kept = view(1, now);
    assert_eq!(kept.state, State::Failing);
    assert_eq!(
        kept.at(now).to_string(),
        "failing: connection refused; kept in, for no more than 50% may be out"
    );
    assert_eq!(group.states(), "1 ejected, 1 failing, 1 up");
    let chosen = order(&group, 20, now);
    assert!(
        chosen.contains(&Some(1)) && !chosen.contains(&Some(0)),
        "{chosen:?}"
    );
    group.backends[1].standing.succeeded(&group.health, now);
    assert_eq!(view(1, now).state, State::Up);
    // There is room again for the next failure.
    let later = now + seconds(10);
    group.failed(1, None, REFUSED, now);
    assert_eq!(state(&group, 0, later), State::Up);
    group.failed(1, None, REFUSED, later);
    assert_eq!(state(&group, 1, later), State::Ejected);
    assert!(!group.backends[2].standing.is_troubled());
}

#[test]
fn what_was_kept_in_is_well_once_nobody_looks() {
    let (group, now) = (round_robin(1, ejecting()), start());
    group.failed(0, None, REFUSED, now);
    let standing = &group.backends[0].standing;
    assert_eq!(standing.view(&group.health, now).state, State::Failing);
    let nobody = HealthPolicy::default();
    assert_eq!(standing.view(&nobody, now).state, State::Up);
}

#[test]
fn an_operator_ends_ejections_and_closes_breakers() {
    let warming = HealthPolicy {
        passive: Some(passive()),
        slow_start: seconds(10),
        ..breaking()
    };
    let (group, now) = (round_robin(2, warming), start());
    group.failed(0, None, REFUSED, now);
    (0..3).for_each(|_| group.failed(1, None, BROKEN, now));
    for (index, state_) in [(0, State::Ejected), (1, State::BreakerOpen)] {
        assert_eq!(state(&group, index, now), state_);
        let standing = &group.backends[index].standing;
        standing.enable(&group.health, now);
        let view = standing.view(&group.health, now);
        assert_eq!((view.state, view.breaker), (State::Warming, None));
        assert_eq!(&*view.why, "enabled by an operator; warming up for 10 s");
    }
    // As if nothing had failed before.
    (0..2).for_each(|_| group.failed(1, None, BROKEN, now));
    assert_eq!(state(&group, 1, now), State::Warming);
}

#[test]
fn a_breaker_opens_lets_one_through_and_closes() {
    let (group, now) = (round_robin(1, breaking()), start());
    let none = Excluded::new();
    let take = |at_: Instant| group.take(&at(at_, &none));
    for n in 0..3 {
        assert!(take(now).is_some());
        group.backends[0].standing.succeeded(&group.health, now);
        group.failed(0, None, BROKEN, now + seconds(n));
    }
    let opened = now + seconds(2);
    assert_eq!(state(&group, 0, opened), State::BreakerOpen);
    assert!(take(opened + seconds(29)).is_none());
    assert_eq!(group.retry_after(opened), Some(seconds(30)));
    assert_eq!(group.states(), "1 breaker open");
    let half = opened + seconds(30);
    let Some(Taken {
        probe: Some(probe), ..
    }) = take(half)
    else {
        panic!("one request gets through");
    };
    assert_eq!(state(&group, 0, half), State::HalfOpen);
    assert!(take(half).is_none(), "and no other meanwhile");
    assert_eq!(group.retry_after(half), Some(Duration::ZERO));
    // A failure of a request from before says nothing.
    group.failed(0, None, BROKEN, half);
    assert_eq!(state(&group, 0, half), State::HalfOpen);
    drop(probe);
    for expected in [State::HalfOpen, State::Up] {
        let probe = take(half).unwrap().probe.unwrap();
        group.probe_succeeded(*probe, half);
        assert_eq!(state(&group, 0, half), expected);
    }
    assert!(take(half).unwrap().probe.is_none());
}

#[test]
fn a_probe_that_fails_opens_the_breaker_again() {
    let (group, now) = (round_robin(2, breaking()), start());
    for _ in 0..3 {
        group.failed(0, None, BROKEN, now);
    }
    let none = Excluded::new();
    let half = now + seconds(30);
    let probe = (0..2).find_map(|_| group.take(&at(half, &none)).unwrap().probe);
    assert!(probe.is_some());
    group.failed(0, probe, BROKEN, half);
    assert_eq!(state(&group, 0, half + seconds(29)), State::BreakerOpen);
    assert_eq!(state(&group, 0, half + seconds(30)), State::HalfOpen);
}

#[test]
fn failures_of_long_ago_open_no_breaker() {
    let (group, now) = (round_robin(1, breaking()), start());
    for n in 0..20 {
        group.failed(0, None, BROKEN, now + seconds(31) * n);
    }
    assert_eq!(state(&group, 0, now + seconds(31) * 20), State::Up);
}

#[test]
fn a_group_that_fails_open_asks_everybody_but_whom_operators_took_out() {
    let health = HealthPolicy {
        fails_open: true,
        ..breaking()
    };
    let (group, now) = (round_robin(3, health), start());
    operate(&group, 2, Standing::drain);
    for index in [0, 0, 0, 1, 1, 1] {
        group.failed(index, None, BROKEN, now);
    }
    assert_eq!(counts_at(&group, 10, now), [5, 5, 0]);
    let none = Excluded::new();
    assert!(group.take(&at(now, &none)).unwrap().probe.is_none());
    operate(&group, 0, Standing::disable);
    operate(&group, 1, Standing::disable);
    assert_eq!(group.choose(&at(now, &none), &mut Silent), None);
}

#[test]
fn sessions_leave_what_is_out_and_stay_at_what_is_drained() {
    let now = start();
    let (none, tried) = (Excluded::new(), [1].into_iter().collect());
    let session = |group: &Group, exclude: &Excluded| {
        let ask = Ask {
            session: Some(1),
            ..at(now, exclude)
        };
        group.choose(&ask, &mut Silent) == Some(1)
    };
    let group = round_robin(3, ejecting());
    assert!(session(&group, &none));
    operate(&group, 1, Standing::drain);
    assert!(session(&group, &none) && !session(&group, &tried));
    assert_eq!(counts_at(&group, 10, now), [5, 0, 5]);
    group.failed(1, None, REFUSED, now);
    assert!(!session(&group, &none), "drained and ejected");
    operate(&group, 1, Standing::disable);
    assert!(!session(&group, &none));
    operate(&group, 1, Standing::enable);
    assert_eq!(state(&group, 1, now), State::Up);
}

#[test]
fn a_backend_that_is_back_is_given_more_and_more() {
    let health = HealthPolicy {
        slow_start: seconds(10),
        ..ejecting()
    };
    for strategy in Strategy::ALL {
        let (group, now) = (group(strategy, 2, health.clone()), start());
        group.failed(0, None, REFUSED, now);
        let back = now + seconds(10);
        assert_eq!(state(&group, 0, back), State::Warming);
        for (after, percent) in [(0, 5), (1, 5), (5, 25), (10, 50)] {
            let mut random = fastrand::Rng::with_seed(after);
            let none = Excluded::new();
            let first = (0..10_000).filter(|_| {
                let ask = Ask {
                    now: Some(back + seconds(after)),
                    ..ask(random.u64(..), &none)
                };
                group.choose(&ask, &mut Silent) == Some(0)
            });
            let share = first.count() / 100;
            assert!(share.abs_diff(percent) <= 3, "{strategy} {after}: {share}");
        }
        assert_eq!(state(&group, 0, back + seconds(10)), State::Up);
    }
}

#[test]
fn who_warms_up_is_better_than_nobody() {
    let health = HealthPolicy {
        slow_start: seconds(10),
        ..ejecting()
    };
    let (group, now) = (round_robin(2, health), start());
    group.failed(0, None, REFUSED, now);
    operate(&group, 1, Standing::disable);
    let back = now + seconds(10);
    assert_eq!(counts_at(&group, 50, back), [50, 0]);
}

#[test]
fn checks_take_out_and_bring_back() {
    let (group, now) = (round_robin(1, checking()), start());
    let standing = &group.backends[0].standing;
    let made = |error| standing.checked(&group.health, check(now, error), now);
    standing.await_check(&group.health, now);
    let mut states = vec![state(&group, 0, now)];
    for error in [
        Some("503"),
        None,
        Some("503"),
        Some("503"),
        Some("503"),
        None,
        None,
    ] {
        made(error);
        states.push(state(&group, 0, now));
    }
    use State::{CheckedBad, Unknown, Up};
    assert_eq!(
        states,
        [Unknown, Unknown, Up, Up, Up, CheckedBad, CheckedBad, Up]
    );
    let view = standing.view(&group.health, now);
    assert_eq!((view.checks_good, view.checks_bad), (2, 0));
    assert_eq!(view.last_error.as_deref(), Some("503"));
    assert_eq!(view.history.len(), 4);
}

#[test]
fn good_checks_end_an_ejection_and_half_open_a_breaker() {
    let health = HealthPolicy {
        breaker: Some(breaker()),
        ..checking()
    };
    let (group, now) = (round_robin(2, health), start());
    for _ in 0..3 {
        group.failed(0, None, BROKEN, now);
    }
    let standing = &group.backends[0].standing;
    for expected in [State::BreakerOpen, State::HalfOpen] {
        standing.checked(&group.health, check(now, None), now);
        assert_eq!(state(&group, 0, now), expected);
    }
    group.failed(1, None, REFUSED, now);
    assert_eq!(state(&group, 1, now), State::Ejected, "there is room again");
}

#[test]
fn what_a_new_policy_does_not_know_is_over() {
    let health = HealthPolicy {
        breaker: Some(breaker()),
        ..checking()
    };
    let (group, now) = (round_robin(2, health), start());
    for _ in 0..3 {
        group.failed(0, None, BROKEN, now);
        group.backends[1]
            .standing
            .checked(&group.health, check(now, Some("bad")), now);
    }
    for index in 0..2 {
        let view = group.backends[index]
            .standing
            .view(&HealthPolicy::default(), now);
        assert_eq!(view.state, State::Up);
    }
    assert!(order(&group, 2, now).contains(&Some(0)));
}

#[test]
fn changes_are_told_in_words() {
    let hooks = Arc::new(Hooks::default());
    let told = Arc::new(StdMutex::new(Vec::new()));
    let kept = Arc::clone(&told);
    hooks.add(Arc::new(move |change: &Change| {
        kept.lock().unwrap().push(change.to_string());
    }));
    let peers = Peers::new("api", hooks);
    let members = ["http://a", "http://b"].map(|url| {
        let address = crate::Address::Unix(url.into());
        let backend = Backend::new(url, address, "a", crate::PoolOptions::default());
        (Arc::new(backend.among(Arc::clone(&peers))), 1)
    });
    let health = HealthPolicy {
        slow_start: seconds(10),
        ..ejecting()
    };
    let group = Group::new("api", Strategy::RoundRobin, members).with_health(health);
    let now = start();
    group.failed(0, None, REFUSED, now);
    group.failed(0, None, REFUSED, now);
    (0..3).for_each(|_| group.failed(1, None, BROKEN, now));
    order(&group, 1, now + seconds(10));
    order(&group, 1, now + seconds(20));
    operate(&group, 1, Standing::drain);
    assert_eq!(
        *told.lock().unwrap(),
        [
            "backend http://a of group api is out: connection refused; back in 10 s at the earliest",
            "backend http://b of group api fails: 3 failures in a row, the last: status 500; kept in, for no more than 50% may be out",
            "backend http://a of group api is back: it was ejected for its time; warming up for 10 s",
            "backend http://a of group api is up: it has warmed up",
            "backend http://b of group api is drained: an operator wants it",
        ]
    );
}

#[test]
fn a_backend_that_goes_takes_its_counts_along() {
    let members = backends(3);
    let peers = Arc::clone(members[0].standing.peers());
    let kept = Arc::clone(&members[1]);
    let group = Group::new("api", Strategy::Random, members.into_iter().map(|b| (b, 1)));
    let group = group.with_health(ejecting());
    group.failed(0, None, REFUSED, start());
    assert!(!peers.are_well() && !peers.claim(1));
    drop(group);
    assert!(peers.are_well() && peers.claim(1));
    drop(kept);
}

#[test]
fn what_operators_want_outlives_other_terms_of_a_backend() {
    let living = crate::Living::new();
    let wanted = |max_connections| {
        let options = crate::PoolOptions {
            max_connections,
            ..crate::PoolOptions::default()
        };
        Backend::new("http://a", crate::Address::Unix("a".into()), "a", options)
    };
    let (health, now) = (ejecting(), start());
    let first = living.backend("api", wanted(1));
    first.standing.drain(&health, now);
    let second = living.backend("api", wanted(2));
    assert!(!Arc::ptr_eq(&first, &second));
    assert_eq!(second.standing.view(&health, now).state, State::Draining);
    let group = Group::new("api", Strategy::Random, [(second, 1)]).with_health(health);
    assert_eq!(order(&group, 1, now), [None]);
}

/// Something that happens to one of some backends.
#[derive(Debug, Clone, Copy)]
enum Event {
    Fails(usize),
    Refuses(usize),
    Answers(usize),
    Checked(usize, bool),
    Drain(usize),
    Disable(usize),
    Enable(usize),
    Take,
    GiveBack,
    Probe(bool),
    Passes(u64),
}

fn events() -> impl proptest::strategy::Strategy<Value = Vec<Event>> {
    let index = 0usize..4;
    let event = prop_oneof![
        6 => index.clone().prop_map(Event::Fails),
        3 => index.clone().prop_map(Event::Refuses),
        3 => index.clone().prop_map(Event::Answers),
        2 => (index.clone(), any::<bool>()).prop_map(|(i, ok)| Event::Checked(i, ok)),
        1 => index.clone().prop_map(Event::Drain),
        1 => index.clone().prop_map(Event::Disable),
        2 => index.prop_map(Event::Enable),
        6 => Just(Event::Take),
        2 => Just(Event::GiveBack),
        3 => any::<bool>().prop_map(Event::Probe),
        4 => (0u64..40).prop_map(Event::Passes),
    ];
    prop::collection::vec(event, 0..120)
}

fn strategies() -> impl proptest::strategy::Strategy<Value = Strategy> {
    prop::sample::select(Strategy::ALL.to_vec())
}

fn everything(fails_open: bool) -> HealthPolicy {
    HealthPolicy {
        breaker: Some(breaker()),
        slow_start: seconds(10),
        fails_open,
        ..checking()
    }
}

proptest! {
    /// Whatever happens: the limits hold, one request at a time goes through a
    /// half-open breaker, what is explained is what is chosen, and nobody is
    /// chosen who is out while somebody is not.
    #[test]
    fn the_rules_hold_after_any_history(
        strategy in strategies(),
        fails_open: bool,
        events in events(),
        seed: u64,
    ) {
        let group = group(strategy, 4, everything(fails_open));
        let mut now = start();
        let mut random = fastrand::Rng::with_seed(seed);
        let mut probes: Vec<Taken> = Vec::new();
        for event in events {
            let standing = |index: usize| &group.backends[index].standing;
            match event {
                Event::Fails(i) => group.failed(i, None, BROKEN, now),
                Event::Refuses(i) => group.failed(i, None, REFUSED, now),
                Event::Answers(i) => standing(i).succeeded(&group.health, now),
                Event::Checked(i, ok) => {
                    let error = (!ok).then_some("bad");
                    standing(i).checked(&group.health, check(now, error), now);
                }
                Event::Drain(i) => standing(i).drain(&group.health, now),
                Event::Disable(i) => standing(i).disable(&group.health, now),
                Event::Enable(i) => standing(i).enable(&group.health, now),
                Event::Passes(n) => now += seconds(n),
                Event::GiveBack => drop(probes.pop()),
                Event::Probe(ok) => if let Some(Taken { index, probe: Some(probe) }) = probes.pop() {
                    match ok {
                        true => group.probe_succeeded(*probe, now),
                        false => group.failed(index, Some(probe), BROKEN, now),
                    }
                },
                Event::Take => {
                    let none = Excluded::new();
                    let ask = Ask { now: Some(now), ..ask(random.u64(..), &none) };
                    let before: Vec<State> = (0..4).map(|i| state(&group, i, now)).collect();
                    let busy: Vec<usize> = probes.iter().map(|taken| taken.index).collect();
                    let mut notes = Notes::default();
                    let explained = group.choose(&ask, &mut notes);
                    let verdicts = notes.0.iter().map(|note| note.verdict);
                    let chosen = verdicts.clone().position(|verdict| verdict == Verdict::Chosen);
                    prop_assert_eq!(chosen, explained);
                    for (verdict, &state) in verdicts.zip(&before) {
                        if let Verdict::Out(out) = verdict {
                            prop_assert_eq!(out, state);
                        }
                    }
                    let taken = group.take(&ask);
                    // Turns go on with every choice; the others depend on the ask alone.
                    if !matches!(strategy, Strategy::RoundRobin | Strategy::Weighted | Strategy::LeastConnections) {
                        prop_assert_eq!(taken.as_ref().map(|taken| taken.index), explained);
                    }
                    let somebody = before.iter().enumerate().any(|(i, state)| {
                        state.is_in() || (*state == State::HalfOpen && !group.backends[i].standing.word().is_probing() )
                    });
                    if let Some(taken) = taken {
                        let was = before[taken.index];
                        prop_assert!(!matches!(was, State::Disabled | State::Draining), "{was}");
                        let is_open = fails_open && !somebody && taken.probe.is_none();
                        prop_assert!(is_open || was.is_in() || was == State::HalfOpen, "{was}");
                        if taken.probe.is_some() {
                            prop_assert_eq!(was, State::HalfOpen);
                            // An older one may linger from before the breaker opened again.
                            probes.retain(|old| old.index != taken.index || !busy.contains(&old.index));
                            probes.push(taken);
                        } else {
                            prop_assert!(was != State::HalfOpen || is_open);
                        }
                    } else {
                        prop_assert!(!somebody);
                    }
                }
            }
            let states: Vec<State> = (0..4).map(|i| state(&group, i, now)).collect();
            let ejected = (0..4).filter(|&i| standing(i).lock().is_ejected()).count();
            prop_assert!(ejected <= 2);
            let unwell = states.iter().filter(|&&state| state != State::Up).count();
            prop_assert_eq!(group.all_are_well(), unwell == 0);
        }
    }

    /// First attempts take turns exactly among those that are left.
    #[test]
    fn turns_are_exact_among_the_rest(n in 2usize..9, out in prop::collection::hash_set(0usize..9, 0..4)) {
        let (group, now) = (round_robin(n, ejecting()), start());
        for &index in out.iter().filter(|&&index| index < n) {
            group.failed(index, None, REFUSED, now);
        }
        let left = (0..n).filter(|&i| state(&group, i, now).is_in()).count();
        let order = order(&group, 3 * left, now);
        for turn in order.windows(left) {
            let mut seen: Vec<_> = turn.to_vec();
            seen.sort_unstable();
            seen.dedup();
            prop_assert_eq!(seen.len(), left);
        }
    }

    #[test]
    fn weights_are_exact_among_the_rest(
        weights in prop::collection::vec(0u32..20, 2..7),
        out in 0usize..7,
    ) {
        let out = out % weights.len();
        let members = backends(weights.len()).into_iter().zip(weights.clone());
        let group = Group::new("api", Strategy::Weighted, members).with_health(ejecting());
        let now = start();
        group.failed(out, None, REFUSED, now);
        let shares = match weights.iter().all(|&w| w == 0) {
            true => vec![1; weights.len()],
            false => weights,
        };
        let left: Vec<u32> = shares.iter().enumerate().map(|(i, &w)| if i == out { 0 } else { w }).collect();
        let total: u32 = left.iter().sum();
        let counts = counts_at(&group, total as usize * 2, now);
        for (count, share) in counts.into_iter().zip(left) {
            prop_assert_eq!(count, 2 * share as usize);
        }
    }
}

/// What one process leaves, another goes on with: the same states, ending at the
/// same time.
#[test]
fn another_process_goes_on_where_one_has_left_off() {
    let now = start();
    let health = HealthPolicy {
        breaker: Some(breaker()),
        ..checking()
    };
    let (old, new) = (round_robin(6, health.clone()), round_robin(6, health));
    old.failed(0, None, REFUSED, now);
    (0..3).for_each(|_| old.failed(1, None, BROKEN, now));
    operate(&old, 2, Standing::drain);
    operate(&old, 3, Standing::disable);
    let policy = &old.health;
    (0..3).for_each(|_| {
        old.backends[4]
            .standing
            .checked(policy, check(now, Some("status 503")), now)
    });
    old.failed(5, None, BROKEN, now);
    let later = now + seconds(4);
    for (from, to) in old.backends.iter().zip(&new.backends) {
        let text = serde_json::to_string(&from.standing.legacy(later)).unwrap();
        let legacy: Legacy = serde_json::from_str(&text).unwrap();
        // The other process has a clock of its own.
        to.standing
            .inherit(&new.health, &legacy, "so", start() + seconds(1_000));
    }
    let begun = start() + seconds(1_000);
    for seconds_on in [0, 5, 7, 25, 27, 100] {
        let [then, there] = [later, begun].map(|at| at + seconds(seconds_on));
        let states = |group: &Group, now: Instant| -> Vec<State> {
            (0..6).map(|index| state(group, index, now)).collect()
        };
        assert_eq!(states(&old, then), states(&new, there), "{seconds_on}");
    }
    // A row of failures goes on, and is over as long after its last one.
    let window = old.health.passive.as_ref().unwrap().window;
    for (on, failures) in [(seconds(1), 2), (window * 3, 1)] {
        for (group, at) in [(&old, later + on), (&new, begun + on)] {
            group.failed(5, None, BROKEN, at);
            let view = group.backends[5].standing.view(&group.health, at);
            assert_eq!(view.consecutive_failures, failures, "{on:?}");
        }
    }
}

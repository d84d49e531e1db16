//! The standing of backends: one request at a time through a half-open breaker,
//! no more ejected than may be, and nobody chosen who is out.

use std::net::{IpAddr, Ipv4Addr};

use upstream::{
    Ask, BreakerPolicy, Excluded, Fault, Group, HealthPolicy, Living, PassivePolicy, Silent, State,
    Strategy, Taken,
};

use super::*;

const REFUSED: Fault<'static> = Fault {
    why: "connection refused",
    is_unreachable: true,
};

fn group(n: usize, health: HealthPolicy) -> Arc<Group> {
    let living = Living::new();
    let members = (0..n).map(|i| {
        let url = format!("http://{i}");
        let address = Address::Unix(url.as_str().into());
        let wanted = Backend::new(url.as_str(), address, "app", PoolOptions::default());
        (living.backend("api", wanted), 1)
    });
    Arc::new(Group::new("api", Strategy::RoundRobin, members).with_health(health))
}

fn breaking() -> HealthPolicy {
    let breaker = BreakerPolicy {
        failure_threshold: 1,
        window: seconds(60),
        open_timeout: seconds(1),
        success_threshold: 1,
    };
    HealthPolicy {
        breaker: Some(breaker),
        ..HealthPolicy::default()
    }
}

fn ejecting() -> HealthPolicy {
    let passive = PassivePolicy {
        max_failures: 2,
        window: seconds(60),
        ejection_time: seconds(1),
        max_ejection_time: seconds(1),
        max_ejected_percent: 50,
    };
    HealthPolicy {
        passive: Some(passive),
        ..HealthPolicy::default()
    }
}

fn ask(now: Instant, exclude: &Excluded) -> Ask<'_> {
    Ask {
        client: IpAddr::V4(Ipv4Addr::LOCALHOST),
        random: 0,
        key: None,
        session: None,
        exclude,
        now: Some(now),
    }
}

fn state(group: &Group, index: usize, now: Instant) -> State {
    group.backends[index]
        .standing
        .view(&group.health, now)
        .state
}

/// The first that would be chosen over and over.
fn chosen(group: &Group, now: Instant) -> Vec<Option<usize>> {
    let none = Excluded::new();
    let choose = |_| group.choose(&ask(now, &none), &mut Silent);
    (0..4).map(choose).collect()
}

#[test]
fn a_half_open_breaker_lets_one_through() {
    check(3, || {
        let (group, start) = (group(1, breaking()), start());
        group.failed(0, None, REFUSED, start);
        let now = start + seconds(1);
        let shared = Arc::clone(&group);
        let taken = threads(2, move |_| shared.take(&ask(now, &Excluded::new())));
        let mut through = taken.into_iter().flatten();
        let probe = through.next().and_then(|taken| taken.probe);
        assert!(probe.is_some() && through.next().is_none());
        drop(probe);
        let next = group.take(&ask(now, &Excluded::new()));
        assert!(matches!(next, Some(Taken { probe: Some(_), .. })));
    });
}

#[test]
fn a_permission_that_is_given_back_goes_to_one() {
    check(3, || {
        let (group, start) = (group(1, breaking()), start());
        group.failed(0, None, REFUSED, start);
        let now = start + seconds(1);
        let shared = Arc::clone(&group);
        let inside = Arc::new(AtomicUsize::new(0));
        threads(2, move |_| {
            let none = Excluded::new();
            if let Some(taken) = shared.take(&ask(now, &none)) {
                assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                inside.fetch_sub(1, Ordering::SeqCst);
                drop(taken);
            }
        });
        assert_eq!(state(&group, 0, now), State::HalfOpen);
    });
}

#[test]
fn a_success_and_a_failure_leave_it_open_or_closed() {
    check(2, || {
        let (group, start) = (group(1, breaking()), start());
        group.failed(0, None, REFUSED, start);
        let now = start + seconds(1);
        let shared = Arc::clone(&group);
        threads(2, move |number| {
            let none = Excluded::new();
            let taken = shared.take(&ask(now, &none));
            match taken.and_then(|taken| taken.probe) {
                Some(probe) if number == 0 => shared.probe_succeeded(*probe, now),
                probe => shared.failed(0, probe, REFUSED, now),
            }
        });
        // A failure from outside opens a closed one and leaves a half-open one.
        let state = state(&group, 0, now);
        assert!(
            matches!(state, State::Up | State::BreakerOpen | State::HalfOpen),
            "{state}"
        );
        let expected = if state == State::BreakerOpen {
            None
        } else {
            Some(0)
        };
        assert_eq!(chosen(&group, now), [expected; 4]);
    });
}

#[test]
fn no_more_are_ejected_than_may_be() {
    check(3, || {
        let (group, now) = (group(2, ejecting()), start());
        let shared = Arc::clone(&group);
        threads(2, move |number| shared.failed(number, None, REFUSED, now));
        let out = (0..2).filter(|&i| state(&group, i, now) == State::Ejected);
        assert_eq!(out.count(), 1);
        let left = (0..2).find(|&i| state(&group, i, now) == State::Failing);
        assert!(left.is_some());
        assert_eq!(chosen(&group, now), [left; 4]);
    });
}

#[test]
fn an_ejection_that_ends_while_another_begins_keeps_the_count() {
    check(2, || {
        let (group, start) = (group(2, ejecting()), start());
        group.failed(0, None, REFUSED, start);
        let now = start + seconds(1);
        let shared = Arc::clone(&group);
        threads(2, move |number| match number {
            0 => drop(chosen(&shared, now)),
            _ => shared.failed(1, None, REFUSED, now),
        });
        // Whether there was room depends on who came first.
        let kept: Vec<usize> = (0..2).filter(|&i| state(&group, i, now).is_in()).collect();
        assert!(kept.contains(&0));
        assert!(
            chosen(&group, now)
                .iter()
                .flatten()
                .all(|index| kept.contains(index))
        );
        let later = now + seconds(1);
        assert!((0..2).all(|i| state(&group, i, later).is_in()));
    });
}

#[test]
fn a_success_beside_a_failure_forgets_it_or_not() {
    check(3, || {
        let (group, now) = (group(2, ejecting()), start());
        let shared = Arc::clone(&group);
        threads(2, move |number| match number {
            0 => shared.backends[0].standing.succeeded(&shared.health, now),
            _ => shared.failed(
                0,
                None,
                Fault {
                    is_unreachable: false,
                    ..REFUSED
                },
                now,
            ),
        });
        let view = group.backends[0].standing.view(&group.health, now);
        assert!(view.consecutive_failures <= 1);
        assert_eq!(view.state, State::Up);
    });
}

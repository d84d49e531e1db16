use proptest::prelude::*;

use super::gradient::{Gradient, Window};
use super::simulation::{Outcome, Phase, Service, Simulation, beginning};
use super::*;

const SERVICES: [Service; 3] = [
    Service::Even(20e3),
    Service::Exponential(20e3),
    Service::Mixed(5e3, 155e3),
];

fn phase(service: Service, load: f64, seconds: f64) -> Phase {
    Phase {
        seconds,
        load,
        burst: 1,
        service,
    }
}

/// Clients that leave after ten times as long as a request is served.
fn impatient(slots: usize, service: Service, seed: u64) -> Simulation {
    Simulation::new(slots, 10.0 * service.mean(), seed)
}

/// One that knows what is usual.
fn experienced(slots: usize, service: Service, seed: u64) -> Simulation {
    let mut simulation = impatient(slots, service, seed);
    let before = simulation.run(phase(service, 0.8, 10.0));
    assert_eq!(before.refused, 0, "{service:?} {before:?}");
    simulation
}

#[test]
fn nothing_is_refused_at_four_fifths_of_the_capacity() {
    for (slots, seconds) in [(8, 150.0), (100, 15.0)] {
        for service in SERVICES {
            for (burst, seed) in [(1, 1), (1, 2), (5, 3), (5, 4)] {
                let mut simulation = Simulation::new(slots, 60e6, seed);
                let outcome = simulation.run(Phase {
                    burst,
                    ..phase(service, 0.8, seconds)
                });
                assert_eq!(outcome.refused, 0, "{slots} {service:?} {outcome:?}");
            }
        }
    }
}

#[test]
fn nothing_is_refused_when_a_load_below_the_capacity_comes_all_at_once() {
    for service in SERVICES {
        let mut simulation = impatient(200, service, 1);
        simulation.run(phase(service, 0.05, 5.0));
        let outcome = simulation.run(phase(service, 0.8, 5.0));
        assert_eq!(outcome.refused, 0, "{service:?} {outcome:?}");
    }
}

#[test]
fn goodput_stays_at_three_times_the_capacity_and_all_is_well_afterwards() {
    for slots in [8, 64] {
        for service in SERVICES {
            let mut simulation = experienced(slots, service, 5);
            let over = simulation.run(phase(service, 3.0, 30.0));
            assert!(over.goodput() >= 0.9, "{slots} {service:?} {over:?}");
            let after = simulation.run(phase(service, 0.8, 10.0));
            assert!(
                after.refused * 20 <= after.arrived && after.refused_late == 0,
                "{slots} {service:?} {after:?}"
            );
            assert_eq!(after.limit, 10_000);
        }
    }
}

/// From overload to silence, and then everybody at once.
#[test]
fn the_limit_is_forgotten_in_silence() {
    for slots in [8, 64] {
        for service in SERVICES {
            let mut simulation = experienced(slots, service, 5);
            let over = simulation.run(phase(service, 3.0, 6.0));
            assert!(over.limit < 1000, "{slots} {service:?} {over:?}");
            let silence = simulation.run(phase(service, 0.0, 5.0));
            assert_eq!(silence.limit, 10_000, "{slots} {service:?}");
            let again = simulation.run(phase(service, 0.8, 5.0));
            assert_eq!(again.refused, 0, "{slots} {service:?} {again:?}");
        }
    }
}

/// What hangs answers nothing either.
#[test]
fn the_limit_stays_while_those_it_let_in_wait() {
    let mut simulation = experienced(8, Service::Even(20e3), 5);
    let over = simulation.run(phase(Service::Even(20e3), 3.0, 6.0));
    let limit = &simulation.limit;
    limit.tick(simulation.at(17));
    while limit.enter(AdaptiveMode::On) {}
    let last = limit.figures().limit;
    for second in 18..60 {
        limit.tick(simulation.at(second));
    }
    assert_eq!(limit.figures().limit, last, "{over:?}");
}

#[test]
fn without_it_everything_is_too_late() {
    let service = Service::Even(20e3);
    for mode in [None, Some(AdaptiveMode::Shadow)] {
        let mut simulation = impatient(8, service, 5);
        simulation.mode = mode;
        let over = simulation.run(phase(service, 3.0, 10.0));
        assert!(over.goodput() < 0.1, "{over:?}");
        assert_eq!(over.refused, 0);
        let counted = simulation.limit.figures().refused;
        assert_eq!(counted > 0, mode.is_some(), "{counted}");
    }
}

#[test]
fn a_long_overload_does_not_become_usual() {
    let service = Service::Exponential(20e3);
    let mut simulation = experienced(8, service, 6);
    let over = simulation.run(phase(service, 3.0, 300.0));
    assert!(over.goodput() >= 0.95, "{over:?}");
    let last = simulation.run(phase(service, 3.0, 10.0));
    assert!(
        last.goodput() >= 0.9 && last.most_under_way < 80,
        "{last:?}"
    );
}

#[test]
fn an_overload_from_the_first_request_on_is_found_out() {
    for service in SERVICES {
        let mut simulation = impatient(8, service, 7);
        let over = simulation.run(phase(service, 3.0, 15.0));
        assert!(over.goodput() >= 0.85, "{service:?} {over:?}");
    }
}

#[test]
fn backends_that_become_slower_for_good_are_no_overload() {
    for slots in [8, 100] {
        for service in SERVICES {
            let mut simulation = impatient(slots, service.slower(3.0), 8);
            simulation.run(phase(service, 0.25, 10.0));
            let slower = simulation.run(phase(service.slower(3.0), 0.75, 40.0));
            assert!(
                slower.refused * 100 <= slower.arrived && slower.refused_late == 0,
                "{slots} {service:?} {slower:?}"
            );
        }
    }
}

#[test]
fn backends_that_become_slower_under_overload_are_still_used_to_the_full() {
    for slots in [8, 100] {
        for service in SERVICES {
            let slower = service.slower(3.0);
            let mut simulation = impatient(slots, slower, 9);
            simulation.run(phase(service, 0.8, 10.0));
            simulation.run(phase(service, 3.0, 5.0));
            simulation.run(phase(slower, 9.0, 10.0));
            let settled: Outcome = simulation.run(phase(slower, 9.0, 10.0));
            assert!(settled.goodput() >= 0.85, "{slots} {service:?} {settled:?}");
        }
    }
}

#[test]
fn a_place_that_is_refused_is_not_counted() {
    let terms = AdaptiveTerms {
        min_limit: 1,
        max_limit: 2,
        tolerance_percent: 200,
    };
    let adaptive = Adaptive::new(terms);
    let enter = || adaptive.enter(AdaptiveMode::On);
    assert_eq!([enter(), enter(), enter()], [true, true, false]);
    assert!(adaptive.enter(AdaptiveMode::Shadow));
    let figures = adaptive.figures();
    assert_eq!((figures.under_way, figures.refused), (3, 2));
    assert_eq!((figures.base, figures.current), (None, None));
    adaptive.leave();
    adaptive.leave();
    assert!(enter());
}

#[test]
fn logarithms_add_up() {
    let millis = Duration::from_millis;
    let sum = [millis(1), millis(4), millis(16)].map(log_time::one);
    let (count, mean) = log_time::mean(sum.iter().sum());
    assert_eq!(count, 3);
    let time = log_time::time(mean);
    assert!(
        time > millis(4) * 99 / 100 && time < millis(4) * 101 / 100,
        "{time:?}"
    );
    let (_, longest) = log_time::mean(log_time::one(Duration::MAX));
    assert!(log_time::time(longest) > Duration::from_secs(3600));
}

prop_compose! {
    fn windows()(
        answers in 1u64..2000,
        latency in 0.0..32.0f64,
        under_way in 0usize..100_000,
        refused in prop_oneof![Just(0u64), 1u64..10_000],
        given_up in 0u64..2000,
        after in 1u64..20_000,
    ) -> (Window, Duration) {
        let window = Window { answers, latency, under_way, refused, given_up };
        (window, Duration::from_millis(after))
    }
}

proptest! {
    #[test]
    fn the_limit_stays_within_its_bounds(
        min_limit in 1usize..1000,
        more in 0usize..10_000,
        tolerance_percent in 120u32..1000,
        windows in prop::collection::vec(windows(), 1..200),
    ) {
        let max_limit = min_limit + more;
        let terms = AdaptiveTerms { min_limit, max_limit, tolerance_percent };
        let mut gradient = Gradient::new(terms);
        let mut now = beginning();
        for (window, after) in windows {
            now += after;
            gradient.close(window, now);
            prop_assert!((min_limit..=max_limit).contains(&gradient.limit()));
            prop_assert!(gradient.base().is_some_and(f64::is_finite));
        }
    }

    /// Whatever is answered whenever, shadow lets everything pass, and what
    /// entered leaves.
    #[test]
    fn shadow_never_refuses(latencies in prop::collection::vec(0u64..3_000_000, 1..2000)) {
        let adaptive = Adaptive::new(AdaptiveTerms {
            min_limit: 1,
            max_limit: 1,
            tolerance_percent: 120,
        });
        let start = beginning();
        for (at, &latency) in (0..).zip(&latencies) {
            prop_assert!(adaptive.enter(AdaptiveMode::Shadow));
            let now = start + Duration::from_millis(5 * at);
            adaptive.answered(Duration::from_micros(latency), now);
        }
        prop_assert_eq!(adaptive.figures().under_way, latencies.len());
        latencies.iter().for_each(|_| adaptive.leave());
        prop_assert_eq!(adaptive.figures().under_way, 0);
    }
}

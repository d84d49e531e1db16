//! The request path over a network in memory, with seeded faults: see the
//! README.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says why"
)]

mod backend;
mod bounds;
mod case;
mod client;
mod cuts;
mod finals;
mod flaw;
mod judge;
mod known;
mod line;
mod message;
mod network;
mod panics;
mod pattern;
mod pipe;
mod request;
mod run;
mod seeds;
mod settings;
mod stage;
mod tally;
mod trace;
mod usual;
mod world;

use crate::trace::Mode;

/// Whatever happens around it, Forebay does nothing that it must not do.
#[test]
fn seeds() {
    if let Some(seed) = seeds::option("SIM_SEED") {
        let is_traced = seeds::option("SIM_TRACE").is_some();
        let mode = if is_traced { Mode::Print } else { Mode::Off };
        let wrong = run::run(seed, mode).wrong;
        assert_eq!(wrong, None, "SIM_SEED={seed}");
        return;
    }
    let many = seeds::option("SIM_SEEDS");
    let from = seeds::option("SIM_FROM").unwrap_or(0);
    let all = seeds::run(from, many.unwrap_or(1000));
    assert!(all.wrong.is_empty(), "{}", all.wrong);
    match many {
        Some(_) => eprintln!("{}", all.tally),
        None => all.tally.check_reach(),
    }
}

/// A seed is the whole of a run.
#[test]
fn a_seed_replays() {
    for seed in 0..20 {
        let sums = [(); 2].map(|()| run::run(seed, Mode::Sum).sum);
        assert_eq!(sums[0], sums[1], "SIM_SEED={seed} is not always the same");
    }
}

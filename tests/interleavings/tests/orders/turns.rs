//! Round robin and weighted: the shares are exact over all workers.

use std::net::{IpAddr, Ipv4Addr};

use upstream::{Ask, Excluded, Group, Silent, Strategy};

use super::*;

/// How often each backend is chosen when `workers` choose `each` times.
fn counts(strategy: Strategy, weights: &[u32], workers: usize, each: usize) -> Vec<usize> {
    let backends = weights
        .iter()
        .map(|&w| (backend(PoolOptions::default()), w));
    let group = Arc::new(Group::new("api", strategy, backends));
    let choosing = Arc::clone(&group);
    let chosen = threads(workers, move |_| {
        let ask = Ask {
            client: IpAddr::V4(Ipv4Addr::LOCALHOST),
            random: 0,
            key: None,
            session: None,
            exclude: &Excluded::new(),
            now: None,
        };
        (0..each)
            .map(|_| choosing.choose(&ask, &mut Silent).unwrap())
            .collect::<Vec<_>>()
    });
    let mut counts = vec![0; weights.len()];
    chosen.into_iter().flatten().for_each(|i| counts[i] += 1);
    counts
}

#[test]
fn round_robin_gives_everyone_the_same() {
    check(3, || {
        assert_eq!(counts(Strategy::RoundRobin, &[1, 1, 1], 3, 2), [2, 2, 2]);
    });
}

#[test]
fn weighted_gives_everyone_its_share() {
    check(3, || {
        assert_eq!(counts(Strategy::Weighted, &[1, 2], 3, 2), [2, 4]);
    });
}

//! What heartbeats, expiry and watching cost, to be run with
//! `cargo run --profile quick -p forebay-registry --example cost`.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "an example measures and prints"
)]

use std::time::{Duration, Instant};

use forebay_registry::{Filter, Limits, Registration, Registry, Service, WrittenAddress};

const SERVICES: usize = 10_000;

fn service(number: usize) -> Service {
    let registration = Registration {
        id: Some(format!("service-{number}")),
        name: format!("name-{}", number % 100),
        address: WrittenAddress::Text("10.0.0.1:80".to_owned()),
        scheme: None,
        metadata: Default::default(),
        tags: Vec::new(),
        ttl: None,
    };
    Service::check(registration, 0).unwrap()
}

fn measure(what: &str, work: impl FnOnce()) {
    let start = Instant::now();
    work();
    println!("{what}: {:.2} ms", start.elapsed().as_secs_f64() * 1e3);
}

fn main() {
    let start = Instant::now();
    let mut registry = Registry::new(Limits::default(), 1);
    let services: Vec<_> = (0..SERVICES).map(service).collect();
    let ids: Vec<_> = services
        .iter()
        .map(|service| service.id().clone())
        .collect();
    measure("10,000 services register", || {
        for service in services {
            registry.register(service, start).unwrap();
        }
    });
    for round in 1..=12 {
        let now = start + Duration::from_secs(5 * round);
        measure("10,000 heartbeats", || {
            for id in &ids {
                registry.heartbeat(id, now).unwrap();
            }
        });
    }
    let from = registry.cursor();
    let watch = |_| registry.watch(from, Filter::default()).unwrap();
    let mut watchers: Vec<_> = (0..1000).map(watch).collect();
    measure(
        "1,000 events to 1,000 who watch, 100 of whom never read",
        || {
            for number in 0..1000 {
                let now = start + Duration::from_secs(61);
                registry.register(service(SERVICES + number), now).unwrap();
                if number % 100 == 99 {
                    let reading = watchers.iter_mut().skip(100);
                    reading.for_each(|watcher| while watcher.try_next().is_some() {});
                }
            }
        },
    );
    println!("watching still: {}", registry.watchers());
    let snapshot = registry.snapshot(start + Duration::from_secs(61));
    measure("11,000 are restored", || {
        let mut other = Registry::new(Limits::default(), 2);
        other.restore(snapshot, start, Duration::ZERO);
    });
    measure("11,000 leases are over", || {
        registry.expire(start + Duration::from_secs(1000));
    });
    println!("left: {}", registry.len());
}

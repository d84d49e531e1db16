//! Random histories of three workers on one thread: whatever the order of
//! events, the limits hold, and in the end nothing is lost.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone, Copy)]
enum Step {
    /// A request asks for a connection, and waits if it must.
    Ask,
    /// The oldest exchange ends cleanly, or not.
    End {
        clean: bool,
    },
    /// The request that has waited longest, or last, gives up.
    GiveUp {
        oldest: bool,
    },
    /// The worker runs: requests that were served notice.
    Run,
    /// The worker answers what others asked of it.
    Serve,
    Sweep,
    Tick,
    Later(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Ask),
        4 => any::<bool>().prop_map(|clean| Step::End { clean }),
        2 => any::<bool>().prop_map(|oldest| Step::GiveUp { oldest }),
        4 => Just(Step::Run),
        2 => Just(Step::Serve),
        1 => Just(Step::Sweep),
        2 => Just(Step::Tick),
        2 => (0u64..30).prop_map(Step::Later),
    ]
}

/// A worker with its exchanges and its waiting requests.
struct Desk<'a> {
    worker: &'a Worker,
    exchanges: VecDeque<Conn<Wire>>,
    waiting: VecDeque<Waiting<'a>>,
}

impl Desk<'_> {
    fn step(&mut self, step: Step, now: Instant) {
        match step {
            Step::Ask => self.ask(now),
            Step::End { clean } => self.end(clean, now),
            Step::GiveUp { oldest: true } => drop(self.waiting.pop_front()),
            Step::GiveUp { oldest: false } => drop(self.waiting.pop_back()),
            Step::Run => self.run(now),
            Step::Serve => self.worker.serve_requests(),
            Step::Sweep => self.worker.pool.sweep(now, |_| true),
            Step::Tick => self.worker.pool.tick(now),
            Step::Later(_) => {}
        }
    }

    fn ask(&mut self, now: Instant) {
        if let Some(conn) = self.worker.get(now) {
            return self.exchanges.push_back(conn);
        }
        let pool = &self.worker.pool;
        let mut waiting: Waiting<'_> = Box::pin(pool.wait(&self.worker.backend, now));
        match poll(&mut waiting) {
            Poll::Ready(outcome) => assert_eq!(outcome.err(), Some(QueueFull)),
            Poll::Pending => self.waiting.push_back(waiting),
        }
    }

    fn end(&mut self, clean: bool, now: Instant) {
        match self.exchanges.pop_front() {
            Some(conn) if clean => self.worker.give(conn, now),
            other => drop(other),
        }
    }

    fn run(&mut self, now: Instant) {
        let mut served = true;
        self.waiting.retain_mut(|waiting| match poll(waiting) {
            Poll::Ready(outcome) => {
                assert!(served, "requests of one worker are served in order");
                let conn = self.worker.finish(outcome.unwrap(), now);
                self.exchanges.push_back(conn);
                false
            }
            Poll::Pending => {
                served = false;
                true
            }
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn limits_hold_and_nothing_is_lost(
        max_connections in 1usize..5,
        max_idle in 0usize..5,
        max_waiting in 0usize..6,
        steps in prop::collection::vec((0usize..3, step()), 0..120),
    ) {
        let options = PoolOptions {
            max_connections,
            max_idle,
            max_waiting,
            idle_timeout: ms(50),
            max_age: ms(200),
            ..PoolOptions::default()
        };
        let backend = backend(options);
        let wires = Arc::default();
        let workers: Vec<_> = (0..3).map(|_| Worker::new(&backend, &wires)).collect();
        let mut desks: Vec<_> = workers
            .iter()
            .map(|worker| Desk { worker, exchanges: VecDeque::new(), waiting: VecDeque::new() })
            .collect();
        let mut now = start();
        for (at, step) in steps {
            if let Step::Later(more) = step {
                now += ms(more);
            }
            desks[at].step(step, now);
            let idle: usize = workers
                .iter()
                .flat_map(|worker| worker.pool.stats())
                .map(|(_, stats)| stats.idle)
                .sum();
            prop_assert!(idle <= max_idle, "{} idle", idle);
            prop_assert!(backend.waiting() <= max_waiting);
            prop_assert!(wires.open() <= backend.open());
            prop_assert!(backend.open() <= max_connections);
        }
        // Everybody finishes: all that wait are served within a few rounds.
        for _ in 0..30 {
            now += ms(50);
            for desk in &mut desks {
                desk.step(Step::Tick, now);
                desk.step(Step::Serve, now);
                desk.step(Step::Run, now);
                desk.step(Step::End { clean: true }, now);
            }
        }
        prop_assert_eq!(backend.waiting(), 0);
        prop_assert!(desks.iter().all(|desk| desk.waiting.is_empty()));
        prop_assert!(wires.most() <= max_connections);
        drop(desks);
        drop(workers);
        prop_assert_eq!((wires.open(), backend.open()), (0, 0));
    }
}

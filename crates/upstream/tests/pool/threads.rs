//! Real threads, each with its own runtime and pool, as the proxy runs them.

use std::rc::Rc;
use std::thread;

use tokio::runtime::Builder;
use tokio::task::{JoinSet, LocalSet, yield_now};

use super::*;

/// What each request of a worker does once it has a connection.
#[derive(Clone, Copy)]
struct Load {
    workers: usize,
    /// Per worker, all at once.
    requests: usize,
    /// Exchanges that each request makes, one after another.
    exchanges: usize,
    /// Every so many exchanges one fails, and its connection is dropped.
    fails: usize,
    /// Every so many waits one is given up after a few polls.
    gives_up: usize,
}

impl Load {
    const PLAIN: Load = Load {
        workers: 2,
        requests: 1,
        exchanges: 1,
        fails: usize::MAX,
        gives_up: usize::MAX,
    };
}

/// Runs the load to its end and returns the exchanges made. A request that is
/// never served would hang this, and the test with it.
fn run(options: PoolOptions, load: Load) -> (Arc<Backend>, Arc<Wires>, usize) {
    let backend = backend(options);
    let wires = Arc::new(Wires::default());
    let done = thread::scope(|threads| {
        let workers: Vec<_> = (0..load.workers)
            .map(|_| threads.spawn(|| run_worker(Worker::new(&backend, &wires), load)))
            .collect();
        workers.into_iter().map(|w| w.join().unwrap()).sum()
    });
    (backend, wires, done)
}

fn run_worker(worker: Worker, load: Load) -> usize {
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    let local = LocalSet::new();
    let worker = Rc::new(worker);
    let serving = Rc::clone(&worker);
    let task = local.spawn_local(async move { serving.pool.serve_requests().await });
    let ticking = Rc::clone(&worker);
    let ticks = local.spawn_local(async move {
        loop {
            tokio::time::sleep(ms(5)).await;
            ticking.pool.tick(start());
        }
    });
    let done = local.block_on(&runtime, async {
        let mut requests = JoinSet::new();
        for number in 0..load.requests {
            requests.spawn_local(request(Rc::clone(&worker), number, load));
        }
        requests.join_all().await.into_iter().sum()
    });
    // Idle connections stay until the worker ends, as in the proxy, where
    // serving goes on as well; here the others may still need them.
    worker.pool.forget(&worker.backend);
    task.abort();
    ticks.abort();
    done
}

async fn request(worker: Rc<Worker>, number: usize, load: Load) -> usize {
    let mut done = 0;
    for exchange in number..number + load.exchanges {
        if exchange % load.gives_up == load.gives_up - 1 {
            give_up_early(&worker, exchange % 3).await;
        }
        let conn = connection(&worker).await;
        yield_now().await;
        if exchange % load.fails == load.fails - 1 {
            drop(conn);
        } else {
            worker.give(conn, start());
        }
        done += 1;
        yield_now().await;
    }
    done
}

async fn connection(worker: &Worker) -> Conn<Wire> {
    let now = start();
    if let Some(conn) = worker.get(now) {
        return conn;
    }
    let checkout = worker.pool.wait(&worker.backend, now).await.unwrap();
    worker.finish(checkout, now)
}

/// Queues up, lets others run, and leaves, whatever it may have got.
async fn give_up_early(worker: &Worker, polls: usize) {
    let waiting = worker.pool.wait(&worker.backend, start());
    tokio::pin!(waiting);
    for _ in 0..=polls {
        tokio::select! {
            biased;
            _ = &mut waiting => return,
            () = yield_now() => {}
        }
    }
}

#[test]
fn one_connection_serves_two_workers() {
    let load = Load {
        requests: 20,
        exchanges: 50,
        ..Load::PLAIN
    };
    let (backend, wires, done) = run(limits(1), load);
    assert_eq!((done, wires.most()), (2000, 1));
    assert_eq!((backend.open(), backend.waiting(), wires.open()), (0, 0, 0));
}

#[test]
fn three_connections_serve_ten_requests() {
    for workers in [1, 2, 5] {
        let load = Load {
            workers,
            requests: 10 / workers,
            exchanges: 100,
            ..Load::PLAIN
        };
        let (backend, wires, done) = run(limits(3), load);
        assert_eq!(done, 1000);
        assert!(wires.most() <= 3);
        assert_eq!((backend.open(), backend.waiting()), (0, 0));
    }
}

#[test]
fn a_hundred_parallel_requests_mostly_reuse() {
    let load = Load {
        workers: 2,
        requests: 50,
        exchanges: 50,
        ..Load::PLAIN
    };
    let (_, wires, done) = run(limits(10), load);
    assert_eq!(done, 5000);
    assert!(wires.total() < done / 5, "{} connections", wires.total());
}

#[test]
fn failures_and_requests_that_give_up_lose_nothing() {
    for max_connections in [1, 2, 7] {
        let load = Load {
            workers: 4,
            requests: 10,
            exchanges: 60,
            fails: 5,
            gives_up: 3,
        };
        let (backend, wires, done) = run(limits(max_connections), load);
        assert_eq!(done, 2400);
        assert!(wires.most() <= max_connections);
        assert_eq!((backend.open(), backend.waiting(), wires.open()), (0, 0, 0));
    }
}

#[test]
fn permits_granted_to_requests_that_leave_at_that_moment_come_back() {
    let backend = backend(limits(1));
    let wires = Arc::new(Wires::default());
    let done = AtomicUsize::new(0);
    thread::scope(|threads| {
        threads.spawn(|| {
            let quitter = Worker::new(&backend, &wires);
            while done.load(Ordering::Relaxed) == 0 {
                let mut waiting: Waiting<'_> = Box::pin(quitter.pool.wait(&backend, start()));
                drop(poll(&mut waiting));
            }
        });
        // Every permit freed here is granted while the other may be leaving.
        // One grant lost, and there would never be another.
        let keeper = Worker::new(&backend, &wires);
        for _ in 0..20_000 {
            while keeper.get(start()).is_none() {
                thread::yield_now();
            }
        }
        done.store(1, Ordering::Relaxed);
    });
    assert_eq!((backend.open(), backend.waiting()), (0, 0));
}

#[test]
fn exhaustion_turns_requests_away_and_passes() {
    let options = PoolOptions {
        max_waiting: 1,
        ..limits(1)
    };
    let worker = Worker::new(&backend(options), &Arc::default());
    let runtime = Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let held = worker.get(start()).unwrap();
        let (first, second) = tokio::join!(worker.pool.wait(&worker.backend, start()), async {
            let turned_away = worker.pool.wait(&worker.backend, start()).await;
            worker.give(held, start());
            turned_away
        },);
        assert_eq!(second.err(), Some(QueueFull));
        let conn = worker.finish(first.unwrap(), start());
        worker.give(conn, start());
        assert!(worker.get(start()).is_some());
    });
    assert_eq!(worker.wires.total(), 1);
}

//! One run, from the first connection to the last byte of memory.

use std::rc::Rc;
use std::sync::Arc;

use fastrand::Rng;
use plan::Plan;
use proxy::sim::{Shared, Worker};
use tokio::runtime::Builder;
use tokio::task::JoinHandle;
use tokio::time::{Duration, Instant, sleep};

use crate::client::{self, Client};
use crate::finals;
use crate::line::Line;
use crate::network::Network;
use crate::panics;
use crate::pipe::{ForebaysEnd, Pipe};
use crate::tally::Tally;
use crate::trace::{Mode, Trace};
use crate::usual::teach;
use crate::world::World;

/// What a run came to.
pub(crate) struct Outcome {
    /// What Forebay did first of what it must not do.
    pub(crate) wrong: Option<String>,
    pub(crate) tally: Tally,
    /// What the trace amounts to.
    pub(crate) sum: u64,
}

pub(crate) fn run(seed: u64, mode: Mode) -> Outcome {
    panics::forget();
    let _logs = (mode == Mode::Print).then(crate::trace::print_logs);
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without a network");
    let (world, tally) = runtime.block_on(async {
        let world = World::new(seed, Trace::new(mode));
        let tasks = world.tasks().expect("the run begins");
        let tally = tasks.run_until(live(&world)).await;
        (world, tally)
    });
    world.end();
    // Whatever is left belongs to the runtime.
    drop(runtime);
    if let Some(panic) = panics::first() {
        world.wrong(format!("a panic: {panic}"));
    }
    let outcome = Outcome {
        wrong: world.first_wrong(),
        tally,
        sum: world.sum(),
    };
    let clients: Vec<_> = world.clients.borrow().iter().map(Rc::downgrade).collect();
    drop(world);
    let is_kept = clients.iter().any(|client| client.strong_count() > 0);
    assert!(!is_kept, "SIM_SEED={seed} leaves something in memory");
    outcome
}

/// A worker with the task that runs it.
struct Running {
    worker: Rc<Worker>,
    task: JoinHandle<()>,
}

async fn live(world: &Rc<World>) -> Tally {
    let mut random = world.random("run", 0);
    let plan = compile(world);
    world.note(|| world.settings.yaml.clone());
    teach(&plan);
    let shared = Shared::new(Arc::clone(&plan));
    let mut workers = Vec::new();
    for number in 0..world.settings.workers {
        let network = Rc::new(Network(Rc::clone(world)));
        let worker = Rc::new(Worker::new(&shared, network, random.u64(..)));
        let runs = Rc::clone(&worker);
        let task = tokio::task::spawn_local(async move {
            runs.run(std::future::pending::<()>()).await;
        });
        world.note(|| format!("worker {number} begins"));
        workers.push(Running { worker, task });
    }
    let drains_at = (!world.settings.is_calm && random.u8(..6) == 0)
        .then(|| Duration::from_millis(random.u64(..2000)));
    let [shutdown, streams] = [(); 2].map(|()| Duration::from_millis(random.u64(..2000)));
    let visits = visits(world, &workers, &mut random);
    match drains_at {
        Some(time) => {
            sleep(time).await;
            drain(world, &workers, shutdown, streams).await;
        }
        None => {
            for visit in visits {
                // A panic of it is found elsewhere.
                let _ = visit.await;
            }
            finals::at_rest(
                world,
                &plan,
                &workers.iter().map(|w| &*w.worker).collect::<Vec<_>>(),
            )
            .await;
        }
    }
    for Running { task, .. } in &workers {
        task.abort();
    }
    let mut tally = finals::metrics(world, workers.iter().map(|w| &*w.worker));
    let now = Instant::now();
    world.cut_at.set(Some((now, now)));
    for Running { worker, task } in workers {
        // It has been told to end.
        let _ = task.await;
        drop(worker);
    }
    finals::at_end(world, &plan);
    tally.add(&world.failures.borrow());
    tally
}

fn compile(world: &World) -> Arc<Plan> {
    let read = forebay::read(
        "sim.yaml",
        &world.settings.yaml,
        &forebay::Outside::nothing(),
    );
    let Some(plan) = read.plan else {
        panic!("{}\n{}", world.settings.yaml, read.problems.render(false));
    };
    Arc::new(plan)
}

/// Sends the clients on their way.
fn visits(world: &Rc<World>, workers: &[Running], random: &mut Rng) -> Vec<JoinHandle<()>> {
    let count = match random.u8(..4) {
        0 => 1,
        1..3 => random.usize(2..6),
        _ => random.usize(6..14),
    };
    let spread = *random.choice(&[0, 10, 1000]).unwrap_or(&0);
    let mut visits = Vec::new();
    for index in 0..count {
        let mut random = world.random("client", index as u64);
        let worker = Rc::downgrade(&workers[random.usize(..workers.len())].worker);
        let world = Rc::clone(world);
        let wait = Duration::from_millis(random.u64(..=spread));
        visits.push(tokio::task::spawn_local(async move {
            sleep(wait).await;
            let Some(worker) = worker.upgrade().filter(|_| !world.drains.get()) else {
                return;
            };
            let line = Rc::new(Line::new(format!("client {index}")));
            let client = Client::new(index, Rc::clone(&line));
            world.clients.borrow_mut().push(Rc::clone(&client));
            let tap = client::tap::Tap::new(&world, &client);
            let pipe = Pipe::new(&world, line, Box::new(tap), random.fork());
            world.note(|| format!("client {index} comes"));
            worker.accept(Rc::new(ForebaysEnd(Rc::clone(&pipe))), client.address(), 0);
            drop(worker);
            client::life::live(world, pipe, client, random).await;
        }));
    }
    visits
}

/// All workers end, with what they can finish within the time.
async fn drain(world: &World, workers: &[Running], shutdown: Duration, streams: Duration) {
    world.note(|| format!("Forebay drains within {shutdown:?}, streams within {streams:?}"));
    world.drains.set(true);
    let now = Instant::now();
    world.cut_at.set(Some((now + shutdown, now + streams)));
    let ends: Vec<_> = workers
        .iter()
        .map(|running| {
            let worker = Rc::clone(&running.worker);
            tokio::task::spawn_local(async move { worker.drain(shutdown, streams).await })
        })
        .collect();
    for end in ends {
        // A panic of it is found elsewhere.
        let _ = end.await;
    }
}

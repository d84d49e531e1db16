//! What workers share, in every order in which their steps can meet.
//!
//! `loom` runs each of these models again and again, each time with another
//! order of the steps that touch shared state, and with every value that a
//! relaxed read may see. A lost wake-up shows as a `deadlock` of all threads; it
//! ends the whole run, and the test is named in the lines before. Models are
//! small, because the orders multiply; crowds of real threads are in the tests
//! of `upstream` itself.

#![expect(clippy::unwrap_used, reason = "in a test this is how it fails")]

mod budget;
mod health;
mod load;
mod permits;
mod turns;
mod workers;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use loom::thread;
use upstream::{Address, Backend, PoolOptions};

use forebay_interleavings as upstream;

/// Tries the model in all orders in which threads that could go on have to stop
/// for another at most `stops` times. Most faults of this kind show with two.
///
/// # Panics
/// If there are so few orders that the model shares nothing.
fn check(stops: usize, model: impl Fn() + Send + Sync + 'static) {
    let orders = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&orders);
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(stops);
    builder.max_branches = 10_000;
    builder.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        model();
    });
    let orders = orders.load(Ordering::Relaxed);
    assert!(orders > 10, "only {orders} orders");
}

/// Runs `n` threads at once and returns what each returned.
fn threads<T: 'static>(n: usize, step: impl Fn(usize) -> T + Clone + 'static) -> Vec<T> {
    let running: Vec<_> = (0..n)
        .map(|number| {
            let step = step.clone();
            thread::spawn(move || step(number))
        })
        .collect();
    running.into_iter().map(|t| t.join().unwrap()).collect()
}

fn backend(options: PoolOptions) -> Arc<Backend> {
    let address = Address::Unix("/run/app.sock".into());
    Arc::new(Backend::new("unix:/run/app.sock", address, "app", options))
}

/// Some moment; within a model no time passes unless it says so.
#[expect(clippy::disallowed_methods, reason = "a test has to begin somewhere")]
fn start() -> Instant {
    Instant::now()
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

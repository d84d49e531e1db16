//! Many seeds, on all cores.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crate::run;
use crate::tally::Tally;
use crate::trace::Mode;

/// Seeds that fail before the others are spared.
const ENOUGH: usize = 10;

/// What many runs came to.
#[derive(Default)]
pub(crate) struct All {
    pub(crate) tally: Tally,
    /// A line for each seed that failed, and how to replay it.
    pub(crate) wrong: String,
    failed: usize,
}

pub(crate) fn run(from: u64, count: u64) -> All {
    let next = AtomicU64::new(from);
    let all = Mutex::new(All::default());
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while let Some(seed) = take(&next, from + count) {
                    let outcome = run::run(seed, Mode::Off);
                    let all = &mut *all.lock().unwrap();
                    all.tally.add(&outcome.tally);
                    if let Some(wrong) = outcome.wrong {
                        all.add_wrong(seed, &wrong);
                    }
                    if all.failed >= ENOUGH {
                        return;
                    }
                }
            });
        }
    });
    all.into_inner().unwrap()
}

fn take(next: &AtomicU64, end: u64) -> Option<u64> {
    let seed = next.fetch_add(1, Ordering::Relaxed);
    (seed < end).then_some(seed)
}

impl All {
    fn add_wrong(&mut self, seed: u64, wrong: &str) {
        self.failed += 1;
        self.wrong.push_str(&format!(
            "\n{wrong}\n    SIM_SEED={seed} SIM_TRACE=1 cargo test -p forebay-sim seeds -- --nocapture\n"
        ));
    }
}

/// A number from the environment; anything else that is set counts as 1.
#[expect(clippy::disallowed_methods, reason = "seeds are chosen from outside")]
pub(crate) fn option(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or(1))
}

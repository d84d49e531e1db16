use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::padded::Padded;
use crate::sync::AtomicU64;

/// A shared counter that deals turns: every turn exactly once over all
/// workers. 64 bits, so it does not wrap within the life of a process, where
/// a shorter one would favour the first backends at each wrap.
/// A group keeps it from plan to plan.
#[derive(Debug, Default, Clone)]
pub struct Turns(Arc<Turn>);

/// The counter.
#[derive(Debug, Default)]
pub(crate) struct Turn(Padded<AtomicU64>);

impl Turns {
    pub(crate) fn of(turn: Arc<Turn>) -> Self {
        Self(turn)
    }

    /// The next turn modulo `n`; 0 if `n` is 0.
    pub(crate) fn next(&self, n: usize) -> usize {
        let turn = self.0.0.fetch_add(1, Ordering::Relaxed);
        turn.checked_rem(n as u64).unwrap_or(0) as usize
    }
}

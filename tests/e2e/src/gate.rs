//! A gate at which a backend's answers wait until the test lets them through.

use std::sync::Arc;

use crate::Watched;

#[derive(Clone, Default)]
pub struct Gate(Arc<Watched<State>>);

#[derive(Default)]
struct State {
    waiting: usize,
    passes: usize,
    is_open: bool,
}

impl Gate {
    /// Waits until somebody opens the gate or lets one through.
    pub fn pass(&self) {
        self.0.update(|state| state.waiting += 1);
        self.0.wait("a gate stays closed", |state| {
            if !state.is_open {
                state.passes = state.passes.checked_sub(1)?;
            }
            Some(())
        });
        self.0.update(|state| state.waiting -= 1);
    }

    /// For all, from now on.
    pub fn open(&self) {
        self.0.update(|state| state.is_open = true);
    }

    pub fn let_one_through(&self) {
        self.0.update(|state| state.passes += 1);
    }

    /// Waits until so many stand before the gate.
    #[track_caller]
    pub fn wait_for(&self, count: usize) {
        self.0.wait("too few came to a gate", |state| {
            (state.waiting >= count).then_some(())
        });
    }

    pub fn waiting(&self) -> usize {
        self.0.read(|state| state.waiting)
    }
}

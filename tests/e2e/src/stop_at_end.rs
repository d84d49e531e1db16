//! The end of threads that put load on a program.

use std::sync::atomic::{AtomicBool, Ordering};

/// Says `true` when it is dropped, so that threads which look at it end also when
/// the test fails. Whoever waits for them would wait for ever otherwise.
pub struct StopAtEnd<'a>(pub &'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

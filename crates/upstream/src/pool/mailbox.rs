use std::mem;
use std::sync::PoisonError;

use crate::sync::{Mutex, Notify};

/// Where other workers ask a pool for idle connections: the numbers of the
/// backends in need, each once, so it cannot grow beyond the backends there
/// are.
#[derive(Debug, Default)]
pub(crate) struct Mailbox {
    asked: Mutex<Vec<u64>>,
    bell: Notify,
}

impl Mailbox {
    pub(crate) fn post(&self, backend: u64) {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if !asked.contains(&backend) {
            asked.push(backend);
        }
        drop(asked);
        self.bell.notify_one();
    }

    /// Waits until something is asked.
    pub(super) async fn collect(&self) -> Vec<u64> {
        self.bell.notified().await;
        mem::take(&mut *self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

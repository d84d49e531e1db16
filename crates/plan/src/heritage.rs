use std::sync::{Arc, Mutex, PoisonError};

use telemetry::Names;
use upstream::Living;

/// What a plan takes over from the ones before it: the living state of its
/// backends, and the numbers by which its parts are counted.
#[derive(Debug, Default)]
pub struct Heritage {
    pub living: Living,
    names: Mutex<Arc<Names>>,
}

impl Heritage {
    pub(crate) fn names(&self) -> Names {
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        Names::clone(&names)
    }

    /// The plans to come go on from these names.
    pub(crate) fn keep_names(&self, names: &Arc<Names>) {
        *self.names.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(names);
    }
}

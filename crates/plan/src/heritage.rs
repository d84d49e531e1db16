use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use telemetry::Names;
use tls::Tickets;
use upstream::Living;

use crate::Changes;

/// What a plan takes over from the ones before it: the living state of its
/// backends, the numbers by which its parts are counted, and what has been
/// changed since the settings were written.
#[derive(Debug, Default)]
pub struct Heritage {
    pub living: Living,
    names: Mutex<Arc<Names>>,
    changes: Mutex<Arc<Changes>>,
    tickets: Mutex<Option<Tickets>>,
}

impl Heritage {
    pub fn changes(&self) -> Arc<Changes> {
        Arc::clone(&lock(&self.changes))
    }

    /// The plans to come are made with these.
    pub fn set_changes(&self, changes: Arc<Changes>) {
        *lock(&self.changes) = changes;
    }

    /// The keys of session tickets, made up when they are first asked for.
    pub(crate) fn tickets(&self) -> Result<Tickets, tls::Fault> {
        let mut tickets = lock(&self.tickets);
        match &*tickets {
            Some(tickets) => Ok(tickets.clone()),
            None => Ok(tickets.insert(Tickets::new()?).clone()),
        }
    }

    /// The same, if they were asked for.
    pub fn tickets_so_far(&self) -> Option<Tickets> {
        lock(&self.tickets).clone()
    }

    /// Goes on with the keys of another process.
    pub fn take_over_tickets(&self, tickets: Tickets) {
        *lock(&self.tickets) = Some(tickets);
    }

    pub(crate) fn names(&self) -> Names {
        Names::clone(&lock(&self.names))
    }

    /// The plans to come go on from these names.
    pub(crate) fn keep_names(&self, names: &Arc<Names>) {
        *lock(&self.names) = Arc::clone(names);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

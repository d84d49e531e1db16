use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use telemetry::Names;
use tls::{Certificate, Challenges, Tickets};
use upstream::Living;

use crate::{CertificateFiles, Changes, Plan};

/// What a plan takes over from the ones before it: the living state of its
/// backends, the numbers by which its parts are counted, and what has been
/// changed since the settings were written.
#[derive(Debug, Default)]
pub struct Heritage {
    pub living: Living,
    names: Mutex<Arc<Names>>,
    changes: Mutex<Arc<Changes>>,
    tickets: Mutex<Option<Tickets>>,
    certificates: Mutex<Vec<CertificateFiles>>,
    /// What authorities are shown that check names.
    pub(crate) challenges: Challenges,
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

    /// What clients are shown from now on. The plans to come go on with it where
    /// its files cannot be used any more.
    pub fn keep_certificates(&self, plan: &Plan) {
        *lock(&self.certificates) = plan.certificates().cloned().collect();
    }

    /// What was in these files.
    pub(crate) fn certificate(
        &self,
        chain: &str,
        key: &str,
        ocsp: Option<&str>,
    ) -> Option<Certificate> {
        let certificates = lock(&self.certificates);
        let before = certificates.iter().find(|files| {
            *files.chain == *chain && *files.key.value == *key && files.ocsp.as_deref() == ocsp
        });
        before.map(|files| files.certificate.clone())
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

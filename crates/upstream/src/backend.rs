use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::Address;
use crate::latency::Latency;
use crate::padded::Padded;
use crate::permits::Permits;
use crate::pool::PoolOptions;
use crate::standing::{Hooks, Peers, Standing};
use crate::sync::AtomicUsize;

/// One address of a group: living state, shared by all workers in an `Arc`,
/// and kept across reloads by [`Living`](crate::Living).
pub struct Backend {
    /// As written in the settings; together with the group its identity.
    pub url: Box<str>,
    pub address: Address,
    /// What the backend is called in a request: host, and port unless default.
    pub authority: Box<str>,
    /// How TLS is spoken to it, if it is.
    pub tls: Option<tls::Peer>,
    /// Limits and times of the connections to this backend.
    pub options: PoolOptions,
    /// Whether it is given requests.
    pub standing: Standing,
    id: u64,
    load: Padded<AtomicUsize>,
    pub(crate) permits: Permits,
    pub(crate) latency: Latency,
}

impl Backend {
    pub fn new(
        url: impl Into<Box<str>>,
        address: Address,
        authority: impl Into<Box<str>>,
        options: PoolOptions,
    ) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let url = url.into();
        // Of no group yet.
        let alone = Peers::new("", Arc::new(Hooks::default()));
        Self {
            standing: Standing::new(&url, alone),
            url,
            address,
            authority: authority.into(),
            tls: None,
            options,
            id,
            load: Padded::default(),
            permits: Permits::new(id, options),
            latency: Latency::default(),
        }
    }

    /// The same, spoken to like this.
    pub fn with_tls(mut self, tls: Option<tls::Peer>) -> Self {
        self.tls = tls;
        self
    }

    /// The same as one of these.
    pub(crate) fn among(mut self, peers: Arc<Peers>) -> Self {
        self.standing = Standing::new(&self.url, peers);
        self
    }

    /// Exchanges in flight over all workers, those waiting for a connection
    /// included.
    pub fn load(&self) -> usize {
        self.load.load(Ordering::Relaxed)
    }

    /// Connections open or being opened, over all workers. Takes a lock: for
    /// operators and tests, not for every request.
    pub fn open(&self) -> usize {
        self.permits.open()
    }

    /// Requests that wait for a connection, over all workers.
    pub fn waiting(&self) -> usize {
        self.permits.waiting()
    }

    /// Unique in this process, never used twice.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn load_up(&self) {
        self.load.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn load_down(&self) {
        self.load.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backend")
            .field("url", &self.url)
            .field("load", &self.load())
            .field("open", &self.open())
            .field("waiting", &self.waiting())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;

    use super::*;

    /// Backends of one group.
    pub(crate) fn backends(n: usize) -> Vec<Arc<Backend>> {
        let peers = Peers::new("api", Arc::new(Hooks::default()));
        (0..n)
            .map(|i| {
                let url = format!("http://10.0.0.{i}");
                let address = Address::Unix(url.as_str().into());
                let backend = Backend::new(url.as_str(), address, "app", PoolOptions::default());
                Arc::new(backend.among(Arc::clone(&peers)))
            })
            .collect()
    }
}

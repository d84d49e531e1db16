//! Names of backends, resolved without blocking a worker.
//!
//! An answer is used for `FRESH`. After that the next connection asks again;
//! if the question fails, the last good answer is used for as long as `STALE`
//! before the failure is passed on, so that a short outage of the name service
//! does not take the backends with it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use message::{Failure, Kind, Retry};
use tokio::time::Instant;

const FRESH: Duration = Duration::from_secs(10);
const STALE: Duration = Duration::from_secs(300);

type Key = (Box<str>, u16);

#[derive(Clone)]
struct Answer {
    addresses: Arc<[SocketAddr]>,
    at: Instant,
}

/// The answers that all workers share.
#[derive(Default)]
pub(crate) struct Resolver {
    answers: Mutex<HashMap<Key, Answer>>,
}

impl Resolver {
    pub(crate) async fn resolve(
        &self,
        host: &str,
        port: u16,
    ) -> Result<Arc<[SocketAddr]>, Failure> {
        let key = (Box::from(host), port);
        let known = self.lock().get(&key).cloned();
        if let Some(answer) = &known
            && answer.at.elapsed() < FRESH
        {
            return Ok(Arc::clone(&answer.addresses));
        }
        match look_up(host, port).await {
            Ok(addresses) => {
                let at = Instant::now();
                let addresses = Arc::clone(
                    &self
                        .lock()
                        .entry(key)
                        .insert_entry(Answer { addresses, at })
                        .get()
                        .addresses,
                );
                Ok(addresses)
            }
            Err(failure) => match known {
                Some(answer) if answer.at.elapsed() < STALE => Ok(answer.addresses),
                _ => Err(failure),
            },
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Answer>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The system's resolver works on a thread of its own.
pub(crate) async fn look_up(host: &str, port: u16) -> Result<Arc<[SocketAddr]>, Failure> {
    let failed = |detail: String| Failure::new(Kind::NameFailed, detail).retry(Retry::OtherBackend);
    let addresses: Arc<[SocketAddr]> = tokio::net::lookup_host((host, port))
        .await
        .map_err(|error| failed(format!("{host}: {error}")))?
        .collect();
    if addresses.is_empty() {
        return Err(failed(format!("{host} has no address")));
    }
    Ok(addresses)
}

//! The registry itself: everything that changes who serves what.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::cursor::Cursor;
use crate::event::Change;
use crate::filter::Filter;
use crate::leases::Leases;
use crate::limits::Limits;
use crate::log::{Gone, Log, Page};
use crate::names::Names;
use crate::service::Service;
use crate::serving::Serving;
use crate::watch::{NoWatch, Watcher, Watchers};

/// Leases that end within this time of each other are looked at together, so
/// that ten thousand services do not wake anyone hundreds of times a second.
const TOGETHER: Duration = Duration::from_millis(500);

/// Who serves what right now.
///
/// Whatever takes `now` first lets go of what is over by then, so a service
/// whose lease is over can neither renew it nor stand in the way of another.
#[derive(Debug)]
pub struct Registry {
    limits: Limits,
    services: HashMap<Arc<str>, Arc<Service>>,
    names: Names,
    leases: Leases,
    log: Log,
    watchers: Watchers,
}

/// What registering came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Registered,
    /// The id was there, and says something else now.
    Updated,
    /// The id was there, and has a new lease.
    Renewed,
}

/// As many services are registered as may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full {
    pub most: usize,
}

/// No service of this id is registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unknown;

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} services are registered, which is the most",
            self.most
        )
    }
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no service of this id is registered, or its lease is over")
    }
}

impl std::error::Error for Full {}

impl std::error::Error for Unknown {}

impl Registry {
    /// An empty one. `epoch` is drawn at random, so that cursors of an earlier
    /// life are not taken for those of this one.
    pub fn new(limits: Limits, epoch: u64) -> Self {
        Self {
            limits,
            services: HashMap::new(),
            names: Names::default(),
            leases: Leases::default(),
            log: Log::new(epoch, limits.events),
            watchers: Watchers::new(limits.watchers, limits.mailbox),
        }
    }

    /// Registers a service until its time to live is over. One of the same id
    /// is replaced; that is an event if it says something else, other than
    /// about its lease.
    pub fn register(&mut self, service: Service, now: Instant) -> Result<Outcome, Full> {
        let ends = now + service.ttl();
        self.register_until(service, ends, now)
    }

    pub(crate) fn register_until(
        &mut self,
        service: Service,
        ends: Instant,
        now: Instant,
    ) -> Result<Outcome, Full> {
        self.expire(now);
        let most = self.limits.services;
        let known = self.services.get(service.id()).cloned();
        if known.is_none() && self.services.len() >= most {
            return Err(Full { most });
        }
        self.leases.grant(service.id(), service.ttl(), ends);
        let service = Arc::new(service);
        self.services
            .insert(Arc::clone(service.id()), Arc::clone(&service));
        Ok(match known {
            None => self.enter(service),
            Some(was) if was.says_the_same(&service) => self.keep(service),
            Some(was) => self.replace(was, service),
        })
    }

    fn enter(&mut self, service: Arc<Service>) -> Outcome {
        let version = self.publish(Change::Registered, &service, None);
        self.names.put(service, Some(version));
        Outcome::Registered
    }

    /// Only the terms of the lease can be new.
    fn keep(&mut self, service: Arc<Service>) -> Outcome {
        self.names.put(service, None);
        Outcome::Renewed
    }

    fn replace(&mut self, was: Arc<Service>, service: Arc<Service>) -> Outcome {
        let version = self.publish(Change::Updated, &service, Some(Arc::clone(&was)));
        if was.name() != service.name() {
            self.names.remove(&was, version);
        }
        self.names.put(service, Some(version));
        Outcome::Updated
    }

    /// The service goes, by its own wish.
    pub fn deregister(&mut self, id: &str, now: Instant) -> Result<Arc<Service>, Unknown> {
        self.expire(now);
        self.leases.end(id);
        self.leave(id, Change::Deregistered).ok_or(Unknown)
    }

    fn leave(&mut self, id: &str, change: Change) -> Option<Arc<Service>> {
        let service = self.services.remove(id)?;
        let version = self.publish(change, &service, None);
        self.names.remove(&service, version);
        Some(service)
    }

    /// The service is alive: its lease begins anew. Returns how long it is, so
    /// that the next heartbeat comes well before.
    pub fn heartbeat(&mut self, id: &str, now: Instant) -> Result<Duration, Unknown> {
        self.expire(now);
        self.leases.renew(id, now).ok_or(Unknown)
    }

    /// Lets go of every service whose lease is over, and returns how many.
    pub fn expire(&mut self, now: Instant) -> usize {
        let mut count = 0;
        while let Some(id) = self.leases.over(now) {
            self.leave(&id, Change::Expired);
            count += 1;
        }
        count
    }

    /// When to call [`Self::expire`]: then no lease is over by more than half a
    /// second, and nobody is woken more often than every half second. Nothing
    /// while there are no leases.
    pub fn next_expiry(&self) -> Option<Instant> {
        self.leases.next().map(|next| next + TOGETHER)
    }

    pub fn get(&self, id: &str) -> Option<&Arc<Service>> {
        self.services.get(id)
    }

    /// What is left of a service's lease.
    pub fn left(&self, id: &str, now: Instant) -> Option<Duration> {
        self.leases.left(id, now)
    }

    /// Services that `filter` takes, by name and id. Take [`Self::cursor`]
    /// together with it to go on with the events from there.
    pub fn list<'a>(&'a self, filter: &'a Filter) -> impl Iterator<Item = &'a Arc<Service>> {
        let named = self.names.list(filter.name.as_deref());
        named.filter(|service| filter.takes(service))
    }

    pub fn len(&self) -> usize {
        self.services.len()
    }

    pub fn is_empty(&self) -> bool {
        self.services.is_empty()
    }

    /// Where a proxy can send requests for `name`: services that have all of
    /// `tags`, by id.
    pub fn serving<T: AsRef<str>>(&self, name: &str, tags: &[T]) -> Vec<Serving> {
        let named = self.names.list(Some(name));
        let tagged = named.filter(|service| service.has_tags(tags));
        tagged.map(|service| Serving::from(&**service)).collect()
    }

    /// Changes whenever a service of this name comes, goes or says something
    /// else; 0 while there are none. A heartbeat changes nothing.
    pub fn version(&self, name: &str) -> u64 {
        self.names.version(name)
    }

    /// Behind the last event.
    pub fn cursor(&self) -> Cursor {
        self.log.head()
    }

    /// At most `limit` events behind `cursor` that `filter` takes.
    pub fn since(&self, cursor: Cursor, limit: usize, filter: &Filter) -> Result<Page, Gone> {
        self.log.since(cursor, limit, filter)
    }

    /// Watches from `cursor` on, without a gap: what happened since is in the
    /// mailbox already. [`Self::cursor`] begins now.
    pub fn watch(&mut self, cursor: Cursor, filter: Filter) -> Result<Watcher, NoWatch> {
        let page = self.since(cursor, self.watchers.room(), &filter);
        let page = page.map_err(|Gone| NoWatch::Gone)?;
        if page.more {
            return Err(NoWatch::Behind);
        }
        self.watchers.add(filter, page.events, cursor)
    }

    /// Those who watch, of whom some may have left since the last event.
    pub fn watchers(&self) -> usize {
        self.watchers.len()
    }

    /// Writes a change down, tells those who watch, and returns its number.
    fn publish(
        &mut self,
        change: Change,
        service: &Arc<Service>,
        was: Option<Arc<Service>>,
    ) -> u64 {
        let event = self.log.write(change, service, was);
        self.watchers.publish(&event);
        event.cursor.number
    }
}

#[cfg(test)]
pub(crate) mod tests;

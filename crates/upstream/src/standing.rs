//! Whether a backend is given requests, and what is known of it: learned from
//! ordinary requests, told by checks, ordered by operators.
//!
//! The truth is a [`Record`] under a lock, which is taken when something fails,
//! changes or is looked at. Choices read one word that the record is condensed
//! to, and only in groups in which not all backends are well.

mod breaker;
mod change;
mod checks;
mod legacy;
mod passive;
mod peers;
mod policy;
mod probe;
mod record;
mod state;
#[cfg(test)]
mod tests;
mod view;

use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::sync::{AtomicU64, AtomicUsize, Mutex, MutexGuard};

pub use change::{Change, seconds};
pub use checks::Check;
pub use legacy::Legacy;
pub(crate) use peers::{Hooks, Peers};
pub use policy::{BreakerPolicy, CheckPolicy, HealthPolicy, PassivePolicy};
pub use probe::Probe;
use record::Record;
pub(crate) use state::Look;
pub use state::State;
use state::Word;
pub use view::View;

/// What went wrong with a request, on the backend's side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault<'a> {
    /// In a few words, for operators.
    pub why: &'a str,
    /// There was not even a connection: one is enough.
    pub is_unreachable: bool,
}

/// The living standing of one backend.
#[derive(Debug)]
pub struct Standing {
    url: Arc<str>,
    peers: Arc<Peers>,
    word: AtomicUsize,
    /// When the record changes by itself, in microseconds after `epoch`, counted
    /// from 1; 0 if it does not.
    due: AtomicU64,
    epoch: OnceLock<Instant>,
    record: Mutex<Record>,
}

impl Standing {
    pub(crate) fn new(url: &str, peers: Arc<Peers>) -> Self {
        Self {
            url: url.into(),
            peers,
            word: AtomicUsize::new(Word::WELL.bits()),
            due: AtomicU64::new(0),
            epoch: OnceLock::new(),
            record: Mutex::new(Record::default()),
        }
    }

    pub(crate) fn peers(&self) -> &Arc<Peers> {
        &self.peers
    }

    /// There are failures that a success makes forgotten.
    pub fn is_troubled(&self) -> bool {
        self.word().is_troubled()
    }

    /// A request was answered well, to the end. Makes no difference unless it
    /// is troubled.
    pub fn succeeded(&self, health: &HealthPolicy, now: Instant) {
        self.update(health, now, Record::succeeded);
    }

    /// A request failed at this backend. At most `most` backends of the group
    /// are ejected for such a reason at a time.
    pub(crate) fn failed(
        &self,
        health: &HealthPolicy,
        most: usize,
        fault: Fault<'_>,
        probe: Option<u64>,
        now: Instant,
    ) {
        self.update(health, now, |record| {
            record.failed(health, fault, probe, now, || self.peers.claim(most));
        });
    }

    /// The request that was let through a half-open breaker was answered well.
    pub(crate) fn probe_succeeded(&self, health: &HealthPolicy, probe: u64, now: Instant) {
        self.update(health, now, |record| record.probe_succeeded(health, probe));
    }

    /// What a half-open breaker lets through: one request at a time.
    pub(crate) fn take_probe(&self) -> Option<u64> {
        let mut record = self.lock();
        let probe = record.take_probe();
        self.publish(&record);
        probe
    }

    pub(crate) fn give_probe_back(&self, probe: u64) {
        let mut record = self.lock();
        record.give_probe_back(probe);
        self.publish(&record);
    }

    /// A check of its own was made.
    pub fn checked(&self, health: &HealthPolicy, check: Check, now: Instant) {
        self.update(health, now, |record| record.checked(health, check));
    }

    /// Takes no request until a first check was good, unless it has been checked
    /// before.
    pub fn await_check(&self, health: &HealthPolicy, now: Instant) {
        self.update(health, now, Record::await_check);
    }

    /// Takes nobody new; clients whose session is here stay.
    pub fn drain(&self, health: &HealthPolicy, now: Instant) {
        self.update(health, now, Record::drain);
    }

    /// Takes no request at all.
    pub fn disable(&self, health: &HealthPolicy, now: Instant) {
        self.update(health, now, Record::disable);
    }

    /// Neither drained nor disabled any more, nor out for what requests have
    /// found.
    pub fn enable(&self, health: &HealthPolicy, now: Instant) {
        self.update(health, now, |record| record.enable(now));
    }

    /// What goes to a process that takes over.
    pub fn legacy(&self, now: Instant) -> Legacy {
        self.lock().legacy(now)
    }

    /// Goes on with what another process has left; `why` says how that came.
    /// Before the first request.
    pub fn inherit(&self, health: &HealthPolicy, legacy: &Legacy, why: &'static str, now: Instant) {
        self.update(health, now, |record| {
            record.inherit(health, legacy, why, now, || self.peers.claim(usize::MAX));
        });
    }

    /// Lets happen what happens by itself: ejections end, and so on. Choices do
    /// this as well, so that it is only needed where there are none.
    pub fn tick(&self, health: &HealthPolicy, now: Instant) {
        if !self.word().is_well() {
            self.update(health, now, |_| ());
        }
    }

    /// Everything there is to know about it.
    pub fn view(&self, health: &HealthPolicy, now: Instant) -> View {
        self.update(health, now, |record: &mut Record| View::of(record))
    }

    /// How long until it is back, or tried again, as far as that is known.
    pub(crate) fn retry_after(&self, now: Instant) -> Option<Duration> {
        match self.word().state() {
            State::HalfOpen => Some(Duration::ZERO),
            State::BreakerOpen | State::Ejected => {
                let returns = self.lock().returns()?;
                Some(returns.saturating_duration_since(now))
            }
            _ => None,
        }
    }

    /// Takes over what operators want, from the one in whose place it comes.
    pub(crate) fn follow(&self, other: &Self) {
        let wishes = other.lock().wishes();
        let mut record = self.lock();
        record.follow(wishes);
        self.publish(&record);
    }

    pub(crate) fn word(&self) -> Word {
        Word::from_bits(self.word.load(Ordering::Relaxed))
    }

    /// How it looks to a choice.
    pub(crate) fn look(&self, health: &HealthPolicy, now: Option<Instant>) -> Look {
        let word = self.word();
        let (false, Some(now)) = (word.is_well(), now) else {
            return Look::new(word, None);
        };
        match self.left(now) {
            Some(Duration::ZERO) => {
                self.tick(health, now);
                Look::new(self.word(), self.left(now))
            }
            left => Look::new(word, left),
        }
    }

    /// How long until something happens by itself.
    fn left(&self, now: Instant) -> Option<Duration> {
        let due = self.due.load(Ordering::Relaxed).checked_sub(1)?;
        let passed = now.saturating_duration_since(*self.epoch.get()?);
        Some(Duration::from_micros(due).saturating_sub(passed))
    }

    /// Changes the record, after what is due by now, and tells of what came of it.
    fn update<T>(
        &self,
        health: &HealthPolicy,
        now: Instant,
        change: impl FnOnce(&mut Record) -> T,
    ) -> T {
        self.epoch.get_or_init(|| now);
        let mut record = self.lock();
        let (due, ()) = self.step(&mut record, health, now, |record| record.tick(health, now));
        let (made, outcome) = self.step(&mut record, health, now, change);
        self.publish(&record);
        drop(record);
        for change in [due, made].into_iter().flatten() {
            self.peers.tell(&change);
        }
        outcome
    }

    fn step<T>(
        &self,
        record: &mut Record,
        health: &HealthPolicy,
        now: Instant,
        change: impl FnOnce(&mut Record) -> T,
    ) -> (Option<Change>, T) {
        let (before, was_ejected) = (record.state(), record.is_ejected());
        let outcome = change(record);
        if was_ejected && !record.is_ejected() {
            self.peers.release();
        }
        let turned = record.settle(before, health, now).map(|why| Change {
            group: Arc::clone(self.peers.group()),
            url: Arc::clone(&self.url),
            from: before,
            to: record.state(),
            why,
            at: now,
            until: record.returns(),
        });
        if let Some(change) = &turned {
            record.remember(change);
        }
        (turned, outcome)
    }

    fn publish(&self, record: &Record) {
        let due = match (record.due(), self.epoch.get()) {
            (Some(due), Some(&epoch)) => {
                1 + due.saturating_duration_since(epoch).as_micros() as u64
            }
            _ => 0,
        };
        self.due.store(due, Ordering::Relaxed);
        let word = record.word();
        let before = Word::from_bits(self.word.swap(word.bits(), Ordering::Relaxed));
        self.peers.recount(before.is_well(), word.is_well());
    }

    fn lock(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What it held in the counts of the group goes with it.
impl Drop for Standing {
    fn drop(&mut self) {
        let is_ejected = self.lock().is_ejected();
        if is_ejected {
            self.peers.release();
        }
        self.peers.recount(self.word().is_well(), true);
    }
}

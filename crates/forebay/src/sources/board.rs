//! What each source has found by now.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use plan::BackendSource;
use registry::find::{Known, News, NoAnswer, Place};
use telemetry::SourceFigures;
use tokio::sync::Notify;
use tracing::{error, info, warn};

use super::LastFound;

type TakeUp = Box<dyn Fn() -> bool + Send + Sync>;

#[derive(Default)]
pub(super) struct Board {
    known: Mutex<BTreeMap<Arc<BackendSource>, Known>>,
    /// A source has its first answer.
    settled: Condvar,
    /// Other sources are wanted.
    pub(super) wanted: Notify,
    /// Something else has been found.
    pub(super) changed: Notify,
    take_up: OnceLock<TakeUp>,
}

impl Board {
    pub(super) fn when_changed(&self, take_up: TakeUp) {
        // Only the first counts; there is one.
        let _ = self.take_up.set(take_up);
    }

    /// Takes up what was found; false if it has to be tried again.
    pub(super) fn take_up(&self) -> bool {
        self.take_up.get().is_none_or(|take_up| take_up())
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<Arc<BackendSource>, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn want(&self, sources: &[&BackendSource]) {
        let mut known = self.known();
        for &source in sources {
            if !known.contains_key(source) {
                known.insert(Arc::new(source.clone()), Known::default());
            }
        }
        drop(known);
        self.wanted.notify_one();
    }

    /// A source that is to be wanted has found this once.
    pub(super) fn begin_with(&self, source: &BackendSource, places: BTreeMap<String, u32>) {
        let places = places.into_iter();
        let places = places.map(|(url, weight)| Place { url, weight });
        let mut known = Known::default();
        known.take(places.collect());
        self.known().insert(Arc::new(source.clone()), known);
    }

    pub(super) fn found(&self) -> LastFound {
        let places = |known: &Known| -> BTreeMap<String, u32> {
            let places = known.places().iter().cloned();
            places.map(|place| (place.url, place.weight)).collect()
        };
        let known = self.known();
        let looked_at = known
            .iter()
            .filter(|(source, _)| !matches!(***source, BackendSource::Registry(_)));
        looked_at
            .map(|(source, known)| (source.in_full(), places(known)))
            .filter(|(_, places)| !places.is_empty())
            .collect()
    }

    pub(super) fn keep_only(&self, sources: &[&BackendSource]) {
        let mut known = self.known();
        let before = known.len();
        known.retain(|source, _| sources.contains(&&**source));
        if known.len() != before {
            drop(known);
            self.wanted.notify_one();
            // What they had found may have been taken up meanwhile.
            self.changed.notify_one();
        }
    }

    pub(super) fn all(&self) -> Vec<Arc<BackendSource>> {
        self.known().keys().map(Arc::clone).collect()
    }

    /// Waits until each of these has answered, or failed to.
    pub(super) fn wait_for(&self, sources: &[&BackendSource], within: Duration) {
        let waits = |known: &mut BTreeMap<Arc<BackendSource>, Known>| {
            let mut all = sources.iter();
            all.any(|&source| known.get(source).is_some_and(|known| !known.is_settled()))
        };
        let waited = self.settled.wait_timeout_while(self.known(), within, waits);
        let (known, result) = waited.unwrap_or_else(PoisonError::into_inner);
        drop(known);
        if result.timed_out() {
            warn!("some sources of backends do not answer; going on without them for now");
        }
    }

    pub(super) fn places(&self, source: &BackendSource) -> Vec<Place> {
        let known = self.known();
        let known = known.get(source).map(Known::places);
        known.unwrap_or_default().to_vec()
    }

    /// A good answer; how often a source has failed since the last is forgotten.
    pub(super) fn answers(&self, source: &BackendSource, places: Vec<Place>) {
        let Some(news) = self.update(source, |known| known.take(places)) else {
            return;
        };
        if let News::Recovered { .. } = news {
            info!("{source} answers again");
        }
        if let News::Changed | News::Recovered { has_changed: true } = news {
            self.changed.notify_one();
        }
    }

    /// No good answer. What was found stays. Returns the failures in a row.
    pub(super) fn fails(&self, source: &BackendSource, why: &NoAnswer) -> u32 {
        if self.update(source, Known::fail) == Some(News::Fails) {
            warn!("{source}: {why}; what it had stays");
        }
        self.known().get(source).map_or(0, Known::failures)
    }

    /// A file that cannot be used: told each time, for somebody has just changed it.
    pub(super) fn is_bad(&self, source: &BackendSource, why: &NoAnswer) {
        if self.update(source, Known::fail).is_some() {
            error!("{source} is refused; what it had stays:\n{why}");
        }
    }

    fn update(
        &self,
        source: &BackendSource,
        change: impl FnOnce(&mut Known) -> News,
    ) -> Option<News> {
        let mut known = self.known();
        let news = change(known.get_mut(source)?);
        self.settled.notify_all();
        Some(news)
    }

    pub(super) fn figures(&self) -> Vec<SourceFigures> {
        let known = self.known();
        let figures = known.iter().map(|(source, known)| SourceFigures {
            source: source.to_string(),
            backends: known.places().len() as u64,
            is_good: known.failures() == 0,
            failures: known.all_failures(),
        });
        figures.collect()
    }
}

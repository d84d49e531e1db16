//! What happens, for those who watch: the latest events are kept, so that who
//! comes back goes on where it was.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde_json::Value;
use tokio::sync::broadcast;

/// Events that are kept for those who come back, and bytes of their text.
const KEPT: usize = 512;
const KEPT_BYTES: usize = 128 * 1024;
/// Events that wait for one who watches; who is slower than this is sent away.
const WAITING: usize = 128;

/// Something that has happened.
#[derive(Debug)]
pub(crate) struct Event {
    /// Where to go on after it: the life of this program and a number.
    pub(crate) id: String,
    number: u64,
    /// Such as `reload` or `backend`.
    pub(crate) kind: &'static str,
    /// As it is sent. Text takes a third of the memory of the values in it.
    pub(crate) text: Box<str>,
}

/// What the text of an event says.
#[derive(Serialize)]
struct Told<'a> {
    id: &'a str,
    kind: &'static str,
    /// RFC 3339.
    at: String,
    about: Value,
}

/// Where events are published and watched. Cheap to clone, and all clones are
/// the same.
#[derive(Clone)]
pub struct Events(Arc<Mutex<Kept>>);

struct Kept {
    epoch: u64,
    last: u64,
    latest: VecDeque<Arc<Event>>,
    /// The bytes of their text.
    bytes: usize,
    live: broadcast::Sender<Arc<Event>>,
}

/// One who watches.
pub(crate) struct Watching {
    /// Events between where it was and now.
    pub(crate) missed: VecDeque<Arc<Event>>,
    /// Not all of those are there any more, or it was another life.
    pub(crate) has_gap: bool,
    pub(crate) live: broadcast::Receiver<Arc<Event>>,
}

impl Events {
    /// `epoch` is drawn at random, so that ids of an earlier life are not taken
    /// for those of this one.
    pub fn new(epoch: u64) -> Self {
        Self(Arc::new(Mutex::new(Kept {
            epoch,
            last: 0,
            latest: VecDeque::new(),
            bytes: 0,
            live: broadcast::channel(WAITING).0,
        })))
    }

    /// Tells those who watch. Never waits.
    pub fn publish(&self, kind: &'static str, about: Value) {
        let at = crate::clock::rfc3339(crate::clock::micros(crate::clock::wall()));
        let mut kept = self.lock();
        kept.last += 1;
        let id = format!("{:x}-{}", kept.epoch, kept.last);
        let told = Told {
            id: &id,
            kind,
            at,
            about,
        };
        let text = serde_json::to_string(&told).unwrap_or_default().into();
        let event = Arc::new(Event {
            id,
            number: kept.last,
            kind,
            text,
        });
        kept.keep(Arc::clone(&event));
        // Nobody may be watching.
        let _ = kept.live.send(event);
    }

    /// Watches from the event `after` on, or from now.
    pub(crate) fn watch(&self, after: Option<&str>) -> Watching {
        let kept = self.lock();
        let live = kept.live.subscribe();
        let seen = after.map(|id| number_of(id, kept.epoch).filter(|&n| n <= kept.last));
        let oldest = kept
            .latest
            .front()
            .map_or(kept.last, |first| first.number - 1);
        let (from, has_gap) = match seen {
            None => (kept.last, false),
            Some(Some(seen)) => (seen, seen < oldest),
            Some(None) => (0, true),
        };
        let missed = kept.latest.iter().filter(|event| event.number > from);
        Watching {
            missed: missed.cloned().collect(),
            has_gap,
            live,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// The latest is kept, however long it is.
    fn keep(&mut self, event: Arc<Event>) {
        self.bytes += event.text.len();
        self.latest.push_back(event);
        while self.latest.len() > KEPT || (self.bytes > KEPT_BYTES && self.latest.len() > 1) {
            let gone = self.latest.pop_front();
            self.bytes -= gone.map_or(0, |event| event.text.len());
        }
    }
}

fn number_of(id: &str, epoch: u64) -> Option<u64> {
    let (life, number) = id.split_once('-')?;
    let is_this = u64::from_str_radix(life, 16) == Ok(epoch);
    number.parse().ok().filter(|_| is_this)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(watching: &Watching) -> Vec<u64> {
        watching.missed.iter().map(|event| event.number).collect()
    }

    #[test]
    fn who_comes_back_goes_on_where_it_was() {
        let events = Events::new(0xbeef);
        for n in 0..3 {
            events.publish("test", n.into());
        }
        let all: [(Option<&str>, Vec<u64>, bool); 6] = [
            (None, vec![], false),
            (Some("beef-1"), vec![2, 3], false),
            (Some("beef-3"), vec![], false),
            (Some("beef-4"), vec![1, 2, 3], true),
            (Some("dead-1"), vec![1, 2, 3], true),
            (Some("nonsense"), vec![1, 2, 3], true),
        ];
        for (after, missed, has_gap) in all {
            let watching = events.watch(after);
            assert_eq!(numbers(&watching), missed, "{after:?}");
            assert_eq!(watching.has_gap, has_gap, "{after:?}");
        }
        for n in 0..KEPT {
            events.publish("test", n.into());
        }
        assert!(events.watch(Some("beef-2")).has_gap);
        let watching = events.watch(Some("beef-3"));
        assert!(!watching.has_gap);
        assert_eq!(watching.missed.len(), KEPT);
    }

    #[test]
    fn long_events_take_the_place_of_more_old_ones() {
        let events = Events::new(1);
        for n in 0..KEPT {
            events.publish("test", n.into());
        }
        // (events of this length, so many are kept after each)
        for (length, left) in [(KEPT_BYTES * 2 / 5, 2), (KEPT_BYTES * 2, 1)] {
            for _ in 0..3 {
                events.publish("test", "x".repeat(length).into());
            }
            let kept = events.lock();
            assert_eq!(kept.latest.len(), left);
            let bytes: usize = kept.latest.iter().map(|event| event.text.len()).sum();
            assert_eq!(kept.bytes, bytes);
        }
        assert!(events.watch(Some("1-3")).has_gap);
    }

    #[test]
    fn who_is_too_slow_is_told() {
        let events = Events::new(1);
        let mut watching = events.watch(None);
        for n in 0..=WAITING {
            events.publish("test", n.into());
        }
        let lagged = watching.live.try_recv();
        assert!(matches!(
            lagged,
            Err(broadcast::error::TryRecvError::Lagged(_))
        ));
    }
}

//! Those who wait for events, each with a mailbox of bounded size.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::sync::mpsc::error::{TryRecvError, TrySendError};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::cursor::Cursor;
use crate::event::Event;
use crate::filter::Filter;

/// The mailboxes of all who watch. Who publishes never waits: a mailbox that is
/// full is closed, and its owner is told why when it has read the rest.
#[derive(Debug)]
pub(crate) struct Watchers {
    mailboxes: Vec<Mailbox>,
    most: usize,
    room: usize,
}

#[derive(Debug)]
struct Mailbox {
    filter: Filter,
    letters: Sender<Arc<Event>>,
    too_slow: Arc<AtomicBool>,
}

/// One who watches. What it holds is bounded by its mailbox.
#[derive(Debug)]
pub struct Watcher {
    letters: Receiver<Arc<Event>>,
    too_slow: Arc<AtomicBool>,
    seen: Cursor,
}

/// There is nothing more to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The mailbox was full when an event came, and was closed. Ask for the
    /// events since [`Watcher::cursor`], then watch again.
    TooSlow,
    /// The registry is no more.
    Closed,
}

/// Why there can be no watching.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoWatch {
    /// List the services, then watch from the cursor of the list.
    Gone,
    /// More events than a mailbox holds lie behind the cursor: ask for the
    /// events since then first.
    Behind,
    /// As many watch as may.
    TooMany,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooSlow => "too many events waited to be read",
            Self::Closed => "the registry is closed",
        })
    }
}

impl fmt::Display for NoWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gone => "the events behind this cursor are gone: list the services again",
            Self::Behind => "too many events lie behind this cursor: ask for them first",
            Self::TooMany => "as many watch as may",
        })
    }
}

impl std::error::Error for Ended {}

impl std::error::Error for NoWatch {}

impl Watchers {
    /// At most `most` of them, each with `room` for at least one event.
    pub(crate) fn new(most: usize, room: usize) -> Self {
        Self {
            mailboxes: Vec::new(),
            most,
            room: room.max(1),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.mailboxes.len()
    }

    /// Events that fit into one mailbox.
    pub(crate) fn room(&self) -> usize {
        self.room
    }

    /// One more, who finds `missed` in the mailbox and has seen all before
    /// `seen`.
    pub(crate) fn add(
        &mut self,
        filter: Filter,
        missed: Vec<Arc<Event>>,
        seen: Cursor,
    ) -> Result<Watcher, NoWatch> {
        if self.mailboxes.len() >= self.most {
            self.mailboxes
                .retain(|mailbox| !mailbox.letters.is_closed());
        }
        if self.mailboxes.len() >= self.most {
            return Err(NoWatch::TooMany);
        }
        let (sender, letters) = channel(self.room);
        let too_slow = Arc::new(AtomicBool::new(false));
        let mailbox = Mailbox {
            filter,
            letters: sender,
            too_slow: Arc::clone(&too_slow),
        };
        if !missed.iter().all(|event| mailbox.post(event)) {
            return Err(NoWatch::Behind);
        }
        self.mailboxes.push(mailbox);
        Ok(Watcher {
            letters,
            too_slow,
            seen,
        })
    }

    /// Puts an event into every mailbox whose owner wants it, and closes those
    /// that are full or that nobody reads any more.
    pub(crate) fn publish(&mut self, event: &Arc<Event>) {
        self.mailboxes.retain(|mailbox| {
            if mailbox.filter.takes_event(event) {
                mailbox.post(event)
            } else {
                !mailbox.letters.is_closed()
            }
        });
    }
}

impl Mailbox {
    /// False if the mailbox is to be closed.
    fn post(&self, event: &Arc<Event>) -> bool {
        match self.letters.try_send(Arc::clone(event)) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => {
                self.too_slow.store(true, Ordering::Release);
                false
            }
            Err(TrySendError::Closed(_)) => false,
        }
    }
}

impl Watcher {
    /// The next event, or why there is none. Nothing is lost if this is given
    /// up while it waits.
    pub async fn next(&mut self) -> Result<Arc<Event>, Ended> {
        let letter = self.letters.recv().await;
        self.read(letter)
    }

    pub fn poll_next(&mut self, task: &mut Context<'_>) -> Poll<Result<Arc<Event>, Ended>> {
        let letter = self.letters.poll_recv(task);
        letter.map(|letter| self.read(letter))
    }

    /// The next event if there is one already.
    pub fn try_next(&mut self) -> Option<Result<Arc<Event>, Ended>> {
        match self.letters.try_recv() {
            Ok(event) => Some(self.read(Some(event))),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(self.read(None)),
        }
    }

    /// Behind the last event that was read here: where to go on.
    pub fn cursor(&self) -> Cursor {
        self.seen
    }

    fn read(&mut self, letter: Option<Arc<Event>>) -> Result<Arc<Event>, Ended> {
        match letter {
            Some(event) => {
                self.seen = event.cursor;
                Ok(event)
            }
            None if self.too_slow.load(Ordering::Acquire) => Err(Ended::TooSlow),
            None => Err(Ended::Closed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Change;
    use crate::log::Log;
    use crate::registry::tests::service;

    const START: Cursor = Cursor {
        epoch: 1,
        number: 0,
    };

    fn event(log: &mut Log) -> Arc<Event> {
        log.write(Change::Registered, &service("a", "web"), None)
    }

    fn read_all(watcher: &mut Watcher) -> (Vec<u64>, Option<Ended>) {
        let mut numbers = Vec::new();
        loop {
            match watcher.try_next() {
                Some(Ok(event)) => numbers.push(event.cursor.number),
                Some(Err(ended)) => return (numbers, Some(ended)),
                None => return (numbers, None),
            }
        }
    }

    #[test]
    fn who_is_too_slow_reads_the_rest_and_is_told() {
        let mut log = Log::new(1, 100);
        let mut watchers = Watchers::new(10, 2);
        let mut slow = watchers.add(Filter::default(), Vec::new(), START).unwrap();
        let mut quick = watchers.add(Filter::default(), Vec::new(), START).unwrap();
        for number in 1..=4 {
            watchers.publish(&event(&mut log));
            assert_eq!(read_all(&mut quick), (vec![number], None));
        }
        assert_eq!(watchers.len(), 1);
        assert_eq!(read_all(&mut slow), (vec![1, 2], Some(Ended::TooSlow)));
        assert_eq!(slow.cursor().number, 2);
        drop(watchers);
        assert_eq!(read_all(&mut quick), (vec![], Some(Ended::Closed)));
    }

    #[test]
    fn those_who_never_read_are_let_go_and_keep_no_more_than_a_mailbox() {
        let mut log = Log::new(1, 0);
        let mut watchers = Watchers::new(1000, 16);
        let watch = |_| watchers.add(Filter::default(), Vec::new(), START).unwrap();
        let mut reading: Vec<_> = (0..1000).map(watch).collect();
        let mut silent = reading.split_off(900);
        for number in 1..=40 {
            let event = event(&mut log);
            watchers.publish(&event);
            for watcher in &mut reading {
                assert_eq!(read_all(watcher), (vec![number], None));
            }
            let kept = if number <= 16 { 100 } else { 0 };
            assert_eq!(Arc::strong_count(&event), kept + 1);
        }
        assert_eq!(watchers.len(), 900);
        for watcher in &mut silent {
            assert_eq!(
                read_all(watcher),
                ((1..=16).collect(), Some(Ended::TooSlow))
            );
        }
    }

    #[test]
    fn who_left_makes_room() {
        let mut log = Log::new(1, 100);
        let mut watchers = Watchers::new(2, 2);
        let nothing = Filter {
            name: Some("nothing".to_owned()),
            ..Filter::default()
        };
        let first = watchers.add(nothing.clone(), Vec::new(), START).unwrap();
        let second = watchers.add(nothing.clone(), Vec::new(), START).unwrap();
        let third = watchers.add(nothing.clone(), Vec::new(), START);
        assert_eq!(third.err(), Some(NoWatch::TooMany));
        drop(first);
        let third = watchers.add(nothing.clone(), Vec::new(), START);
        assert!(third.is_ok());
        drop((second, third));
        watchers.publish(&event(&mut log));
        assert_eq!(watchers.len(), 0);
    }

    #[test]
    fn what_was_missed_is_in_the_mailbox_if_it_fits() {
        let mut log = Log::new(1, 100);
        let mut watchers = Watchers::new(2, 2);
        let missed = |n: usize, log: &mut Log| (0..n).map(|_| event(log)).collect();
        let missed_two = missed(2, &mut log);
        let mut watcher = watchers.add(Filter::default(), missed_two, START).unwrap();
        assert_eq!(read_all(&mut watcher), (vec![1, 2], None));
        let missed_three = missed(3, &mut log);
        let refused = watchers.add(Filter::default(), missed_three, START);
        assert_eq!(refused.err(), Some(NoWatch::Behind));
        assert_eq!(watchers.len(), 1);
    }

    #[tokio::test]
    async fn who_waits_is_woken() {
        let mut log = Log::new(1, 100);
        let mut watchers = Watchers::new(1, 1);
        let mut watcher = watchers.add(Filter::default(), Vec::new(), START).unwrap();
        let waiting = tokio::spawn(async move { (watcher.next().await, watcher) });
        tokio::task::yield_now().await;
        watchers.publish(&event(&mut log));
        let (found, mut watcher) = waiting.await.unwrap();
        assert_eq!(found.map(|event| event.cursor.number), Ok(1));
        watchers.publish(&event(&mut log));
        watchers.publish(&event(&mut log));
        assert!(watcher.next().await.is_ok());
        assert_eq!(watcher.next().await, Err(Ended::TooSlow));
    }
}

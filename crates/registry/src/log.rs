//! The latest events, for those who come back and ask what they have missed.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use crate::cursor::Cursor;
use crate::event::{Change, Event};
use crate::filter::Filter;
use crate::service::Service;

/// The latest events of this life, without gaps.
#[derive(Debug)]
pub(crate) struct Log {
    latest: VecDeque<Arc<Event>>,
    most: usize,
    head: Cursor,
}

/// Events in order, and where to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    pub events: Vec<Arc<Event>>,
    /// Behind the last of these events, or behind all there are: what the
    /// filter did not take need not be looked at again.
    pub next: Cursor,
    /// True if there may be more behind `next` already.
    pub more: bool,
}

/// The events behind this cursor are not known, or not any more: list what is
/// there, and go on from the cursor of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gone;

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the events behind this cursor are gone: list the services again")
    }
}

impl std::error::Error for Gone {}

impl Log {
    pub(crate) fn new(epoch: u64, most: usize) -> Self {
        Self {
            latest: VecDeque::new(),
            most,
            head: Cursor { epoch, number: 0 },
        }
    }

    /// Behind the last event.
    pub(crate) fn head(&self) -> Cursor {
        self.head
    }

    /// Writes an event down; the oldest goes where there are too many.
    pub(crate) fn write(
        &mut self,
        change: Change,
        service: &Arc<Service>,
        was: Option<Arc<Service>>,
    ) -> Arc<Event> {
        self.head.number += 1;
        let event = Arc::new(Event {
            cursor: self.head,
            change,
            service: Arc::clone(service),
            was,
        });
        if self.latest.len() >= self.most {
            self.latest.pop_front();
        }
        if self.most > 0 {
            self.latest.push_back(Arc::clone(&event));
        }
        event
    }

    /// At most `limit` events behind `cursor` that `filter` takes.
    pub(crate) fn since(
        &self,
        cursor: Cursor,
        limit: usize,
        filter: &Filter,
    ) -> Result<Page, Gone> {
        let mut page = Page {
            events: Vec::new(),
            next: cursor,
            more: false,
        };
        for event in self.behind(cursor)? {
            let wanted = filter.takes_event(event);
            if wanted && page.events.len() >= limit {
                page.more = true;
                break;
            }
            page.next = event.cursor;
            if wanted {
                page.events.push(Arc::clone(event));
            }
        }
        Ok(page)
    }

    /// The events behind `cursor`. A cursor from the future is not of this life.
    fn behind(&self, cursor: Cursor) -> Result<impl Iterator<Item = &Arc<Event>>, Gone> {
        let missed = self.head.number.checked_sub(cursor.number).ok_or(Gone)?;
        let missed = usize::try_from(missed).map_err(|_| Gone)?;
        let skipped = self.latest.len().checked_sub(missed).ok_or(Gone)?;
        if cursor.epoch != self.head.epoch {
            return Err(Gone);
        }
        Ok(self.latest.iter().skip(skipped))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::tests::service;

    fn numbers(page: &Page) -> Vec<u64> {
        page.events
            .iter()
            .map(|event| event.cursor.number)
            .collect()
    }

    fn cursor(number: u64) -> Cursor {
        Cursor { epoch: 9, number }
    }

    #[test]
    fn the_latest_are_kept_and_older_ones_are_gone() {
        let mut log = Log::new(9, 3);
        let all = Filter::default();
        assert_eq!(
            log.since(cursor(0), 10, &all).map(|page| page.next),
            Ok(cursor(0))
        );
        assert_eq!(log.since(cursor(1), 10, &all), Err(Gone));
        for _ in 0..5 {
            log.write(Change::Registered, &service("a", "web"), None);
        }
        assert_eq!(log.since(cursor(1), 10, &all), Err(Gone));
        let page = log.since(cursor(2), 10, &all).unwrap();
        assert_eq!(
            (numbers(&page), page.next, page.more),
            (vec![3, 4, 5], cursor(5), false)
        );
        let page = log.since(cursor(2), 2, &all).unwrap();
        assert_eq!(
            (numbers(&page), page.next, page.more),
            (vec![3, 4], cursor(4), true)
        );
        let page = log.since(cursor(5), 2, &all).unwrap();
        assert_eq!(
            (numbers(&page), page.next, page.more),
            (vec![], cursor(5), false)
        );
        let other = Cursor {
            epoch: 8,
            number: 5,
        };
        assert_eq!(log.since(other, 10, &all), Err(Gone));
        assert_eq!(log.since(cursor(6), 10, &all), Err(Gone));
        assert_eq!(log.since(cursor(u64::MAX), 10, &all), Err(Gone));
    }

    #[test]
    fn what_a_filter_does_not_take_is_passed_over_for_good() {
        let mut log = Log::new(9, 10);
        for name in ["web", "api", "api", "web", "api"] {
            log.write(Change::Registered, &service("a", name), None);
        }
        let filter = Filter {
            name: Some("web".to_owned()),
            ..Filter::default()
        };
        let page = log.since(cursor(0), 1, &filter).unwrap();
        assert_eq!(
            (numbers(&page), page.next, page.more),
            (vec![1], cursor(3), true)
        );
        let page = log.since(page.next, 1, &filter).unwrap();
        assert_eq!(
            (numbers(&page), page.next, page.more),
            (vec![4], cursor(5), false)
        );
        let page = log.since(cursor(0), 0, &filter).unwrap();
        assert_eq!(
            (numbers(&page), page.next, page.more),
            (vec![], cursor(0), true)
        );
    }

    #[test]
    fn a_log_of_nothing_still_counts() {
        let mut log = Log::new(9, 0);
        log.write(Change::Registered, &service("a", "web"), None);
        let all = Filter::default();
        assert_eq!(log.since(cursor(0), 1, &all), Err(Gone));
        assert!(log.since(cursor(1), 1, &all).is_ok());
    }
}

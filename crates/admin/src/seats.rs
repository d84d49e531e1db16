//! Who may stay when there are more connections than there is room for: whoever
//! has sent a request that was let in. The others are there to be sent away, the
//! oldest first, so that silent connections keep nobody out.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::AbortHandle;

/// What is known of one connection. Cheap to clone, and all clones are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seat(Arc<Marks>);

#[derive(Debug, Default)]
struct Marks {
    has_asked: AtomicBool,
    is_kept: AtomicBool,
}

impl Seat {
    /// A whole head has come.
    pub(crate) fn ask(&self) {
        self.0.has_asked.store(true, Ordering::Relaxed);
    }

    pub(crate) fn has_asked(&self) -> bool {
        self.0.has_asked.load(Ordering::Relaxed)
    }

    /// A request was let in: the connection may stay.
    pub(crate) fn keep(&self) {
        self.0.is_kept.store(true, Ordering::Relaxed);
    }

    fn is_kept(&self) -> bool {
        self.0.is_kept.load(Ordering::Relaxed)
    }
}

/// The connections that have not been let in yet, in the order in which they
/// came.
#[derive(Debug, Default)]
pub(crate) struct Strangers(VecDeque<(Seat, AbortHandle)>);

impl Strangers {
    /// One more. There are never many more than `most` connections.
    pub(crate) fn add(&mut self, seat: Seat, task: AbortHandle, most: usize) {
        if self.0.len() >= 2 * most {
            self.0.retain(is_stranger);
        }
        self.0.push_back((seat, task));
    }

    /// Sends the oldest away; false where there is none.
    pub(crate) fn send_one_away(&mut self) -> bool {
        while let Some(oldest) = self.0.pop_front() {
            if is_stranger(&oldest) {
                oldest.1.abort();
                return true;
            }
        }
        false
    }

    pub(crate) fn is_empty(&mut self) -> bool {
        while self.0.pop_front_if(|oldest| !is_stranger(oldest)).is_some() {}
        self.0.is_empty()
    }
}

fn is_stranger((seat, task): &(Seat, AbortHandle)) -> bool {
    !seat.is_kept() && !task.is_finished()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::task::JoinSet;

    #[tokio::test]
    async fn the_oldest_who_was_not_let_in_goes() {
        let mut tasks = JoinSet::new();
        let mut strangers = Strangers::default();
        let seats: [Seat; 4] = Default::default();
        for (at, seat) in seats.iter().enumerate() {
            let task = tasks.spawn(async move {
                if at != 1 {
                    std::future::pending::<()>().await;
                }
            });
            strangers.add(seat.clone(), task, 4);
        }
        // One has ended by itself.
        assert!(tasks.join_next().await.unwrap().is_ok());
        seats[0].keep();
        seats[2].ask();
        assert!(!strangers.is_empty());
        assert!(strangers.send_one_away());
        assert!(tasks.join_next().await.unwrap().unwrap_err().is_cancelled());
        seats[3].keep();
        assert!(strangers.is_empty());
        assert!(!strangers.send_one_away());
        assert_eq!(tasks.len(), 2);
    }

    #[tokio::test]
    async fn those_who_stay_are_not_remembered_for_ever() {
        let mut tasks = JoinSet::new();
        let mut strangers = Strangers::default();
        for _ in 0..100 {
            let seat = Seat::default();
            seat.keep();
            strangers.add(seat, tasks.spawn(std::future::pending::<()>()), 4);
            assert!(strangers.0.len() <= 8);
        }
    }
}

use std::rc::Rc;
use std::time::Instant;

use super::shelf::Shelf;
use super::{Checkout, QueueFull};
use crate::permits::{Grant, Permits, Queued};
use crate::sync::oneshot;

/// Queues up at the backend of this shelf.
pub(super) async fn wait<C>(shelf: Rc<Shelf<C>>, now: Instant) -> Result<Checkout<C>, QueueFull> {
    match Permits::queue_up(&shelf.backend, shelf.seat, now) {
        Queued::Permit(permit) => Ok(Checkout::Connect(permit)),
        Queued::Waiting { ticket, grant } => {
            shelf.tally.waited.add(1);
            let done = false;
            let place = WaitingPlace {
                shelf,
                ticket,
                grant,
                done,
            };
            place.served().await.ok_or(QueueFull)
        }
        Queued::Full => {
            shelf.tally.queue_full.add(1);
            Err(QueueFull)
        }
    }
}

/// A place in the queue. Dropped early, it leaves the queue, and passes on what
/// it may just have been given.
struct WaitingPlace<C> {
    shelf: Rc<Shelf<C>>,
    ticket: u64,
    grant: oneshot::Receiver<Grant>,
    done: bool,
}

impl<C> WaitingPlace<C> {
    /// None only if the queue itself has gone, which the backend in our shelf
    /// prevents.
    async fn served(mut self) -> Option<Checkout<C>> {
        let grant = (&mut self.grant).await.ok()?;
        self.done = true;
        match grant {
            Grant::Permit(permit) => Some(Checkout::Connect(permit)),
            Grant::Handed => {
                let conn = self.shelf.handed(self.ticket)?;
                self.shelf.tally.reused.add(1);
                Some(Checkout::Reused(conn))
            }
        }
    }
}

impl<C> Drop for WaitingPlace<C> {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        // First out of the queue, so that nothing more is granted. A permit
        // granted but not yet seen drops with the channel, to the next one.
        self.shelf.backend.permits.abandon(self.ticket);
        if let Some(conn) = self.shelf.handed(self.ticket) {
            self.shelf.put(conn);
        }
    }
}

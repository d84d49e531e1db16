use std::rc::Rc;
use std::time::Instant;

use super::shared::Multiplexed;
use super::shelf::{Handed, Shelf};
use super::{Checkout, QueueFull};
use crate::permits::{Grant, Permits, Queued};
use crate::sync::oneshot;

/// Queues up at the backend of this shelf.
pub(super) async fn wait<C, S: Multiplexed>(
    shelf: Rc<Shelf<C, S>>,
    now: Instant,
    takes_stream: bool,
) -> Result<Checkout<C, S>, QueueFull> {
    match Permits::queue_up(&shelf.backend, shelf.seat, now, takes_stream) {
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
struct WaitingPlace<C, S: Multiplexed> {
    shelf: Rc<Shelf<C, S>>,
    ticket: u64,
    grant: oneshot::Receiver<Grant>,
    done: bool,
}

impl<C, S: Multiplexed> WaitingPlace<C, S> {
    /// None only if the queue itself has gone, which the backend in our shelf
    /// prevents.
    async fn served(mut self) -> Option<Checkout<C, S>> {
        let grant = (&mut self.grant).await.ok()?;
        self.done = true;
        match grant {
            Grant::Permit(permit) => Some(Checkout::Connect(permit)),
            Grant::Handed => {
                let handed = self.shelf.handed(self.ticket)?;
                self.shelf.tally.reused.add(1);
                Some(match handed {
                    Handed::Conn(conn) => Checkout::Reused(conn),
                    Handed::Stream(stream) => Checkout::Stream(stream),
                })
            }
        }
    }
}

impl<C, S: Multiplexed> Drop for WaitingPlace<C, S> {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        // First out of the queue, so that nothing more is granted. A permit
        // granted but not yet seen drops with the channel, to the next one.
        self.shelf.backend.permits.abandon(self.ticket);
        match self.shelf.handed(self.ticket) {
            Some(Handed::Conn(conn)) => self.shelf.put(conn),
            // Dropped, it goes to the next one.
            Some(Handed::Stream(_)) | None => {}
        }
    }
}

//! Ending what is left at closed doors: of listeners that a plan no longer has,
//! and of all of them when the process ends or another one has taken over.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use plan::Plan;
use tokio::time::{Instant, timeout};
use tracing::warn;

use crate::listening::door::{Door, Left};

/// How long tunnels that have to end may take to say so.
const FAREWELL: Duration = Duration::from_secs(2);

/// How long what is left may go on: streams for `drain_timeout`, everything else
/// for `shutdown_timeout`. The same for all doors on all workers.
#[derive(Clone)]
pub(crate) struct Draining([Phase; 2]);

/// Not a timer for each connection: at most twice, all doors are gone through.
#[derive(Clone)]
struct Phase {
    ends: Duration,
    left: Left,
    cut: Arc<Cut>,
}

/// How many connections are cut in a phase. Said once, by whichever worker is the
/// last to come to its end.
struct Cut {
    limit: &'static str,
    since: &'static str,
    connections: AtomicUsize,
}

impl Draining {
    /// As the plan says. `since` is what has happened, as the log words it.
    pub(crate) fn by(plan: &Plan, since: &'static str) -> Self {
        Self::within(plan.shutdown_timeout, plan.drain_timeout, since)
    }

    pub(crate) fn within(shutdown: Duration, drain: Duration, since: &'static str) -> Self {
        let others = ("shutdown_timeout", shutdown, Left::Others);
        let streams = ("drain_timeout", drain, Left::Streams);
        let (first, (limit, ends, _)) = match shutdown <= drain {
            true => (others, streams),
            false => (streams, others),
        };
        // What has turned from one into the other meanwhile ends with the last.
        Self(
            [first, (limit, ends, Left::All)].map(|(limit, ends, left)| {
                let cut = Arc::new(Cut {
                    limit,
                    since,
                    connections: AtomicUsize::new(0),
                });
                Phase { ends, left, cut }
            }),
        )
    }

    /// Waits until all have left a closed door, and cuts those who take too long.
    pub(crate) async fn finish(self, door: Rc<Door>) {
        door.shut().await;
        let began = Instant::now();
        for Phase { ends, left, cut } in self.0 {
            // Not a moment longer: a closed door keeps the plan it had.
            let time = ends.saturating_sub(began.elapsed());
            if timeout(time, door.empty()).await.is_err() {
                if left != Left::Others {
                    let tunnels = door.part();
                    cut.connections.fetch_add(tunnels, Ordering::Relaxed);
                    // What they are told takes no longer, or else it goes untold.
                    let _ = timeout(FAREWELL, door.without_tunnels()).await;
                }
                cut.connections.fetch_add(door.cut(left), Ordering::Relaxed);
            }
        }
    }
}

impl Drop for Cut {
    fn drop(&mut self) {
        let connections = *self.connections.get_mut();
        let Self { limit, since, .. } = self;
        if connections > 0 {
            warn!(
                connections,
                "{limit} has passed since {since}; connections are cut"
            );
        }
    }
}

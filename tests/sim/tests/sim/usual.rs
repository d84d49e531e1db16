//! How long backends usually take.

use plan::Plan;
use tokio::time::Duration;

/// Tells every group how long its backends usually take, which decides when a
/// second one is asked; runs are too short to find out.
pub(crate) fn teach(plan: &Plan) {
    for group in &plan.groups {
        for backend in &group.balance.backends {
            (0..50).for_each(|_| backend.answered_after(Duration::from_millis(5)));
        }
    }
}

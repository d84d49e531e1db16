//! Changes of the services that register themselves, among the other events.

use std::sync::Arc;

use registry::{Ended, Filter, Watcher};
use serde_json::json;

use crate::shared::Shared;

/// Tells of every change until nothing more is served. What happens while it is
/// too slow is left out: who needs every change watches the services themselves.
pub(crate) async fn tell(shared: Arc<Shared>) {
    let mut stop = shared.stop.clone();
    tokio::select! {
        _ = stop.wait_for(|&stop| stop) => {}
        () = tell_on(&shared) => {}
    }
}

async fn tell_on(shared: &Shared) {
    while let Some(mut watcher) = watcher(shared) {
        loop {
            match watcher.next().await {
                Ok(event) => {
                    let Ok(control) = shared.control() else {
                        return;
                    };
                    let about = json!({"change": event.change.word(), "service": *event.service});
                    control.events().publish("service", about);
                }
                Err(Ended::TooSlow) => break,
                Err(Ended::Closed) => return,
            }
        }
    }
}

fn watcher(shared: &Shared) -> Option<Watcher> {
    let control = shared.control().ok()?;
    let mut registry = control.registry().lock();
    let cursor = registry.cursor();
    registry.watch(cursor, Filter::default()).ok()
}

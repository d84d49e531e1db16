//! `/events`: what happens, as it happens.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::http::HeaderMap;
use axum::response::Response;
use axum::response::sse::Event as Sent;
use serde_json::json;
use tokio::sync::broadcast::error::RecvError;

use crate::events::{Event, Watching};
use crate::problem::Problem;
use crate::shared::Api;
use crate::stream::{self, Comes};
use crate::table::Endpoint;

pub(crate) fn endpoints() -> Vec<Endpoint> {
    let about = "What happens, as server-sent events; `Last-Event-ID` goes on after an event.";
    vec![
        Endpoint::new("get", "/events", about, events)
            .streams()
            .refuses(&[503]),
    ]
}

async fn events(api: Api, headers: HeaderMap) -> Result<Response, Problem> {
    let control = api.control()?;
    let Watching {
        missed,
        has_gap,
        live,
    } = control.events().watch(stream::last_seen(&headers));
    let reader = Reader {
        missed,
        has_gap,
        live: Some(live),
        greets: true,
    };
    Ok(stream::answer(reader, api.stop.clone()))
}

/// One who reads events.
struct Reader {
    missed: VecDeque<Arc<Event>>,
    has_gap: bool,
    /// None once it was too slow.
    live: Option<tokio::sync::broadcast::Receiver<Arc<Event>>>,
    /// Has not been told that it is connected.
    greets: bool,
}

impl Comes for Reader {
    async fn next(&mut self) -> Option<Sent> {
        if std::mem::take(&mut self.greets) {
            return Some(Sent::default().comment("connected"));
        }
        if std::mem::take(&mut self.has_gap) {
            let why = "not all events since the given id are there any more";
            return Some(stream::event("gap", &json!({"detail": why})));
        }
        if let Some(event) = self.missed.pop_front() {
            return Some(sent(&event));
        }
        match self.live.as_mut()?.recv().await {
            Ok(event) => Some(sent(&event)),
            Err(RecvError::Lagged(lost)) => {
                self.live = None;
                let about = json!({"detail": "events were not read in time", "lost": lost});
                Some(stream::event("too-slow", &about))
            }
            Err(RecvError::Closed) => None,
        }
    }
}

fn sent(event: &Event) -> Sent {
    Sent::default()
        .event(event.kind)
        .id(&event.id)
        .data(&*event.text)
}

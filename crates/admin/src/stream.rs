//! Answers that go on: server-sent events (HTML standard, section 9.2).

use std::convert::Infallible;
use std::time::Duration;

use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{Stream, unfold};
use serde::Serialize;
use tokio::sync::watch;

/// How often a silent stream says that it is still there.
const SILENCE: Duration = Duration::from_secs(15);

/// Where something comes from, one event after another.
pub(crate) trait Comes: Send + 'static {
    /// The next event; none ends the stream. Nothing is lost if this is given up.
    fn next(&mut self) -> impl Future<Output = Option<Event>> + Send;
}

/// Streams what comes until there is no more, or nothing more is served.
pub(crate) fn answer(comes: impl Comes, stop: watch::Receiver<bool>) -> Response {
    Sse::new(events(comes, stop))
        .keep_alive(KeepAlive::new().interval(SILENCE))
        .into_response()
}

fn events(
    comes: impl Comes,
    stop: watch::Receiver<bool>,
) -> impl Stream<Item = Result<Event, Infallible>> + Send {
    unfold((comes, stop), |(mut comes, mut stop)| async move {
        let event = tokio::select! {
            event = comes.next() => event?,
            _ = stop.wait_for(|&stop| stop) => return None,
        };
        Some((Ok(event), (comes, stop)))
    })
}

/// An event with its kind and what it is about.
pub(crate) fn event(kind: &str, about: &impl Serialize) -> Event {
    let text = serde_json::to_string(about).unwrap_or_default();
    Event::default().event(kind).data(text)
}

/// Where a client that comes back was, as browsers say it.
pub(crate) fn last_seen(headers: &HeaderMap) -> Option<&str> {
    let written = headers.get("last-event-id")?.to_str().ok()?;
    Some(written).filter(|id| !id.is_empty())
}

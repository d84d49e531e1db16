//! WebSockets to backends that speak HTTP/2: streams of the connections that
//! requests share (RFC 8441). What such a backend is asked, and what it answers, is
//! made of what HTTP/1.1 says, and that again.

use std::future::poll_fn;
use std::pin::pin;
use std::time::Duration;

use message::{Failure, Kind, Known, Retry, Span, Version};
use tracing::warn;
use upstream::{Backend, Protocol};
use wire::websocket;

use crate::backend::ask::unless_gone;
use crate::backend::attempt::{Attempt, Upload};
use crate::backend::backend_conn::BackendConn;
use crate::backend::h2_backend::Link;
use crate::exchange::Exchange;
use crate::exchange::heads::Heads;
use crate::exchange::upgrade::WEBSOCKET;

/// Whether what the client wants to switch to goes over HTTP/2. Where a backend
/// speaks HTTP/1.1 as well, as ALPN finds out, it does not: not every backend that
/// speaks HTTP/2 takes such requests.
pub(crate) fn is_used(heads: &Heads, backend: &Backend) -> Result<bool, Failure> {
    let (Some(upgrade), Protocol::Http2) = (&heads.upgrade, backend.options.protocol) else {
        return Ok(false);
    };
    if &*upgrade.protocol != WEBSOCKET {
        let detail = format!(
            "{}: over HTTP/2, as `protocol` of its group has it, connections are switched to no other protocol than websocket",
            backend.url
        );
        return Err(Failure::new(Kind::MethodRefused, detail));
    }
    match key(heads) {
        Some(_) => Ok(true),
        None => {
            let detail = "a WebSocket is asked for without one Sec-WebSocket-Key";
            Err(Failure::new(Kind::Malformed, detail))
        }
    }
}

/// By which the client knows that it is agreed to what it has asked for.
fn key(heads: &Heads) -> Option<&str> {
    let mut keys = heads.request.fields.all_named(b"Sec-WebSocket-Key");
    match (keys.next(), keys.next()) {
        (Some(key), None) => std::str::from_utf8(key).ok(),
        _ => None,
    }
}

/// Asks for it on a stream that has not begun, once the backend has said that it
/// takes such requests (section 3).
pub(crate) async fn ask(
    x: &mut Exchange<'_>,
    limit: Duration,
    attempt: &mut Attempt<'_>,
) -> Result<(), Failure> {
    let conn = &mut **attempt.conn;
    let takes = poll_fn(|cx| conn.poll_takes_extended_connect(cx));
    let takes = tokio::time::timeout(limit, takes);
    let takes = unless_gone(x, pin!(takes)).await?;
    let url = &attempt.conn.backend().url;
    match takes {
        Ok(true) => {}
        Ok(false) => {
            let detail = format!(
                "{url}: over HTTP/2, as `protocol` of its group has it, it takes no WebSockets (RFC 8441)"
            );
            if attempt.conn.link().is_some_and(Link::is_to_tell) {
                warn!("{detail}: WebSockets get 501");
            }
            return Err(Failure::new(Kind::MethodRefused, detail));
        }
        Err(_) => {
            BackendConn::suspect(&attempt.conn);
            let detail = format!("{url}: it has not begun HTTP/2 within {limit:?}");
            return Err(Failure::new(Kind::ConnectTimeout, detail).retry(Retry::OtherBackend));
        }
    }
    let is_secure = attempt.conn.backend().tls.is_some();
    let conn = &mut **attempt.conn;
    conn.ask_to_switch(&x.heads.request, WEBSOCKET, is_secure);
    // What follows is no body, and goes on.
    conn.upload = Upload::none();
    let sent = poll_fn(|cx| conn.outbound.poll_flush(cx));
    // That it goes wrong is told where the answer should be.
    let _ = unless_gone(x, pin!(sent)).await?;
    Ok(())
}

/// Makes of an answer that agrees what it would be over HTTP/1.1.
pub(crate) fn take_answer(heads: &mut Heads) {
    if !(200..300).contains(&heads.response.status) {
        return;
    }
    let accept = key(heads).map(websocket::accept).unwrap_or_default();
    let response = &mut heads.response;
    (response.status, response.version) = (101, Version::Http11);
    response.reason = Span::default();
    let fields = &mut response.fields;
    fields.push_known(Known::Connection, b"upgrade");
    fields.push_known(Known::Upgrade, WEBSOCKET.as_bytes());
    fields.set(b"Sec-WebSocket-Accept", accept.as_bytes());
}

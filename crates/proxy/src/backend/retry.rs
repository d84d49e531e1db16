//! Whether an attempt that went wrong is followed by another.

use std::time::Duration;

use message::{Failure, Kind, Known, ResponseHead, Retry};
use plan::Group;
use telemetry::Retried;

use crate::exchange::Exchange;
use crate::exchange::grpc;

/// Why another attempt is worth it.
pub(crate) struct Reason {
    pub(crate) why: Retried,
    /// The backend is not to be asked again before.
    pub(crate) not_before: Duration,
    /// The backend has received nothing of the request.
    pub(crate) got_nothing: bool,
    /// The same backend may do better a moment later.
    pub(crate) may_heal: bool,
}

/// What the policy says of a failed attempt.
pub(crate) fn after_failure(x: &Exchange<'_>, group: &Group, failure: &Failure) -> Option<Reason> {
    let (why, wanted) = match failure.kind {
        Kind::ResponseTimeout => (Retried::Timeout, group.retry.on_timeout),
        _ => (Retried::ConnectionError, group.retry.on_connection_error),
    };
    let is_safe = match failure.retry {
        Retry::OtherBackend => true,
        Retry::IfIdempotent => may_repeat(x),
        Retry::FreshConnection | Retry::Never => false,
    };
    (wanted && is_safe).then_some(Reason {
        why,
        not_before: Duration::ZERO,
        got_nothing: failure.retry == Retry::OtherBackend,
        may_heal: !matches!(failure.kind, Kind::TlsCertificate | Kind::TlsProtocol),
    })
}

/// What the policy says of an answer.
pub(crate) fn after_answer(x: &Exchange<'_>, group: &Group) -> Option<Reason> {
    let head = &x.heads.response;
    if x.heads.grpc.is_some() {
        let status = grpc::status(&head.fields);
        let status = status.filter(|status| group.retry.on_grpc.contains(status));
        // Who asks for it knows that its calls may be repeated.
        let why = status.filter(|_| is_whole(x)).and_then(Retried::of_grpc);
        return why.map(|why| Reason {
            why,
            not_before: Duration::ZERO,
            got_nothing: false,
            may_heal: true,
        });
    }
    let is_failure = (500..600).contains(&head.status);
    if !(is_failure && group.retry.on_server_error && may_repeat(x)) {
        return None;
    }
    let not_before = retry_after(head);
    (not_before <= group.retry.max_delay).then_some(Reason {
        why: Retried::ServerError,
        not_before,
        got_nothing: false,
        may_heal: true,
    })
}

/// The request may be sent once more although a backend may have received it:
/// its method is idempotent (RFC 9110 section 9.2.2), and what has gone of its
/// body is still here.
pub(crate) fn may_repeat(x: &Exchange<'_>) -> bool {
    x.heads.request.method.is_idempotent() && is_whole(x)
}

/// What has gone of the request's body is still here.
pub(crate) fn is_whole(x: &Exchange<'_>) -> bool {
    x.client.replay.is_whole(x.client.body.received())
}

/// How long a backend wants to be left alone.
fn retry_after(head: &ResponseHead) -> Duration {
    let text = head.fields.get(Known::RetryAfter);
    Duration::from_secs(text.map_or(0, seconds))
}

/// Seconds of `Retry-After` (RFC 9110 section 10.2.3); more than fit are as
/// many as fit. A date, or what is no time at all, says nothing.
fn seconds(text: &[u8]) -> u64 {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return 0;
    }
    let digits = std::str::from_utf8(text).unwrap_or_default();
    digits.parse().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_of_retry_after() {
        for (text, expected) in [
            ("0", 0),
            ("2", 2),
            ("00120", 120),
            ("99999999999999999999999", u64::MAX),
            ("", 0),
            ("+5", 0),
            ("-1", 0),
            ("1.5", 0),
            ("1, 1", 0),
            ("Fri, 31 Dec 1999 23:59:59 GMT", 0),
        ] {
            assert_eq!(seconds(text.as_bytes()), expected, "{text}");
        }
    }
}

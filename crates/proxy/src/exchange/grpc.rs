//! What is particular about calls of gRPC: they say how long they may take, and
//! what has become of them is told in fields of its own.

use std::task::{Context, Poll, Waker};
use std::time::Duration;

use message::{Failure, Fields, Kind, Known, Method, RequestHead, Reset, ResponseHead, Sink};
use wire::h1::{Encoder, Framing, Outgoing};

use crate::backend::backend_conn::BackendConn;
use crate::exchange::Exchange;
use crate::exchange::grpc_web::Web;

/// A request that is a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Call {
    /// How long it may take in all.
    pub(crate) timeout: Option<Duration>,
    /// What it has come to.
    pub(crate) status: Option<u8>,
    /// How its client writes gRPC-Web, if it does.
    pub(crate) web: Option<Web>,
}

impl Call {
    /// Its body is in base64.
    pub(crate) fn is_sent_as_text(&self) -> bool {
        self.web.is_some_and(|web| web.sends_text)
    }
}

pub(crate) const CONTENT_TYPE: &[u8] = b"application/grpc";

/// Recognises a call.
pub(crate) fn call(request: &RequestHead) -> Option<Call> {
    if request.method != Method::Post {
        return None;
    }
    let kind = request.fields.get(Known::ContentType)?;
    after_type(kind, CONTENT_TYPE).map(|_| Call {
        timeout: request.fields.get(Known::GrpcTimeout).and_then(timeout),
        status: None,
        web: None,
    })
}

/// What follows this type in a content type: nothing, a format as in `+proto`,
/// or parameters. None where it is another type.
pub(crate) fn after_type<'a>(kind: &'a [u8], wanted: &[u8]) -> Option<&'a [u8]> {
    let (kind, rest) = kind.split_at_checked(wanted.len())?;
    let is_wanted =
        kind.eq_ignore_ascii_case(wanted) && matches!(rest.first(), None | Some(b'+' | b';'));
    is_wanted.then_some(rest)
}

/// At most eight digits and a unit.
fn timeout(text: &[u8]) -> Option<Duration> {
    let (unit, digits) = text.split_last()?;
    if digits.is_empty() || digits.len() > 8 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let count: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(match unit {
        b'H' => Duration::from_secs(count * 3600),
        b'M' => Duration::from_secs(count * 60),
        b'S' => Duration::from_secs(count),
        b'm' => Duration::from_millis(count),
        b'u' => Duration::from_micros(count),
        b'n' => Duration::from_nanos(count),
        _ => return None,
    })
}

/// Writes how much time is left, in the finest unit in which it fits.
pub(crate) fn set_timeout(fields: &mut Fields, left: Duration) {
    let units = [
        (left.as_micros(), 'u'),
        (left.as_millis(), 'm'),
        (u128::from(left.as_secs()), 'S'),
        (u128::from(left.as_secs() / 3600), 'H'),
    ];
    let fits = units.iter().find(|(count, _)| *count < 100_000_000);
    if let Some((count, unit)) = fits {
        fields.set(b"grpc-timeout", format!("{count}{unit}").as_bytes());
    }
}

/// The `grpc-status` of a head or of trailers.
pub(crate) fn status(fields: &Fields) -> Option<u8> {
    let text = fields.get(Known::GrpcStatus)?;
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// What a failure is called in gRPC: a reset as clients would call it that got it
/// themselves (PROTOCOL-HTTP2.md of gRPC, "Errors"), and what has no name of its own
/// as they would make it out from the status. Whatever fails late fails for want of
/// time.
pub(crate) fn code(failure: &Failure, is_late: bool) -> u8 {
    match (failure.reset, failure.kind) {
        _ if is_late => 4,
        (Some(Reset::Cancel), _) => 1,
        (Some(Reset::Refused), _) => 14,
        (Some(Reset::EnhanceYourCalm), _) => 8,
        (Some(Reset::InadequateSecurity), _) => 7,
        (Some(Reset::NoError | Reset::Error), _) => 13,
        (None, kind) => code_of_kind(kind),
    }
}

fn code_of_kind(kind: Kind) -> u8 {
    match kind {
        Kind::ResponseTimeout | Kind::ReadTimeout | Kind::WriteTimeout | Kind::BodyTimeout => 4,
        Kind::BodyTooLarge | Kind::HeadTooLarge | Kind::TargetTooLong => 8,
        _ => match kind.status() {
            404 | 405 | 501 => 12,
            429 | 502..=504 => 14,
            400 | 500 => 13,
            _ => 2,
        },
    }
}

/// Turns an answer about a failure into one that clients of gRPC understand:
/// nothing but a head.
pub(crate) fn refuse(kind: Kind, code: u8, web: Option<Web>, head: &mut ResponseHead) {
    head.status = 200;
    head.fields.remove(Known::ContentType);
    let content_type = web.map_or(CONTENT_TYPE, Web::content_type);
    head.fields.push(b"content-type", content_type);
    say(kind, code, &mut head.fields);
}

/// What has become of a call, as fields of a head or trailers.
fn say(kind: Kind, code: u8, fields: &mut Fields) {
    fields.push(b"grpc-status", code.to_string().as_bytes());
    let message = format!("{} ({})", kind.text(), kind.reason());
    fields.push(b"grpc-message", message.as_bytes());
}

/// The answer to a call begins; what it gave time for is the rest as well.
pub(crate) fn begin_answer(x: &mut Exchange<'_>, conn: &mut BackendConn) {
    let Some(call) = &mut x.heads.grpc else {
        return;
    };
    call.status = status(&x.heads.response.fields);
    if let Some(timeout) = call.timeout {
        let left = timeout.saturating_sub(x.elapsed());
        conn.end_call_within(&x.worker.timers, left);
    }
}

/// Whether the end of a call can be told behind a part of its answer: not where
/// messages lie in frames of gRPC-Web, or the answer is none of gRPC.
fn takes_end(x: &Exchange<'_>, framing: Framing) -> bool {
    let kind = x.heads.response.fields.get(Known::ContentType);
    let is_of_grpc = kind.is_some_and(|kind| after_type(kind, CONTENT_TYPE).is_some());
    x.client.h2.is_some() && framing == Framing::UntilClose && is_of_grpc
}

/// Ends a call that has failed within its answer with trailers that say so. False
/// where that cannot be: then the answer is cut.
pub(crate) fn end(x: &mut Exchange<'_>, encoder: &mut Encoder, failure: &Failure) -> bool {
    let has_gone = matches!(failure.kind, Kind::ClientGone | Kind::ClientStalled);
    if has_gone || !takes_end(x, encoder.framing()) {
        return false;
    }
    let code = code(failure, x.is_late());
    let mut trailers = Fields::default();
    say(failure.kind, code, &mut trailers);
    let mut sink = Outgoing {
        outbound: &mut x.client.outbound,
        encoder,
    };
    // What the client does not take now it will not need; trailers need no window.
    let mut cx = Context::from_waker(Waker::noop());
    if sink.poll_flush(&mut cx).is_pending() {
        sink.outbound.discard();
    }
    let has_ended =
        sink.finish(&trailers).is_ok() && matches!(sink.poll_flush(&mut cx), Poll::Ready(Ok(())));
    if let Some(call) = x.heads.grpc.as_mut().filter(|_| has_ended) {
        call.status = Some(code);
    }
    has_ended
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_known_by_their_type() {
        for (method, kind, expected) in [
            (Method::Post, "application/grpc", true),
            (Method::Post, "Application/gRPC+proto", true),
            (Method::Post, "application/grpc;v=1", true),
            (Method::Get, "application/grpc", false),
            (Method::Post, "application/grpc-web", false),
            (Method::Post, "application/grp", false),
            (Method::Post, "application/json", false),
        ] {
            let mut head = RequestHead {
                method,
                ..RequestHead::default()
            };
            head.fields.push(b"Content-Type", kind.as_bytes());
            assert_eq!(call(&head).is_some(), expected, "{method:?} {kind}");
        }
    }

    #[test]
    fn timeouts() {
        for (text, expected) in [
            ("1H", Some(Duration::from_secs(3600))),
            ("2M", Some(Duration::from_secs(120))),
            ("3S", Some(Duration::from_secs(3))),
            ("99999999m", Some(Duration::from_millis(99_999_999))),
            ("5u", Some(Duration::from_micros(5))),
            ("0n", Some(Duration::ZERO)),
            ("", None),
            ("S", None),
            ("1", None),
            ("-1S", None),
            ("1s", None),
            ("123456789S", None),
        ] {
            assert_eq!(timeout(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn what_is_left_is_written_as_finely_as_it_fits() {
        for (left, expected) in [
            (Duration::ZERO, "0u"),
            (Duration::from_millis(1500), "1500000u"),
            (Duration::from_secs(1000), "1000000m"),
            (Duration::from_secs(200_000), "200000S"),
            (Duration::from_secs(3600 * 50_000), "50000H"),
        ] {
            let mut fields = Fields::default();
            set_timeout(&mut fields, left);
            assert_eq!(fields.get(Known::GrpcTimeout), Some(expected.as_bytes()));
        }
    }

    #[test]
    fn every_failure_has_a_code_that_is_none_of_success() {
        for &kind in Kind::ALL {
            let mut head = ResponseHead::default();
            let code = code(&kind.into(), false);
            refuse(kind, code, None, &mut head);
            assert!((1..=16).contains(&code), "{kind:?}");
            assert_eq!(status(&head.fields), Some(code));
        }
        for (kind, expected) in [
            (Kind::NoRoute, 12),
            (Kind::NoBackend, 14),
            (Kind::ResponseTimeout, 4),
            (Kind::ConnectTimeout, 14),
            (Kind::BodyTooLarge, 8),
            (Kind::Internal, 13),
        ] {
            assert_eq!(code(&kind.into(), false), expected, "{kind:?}");
        }
    }

    #[test]
    fn resets_have_the_code_that_they_have_for_clients() {
        for (reset, expected) in [
            (Reset::NoError, 13),
            (Reset::Error, 13),
            (Reset::Refused, 14),
            (Reset::Cancel, 1),
            (Reset::EnhanceYourCalm, 8),
            (Reset::InadequateSecurity, 7),
        ] {
            let failure = Failure::from(Kind::Terminated).reset(Some(reset));
            assert_eq!(code(&failure, false), expected, "{reset:?}");
            assert_eq!(code(&failure, true), 4, "{reset:?}");
        }
    }
}

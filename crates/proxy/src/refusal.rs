//! The answers that Forebay makes about failures: as text or JSON, with the
//! reason and the request's id, and nothing about the inside.

use std::io::Write;

use message::{Failure, Fields, Kind, Known, ResponseHead, reason_phrase};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    Json,
}

impl Format {
    /// JSON for a client that names it in `Accept`, text for all others.
    pub(crate) fn wanted(accept: &[u8]) -> Self {
        let names_json = accept.split(|&b| b == b',').any(|range| {
            let kind = range.split(|&b| b == b';').next().unwrap_or_default();
            let kind = kind.trim_ascii();
            kind.eq_ignore_ascii_case(b"application/json")
                || kind.to_ascii_lowercase().ends_with(b"+json")
        });
        if names_json {
            Format::Json
        } else {
            Format::Text
        }
    }

    fn content_type(self) -> &'static str {
        match self {
            Format::Text => "text/plain; charset=utf-8",
            Format::Json => "application/json",
        }
    }
}

/// Fills in the head and returns the body, which `tells` what only the log
/// does otherwise.
pub(crate) fn write(
    failure: &Failure,
    request_id: &str,
    format: Format,
    tells: bool,
    head: &mut ResponseHead,
) -> Vec<u8> {
    let kind = failure.kind;
    head.clear();
    head.status = kind.status();
    let fields = &mut head.fields;
    fields.push_known(Known::ContentType, format.content_type().as_bytes());
    fields.push_known(Known::CacheControl, b"no-store");
    fields.push_with(Known::ProxyStatus, |text| write_proxy_status(text, kind));
    fields.push_known(Known::XRequestId, request_id.as_bytes());
    if kind.status() == 503 {
        fields.push_known(Known::RetryAfter, retry_after(kind));
    }
    let detail = if tells { &*failure.detail } else { "" };
    body(kind, detail, request_id, format)
}

/// RFC 9209: who failed, the registered error, and the exact reason.
fn write_proxy_status(text: &mut Vec<u8>, kind: Kind) {
    // Writing into memory does not fail.
    let _ = write!(text, "forebay; error={}", kind.proxy_error());
    if kind.proxy_error() != kind.reason() {
        let _ = write!(text, "; details=\"{}\"", kind.reason());
    }
}

/// Seconds after which trying again makes sense: a queue empties sooner than a
/// backend comes back.
fn retry_after(kind: Kind) -> &'static [u8] {
    match kind {
        Kind::NoBackend => b"5",
        _ => b"1",
    }
}

fn body(kind: Kind, detail: &str, request_id: &str, format: Format) -> Vec<u8> {
    let (status, phrase) = (kind.status(), reason_phrase(kind.status()));
    let (text, reason) = (kind.text(), kind.reason());
    match format {
        Format::Text => {
            let detail = match detail {
                "" => String::new(),
                detail => format!("detail: {detail}\n"),
            };
            format!(
                "{status} {phrase}\n\n{text}\nreason: {reason}\n{detail}request: {request_id}\n"
            )
            .into_bytes()
        }
        // But for the detail, every part is plain ASCII without quotes.
        Format::Json => {
            let mut out = format!(
                "{{\"status\":{status},\"title\":\"{phrase}\",\"detail\":\"{text}\",\"reason\":\"{reason}\","
            )
            .into_bytes();
            if !detail.is_empty() {
                out.extend_from_slice(b"\"debug\":\"");
                telemetry::push_json(&mut out, detail.as_bytes());
                out.extend_from_slice(b"\",");
            }
            out.extend_from_slice(format!("\"request_id\":\"{request_id}\"}}\n").as_bytes());
            out
        }
    }
}

/// Adds `Date` and `Server`, which an origin server must send and should send.
pub(crate) fn push_date(fields: &mut Fields, unix_micros: u64) {
    let time = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_micros(unix_micros);
    fields.push_with(Known::Date, |text| {
        let _ = write!(text, "{}", httpdate::HttpDate::from(time));
    });
    if !fields.has(Known::Server) {
        fields.push_known(Known::Server, b"forebay");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_only_for_those_who_ask() {
        for (accept, expected) in [
            ("", Format::Text),
            ("*/*", Format::Text),
            ("text/html, application/xhtml+xml", Format::Text),
            ("application/json", Format::Json),
            ("text/plain;q=0.5, Application/JSON ; q=1", Format::Json),
            ("application/problem+json", Format::Json),
            ("application/jsonp", Format::Text),
        ] {
            assert_eq!(Format::wanted(accept.as_bytes()), expected, "{accept}");
        }
    }

    #[test]
    fn every_failure_says_its_reason_and_nothing_from_inside() {
        for &kind in Kind::ALL {
            let failure = Failure::new(kind, "10.1.2.3:99 secret");
            for format in [Format::Text, Format::Json] {
                let mut head = ResponseHead::default();
                let mut body = |tells| {
                    let body = write(&failure, "id-1", format, tells, &mut head);
                    String::from_utf8(body).unwrap()
                };
                let told = body(true);
                assert!(told.contains("10.1.2.3:99 secret"), "{told}");
                let body = body(false);
                assert_eq!(head.status, kind.status());
                assert!(
                    body.contains(kind.reason()) && body.contains("id-1"),
                    "{body}"
                );
                assert!(!body.contains("10.1.2.3") && !body.contains('\\'), "{body}");
                let status = head.fields.get(Known::ProxyStatus).unwrap();
                assert!(String::from_utf8_lossy(status).contains(kind.reason()));
                assert_eq!(head.fields.has(Known::RetryAfter), kind.status() == 503);
            }
        }
    }
}

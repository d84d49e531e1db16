//! The answers that Forebay makes about failures: as text, HTML or JSON, or as
//! the page that the configuration has for them; with the reason and the
//! request's id, and nothing about the inside.

use std::io::Write;
use std::time::Duration;

use filters::{ErrorPage, PageFacts};
use message::{Failure, Fields, Kind, Known, ResponseHead, reason_phrase};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    Html,
    Json,
}

impl Format {
    /// The first of JSON and HTML that the client names in `Accept`; text for
    /// one that names neither.
    pub(crate) fn wanted(accept: &[u8]) -> Self {
        accept
            .split(|&b| b == b',')
            .find_map(|range| {
                let kind = range.split(|&b| b == b';').next().unwrap_or_default();
                let kind = kind.trim_ascii().to_ascii_lowercase();
                match &*kind {
                    b"text/html" => Some(Format::Html),
                    b"application/json" => Some(Format::Json),
                    other => other.ends_with(b"+json").then_some(Format::Json),
                }
            })
            .unwrap_or(Format::Text)
    }

    fn content_type(self) -> &'static str {
        match self {
            Format::Text => "text/plain; charset=utf-8",
            Format::Html => "text/html; charset=utf-8",
            Format::Json => "application/json",
        }
    }
}

/// How an answer about a failure is made.
pub(crate) struct Style<'a> {
    pub(crate) format: Format,
    /// It says what only the log does otherwise.
    pub(crate) tells: bool,
    /// Takes the place of Forebay's own words.
    pub(crate) page: Option<&'a ErrorPage>,
    /// When it makes sense to come back, as far as that is known.
    pub(crate) retry_after: Option<Duration>,
}

/// Fills in the head and returns the body.
pub(crate) fn write(
    failure: &Failure,
    request_id: &str,
    style: &Style<'_>,
    head: &mut ResponseHead,
) -> Vec<u8> {
    let kind = failure.kind;
    head.clear();
    head.status = kind.status();
    let fields = &mut head.fields;
    let content_type = match style.page {
        Some(page) => &page.content_type,
        None => style.format.content_type(),
    };
    fields.push_known(Known::ContentType, content_type.as_bytes());
    fields.push_known(Known::CacheControl, b"no-store");
    fields.push_with(Known::ProxyStatus, |text| write_proxy_status(text, kind));
    fields.push_known(Known::XRequestId, request_id.as_bytes());
    if kind.status() == 503 {
        let seconds = style
            .retry_after
            .map_or(retry_after(kind), upstream::seconds);
        fields.push_known(Known::RetryAfter, seconds.to_string().as_bytes());
    }
    if let Some(page) = style.page {
        return page.render(&PageFacts {
            status: kind.status(),
            title: reason_phrase(kind.status()),
            reason: kind.reason(),
            request_id,
        });
    }
    let detail = if style.tells { &*failure.detail } else { "" };
    body(kind, detail, request_id, style.format)
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
fn retry_after(kind: Kind) -> u64 {
    match kind {
        Kind::NoBackend => 5,
        _ => 1,
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
        Format::Html => {
            let detail = match detail {
                "" => String::new(),
                detail => format!("<p>{}</p>\n", html(detail)),
            };
            format!(
                "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>{status} {phrase}</title>\n\
                 <body style=\"font-family: sans-serif; max-width: 40rem; margin: 15vh auto; padding: 0 1rem\">\n\
                 <h1>{status} {phrase}</h1>\n<p>{text}</p>\n{detail}\
                 <p><small>reason: {reason}<br>request: {request_id}</small></p>\n"
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

/// Text as HTML shows it.
fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            letter => out.push(letter),
        }
    }
    out
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
    fn json_and_html_only_for_those_who_ask() {
        for (accept, expected) in [
            ("", Format::Text),
            ("*/*", Format::Text),
            ("text/html, application/xhtml+xml", Format::Html),
            ("TEXT/html;level=1, application/json", Format::Html),
            ("application/json, text/html", Format::Json),
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
            for format in [Format::Text, Format::Html, Format::Json] {
                let mut head = ResponseHead::default();
                let mut body = |tells| {
                    let style = Style {
                        format,
                        tells,
                        page: None,
                        retry_after: None,
                    };
                    let body = write(&failure, "id-1", &style, &mut head);
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

    #[test]
    fn a_page_takes_the_place_of_the_words_only() {
        let failure = Failure::new(Kind::NoRoute, "secret");
        let page = ErrorPage::new("text/x", "<${status}|${title}|${reason}|${request_id}>");
        let style = Style {
            format: Format::Text,
            tells: true,
            page: Some(&page),
            retry_after: None,
        };
        let mut head = ResponseHead::default();
        let body = write(&failure, "id-1", &style, &mut head);
        assert_eq!(body, b"<404|Not Found|no_route|id-1>");
        assert_eq!(head.status, 404);
        assert_eq!(head.fields.get(Known::ContentType), Some(&b"text/x"[..]));
        assert!(head.fields.has(Known::ProxyStatus));
    }

    #[test]
    fn what_a_request_says_is_no_html() {
        let failure = Failure::new(Kind::NoRoute, "path is /<script>'\"&");
        let style = Style {
            format: Format::Html,
            tells: true,
            page: None,
            retry_after: None,
        };
        let body = write(&failure, "id-1", &style, &mut ResponseHead::default());
        let body = String::from_utf8(body).unwrap();
        assert!(body.contains("/&lt;script&gt;&#39;&quot;&amp;"), "{body}");
    }
}

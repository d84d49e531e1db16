//! gRPC-Web, for routes that bridge it: calls of clients that get at no trailers,
//! such as browsers, become calls of gRPC, and the answers what such clients read
//! (PROTOCOL-WEB.md of gRPC). Bodies are in `wire::grpc_web`.

use message::{Failure, Known, Method, ResponseHead, Source};
use wire::grpc_web::Answer;
use wire::h1::{Framing, Incoming};

use crate::backend::attempt::Attempt;
use crate::exchange::Exchange;
use crate::exchange::grpc;
use crate::exchange::heads::Heads;
use crate::path::reply::{self, Passage};
use crate::sockets::stream::Reader;

const BINARY: &[u8] = b"application/grpc-web";
const TEXT: &[u8] = b"application/grpc-web-text";

/// How a client writes its call, and wants the answer: as bytes, or in base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Web {
    pub(crate) sends_text: bool,
    takes_text: bool,
}

impl Web {
    /// Of answers.
    pub(crate) fn content_type(self) -> &'static [u8] {
        match self.takes_text {
            true => TEXT,
            false => BINARY,
        }
    }
}

/// Makes a call of gRPC out of one of gRPC-Web. Whatever else it is stays as it is.
pub(crate) fn ask(heads: &mut Heads, framing: &mut Framing) {
    let request = &mut heads.request;
    if request.method != Method::Post {
        return;
    }
    let kind = request.fields.get(Known::ContentType).unwrap_or_default();
    let (sends_text, format) = match (grpc::after_type(kind, TEXT), grpc::after_type(kind, BINARY))
    {
        (Some(format), _) => (true, format),
        (_, Some(format)) => (false, format),
        (None, None) => return,
    };
    let accept = request.fields.get(Known::Accept).unwrap_or_default();
    let takes_text = wants_text(accept).unwrap_or(sends_text);
    let content_type = [grpc::CONTENT_TYPE, format].concat();
    request.fields.set(b"Content-Type", &content_type);
    // What is in text becomes shorter.
    request.fields.remove(Known::ContentLength);
    if let Framing::Length(_) = framing {
        *framing = Framing::Chunked;
    }
    heads.grpc = grpc::call(request).map(|call| grpc::Call {
        web: Some(Web {
            sends_text,
            takes_text,
        }),
        ..call
    });
}

/// Which of the two forms the client names first in `Accept`, if any.
fn wants_text(accept: &[u8]) -> Option<bool> {
    accept.split(|&b| b == b',').find_map(|range| {
        let range = range.trim_ascii();
        let is = |kind| grpc::after_type(range, kind).is_some();
        is(TEXT).then_some(true).or(is(BINARY).then_some(false))
    })
}

/// Relays the answer to a call of gRPC-Web.
pub(crate) async fn relay(
    x: &mut Exchange<'_>,
    mut attempt: Attempt<'_>,
    web: Web,
) -> Result<(), Failure> {
    if !answer(&mut x.heads.response, web) {
        return reply::relay(x, attempt).await;
    }
    if let Framing::Length(_) = attempt.conn.framing {
        attempt.conn.framing = Framing::Chunked;
    }
    reply::relay_through(Answer::new(web.takes_text), x, attempt).await
}

/// Makes the head one of gRPC-Web. Returns whether the body is to become one as
/// well: not where the answer is none of gRPC.
fn answer(head: &mut ResponseHead, web: Web) -> bool {
    let kind = head.fields.get(Known::ContentType).unwrap_or_default();
    let Some(format) = grpc::after_type(kind, grpc::CONTENT_TYPE) else {
        return false;
    };
    let content_type = [web.content_type(), format].concat();
    head.fields.set(b"Content-Type", &content_type);
    head.fields.remove(Known::ContentLength);
    true
}

impl Passage for Answer {
    fn through<'a>(&'a mut self, body: Incoming<'a, Reader>) -> impl Source + 'a {
        self.encode(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heads(method: Method, fields: &[(&str, &str)]) -> Heads {
        let mut heads = Heads::default();
        heads.request.method = method;
        for (name, value) in fields {
            heads.request.fields.push(name.as_bytes(), value.as_bytes());
        }
        heads
    }

    fn text(fields: &message::Fields) -> String {
        let lines = fields.iter().map(|field| {
            let (name, value) = (field.name.escape_ascii(), field.value.escape_ascii());
            format!("{name}: {value}; ")
        });
        lines.collect()
    }

    #[test]
    fn calls_become_those_of_grpc() {
        let binary = Web {
            sends_text: false,
            takes_text: false,
        };
        let text_both = Web {
            sends_text: true,
            takes_text: true,
        };
        for (kind, accept, expected, web) in [
            ("application/grpc-web", "", "application/grpc", binary),
            (
                "Application/gRPC-Web+proto",
                "*/*",
                "application/grpc+proto",
                binary,
            ),
            (
                "application/grpc-web-text+proto;a=b",
                "",
                "application/grpc+proto;a=b",
                text_both,
            ),
            (
                "application/grpc-web+proto",
                "text/html, application/grpc-web-text+proto",
                "application/grpc+proto",
                Web {
                    takes_text: true,
                    ..binary
                },
            ),
            (
                "application/grpc-web-text",
                "application/grpc-web;q=1, application/grpc-web-text",
                "application/grpc",
                Web {
                    takes_text: false,
                    ..text_both
                },
            ),
        ] {
            let mut heads = heads(
                Method::Post,
                &[
                    ("Content-Type", kind),
                    ("Content-Length", "9"),
                    ("Accept", accept),
                    ("grpc-timeout", "1S"),
                ],
            );
            let mut framing = Framing::Length(9);
            ask(&mut heads, &mut framing);
            assert_eq!(framing, Framing::Chunked);
            let fields = &heads.request.fields;
            let content_type = fields.get(Known::ContentType);
            assert_eq!(content_type, Some(expected.as_bytes()), "{kind}");
            assert!(!fields.has(Known::ContentLength));
            let call = heads.grpc.unwrap();
            assert_eq!(call.web, Some(web), "{kind}, {accept}");
            assert_eq!(call.timeout, Some(std::time::Duration::from_secs(1)));
        }
    }

    #[test]
    fn what_is_no_call_stays_as_it_is() {
        for (method, kind) in [
            (Method::Post, "application/grpc"),
            (Method::Post, "application/grpc-websocket"),
            (Method::Post, "application/grpc-web-texts"),
            (Method::Post, "text/plain"),
            (Method::Options, "application/grpc-web"),
        ] {
            let fields = [("Content-Type", kind), ("Content-Length", "9")];
            let mut heads = heads(method, &fields);
            let before = text(&heads.request.fields);
            let mut framing = Framing::Length(9);
            ask(&mut heads, &mut framing);
            assert_eq!(text(&heads.request.fields), before);
            assert_eq!((framing, heads.grpc), (Framing::Length(9), None));
        }
    }

    #[test]
    fn answers_become_those_of_grpc_web() {
        for (fields, takes_text, expected, is_of_grpc) in [
            (
                &[
                    ("content-type", "application/grpc+proto"),
                    ("content-length", "5"),
                ][..],
                false,
                "Content-Type: application/grpc-web+proto; ",
                true,
            ),
            (
                &[("content-type", "application/grpc")],
                true,
                "Content-Type: application/grpc-web-text; ",
                true,
            ),
            // Nothing but a head.
            (
                &[("content-type", "application/grpc"), ("grpc-status", "5")],
                true,
                "Content-Type: application/grpc-web-text; grpc-status: 5; ",
                true,
            ),
            // Somebody else's.
            (
                &[("content-type", "text/html"), ("content-length", "5")],
                true,
                "content-type: text/html; content-length: 5; ",
                false,
            ),
            (&[], false, "", false),
        ] {
            let mut head = ResponseHead::default();
            for (name, value) in fields {
                head.fields.push(name.as_bytes(), value.as_bytes());
            }
            let web = Web {
                sends_text: false,
                takes_text,
            };
            assert_eq!(answer(&mut head, web), is_of_grpc, "{fields:?}");
            let sorted = |text: &str| {
                let mut lines: Vec<_> = text.split_inclusive("; ").map(str::to_owned).collect();
                lines.sort_unstable();
                lines
            };
            assert_eq!(sorted(&text(&head.fields)), sorted(expected));
        }
    }
}

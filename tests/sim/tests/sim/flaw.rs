//! Requests that are to be refused.

use fastrand::Rng;
use message::Kind;

use crate::message::Framing;
use crate::pattern;
use crate::request::Request;
use crate::settings::Settings;

/// What is wrong with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    BothFramings,
    TwoHosts,
    NoHost,
    BareLf,
    SpaceBeforeColon,
    Folded,
    LongLine,
    LargeHead,
    UnknownCoding,
    UnknownVersion,
    Climbs,
    Connect,
    Garbage,
    /// Found only once some of the body has passed.
    BadChunk,
}

const ALL: &[Flaw] = &[
    Flaw::BothFramings,
    Flaw::TwoHosts,
    Flaw::NoHost,
    Flaw::BareLf,
    Flaw::SpaceBeforeColon,
    Flaw::Folded,
    Flaw::LongLine,
    Flaw::LargeHead,
    Flaw::UnknownCoding,
    Flaw::UnknownVersion,
    Flaw::Climbs,
    Flaw::Connect,
    Flaw::Garbage,
    Flaw::BadChunk,
    Flaw::BadChunk,
];

impl Flaw {
    pub(crate) fn draw(random: &mut Rng) -> Self {
        *random.choice(ALL).unwrap_or(&Flaw::Garbage)
    }

    /// How Forebay calls it.
    pub(crate) fn kind(self) -> Kind {
        match self {
            Flaw::BothFramings
            | Flaw::BareLf
            | Flaw::SpaceBeforeColon
            | Flaw::Folded
            | Flaw::Garbage => Kind::Malformed,
            Flaw::TwoHosts | Flaw::NoHost => Kind::BadHost,
            Flaw::LongLine => Kind::TargetTooLong,
            Flaw::LargeHead => Kind::HeadTooLarge,
            Flaw::UnknownCoding => Kind::UnknownCoding,
            Flaw::UnknownVersion => Kind::BadVersion,
            Flaw::Climbs => Kind::BadPath,
            Flaw::Connect => Kind::MethodRefused,
            Flaw::BadChunk => Kind::BadBody,
        }
    }

    /// Nothing of the request may reach a backend.
    pub(crate) fn is_in_head(self) -> bool {
        self != Flaw::BadChunk
    }
}

/// Puts the flaw into a request that had none.
pub(crate) fn spoil(request: &mut Request, flaw: Flaw, settings: &Settings) {
    let token = format!("X-Token: {:016x}\r\n", request.token);
    match flaw {
        Flaw::BothFramings => {
            let more = "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n";
            replace(request, &token, &format!("{token}{more}"));
        }
        Flaw::TwoHosts => replace(request, &token, &format!("{token}Host: other.example\r\n")),
        Flaw::NoHost => {
            replace(request, "Host: sim.example\r\n", "");
            replace(request, " HTTP/1.0\r\n", " HTTP/1.1\r\n");
        }
        Flaw::BareLf => replace(request, "Host: sim.example\r\n", "Host: sim.example\n"),
        Flaw::SpaceBeforeColon => replace(request, "X-Fill:", "X-Fill :"),
        Flaw::Folded => replace(request, &token, &format!("{token} folded\r\n")),
        Flaw::LongLine => {
            let target = format!("{}{}", request.target, "x".repeat(settings.max_line));
            replace(request, &request.target.clone(), &target);
        }
        Flaw::LargeHead => {
            let more = format!("X-Large: {}\r\n", "x".repeat(settings.max_head));
            replace(request, &token, &format!("{token}{more}"));
        }
        Flaw::UnknownCoding => {
            remove_framing(request);
            replace(
                request,
                &token,
                &format!("{token}Transfer-Encoding: gzip\r\n"),
            );
            replace(request, " HTTP/1.0\r\n", " HTTP/1.1\r\n");
        }
        Flaw::UnknownVersion => {
            replace(request, " HTTP/1.0\r\n", " HTTP/2.0\r\n");
            replace(request, " HTTP/1.1\r\n", " HTTP/2.0\r\n");
        }
        Flaw::Climbs => {
            let target = format!("/../..{}", request.target);
            replace(request, &request.target.clone(), &target);
        }
        Flaw::Connect => {
            let start = format!("{} /", request.method);
            replace(request, &start, "CONNECT /");
        }
        Flaw::Garbage => replace(request, "X-Fill: ", "X-Fill: \u{1}"),
        Flaw::BadChunk => bad_chunk(request),
    }
    // Whatever follows cannot be told from it.
    request.is_last = true;
}

fn bad_chunk(request: &mut Request) {
    remove_framing(request);
    let token = format!("X-Token: {:016x}\r\n", request.token);
    replace(
        request,
        &token,
        &format!("{token}Transfer-Encoding: chunked\r\n"),
    );
    replace(request, " HTTP/1.0\r\n", " HTTP/1.1\r\n");
    request.is_10 = false;
    request.framing = Framing::Chunked;
    request.length = request.length.clamp(1, 40_000);
    request.trailers = Vec::new();
    request.bytes.truncate(request.head);
    let body = pattern::body(request.token, request.length);
    let size = format!("{:x}\r\n", body.len());
    request.bytes.extend_from_slice(size.as_bytes());
    request.bytes.extend_from_slice(&body);
    request.bytes.extend_from_slice(b"\r\nno size\r\n0\r\n\r\n");
}

fn remove_framing(request: &mut Request) {
    if let Framing::Length(n) = request.framing {
        replace(request, &format!("Content-Length: {n}\r\n"), "");
    }
    replace(request, "Transfer-Encoding: chunked\r\n", "");
}

/// Replaces text in the head, if it is there.
fn replace(request: &mut Request, from: &str, to: &str) {
    let head = String::from_utf8_lossy(&request.bytes[..request.head]);
    let head = head.replacen(from, to, 1);
    request.bytes.splice(..request.head, head.bytes());
    request.head = head.len();
}

//! What clients send.

use fastrand::Rng;

use crate::flaw::{self, Flaw};
use crate::message::Framing;
use crate::pattern;
use crate::settings::Settings;

/// Where a request leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum To {
    Backend,
    /// A route that answers itself.
    Own,
    /// No route.
    Nowhere,
}

/// One request, in all its bytes.
pub(crate) struct Request {
    /// Unlike any other's; also says what its body is.
    pub(crate) token: u64,
    pub(crate) to: To,
    pub(crate) method: &'static str,
    pub(crate) target: String,
    pub(crate) is_10: bool,
    /// A field of some length, which is to arrive as it is.
    pub(crate) fill: String,
    pub(crate) framing: Framing,
    /// Of the body.
    pub(crate) length: usize,
    pub(crate) trailers: Vec<(String, String)>,
    /// `Expect: 100-continue`.
    pub(crate) expects: bool,
    /// By its own words the last one of its connection.
    pub(crate) is_last: bool,
    /// What is wrong with it.
    pub(crate) flaw: Option<Flaw>,
    pub(crate) bytes: Vec<u8>,
    /// Of the bytes, the head.
    pub(crate) head: usize,
}

const METHODS: &[&str] = &[
    "GET", "GET", "GET", "GET", "HEAD", "POST", "POST", "POST", "PUT", "PUT", "PATCH", "DELETE",
    "OPTIONS", "REPORT",
];

impl Request {
    pub(crate) fn draw(random: &mut Rng, settings: &Settings) -> Self {
        let method = *random.choice(METHODS).unwrap_or(&"GET");
        let has_body = match method {
            "POST" | "PUT" | "PATCH" | "REPORT" => random.u8(..8) > 0,
            _ => random.u8(..12) == 0,
        };
        let is_10 = random.u8(..8) == 0;
        let mut length = if has_body { length(random) } else { 0 };
        if settings.max_body < usize::MAX && random.bool() {
            length = length.min(settings.max_body);
        }
        let framing = match has_body {
            false => Framing::Empty,
            true if is_10 || random.bool() => Framing::Length(length as u64),
            true => Framing::Chunked,
        };
        let flaw = (!settings.is_calm && random.u8(..25) == 0).then(|| Flaw::draw(random));
        let token = random.u64(1..);
        let to = match random.u8(..20) {
            0 => To::Own,
            1 => To::Nowhere,
            _ => To::Backend,
        };
        let folder = match to {
            To::Backend => "t",
            To::Own => "own",
            To::Nowhere => "nowhere",
        };
        let mut request = Self {
            token,
            to,
            method,
            target: format!("/{folder}/{token:016x}{}", pad(random, 100)),
            is_10,
            fill: pad(random, 300),
            framing,
            length,
            trailers: Vec::new(),
            expects: has_body && !is_10 && random.u8(..5) == 0,
            is_last: false,
            flaw,
            bytes: Vec::new(),
            head: 0,
        };
        request.write(random);
        if let Some(flaw) = flaw {
            flaw::spoil(&mut request, flaw, settings);
        }
        request
    }

    fn write(&mut self, random: &mut Rng) {
        let version = if self.is_10 { "HTTP/1.0" } else { "HTTP/1.1" };
        let mut lines = vec![
            "Host: sim.example".to_owned(),
            format!("X-Token: {:016x}", self.token),
            format!("X-Fill: {}", self.fill),
        ];
        match self.framing {
            Framing::Length(n) => lines.push(format!("Content-Length: {n}")),
            Framing::Chunked => lines.push("Transfer-Encoding: chunked".to_owned()),
            Framing::Empty | Framing::UntilEnd => {}
        }
        if self.expects {
            lines.push("Expect: 100-continue".to_owned());
        }
        self.is_last = match (self.is_10, random.u8(..10)) {
            (true, 0..5) => {
                lines.push("Connection: keep-alive".to_owned());
                false
            }
            (true, _) => true,
            (false, 0) => {
                lines.push("Connection: close".to_owned());
                true
            }
            (false, _) => false,
        };
        random.shuffle(&mut lines);
        let start = format!("{} {} {version}\r\n", self.method, self.target);
        self.bytes = start.into_bytes();
        for line in lines {
            self.bytes.extend_from_slice(line.as_bytes());
            self.bytes.extend_from_slice(b"\r\n");
        }
        self.bytes.extend_from_slice(b"\r\n");
        self.head = self.bytes.len();
        let body = pattern::body(self.token, self.length);
        match self.framing {
            Framing::Chunked => {
                if random.u8(..4) == 0 {
                    self.trailers = vec![("X-End".to_owned(), format!("{:016x}", self.token))];
                }
                let chunks = chunked(random, &body, &self.trailers);
                self.bytes.extend_from_slice(&chunks);
            }
            _ => self.bytes.extend_from_slice(&body),
        }
    }

    /// Sending it twice may not be the same as sending it once.
    pub(crate) fn is_delicate(&self) -> bool {
        matches!(self.method, "POST" | "PATCH" | "REPORT")
    }
}

/// A body's length: mostly small, now and then more than fits anywhere.
pub(crate) fn length(random: &mut Rng) -> usize {
    match random.u8(..20) {
        0 => 0,
        1..12 => random.usize(..300),
        12..16 => random.usize(..9000),
        16..19 => random.usize(..80_000),
        _ => random.usize(..300_000),
    }
}

/// A piece of text for fields and paths.
pub(crate) fn pad(random: &mut Rng, most: usize) -> String {
    let length = if random.bool() {
        0
    } else {
        random.usize(..most)
    };
    (0..length).map(|_| random.alphanumeric()).collect()
}

/// A body in chunks of any sizes.
pub(crate) fn chunked(random: &mut Rng, mut body: &[u8], trailers: &[(String, String)]) -> Vec<u8> {
    let largest = *random.choice(&[10, 1000, 100_000]).unwrap_or(&10);
    let largest = largest.max(body.len() / 50).max(1);
    let mut out = Vec::new();
    while !body.is_empty() {
        let (chunk, rest) = body.split_at(random.usize(1..=largest).min(body.len()));
        let extension = if random.u8(..8) == 0 {
            ";a=\"b c\""
        } else {
            ""
        };
        out.extend_from_slice(format!("{:x}{extension}\r\n", chunk.len()).as_bytes());
        out.extend_from_slice(chunk);
        out.extend_from_slice(b"\r\n");
        body = rest;
    }
    out.extend_from_slice(b"0\r\n");
    for (name, value) in trailers {
        out.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    out.extend_from_slice(b"\r\n");
    out
}

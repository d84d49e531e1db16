//! What has been explained, in words and without secrets.

use message::{HIDDEN, Known, RequestHead, is_secret, without_secrets};
use upstream::Protocol;
use wire::h2::{hpack, write_extended_connect, write_request};

use super::Explanation;
use crate::exchange::upgrade::WEBSOCKET;

impl Explanation {
    /// The head for the backend, line by line, without secrets: of the client,
    /// and of the configuration.
    pub fn upstream_shown(&self) -> Vec<String> {
        if !self.upstream_h2.is_empty() {
            let fields = self.upstream_h2.iter();
            return fields
                .map(|(name, value)| line_shown(name, value))
                .collect();
        }
        let text = String::from_utf8_lossy(&self.upstream);
        let mut lines = text.trim_end().lines();
        let first = lines.next().map(|line| match line.split_once(' ') {
            Some((method, rest)) => format!("{method} {}", target_shown(rest)),
            None => line.to_owned(),
        });
        let fields = lines.map(|line| match line.split_once(": ") {
            Some((name, value)) => line_shown(name, value),
            None => line.to_owned(),
        });
        first.into_iter().chain(fields).collect()
    }

    /// What that head is sent over.
    pub fn protocol_shown(&self) -> Option<&'static str> {
        self.protocol.map(|protocol| match protocol {
            Protocol::Http1 => "HTTP/1.1",
            Protocol::Http2 => "HTTP/2",
            Protocol::Agreed => "HTTP/1.1, or HTTP/2 if it agrees to that (ALPN)",
        })
    }

    /// The fields of a filter's answer, without secrets.
    pub fn answer_shown(&self) -> Vec<(String, String)> {
        let fields = self.answer.iter().flat_map(|answer| answer.fields.iter());
        let fields = fields.map(|(name, value)| {
            let value = value.escape_ascii().to_string();
            let shown = match Known::of(name.as_bytes()) {
                Known::Location => without_secrets(&value),
                _ if is_secret(name) => HIDDEN.to_owned(),
                _ => value,
            };
            (name.to_string(), shown)
        });
        fields.collect()
    }
}

/// A target and the version behind it.
fn target_shown(rest: &str) -> String {
    match rest.rsplit_once(' ') {
        Some((target, version)) => format!("{} {version}", without_secrets(target)),
        None => without_secrets(rest),
    }
}

fn line_shown(name: &str, value: &str) -> String {
    match name {
        ":path" => format!("{name}: {}", without_secrets(value)),
        // An authority is none of those that give secrets away.
        _ if is_secret(name) && !name.starts_with(':') => format!("{name}: {HIDDEN}"),
        _ => format!("{name}: {value}"),
    }
}

/// A head as it leaves over HTTP/2, read back from the very bytes.
pub(super) fn over_http2(
    head: &RequestHead,
    switches: bool,
    is_secure: bool,
) -> Vec<(String, String)> {
    let mut section = Vec::new();
    match switches {
        true => write_extended_connect(&mut section, head, WEBSOCKET, is_secure),
        false => write_request(&mut section, head, is_secure),
    }
    let mut fields = Vec::new();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    // What was written here can be read.
    let _ = hpack::Decoder::new(0).decode(&section, |name, value| {
        fields.push((text(name), text(value)));
    });
    fields
}

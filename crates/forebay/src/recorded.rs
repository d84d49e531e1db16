//! Requests as the access log has them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use plan::Plan;
use proxy::{Question, request_head};
use serde_json::{Map, Value};

/// The fields that a log has of every request: what it does not say of these,
/// the request did not have.
pub(crate) const KNOWN_FIELDS: &[&str] = &["Host", "User-Agent", "Referer"];

/// What a line of a log was good for.
pub(crate) enum Line {
    Request(Box<Recorded>),
    /// A line of the log, but of a request that nobody could read.
    WithoutRequest,
    Unreadable,
}

pub(crate) struct Recorded {
    pub(crate) method: String,
    /// As received.
    pub(crate) target: String,
    pub(crate) host: String,
    scheme: String,
    listener: String,
    /// Where the connection came from.
    peer: IpAddr,
    fields: Vec<(String, String)>,
    /// The route that took it.
    pub(crate) route: Option<String>,
}

impl Recorded {
    /// Reads one line of the format `json`.
    pub(crate) fn read(line: &[u8]) -> Line {
        let Ok(Value::Object(object)) = serde_json::from_slice(line) else {
            return Line::Unreadable;
        };
        match Self::of(&object) {
            _ if !object.contains_key("method") || !object.contains_key("target") => {
                Line::WithoutRequest
            }
            Some(recorded) => Line::Request(Box::new(recorded)),
            None => Line::Unreadable,
        }
    }

    /// None where a value is not what a request can have.
    fn of(object: &Map<String, Value>) -> Option<Self> {
        let text = |key: &str| match object.get(key) {
            None => Some(String::new()),
            Some(Value::String(text)) => Some(text.clone()),
            Some(_) => None,
        };
        let address = |key: &str| match text(key)?.as_str() {
            "" => Some(None),
            text => text.parse::<IpAddr>().ok().map(Some),
        };
        let method = text("method").filter(|method| is_word(method))?;
        let target = text("target").filter(|target| is_word(target))?;
        let host = text("host").filter(|host| host.is_empty() || is_word(host))?;
        let client = address("client_ip")?;
        let peer = address("peer_ip")?;
        let mut fields = Vec::new();
        for (name, key) in [("User-Agent", "user_agent"), ("Referer", "referer")] {
            let value = text(key)?;
            if !value.is_empty() && !value.contains(char::is_control) {
                fields.push((name.to_owned(), value));
            }
        }
        // Somebody stood between, and was believed.
        if let (Some(client), Some(_)) = (client, peer) {
            fields.push(("X-Forwarded-For".to_owned(), client.to_string()));
        }
        let body = object.get("request_bytes").and_then(Value::as_u64);
        if let Some(body) = body.filter(|&bytes| bytes > 0) {
            fields.push(("Content-Length".to_owned(), body.to_string()));
        }
        Some(Self {
            method,
            target,
            host,
            scheme: text("scheme")?,
            listener: text("listener")?,
            peer: peer.or(client).unwrap_or(Ipv4Addr::LOCALHOST.into()),
            fields,
            route: text("route").filter(|route| !route.is_empty()),
        })
    }

    /// The head that the client would have sent.
    pub(crate) fn head(&self) -> Vec<u8> {
        request_head(&self.method, &self.target, &self.host, &self.fields)
    }

    /// The request at the listener that it came to, or else at the first one.
    pub(crate) fn question<'a>(&self, plan: &Plan, head: &'a [u8]) -> Question<'a> {
        let mut listeners = plan.listeners.iter();
        let listener = listeners.position(|listener| *listener.id == self.listener);
        Question {
            head,
            client: SocketAddr::new(self.peer, 0),
            listener: listener.unwrap_or(0),
            certificate: None,
            unix_micros: 0,
            random: (0, 0),
            now: None,
            takes_turn: false,
        }
    }

    /// The request's URL, for people.
    pub(crate) fn url(&self) -> String {
        match self.target.starts_with('/') {
            false => self.target.clone(),
            true if self.host.is_empty() => self.target.clone(),
            true => {
                let scheme = match &*self.scheme {
                    "https" => "https",
                    _ => "http",
                };
                format!("{scheme}://{}{}", self.host, self.target)
            }
        }
    }
}

/// Whether a text can stand in a request line.
fn is_word(text: &str) -> bool {
    let ends = |letter: char| letter.is_control() || letter == ' ';
    !text.is_empty() && !text.contains(ends)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        for (line, expected) in [
            ("", "unreadable"),
            ("x", "unreadable"),
            ("[1]", "unreadable"),
            (r#"{"method":"GET","target":"/"#, "unreadable"),
            (r#"{"method":"GET","target":7}"#, "unreadable"),
            (
                r#"{"method":"GET","target":"/ HTTP/1.1\r\nX: y"}"#,
                "unreadable",
            ),
            (
                r#"{"method":"GET","target":"/","host":"a\nb"}"#,
                "unreadable",
            ),
            (
                r#"{"method":"GET","target":"/","client_ip":"here"}"#,
                "unreadable",
            ),
            (
                r#"{"status":400,"failure":"http_request_error"}"#,
                "without",
            ),
            (
                r#"{"method":"GET","target":"/a?b","host":"h","scheme":"https"}"#,
                "GET /a?b HTTP/1.1\r\nHost: h\r\n\r\n from 127.0.0.1: https://h/a?b",
            ),
            (
                r#"{"method":"OPTIONS","target":"*","client_ip":"::1","route":"r"}"#,
                "OPTIONS * HTTP/1.1\r\nHost: \r\n\r\n from ::1: *",
            ),
            (
                r#"{"method":"PUT","target":"/é","host":"h","client_ip":"1.2.3.4","peer_ip":"10.0.0.1",
                    "user_agent":"curl","referer":"a\nb","request_bytes":7}"#,
                "PUT /é HTTP/1.1\r\nHost: h\r\nUser-Agent: curl\r\nX-Forwarded-For: 1.2.3.4\r\n\
                 Content-Length: 7\r\n\r\n from 10.0.0.1: http://h/é",
            ),
        ] {
            let found = match Recorded::read(line.as_bytes()) {
                Line::Unreadable => "unreadable".to_owned(),
                Line::WithoutRequest => "without".to_owned(),
                Line::Request(recorded) => format!(
                    "{} from {}: {}",
                    String::from_utf8(recorded.head()).unwrap(),
                    recorded.peer,
                    recorded.url()
                ),
            };
            assert_eq!(found, expected, "{line}");
        }
    }
}

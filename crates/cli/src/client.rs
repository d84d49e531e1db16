//! A small HTTP client for the admin API: one request on a connection of its
//! own (RFC 9112), and answers that go on.
#![expect(
    clippy::disallowed_methods,
    reason = "only the program reads the environment"
)]

mod chunked;

use std::cell::Cell;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::time::{Duration, Instant};

use chunked::Chunked;
use serde_json::Value;

/// For a connection, for an answer that is not a stream, and while it is told to
/// try again, as during an upgrade.
const PATIENCE: Duration = Duration::from_secs(60);
/// Before it tries again.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// Bytes of a head.
const HEAD: u64 = 64 << 10;
/// Bytes of a body that is kept in memory.
const BODY: u64 = 64 << 20;

/// What opens the admin API: in a file, or in the environment.
pub(crate) fn token(file: Option<&Path>) -> Result<Option<String>, String> {
    let token = match file {
        Some(path) => {
            let text = std::fs::read_to_string(path);
            Some(text.map_err(|error| format!("cannot read {}: {error}", path.display()))?)
        }
        None => std::env::var("FOREBAY_ADMIN_TOKEN").ok(),
    };
    let token = token.map(|token| token.trim().to_owned());
    let token = token.filter(|token| !token.is_empty());
    match &token {
        Some(token) if !token.bytes().all(|byte| byte.is_ascii_graphic()) => {
            Err("the token has letters that cannot be sent".to_owned())
        }
        _ => Ok(token),
    }
}

/// Where the admin API is, and what opens it.
pub(crate) struct Client {
    authority: String,
    token: Option<String>,
    patience: Duration,
    /// It has shown that it is a Forebay's.
    is_known: Cell<bool>,
}

/// An answer and its body, which may go on for ever.
struct Answer {
    status: u16,
    /// It is not the time for it, and when to try again.
    retry_after: Option<Duration>,
    body: Box<dyn BufRead>,
}

impl Client {
    /// # Errors
    ///
    /// What is wrong with the URL.
    pub(crate) fn new(url: &str, token: Option<String>) -> Result<Self, String> {
        let rest = match url.split_once("://") {
            Some(("http", rest)) => rest,
            Some((scheme, _)) => {
                return Err(format!(
                    "the admin API speaks http, and not {scheme}: {url}"
                ));
            }
            None => url,
        };
        let authority = rest.trim_end_matches('/');
        if authority.is_empty() || authority.contains(['/', ' ', '@']) {
            return Err(format!(
                "write --admin as http://127.0.0.1:8081, found {url}"
            ));
        }
        let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| {
            !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())
        });
        let port = if has_port { "" } else { ":80" };
        Ok(Self {
            authority: format!("{authority}{port}"),
            token,
            patience: PATIENCE,
            is_known: Cell::new(false),
        })
    }

    /// Waits only for so long, for a connection and for each part of an answer
    /// that does not go on.
    #[must_use]
    pub(crate) fn within(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Asks and waits for the whole answer; one without a body is null. Tries
    /// again where that is what the answer says.
    #[expect(clippy::disallowed_methods, reason = "the program owns its clock")]
    pub(crate) fn ask(
        &self,
        method: &str,
        target: &str,
        body: Option<&Value>,
    ) -> Result<(u16, Value), String> {
        let end = Instant::now() + self.patience;
        let answer = loop {
            let answer = self.send(method, target, body, Some(self.patience))?;
            let wait = answer.retry_after.map(|wait| wait.min(LONGEST_WAIT));
            match wait.filter(|&wait| Instant::now() + wait < end) {
                Some(wait) => std::thread::sleep(wait),
                None => break answer,
            }
        };
        self.whole(answer)
    }

    /// Waits for the rest of an answer, which is one of the admin API's.
    fn whole(&self, answer: Answer) -> Result<(u16, Value), String> {
        let status = answer.status;
        let mut text = Vec::new();
        let read = answer.body.take(BODY).read_to_end(&mut text);
        read.map_err(|error| self.broken(&error))?;
        if text.is_empty() && status == 204 {
            return Ok((status, Value::Null));
        }
        match serde_json::from_slice(&text) {
            Ok(json) if status < 400 || is_problem(&json) => Ok((status, json)),
            _ => Err(self.stranger(&format!(
                "its answer, status {status}, is none of the API's"
            ))),
        }
    }

    /// Gives each line of an answer that goes on; an answer that is an error is
    /// returned.
    pub(crate) fn watch(
        &self,
        target: &str,
        mut line: impl FnMut(&str) -> io::Result<()>,
    ) -> Result<Option<(u16, Value)>, String> {
        let mut answer = self.send("GET", target, None, None)?;
        if answer.status != 200 {
            return self.whole(answer).map(Some);
        }
        loop {
            let mut text = String::new();
            let read = (&mut answer.body).take(BODY).read_line(&mut text);
            if read.map_err(|error| self.broken(&error))? == 0 {
                return Ok(None);
            }
            if line(text.trim_end()).is_err() {
                return Ok(None);
            }
        }
    }

    fn send(
        &self,
        method: &str,
        target: &str,
        body: Option<&Value>,
        patience: Option<Duration>,
    ) -> Result<Answer, String> {
        if !self.is_known.get() {
            self.recognise()?;
            self.is_known.set(true);
        }
        let token = self.token.as_deref();
        self.send_with(token, method, target, body, patience)
    }

    /// Makes sure that it is a Forebay's admin API before it is told the token.
    fn recognise(&self) -> Result<(), String> {
        let answer = self.send_with(None, "GET", "/health", None, Some(self.patience))?;
        let (status, json) = self.whole(answer)?;
        // It may have too much to do even for that.
        match json.pointer("/status").and_then(Value::as_str) == Some("alive") || is_problem(&json)
        {
            true => Ok(()),
            false => Err(self.stranger(&format!("GET /health has status {status}"))),
        }
    }

    fn send_with(
        &self,
        token: Option<&str>,
        method: &str,
        target: &str,
        body: Option<&Value>,
        patience: Option<Duration>,
    ) -> Result<Answer, String> {
        let mut stream = self.connect()?;
        let limited = stream.set_read_timeout(patience);
        limited.map_err(|error| self.broken(&error))?;
        let body = body.map(Value::to_string).unwrap_or_default();
        let mut request = format!(
            "{method} {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n",
            self.authority,
            body.len()
        );
        if !body.is_empty() {
            request.push_str("Content-Type: application/json\r\n");
        }
        if let Some(token) = token {
            request.push_str(&format!("Authorization: Bearer {token}\r\n"));
        }
        request.push_str("\r\n");
        request.push_str(&body);
        let sent = stream.write_all(request.as_bytes());
        sent.map_err(|error| self.broken(&error))?;
        answer(stream).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => self.stranger(&error.to_string()),
            _ => self.broken(&error),
        })
    }

    fn connect(&self) -> Result<TcpStream, String> {
        let addresses = self.authority.to_socket_addrs();
        let addresses = addresses.map_err(|error| format!("{}: {error}", self.authority))?;
        let mut last = None;
        for address in addresses {
            match TcpStream::connect_timeout(&address, self.patience) {
                Ok(stream) => return Ok(stream),
                Err(error) => last = Some(error),
            }
        }
        let why = last.map_or_else(|| "it has no address".to_owned(), |error| error.to_string());
        Err(format!(
            "no admin API at {}: {why}\n  is Forebay running there? `admin: {{}}` in its configuration switches the admin API on\n  \
             at http://127.0.0.1:8081; `--admin URL` asks another",
            self.authority
        ))
    }

    fn stranger(&self, why: &str) -> String {
        format!(
            "what answers at {} is no admin API of Forebay: {why}\n  is --admin the address under `admin` in the configuration, and not that of a listener or of another program?",
            self.authority
        )
    }

    fn broken(&self, error: &io::Error) -> String {
        format!("the admin API at {} hung up: {error}", self.authority)
    }
}

/// Of the admin API's, as in RFC 9457.
fn is_problem(json: &Value) -> bool {
    let kind = json.pointer("/type").and_then(Value::as_str);
    kind.is_some_and(|kind| kind.starts_with("urn:forebay:"))
}

fn answer(stream: TcpStream) -> io::Result<Answer> {
    let mut reader = BufReader::new(stream);
    let mut head = (&mut reader).take(HEAD);
    let mut line = String::new();
    head.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "it does not speak HTTP"))?;
    let (mut length, mut is_chunked, mut retry_after) = (None, false, None);
    loop {
        line.clear();
        if head.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let field = line.trim_end();
        if field.is_empty() {
            break;
        }
        let (name, value) = field.split_once(':').unwrap_or((field, ""));
        match &*name.to_ascii_lowercase() {
            "content-length" => length = value.trim().parse::<u64>().ok(),
            "transfer-encoding" => is_chunked = true,
            "retry-after" if status == 503 => retry_after = value.trim().parse().ok(),
            _ => {}
        }
    }
    let body: Box<dyn BufRead> = match (is_chunked, length) {
        (true, _) => Box::new(BufReader::new(Chunked::new(reader))),
        (false, Some(length)) => Box::new(reader.take(length)),
        (false, None) => Box::new(reader),
    };
    Ok(Answer {
        status,
        retry_after: retry_after.map(Duration::from_secs),
        body,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let of = |url| Client::new(url, None).map(|client| client.authority);
        for (url, authority) in [
            ("http://127.0.0.1:8081", "127.0.0.1:8081"),
            ("http://127.0.0.1:8081/", "127.0.0.1:8081"),
            ("localhost:9", "localhost:9"),
            ("http://[::1]:9", "[::1]:9"),
            ("http://[::1]", "[::1]:80"),
            ("http://gate", "gate:80"),
        ] {
            assert_eq!(of(url).as_deref(), Ok(authority));
        }
        for url in ["https://x", "", "http://", "http://a/b", "http://a@b"] {
            assert!(of(url).is_err(), "{url}");
        }
    }
}

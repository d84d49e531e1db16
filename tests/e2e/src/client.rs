//! Clients: a raw one, and curl.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use crate::PATIENCE;
use crate::link::Link;
use crate::message::{Framing, Head, Response};
use crate::process::{Finished, Process};
use crate::wire::{Wire, is_timeout, prepare};

/// One connection, on which exactly these bytes are sent.
pub struct Client(Wire);

impl Deref for Client {
    type Target = Wire;
    fn deref(&self) -> &Wire {
        &self.0
    }
}

impl DerefMut for Client {
    fn deref_mut(&mut self) -> &mut Wire {
        &mut self.0
    }
}

impl From<TcpStream> for Client {
    fn from(stream: TcpStream) -> Self {
        Self(Wire::new(stream))
    }
}

impl Client {
    #[track_caller]
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&address, PATIENCE);
        stream.expect("Forebay takes the connection").into()
    }

    /// Shakes hands for this name, or says why that cannot be.
    pub fn secure(
        address: SocketAddr,
        config: &Arc<rustls::ClientConfig>,
        name: &str,
    ) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        prepare(&stream);
        Link::secure(stream, config, name).map(|link| Self(Wire::over(link)))
    }

    /// The same on a connection that has begun with something else.
    pub fn into_secure(self, config: &Arc<rustls::ClientConfig>, name: &str) -> io::Result<Self> {
        let stream = self.0.into_socket();
        Link::secure(stream, config, name).map(|link| Self(Wire::over(link)))
    }

    pub fn into_wire(self) -> Wire {
        self.0
    }

    /// Sends a request and reads its answer.
    #[track_caller]
    pub fn ask(&mut self, request: impl AsRef<[u8]>) -> Response {
        self.send(&request).expect("the request can be sent");
        let method = request.as_ref().split(|&b| b == b' ').next();
        self.response_to(method == Some(b"HEAD"))
    }

    #[track_caller]
    pub fn get(&mut self, target: &str) -> Response {
        self.ask(format!(
            "GET {target} HTTP/1.1\r\nHost: test.example\r\n\r\n"
        ))
    }

    /// The next final response; interim ones before it are skipped.
    #[track_caller]
    pub fn response(&mut self) -> Response {
        self.response_to(false)
    }

    #[track_caller]
    fn response_to(&mut self, is_head: bool) -> Response {
        loop {
            match self.try_response(is_head) {
                Ok(response) if response.status < 200 => {}
                Ok(response) => return response,
                Err(error) => panic!("no complete response: {error}"),
            }
        }
    }

    /// The next response, interim or final. An end before its end is an error
    /// of the kind `UnexpectedEof`, a reset one of its own.
    pub fn try_response(&mut self, is_head: bool) -> io::Result<Response> {
        let bytes = self.head()?.ok_or(ErrorKind::UnexpectedEof)?;
        let head = Head::parse(&bytes);
        let mut words = head.start.split(' ');
        assert_eq!(words.next(), Some("HTTP/1.1"), "{}", head.start);
        let status = words.next().and_then(|s| s.parse().ok()).expect("a status");
        let mut response = Response {
            status,
            head,
            ..Response::default()
        };
        if is_head || status < 200 || matches!(status, 204 | 304) {
            return Ok(response);
        }
        if response.head.framing() == Framing::None {
            assert_eq!(response.get("connection"), Some("close"));
            response.body = self.rest()?;
            return Ok(response);
        }
        let body = self.body(&response.head, &mut Vec::new())?;
        (response.body, response.trailers) = (body.bytes, body.trailers);
        Ok(response)
    }

    /// The connection ends now, and nothing more comes before.
    #[track_caller]
    pub fn assert_closed(&mut self) {
        let rest = self.until_gone();
        assert!(
            rest.is_empty(),
            "came before the end: {}",
            rest.escape_ascii()
        );
    }

    /// The connection is open and silent.
    #[track_caller]
    pub fn assert_open(&mut self) {
        assert!(
            self.is_silent_for(Duration::from_millis(20)),
            "not open, or not silent"
        );
    }

    /// The end comes before the response's: cut short, never a clean one.
    #[track_caller]
    pub fn assert_cut_short(&mut self) {
        match self.try_response(false) {
            Ok(response) => panic!("a complete response: {response:?}"),
            Err(error) => assert!(!is_timeout(&error), "the connection stays open"),
        }
    }
}

/// One GET on a connection of its own.
#[track_caller]
pub fn get(address: SocketAddr, target: &str) -> Response {
    Client::connect(address).get(target)
}

/// Runs curl, silently and within the time.
#[track_caller]
pub fn curl(arguments: &[&str]) -> Finished {
    let mut all = vec!["-sS", "--max-time", "10"];
    all.extend_from_slice(arguments);
    Process::start("curl", &all).finish()
}

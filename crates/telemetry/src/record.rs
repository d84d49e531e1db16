//! Everything known about an exchange at the moment it settles.

use std::net::SocketAddr;
use std::time::Duration;

use message::{Failure, Method, Version};

/// One settled exchange, or a connection that was passed on as it is, as the
/// access log and the metrics see it.
///
/// It borrows everything: it is built on the stack by the step `settle`, used
/// once for each consumer, and forgotten.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// When the first byte of the request was read, in microseconds since the
    /// Unix epoch.
    pub started_unix_micros: u64,
    /// From the first byte of the request to the last byte of the answer.
    pub duration: Duration,
    /// Who asked, after `trusted_proxies` had their say.
    pub client: SocketAddr,
    /// Who holds the other end of the TCP connection.
    pub peer: SocketAddr,
    pub listener: &'a str,
    pub request_id: &'a [u8],
    pub method: Method,
    /// The method as received; empty when no request line could be read.
    pub method_text: &'a [u8],
    pub scheme: &'a str,
    pub host: &'a [u8],
    /// The request target as received.
    pub target: &'a [u8],
    /// None for a connection that was passed on as it is.
    pub version: Option<Version>,
    pub user_agent: &'a [u8],
    pub referer: &'a [u8],
    /// The page of [`Names`](crate::Names) by which the numbers are given.
    pub page: u64,
    /// The route's number in [`Names`](crate::Names), and its id.
    pub route: Option<(u32, &'a str)>,
    pub group: Option<&'a str>,
    /// The number in [`Names`](crate::Names) and the URL of the backend that
    /// was tried last.
    pub backend: Option<(u32, &'a str)>,
    pub status: u16,
    /// What a call of gRPC has come to, if it has come to anything.
    pub grpc_status: Option<u8>,
    pub failure: Option<&'a Failure>,
    /// Bytes of request body received.
    pub request_bytes: u64,
    /// Bytes of response body sent.
    pub response_bytes: u64,
    /// How many times a backend was tried.
    pub attempts: u16,
    /// The last attempt went over a connection that had been used before.
    pub reused: bool,
    /// How long the last attempt took to connect, where it had to.
    pub connect_time: Option<Duration>,
    /// From the start of the exchange to the backend's response head.
    pub head_time: Option<Duration>,
    /// What the connection was switched to, if it was: its bytes count as those of
    /// the bodies.
    pub tunnel: Option<Tunnel>,
}

/// What a connection is switched to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tunnel {
    WebSocket,
    /// Another protocol that a listener allows.
    Other,
    /// A connection to wherever the client wants.
    Connect,
}

impl Tunnel {
    pub(crate) const ALL: [Tunnel; 3] = [Tunnel::WebSocket, Tunnel::Other, Tunnel::Connect];

    /// As the metrics call it.
    pub fn label(self) -> &'static str {
        match self {
            Tunnel::WebSocket => "websocket",
            Tunnel::Other => "other",
            Tunnel::Connect => "connect",
        }
    }
}

#[cfg(test)]
pub(crate) mod sample {
    use super::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

    /// A request that went well; tests change what they are about.
    pub(crate) fn record<'a>() -> Record<'a> {
        Record {
            started_unix_micros: 1_795_222_923_456_789, // 2026-11-21T01:02:03.456789Z
            duration: Duration::from_micros(1_234),
            client: (Ipv4Addr::new(1, 2, 3, 4), 50_000).into(),
            peer: (Ipv6Addr::LOCALHOST, 50_001).into(),
            listener: "main",
            request_id: b"0193-req",
            method: Method::Get,
            method_text: b"GET",
            scheme: "http",
            host: b"example.com",
            target: b"/x?y=1",
            version: Some(Version::Http11),
            user_agent: b"ua",
            referer: b"ref",
            page: 0,
            route: Some((0, "api")),
            group: Some("web"),
            backend: Some((1, "http://127.0.0.1:3000")),
            status: 200,
            grpc_status: None,
            failure: None,
            request_bytes: 7,
            response_bytes: 123,
            attempts: 1,
            reused: false,
            connect_time: Some(Duration::from_micros(250)),
            head_time: Some(Duration::from_micros(1_000)),
            tunnel: None,
        }
    }
}

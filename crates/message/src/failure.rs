//! Why an exchange failed: one closed list, from which the status, the reason
//! code and the side all follow.

use std::borrow::Cow;
use std::fmt;

/// Whose doing a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    Client,
    Proxy,
    Upstream,
}

impl Side {
    pub fn label(self) -> &'static str {
        match self {
            Side::Client => "client",
            Side::Proxy => "proxy",
            Side::Upstream => "upstream",
        }
    }
}

/// Whether another attempt may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Retry {
    #[default]
    Never,
    /// The connection was stale; the same backend on a fresh connection.
    FreshConnection,
    /// The backend may have acted on the request: only if doing so twice is
    /// the same as once (RFC 9110 section 9.2.2).
    IfIdempotent,
    /// The backend got nothing of the request; any backend may.
    OtherBackend,
}

/// Why the other end has cut a message that had a stream of its own (RFC 9113
/// section 7), where something is made of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reset {
    NoError,
    /// Nothing has been made of the request, and there is no room for it now.
    Refused,
    Cancel,
    EnhanceYourCalm,
    InadequateSecurity,
    /// Something has gone wrong.
    Error,
}

macro_rules! kinds {
    ($($(#[doc = $doc:literal])* $variant:ident: $side:ident, $status:literal, $reason:literal, $text:literal;)*) => {
        /// Every way an exchange can fail.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Kind { $($(#[doc = $doc])* $variant,)* }

        impl Kind {
            pub const ALL: &'static [Kind] = &[$(Kind::$variant,)*];

            pub fn side(self) -> Side {
                match self { $(Kind::$variant => Side::$side,)* }
            }

            /// The status of the answer.
            pub fn status(self) -> u16 {
                match self { $(Kind::$variant => $status,)* }
            }

            /// The stable reason code, the same in the answer's `Proxy-Status`
            /// field, in the access log and in the metrics.
            pub fn reason(self) -> &'static str {
                match self { $(Kind::$variant => $reason,)* }
            }

            /// What the client is told. Never names anything internal.
            pub fn text(self) -> &'static str {
                match self { $(Kind::$variant => $text,)* }
            }
        }
    };
}

kinds! {
    /// The bytes are not HTTP, or their framing is ambiguous.
    Malformed: Client, 400, "http_request_error", "The request is malformed.";
    /// `Host` is missing, repeated, or not a host.
    BadHost: Client, 400, "invalid_host", "The request needs exactly one valid Host field.";
    /// The path climbs above the root or holds a NUL.
    BadPath: Client, 400, "invalid_path", "The path of the request is not acceptable.";
    /// A chunked body breaks its own framing.
    BadBody: Client, 400, "invalid_body", "The body of the request is malformed.";
    /// The head did not arrive in time.
    HeadTimeout: Client, 408, "request_header_timeout", "The request head did not arrive in time.";
    /// The body stopped arriving.
    BodyTimeout: Client, 408, "request_body_timeout", "The request body stopped arriving.";
    BodyTooLarge: Client, 413, "request_body_too_large", "The request body is larger than allowed.";
    TargetTooLong: Client, 414, "request_line_too_long", "The request line is longer than allowed.";
    HeadTooLarge: Client, 431, "request_headers_too_large", "The request header fields are larger than allowed.";
    /// A method that a reverse proxy does not serve (CONNECT).
    MethodRefused: Client, 501, "method_not_supported", "The method is not supported here.";
    /// A transfer coding other than chunked.
    UnknownCoding: Client, 501, "transfer_coding_not_supported", "The transfer coding is not supported.";
    BadVersion: Client, 505, "http_version_not_supported", "The HTTP version is not supported.";
    /// The client went away; nobody reads the answer.
    ClientGone: Client, 499, "client_disconnected", "The client closed the connection.";
    /// The client stopped reading the answer.
    ClientStalled: Client, 499, "client_write_timeout", "The client stopped reading the response.";
    /// A header of the PROXY protocol is broken.
    BadProxyHeader: Client, 400, "proxy_protocol_error", "The header of the PROXY protocol is malformed.";
    /// There is none where there has to be one.
    NoProxyHeader: Client, 400, "proxy_protocol_missing", "The connection has to begin with a header of the PROXY protocol.";
    /// It did not arrive in time.
    ProxyHeaderTimeout: Client, 408, "proxy_protocol_timeout", "The header of the PROXY protocol did not arrive in time.";
    /// It is from somebody who is not believed.
    UntrustedProxy: Client, 403, "proxy_protocol_untrusted", "Headers of the PROXY protocol are not taken from here.";
    /// A TLS handshake has come to nothing.
    HandshakeFailed: Client, 400, "tls_handshake_error", "The TLS handshake failed.";
    /// What should be the first message of TLS is not.
    BadHello: Client, 400, "tls_client_hello_error", "The connection does not begin like TLS.";
    /// It did not arrive in time.
    HelloTimeout: Client, 408, "tls_client_hello_timeout", "The first message of TLS did not arrive in time.";
    /// Nothing is served under the name that TLS asks for.
    UnknownServerName: Client, 421, "unknown_server_name", "Nothing is served under this name.";
    /// A connection that is passed on was silent in both directions.
    IdleTimeout: Client, 408, "connection_idle_timeout", "The connection was silent for too long.";

    /// A forward proxy may not connect there.
    DestinationRefused: Client, 403, "destination_not_allowed", "Connections to there are not made here.";
    /// It leads to an address that only its own network in the list may lead to.
    AddressProhibited: Client, 403, "destination_ip_prohibited", "Connections to there are not made here.";

    /// Some route would take the request but for its method.
    MethodNotAllowed: Proxy, 405, "method_not_allowed", "No route takes this method here.";
    NoRoute: Proxy, 404, "no_route", "No route matches the request.";
    /// The group has no backend that may be chosen.
    NoBackend: Proxy, 503, "destination_unavailable", "No backend is available.";
    /// The group has as many requests under way as it may.
    TooManyRequests: Proxy, 503, "request_limit_reached", "Too many requests are under way.";
    /// The group has as many requests under way as its latency allows.
    Overloaded: Proxy, 503, "concurrency_limit_reached", "The backends have more to do than they can.";
    /// The queue for a connection is full.
    QueueFull: Proxy, 503, "connection_limit_reached", "Too many requests are waiting for a backend.";
    /// Waited for a connection as long as allowed.
    QueueTimeout: Proxy, 503, "connection_queue_timeout", "No backend connection became free in time.";
    /// The listener holds as many connections as it may.
    TooManyConnections: Proxy, 503, "too_many_connections", "The server holds as many connections as it may.";
    /// Cut off because the time for shutting down has passed.
    ShutDown: Proxy, 503, "shutdown_timeout", "The proxy is shutting down.";
    /// The same of one whose body was on its way.
    Drained: Proxy, 503, "drain_timeout", "The proxy is shutting down.";
    /// A fault in Forebay itself.
    Internal: Proxy, 500, "proxy_internal_error", "The proxy failed.";

    NameFailed: Upstream, 502, "dns_error", "The backend could not be reached.";
    ConnectRefused: Upstream, 502, "connection_refused", "The backend could not be reached.";
    Unroutable: Upstream, 502, "destination_ip_unroutable", "The backend could not be reached.";
    /// The backend and we cannot agree on TLS, or it breaks the rules.
    TlsProtocol: Upstream, 502, "tls_protocol_error", "The backend could not be reached.";
    /// The backend's certificate is not believed.
    TlsCertificate: Upstream, 502, "tls_certificate_error", "The backend could not be reached.";
    /// The backend has ended TLS with an alert.
    TlsAlert: Upstream, 502, "tls_alert_received", "The backend could not be reached.";
    ConnectTimeout: Upstream, 504, "connection_timeout", "The backend did not accept a connection in time.";
    /// The connection ended before a complete response head.
    Terminated: Upstream, 502, "connection_terminated", "The backend closed the connection.";
    /// The response is not HTTP, or its framing is ambiguous.
    BadResponse: Upstream, 502, "http_protocol_error", "The backend sent an invalid response.";
    ResponseHeadTooLarge: Upstream, 502, "http_response_header_section_size", "The backend sent an invalid response.";
    /// The response body ended early or broke its framing.
    Incomplete: Upstream, 502, "http_response_incomplete", "The backend's response ended early.";
    ResponseTimeout: Upstream, 504, "http_response_timeout", "The backend did not answer in time.";
    /// The response body stopped arriving.
    ReadTimeout: Upstream, 504, "connection_read_timeout", "The backend stopped sending.";
    /// The backend stopped taking the request.
    WriteTimeout: Upstream, 504, "connection_write_timeout", "The backend stopped reading the request.";
}

impl Kind {
    /// A connection does not begin as it has to, before anybody has asked for
    /// anything: a mistake in how things are set up more often than a client's.
    pub fn is_of_beginning(self) -> bool {
        matches!(
            self,
            Kind::BadProxyHeader
                | Kind::NoProxyHeader
                | Kind::ProxyHeaderTimeout
                | Kind::UntrustedProxy
                | Kind::UnknownServerName
        )
    }

    /// The registered error type for `Proxy-Status` (RFC 9209 section 2.3);
    /// where the reason is not itself registered, the nearest that is.
    pub fn proxy_error(self) -> &'static str {
        match self {
            Kind::NoRoute => "destination_not_found",
            Kind::MethodNotAllowed | Kind::DestinationRefused => "http_request_denied",
            Kind::AddressProhibited => "destination_ip_prohibited",
            Kind::QueueTimeout
            | Kind::TooManyConnections
            | Kind::TooManyRequests
            | Kind::Overloaded => "connection_limit_reached",
            Kind::ShutDown | Kind::Drained => "proxy_internal_error",
            _ if self.side() == Side::Client => "http_request_error",
            _ => self.reason(),
        }
    }
}

/// A failed exchange or attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub kind: Kind,
    pub retry: Retry,
    /// The other end has said why, in the terms of a reset.
    pub reset: Option<Reset>,
    /// For the log only; clients never see it.
    pub detail: Cow<'static, str>,
}

impl Failure {
    pub fn new(kind: Kind, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            retry: Retry::Never,
            reset: None,
            detail: detail.into(),
        }
    }

    #[must_use]
    pub fn reset(mut self, reset: Option<Reset>) -> Self {
        self.reset = reset;
        self
    }

    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    pub fn status(&self) -> u16 {
        self.kind.status()
    }
}

impl From<Kind> for Failure {
    fn from(kind: Kind) -> Self {
        Failure::new(kind, "")
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.reason())?;
        if !self.detail.is_empty() {
            write!(f, " ({})", self.detail)?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    /// RFC 9209 section 2.3.
    const REGISTERED: &[&str] = &[
        "dns_timeout",
        "dns_error",
        "destination_not_found",
        "destination_unavailable",
        "destination_ip_prohibited",
        "destination_ip_unroutable",
        "connection_refused",
        "connection_terminated",
        "connection_timeout",
        "connection_read_timeout",
        "connection_write_timeout",
        "connection_limit_reached",
        "tls_protocol_error",
        "tls_certificate_error",
        "tls_alert_received",
        "http_request_error",
        "http_request_denied",
        "http_response_incomplete",
        "http_response_header_section_size",
        "http_response_timeout",
        "http_protocol_error",
        "proxy_internal_error",
        "tls_alert_received",
        "tls_certificate_error",
        "tls_protocol_error",
    ];

    #[test]
    fn the_error_in_proxy_status_is_a_registered_one() {
        for &kind in Kind::ALL {
            assert!(REGISTERED.contains(&kind.proxy_error()), "{kind:?}");
        }
    }

    #[test]
    fn reasons_are_unique_tokens_and_statuses_are_errors() {
        let mut seen = HashSet::new();
        for &kind in Kind::ALL {
            assert!(seen.insert(kind.reason()), "{kind:?} repeats a reason");
            assert!(
                kind.reason()
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b == b'_')
            );
            assert!((400..600).contains(&kind.status()), "{kind:?}");
            assert!(!kind.text().is_empty());
        }
    }
}

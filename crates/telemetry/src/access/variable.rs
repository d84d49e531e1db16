//! The variables of a log template: one for each thing a record knows.

use std::time::Duration;

use super::combined::{push_or_dash, push_request_line};
use super::text::{push_ip, push_millis, push_number};
use super::time::{push_combined, push_rfc3339};
use crate::Record;

macro_rules! variables {
    ($($variant:ident = $name:literal, $meaning:literal;)*) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Variable { $($variant,)* }

        impl Variable {
            const ALL: &'static [Variable] = &[$(Variable::$variant,)*];
        }

        /// Every variable a template may use: its name and what it stands for.
        pub const FORMAT_VARIABLES: &[(&str, &str)] = &[$(($name, $meaning),)*];
    };
}

variables! {
    Time = "time", "when the request began, RFC 3339 in UTC with milliseconds";
    TimeLocal = "time_local", "when the request began, as the combined format writes it";
    TimeUnixUs = "time_unix_us", "when the request began, microseconds since the Unix epoch";
    RequestId = "request_id", "the id of the request";
    ClientIp = "client_ip", "the client's address, after trusted_proxies";
    ClientPort = "client_port", "the client's port";
    PeerIp = "peer_ip", "the address at the other end of the connection";
    PeerPort = "peer_port", "the port at the other end of the connection";
    Listener = "listener", "the listener that took the connection";
    RequestLine = "request_line", "method, target and version as received";
    Method = "method", "the method as received";
    Scheme = "scheme", "http or https; tcp, or tls where that was ended here";
    Host = "host", "the host that was asked for, or the name that TLS asked for";
    Target = "target", "the request target as received";
    Version = "version", "the protocol version of the request";
    UserAgent = "user_agent", "the field User-Agent";
    Referer = "referer", "the field Referer";
    Status = "status", "the status of the answer; of a connection over TCP, 200 or the status of its failure";
    GrpcStatus = "grpc_status", "the grpc-status of the answer, where the call is one of gRPC";
    DurationMs = "duration_ms", "from the request's first byte to the answer's last, in milliseconds";
    RequestBytes = "request_bytes", "bytes of request body received, or of all that the client sent over TCP";
    ResponseBytes = "response_bytes", "bytes of response body sent, or of all that the client got over TCP";
    Route = "route", "the id of the route";
    Group = "group", "the backend group";
    Backend = "backend", "the URL of the backend that was tried last";
    Attempts = "attempts", "how many times a backend was tried";
    Reused = "reused", "whether the last attempt used an open connection: true or false";
    ConnectMs = "connect_ms", "how long connecting to the backend took, in milliseconds";
    HeadMs = "head_ms", "from the request's start to the backend's response head, in milliseconds";
    Failure = "failure", "the reason code, when the exchange failed";
    FailureSide = "failure_side", "whose doing the failure was: client, proxy or upstream";
    FailureDetail = "failure_detail", "what exactly went wrong";
}

impl Variable {
    pub(crate) fn of(name: &str) -> Option<Self> {
        let at = FORMAT_VARIABLES.iter().position(|(n, _)| *n == name)?;
        Self::ALL.get(at).copied()
    }

    pub(crate) fn name(self) -> &'static str {
        let at = Self::ALL.iter().position(|variable| *variable == self);
        let named = at.and_then(|at| FORMAT_VARIABLES.get(at));
        named.map_or("", |(name, _)| name)
    }

    /// Writes the value, escaped; `-` where there is none.
    pub(crate) fn write(self, record: &Record<'_>, out: &mut Vec<u8>) {
        let r = record;
        match self {
            Self::Time => push_rfc3339(out, r.started_unix_micros),
            Self::TimeLocal => push_combined(out, r.started_unix_micros),
            Self::TimeUnixUs => push_number(out, r.started_unix_micros),
            Self::RequestId => push_or_dash(out, r.request_id),
            Self::ClientIp => push_ip(out, r.client.ip()),
            Self::ClientPort => push_number(out, r.client.port()),
            Self::PeerIp => push_ip(out, r.peer.ip()),
            Self::PeerPort => push_number(out, r.peer.port()),
            Self::Listener => push_or_dash(out, r.listener.as_bytes()),
            Self::RequestLine => push_request_line(out, r),
            Self::Method => push_or_dash(out, r.method_text),
            Self::Scheme => push_or_dash(out, r.scheme.as_bytes()),
            Self::Host => push_or_dash(out, r.host),
            Self::Target => push_or_dash(out, r.target),
            Self::Version => push_optional(out, r.version.map(|v| v.label())),
            Self::UserAgent => push_or_dash(out, r.user_agent),
            Self::Referer => push_or_dash(out, r.referer),
            Self::Status => push_number(out, r.status),
            Self::GrpcStatus => match r.grpc_status {
                Some(status) => push_number(out, status),
                None => push_optional(out, None),
            },
            Self::DurationMs => push_millis(out, r.duration),
            Self::RequestBytes => push_number(out, r.request_bytes),
            Self::ResponseBytes => push_number(out, r.response_bytes),
            Self::Route => push_optional(out, r.route.map(|(_, id)| id)),
            Self::Group => push_optional(out, r.group),
            Self::Backend => push_optional(out, r.backend.map(|(_, url)| url)),
            Self::Attempts => push_number(out, r.attempts),
            Self::Reused => push_optional(out, Some(if r.reused { "true" } else { "false" })),
            Self::ConnectMs => push_optional_millis(out, r.connect_time),
            Self::HeadMs => push_optional_millis(out, r.head_time),
            Self::Failure => push_optional(out, r.failure.map(|f| f.kind.reason())),
            Self::FailureSide => push_optional(out, r.failure.map(|f| f.kind.side().label())),
            Self::FailureDetail => push_optional(out, r.failure.map(|f| f.detail.as_ref())),
        }
    }
}

fn push_optional(out: &mut Vec<u8>, text: Option<&str>) {
    push_or_dash(out, text.unwrap_or_default().as_bytes());
}

fn push_optional_millis(out: &mut Vec<u8>, duration: Option<Duration>) {
    match duration {
        Some(duration) => push_millis(out, duration),
        None => out.push(b'-'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::sample;
    use std::collections::HashSet;

    #[test]
    fn names_are_unique_and_found_again() {
        let mut seen = HashSet::new();
        for (&variable, (name, meaning)) in Variable::ALL.iter().zip(FORMAT_VARIABLES) {
            assert!(seen.insert(name));
            assert_eq!(Variable::of(name), Some(variable));
            assert!(!meaning.is_empty());
        }
        assert_eq!(Variable::of("nonsense"), None);
    }

    #[test]
    fn every_variable_writes_something() {
        let bare = Record {
            request_id: b"",
            listener: "",
            method_text: b"",
            host: b"",
            target: b"",
            route: None,
            group: None,
            backend: None,
            connect_time: None,
            head_time: None,
            ..sample::record()
        };
        for record in [sample::record(), bare] {
            for variable in Variable::ALL {
                let mut out = Vec::new();
                variable.write(&record, &mut out);
                assert!(!out.is_empty(), "{variable:?}");
            }
        }
    }
}

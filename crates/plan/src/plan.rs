//! What a running Forebay goes by: decided, checked, never changed.

use std::fmt;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use filters::{ErrorPages, Filter, HIDDEN, Template, without_secrets};
use routing::Pattern;
use telemetry::{Format, Names, Output};
use upstream::{Clients, HedgePolicy, RetryPolicy, Tokens};
use wire::h1::Limits;
use wire::h2::Patience;
use wire::proxy_protocol;

use crate::{Acme, AdminEndpoint, BackendSource, Forward, Origin, ServerNames, Trusted};

pub struct Plan {
    pub listeners: Vec<Listener>,
    /// In the order of the file; `table` speaks of them by index.
    pub routes: Vec<Route>,
    pub table: routing::Table,
    pub groups: Vec<Group>,
    /// For failures that no route has a page for.
    pub error_pages: ErrorPages,
    /// Files of the configuration that are not part of this, because of mistakes
    /// in them.
    pub left_out: Vec<String>,
    /// Peers whose word about the client is believed.
    pub trusted: Trusted,
    /// Every client is told the details of a failure.
    pub debug_errors: bool,
    /// Absent: one per core.
    pub workers: Option<usize>,
    pub shutdown_timeout: Duration,
    /// The same for streams.
    pub drain_timeout: Duration,
    pub metrics: Option<MetricsEndpoint>,
    pub logging: Logging,
    /// Absent: switched off.
    pub access_log: Option<AccessLog>,
    /// Absent: switched off.
    pub admin: Option<AdminEndpoint>,
    /// Absent: no certificate is had from an authority.
    pub acme: Option<Acme>,
    /// What the numbers in metrics mean.
    pub names: Arc<Names>,
}

impl Plan {
    /// Whether it takes a restart, of a program with so many workers, until all
    /// of it is true.
    pub fn needs_restart(&self, workers: usize) -> bool {
        self.workers.is_some_and(|wanted| wanted != workers)
    }

    /// Certificates that are shown, to clients or to backends.
    pub fn certificates(&self) -> impl Iterator<Item = &CertificateFiles> {
        let listeners = self.listeners.iter().filter_map(|l| l.tls.as_ref());
        let groups = self.groups.iter().filter_map(|group| group.tls.as_ref());
        let to_backends = groups.filter_map(|tls| tls.certificate.as_ref());
        listeners
            .flat_map(|tls| &tls.certificates)
            .chain(to_backends)
    }

    /// What authorities say of revocation, at which listener, in which file, and
    /// until when it is current, in seconds since 1970.
    pub fn revocations(&self) -> impl Iterator<Item = (&str, &str, i64)> {
        self.listeners.iter().flat_map(|listener| {
            let lists = listener.tls.iter().flat_map(|tls| &tls.revocation_lists);
            let lists = lists.map(|(file, end)| (&*listener.id, &**file, *end));
            let certificates = listener.tls.iter().flat_map(|tls| &tls.certificates);
            let stapled = certificates.filter_map(|files| {
                let end = files.certificate.staple_until()?;
                Some((&*listener.id, files.ocsp.as_deref()?, end))
            });
            stapled.chain(lists)
        })
    }

    /// Files that TLS is made of, as the configuration names them.
    pub fn tls_files(&self) -> impl Iterator<Item = &str> {
        let listeners = self.listeners.iter().filter_map(|l| l.tls.as_ref());
        let groups = self.groups.iter().filter_map(|group| group.tls.as_ref());
        let to_backends = groups.flat_map(|tls| &tls.files);
        let all = listeners.flat_map(|tls| &tls.files).chain(to_backends);
        all.map(|file| &**file)
    }

    /// Where what was changed is kept for the next start, if anywhere.
    pub fn state_file(&self) -> Option<&str> {
        self.admin.as_ref()?.state_file.as_deref()
    }

    /// Sends the access log elsewhere; one that was off becomes `combined`.
    pub fn log_access_to(&mut self, output: Output) {
        match &mut self.access_log {
            Some(log) => log.output = output,
            None => {
                self.access_log = Some(AccessLog {
                    format: Format::combined(),
                    output,
                });
            }
        }
    }
}

/// Where connections are taken, and what they may do.
#[derive(Debug, Clone)]
pub struct Listener {
    pub id: Box<str>,
    /// In the names of the metrics.
    pub number: u32,
    pub address: SocketAddr,
    /// Plain HTTP without.
    pub tls: Option<Tls>,
    /// HTTP/1 alone without.
    pub http2: Option<Http2>,
    /// Protocols to which connections may be switched, in small letters.
    pub upgrades: Vec<Box<str>>,
    /// No forward proxy without.
    pub forward: Option<Forward>,
    /// The value of `Strict-Transport-Security`.
    pub hsts: Option<Box<str>>,
    /// Clients are sent to the same place at HTTPS on this port; 0 is one that
    /// cannot be known.
    pub redirect_port: Option<u16>,
    /// Connections are passed on as they are; absent: it speaks HTTP.
    pub tcp: Option<Tcp>,
    /// Connections begin with a header of the PROXY protocol; absent: they do not.
    pub proxy_protocol: Option<ProxyProtocol>,
    /// Over all workers.
    pub max_connections: usize,
    pub limits: Limits,
    /// Bytes of a request body.
    pub max_body: u64,
    pub header_timeout: Duration,
    pub body_timeout: Duration,
    pub keep_alive_timeout: Duration,
    pub write_timeout: Duration,
    /// Bytes per second at which a client has to send a body and take an answer;
    /// 0 for none.
    pub min_rate: u64,
}

impl Listener {
    /// What its address is written with.
    pub fn scheme(&self) -> &'static str {
        match (&self.tcp, &self.tls) {
            (Some(_), None) => "tcp",
            (Some(_), Some(_)) => "tls",
            (None, None) => "http",
            (None, Some(_)) => "https",
        }
    }

    /// Whether connections may be switched to this protocol, however it is written.
    pub fn allows_upgrade(&self, protocol: &[u8]) -> bool {
        let allowed = self.upgrades.iter();
        allowed
            .into_iter()
            .any(|a| protocol.eq_ignore_ascii_case(a.as_bytes()))
    }
}

/// What becomes of the connections of a listener that speaks no HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tcp {
    /// Where those go that no name leads elsewhere; absent: they are refused.
    pub group: Option<usize>,
    /// Where those go whose TLS asks for a name.
    pub names: ServerNames,
    /// Until a connection to a backend stands, where it is not the group that
    /// says so.
    pub connect_timeout: Option<Duration>,
    /// Silence in both directions.
    pub idle_timeout: Duration,
    /// Until the client's TLS has said which name it asks for.
    pub hello_timeout: Duration,
}

/// How a listener takes headers of the PROXY protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProxyProtocol {
    /// A connection without one is refused.
    pub is_required: bool,
    /// How long one may take to arrive.
    pub timeout: Duration,
}

/// How a listener speaks TLS.
#[derive(Debug, Clone)]
pub struct Tls {
    pub server: tls::Server,
    /// What it was made with.
    pub options: tls::ServerOptions,
    pub certificates: Vec<CertificateFiles>,
    /// All files that it was made of, as the configuration names them.
    pub files: Vec<Box<str>>,
    /// Until when the revocation lists among them are current, in seconds since 1970.
    pub revocation_lists: Vec<(Box<str>, i64)>,
    /// How long a handshake may take.
    pub handshake_timeout: Duration,
    /// Backends are told of a client's certificate (RFC 9440).
    pub forwards_certificate: bool,
}

/// How TLS is spoken to a group's backends.
#[derive(Debug, Clone)]
pub struct BackendTls {
    /// For requests.
    pub client: tls::Client,
    /// For anything else: what is spoken inside is for the two ends to know.
    pub tunnels: tls::Client,
    /// What it was made with.
    pub options: tls::ClientOptions,
    /// The name that certificates have to be for; the URL's host where there is
    /// none.
    pub server_name: Option<Box<str>>,
    pub ca_file: Option<Box<str>>,
    /// What backends are shown that ask.
    pub certificate: Option<CertificateFiles>,
    /// All files that it was made of, as the configuration names them.
    pub files: Vec<Box<str>>,
}

/// Where a certificate is from.
#[derive(Debug, Clone)]
pub struct CertificateFiles {
    pub chain: Box<str>,
    pub key: config::Spanned<String>,
    pub ocsp: Option<Box<str>>,
    /// What is shown.
    pub certificate: tls::Certificate,
    /// Why the files cannot be used as they are now; what is shown was in them
    /// before.
    pub refused: Option<String>,
    /// Until when it is valid, in seconds since 1970.
    pub not_after: i64,
}

/// How a listener speaks HTTP/2.
#[derive(Debug, Clone, Copy)]
pub struct Http2 {
    /// Requests at a time on one connection.
    pub max_concurrent_streams: u32,
    /// Bytes that a client may send ahead, of one request and of all on one connection.
    pub stream_window: u32,
    pub connection_window: u32,
    /// What a client may do to no purpose.
    pub patience: Patience,
}

pub struct Route {
    pub id: Box<str>,
    /// In the names of the metrics.
    pub number: u32,
    /// The expression of its path, for templates that quote its groups.
    pub expression: Option<Pattern>,
    /// In the order in which requests pass them.
    pub filters: Vec<Arc<dyn Filter>>,
    /// Names that no trailer of a request may have, because the filters decide
    /// about them. None where they decide about none.
    pub own_fields: Option<Arc<[Box<str>]>>,
    /// Absent where a filter always answers.
    pub group: Option<usize>,
    /// Bytes of a request body, where it is not the listener that decides.
    pub max_body: Option<u64>,
    /// Calls of gRPC-Web become calls of gRPC.
    pub grpc_web: bool,
    /// Where they are not those of the group.
    pub times: Option<Times>,
    pub error_pages: ErrorPages,
}

pub struct Group {
    pub balance: upstream::Group,
    /// What decides for the strategy `hash`.
    pub hash_key: Option<Template>,
    pub sticky: Option<Sticky>,
    /// The number of each backend in the names of the metrics.
    pub numbers: Vec<u32>,
    /// Who says that each backend is one of the group.
    pub origins: Vec<Origin>,
    /// What is spoken with its backends.
    pub protocol: config::BackendProtocol,
    /// How TLS is spoken to those at `https://`.
    pub tls: Option<BackendTls>,
    /// Where further ones are found.
    pub sources: Vec<BackendSource>,
    /// How its backends are checked, if they are.
    pub check: Option<Arc<Check>>,
    pub times: Times,
    /// Connections to its backends begin with such a header.
    pub send_proxy_protocol: Option<proxy_protocol::Version>,
    pub retry: RetryPolicy,
    pub hedge: Option<HedgePolicy>,
}

/// How it is found out whether a backend is well, besides what ordinary
/// requests tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    pub interval: Duration,
    /// The longest time between two checks of a backend that has been unwell for long.
    pub max_interval: Duration,
    pub timeout: Duration,
    /// A backend is used before it has been checked.
    pub assume_healthy: bool,
    /// Requests begin with a header that speaks for Forebay itself.
    pub send_proxy_protocol: Option<proxy_protocol::Version>,
    pub probe: Probe,
}

/// What a check asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// For a connection.
    Tcp,
    /// As gRPC's health checking protocol does, for this service; empty for the whole.
    Grpc(Box<str>),
    Http(HttpProbe),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpProbe {
    pub method: &'static str,
    pub target: Box<str>,
    /// Absent: the backend's own.
    pub host: Option<Box<str>>,
    pub fields: Vec<(Box<str>, Box<str>)>,
    /// Statuses of good answers.
    pub expected: Vec<RangeInclusive<u16>>,
    /// What a good answer's body has in it.
    pub body: Option<Box<str>>,
}

/// How clients are kept at their backends.
pub enum Sticky {
    Cookie(StickyCookie),
    Client(Arc<Clients>),
}

pub struct StickyCookie {
    pub name: Box<str>,
    /// Everything behind the value but `Secure`.
    pub attributes: Box<str>,
    /// Whether it is for TLS only; absent: if the client came that way.
    pub secure: Option<bool>,
    pub tokens: Tokens,
}

/// How long a backend is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// Until a connection stands.
    pub connect: Duration,
    /// From sending the request until the response head is complete.
    pub response: Duration,
    /// Silence while a body is moving.
    pub idle: Duration,
    /// Silence in both directions of a tunnel.
    pub tunnel: Duration,
    /// How long a request may wait for a connection.
    pub wait: Duration,
    /// From a request's arrival until the response head is complete, over all attempts.
    pub total: Option<Duration>,
}

#[derive(Debug, Clone)]
pub struct MetricsEndpoint {
    pub address: SocketAddr,
    pub path: Box<str>,
}

/// The runtime log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logging {
    /// `error`, `warn`, `info` or `debug`.
    pub level: Box<str>,
    pub json: bool,
    pub output: Output,
}

pub struct AccessLog {
    pub format: Format,
    pub output: Output,
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Probe::Grpc(service) = self {
            let service = Some(&**service).filter(|name| !name.is_empty());
            return write!(f, "grpc {}", service.unwrap_or("as a whole"));
        }
        let Probe::Http(HttpProbe {
            method,
            target,
            host,
            fields,
            expected,
            body,
        }) = self
        else {
            return f.write_str("tcp");
        };
        write!(f, "{method} {}", without_secrets(target))?;
        if let Some(host) = host {
            write!(f, " at {host}")?;
        }
        // Values may be secret.
        for (name, _) in fields {
            write!(f, " with {name}: {HIDDEN}")?;
        }
        let codes = expected
            .iter()
            .map(|codes| match (codes.start(), codes.end()) {
                (first, last) if first == last => first.to_string(),
                (first, _) => format!("{}xx", first / 100),
            });
        write!(f, " expecting {}", codes.collect::<Vec<_>>().join(" or "))?;
        match body {
            Some(body) => write!(f, " and {body:?} in the body"),
            None => Ok(()),
        }
    }
}

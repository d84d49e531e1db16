//! The settings, as written. One file per part of the configuration.

mod acme;
mod admin;
mod backend_tls;
mod group;
mod listener;
mod route;
mod source;
mod telemetry;
mod test;
mod tls;

pub use acme::{Acme, AcmeChallenge, AcmeKey, ExternalAccount};
pub use admin::{Admin, AdminScope, AdminToken};
pub use group::{
    AdaptiveConcurrency, AdaptiveMode, Backend, BackendGroup, BackendProtocol, Backoff,
    CheckMethod, CheckProtocol, CircuitBreaker, ConnectionPool, Hash, HealthCheck, Hedge,
    PassiveCheck, Retry, RetryOn, SameSite, Secure, SendProxyProtocol, Sticky, StickyBy, Strategy,
    Timeout, WhenAllUnhealthy,
};
pub use listener::{Forward, Http2, Listener, Protocol, ProxyProtocol};
pub use route::{
    Conditions, ErrorPage, FilterList, Filters, HeaderChanges, Redirect, ReplacePrefix, Respond,
    Route, RouteTimeout, RoutingMode,
};
pub use source::{BackendList, BackendSource, DnsRecords, ListedBackend};
pub use telemetry::{AccessLog, LogFormat, LogLevel, Logging, Metrics, Telemetry, Tracing};

pub use backend_tls::BackendTls;
pub use test::{Expectation, Test, TestRequest};
pub use tls::{ClientCertificates, Hsts, SessionTickets, Tls, TlsCertificate, TlsVersion};

use std::time::Duration;

use ipnet::IpNet;

use crate::span::Spanned;
use crate::value::Value;
use crate::value::form::WORD;

settings! {
    /// Everything that a configuration file can say.
    "the configuration" => pub struct Settings {
        /// Further files, from the directory of this one; `*` and `?` stand for any letters of a name, but for a dot that it begins with. Each has 64 MiB at most. They may have `routes`,
        /// `backend_groups`, `filter_lists`, `error_pages` and `tests`, which are added to those here. A file with a mistake is left out
        /// at the start, unless Forebay is told to be strict, and refuses a reload.
        include: Vec<Spanned<String>>, rule Form(&WORD), example ["routes.d/*.yaml"];
        /// The one listener of a simple configuration. Give this, or `listeners`, or both.
        server: Option<Spanned<Listener>>, example {"address": "0.0.0.0:8080"};
        /// Where to take connections.
        listeners: Vec<Spanned<Listener>>, example [{"id": "public", "address": "0.0.0.0:8080"}];
        /// Which of several matching routes takes a request.
        routing: Spanned<RoutingMode> = Spanned::unwritten(RoutingMode::Specific), example "ordered";
        /// Addresses and networks of proxies in front of this one. What they say in `X-Forwarded-For`, `X-Forwarded-Proto`,
        /// `X-Forwarded-Host` and `X-Request-ID` is believed; what anyone else says there is replaced. `X-Real-IP` is always Forebay's own.
        /// Headers of the PROXY protocol are taken from them alone.
        trusted_proxies: Vec<IpNet>, example ["10.0.0.0/8", "192.0.2.1"];
        /// Whether answers about failures tell every client what the log tells: which routes almost matched, which backend failed
        /// and how. Clients whose own address is in `trusted_proxies` are told in any case.
        debug_errors: bool = false, example true;
        /// Number of worker threads. Without it, one for each core.
        workers: Option<u32>, rule Within(1, 1024), example 4;
        /// How long requests already accepted may take to finish when Forebay ends, another one has taken over, or their listener is removed.
        shutdown_timeout: Duration = Duration::from_secs(30), example "1m";
        /// The same for streams: requests whose body is still coming up, or answers of a backend that are still going down, such as long
        /// downloads and server-sent events. They are not held to `shutdown_timeout`.
        drain_timeout: Duration = Duration::from_mins(5), example "1h";
        /// Tickets with which clients take up earlier TLS sessions.
        session_tickets: Spanned<SessionTickets>, example {"rotate": "12h"};
        /// The authority that certificates are had from which Forebay gets and renews itself.
        acme: Option<Spanned<Acme>>, example {"storage": "/var/lib/forebay/acme", "agree_to_terms": true, "email": "ops@example.com"};
        /// Which requests go where.
        routes: Vec<Spanned<Route>>, example [{"id": "all", "backend_group": "app"}];
        /// Lists of filters for routes to use by name.
        filter_lists: Vec<Spanned<FilterList>>,
            example [{"id": "security-headers", "response_headers": {"remove": ["Server"]}}];
        /// Pages for failures.
        error_pages: Vec<Spanned<ErrorPage>>, example [{"status": ["5xx"], "file": "pages/sorry.html"}];
        /// Groups of backends for routes to point at.
        backend_groups: Vec<Spanned<BackendGroup>>,
            example [{"id": "app", "backends": [{"url": "http://127.0.0.1:3000"}]}];
        /// Unit tests of this configuration, for `forebay test`. A file given with `--tests` may hold more.
        tests: Vec<Spanned<Test>>,
            example [{"request": {"url": "http://example.com/api/x"}, "expect": {"route": "api"}}];
        /// Metrics, traces and logs.
        telemetry: Spanned<Telemetry>, example {"metrics": {"enabled": true}};
        /// The admin API, which is off where this is not given.
        admin: Option<Spanned<Admin>>, example {"address": "127.0.0.1:8081"};
    }
}

impl Settings {
    /// The settings with every default filled in, in the form of a configuration file.
    pub fn to_json(&self) -> serde_json::Value {
        self.write()
    }
}

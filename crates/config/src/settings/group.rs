//! Backend groups: who answers, and how requests are spread, limited, timed and retried.

use std::time::Duration;

use super::backend_tls::BackendTls;
use super::source::BackendSource;
use crate::span::Spanned;
use crate::value::form::{COOKIE_NAME, COOKIE_PATH, TARGET, WORD};
use crate::value::{BackendUrl, Pairs, Statuses};

choices! {
    /// How a group picks the backend for a request.
    pub enum Strategy {
        /// Each in turn.
        RoundRobin = "round_robin",
        /// In turn, in proportion to the weights and evenly mixed.
        Weighted = "weighted",
        /// The one with the fewest requests under way for its weight.
        LeastConnections = "least_connections",
        /// Any.
        Random = "random",
        /// The less busy of two picked at random.
        TwoChoices = "two_choices",
        /// The same for every request from one client address.
        IpHash = "ip_hash",
        /// The same for every request with one key, by consistent hashing with bounded loads; see `hash`.
        Hash = "hash",
    }

    /// What is spoken with backends.
    pub enum BackendProtocol {
        /// HTTP/1.1; with backends at `https://` HTTP/2 where they agree to it (ALPN, RFC 7301).
        Auto = "auto",
        /// HTTP/1.1.
        H1 = "h1",
        /// HTTP/2 over TLS.
        H2 = "h2",
        /// HTTP/2 without TLS, at once ("prior knowledge", RFC 9113 section 3.3).
        H2c = "h2c",
    }

    /// What a check asks.
    pub enum CheckProtocol {
        /// A request over HTTP, and its answer looked at.
        Http = "http",
        /// Whether a connection can be had.
        Tcp = "tcp",
        /// `grpc.health.v1.Health/Check`, the health checking protocol of gRPC. Takes backends that speak HTTP/2.
        Grpc = "grpc",
    }

    /// The method of a check.
    pub enum CheckMethod {
        /// With a body in the answer.
        Get = "GET",
        /// Without one.
        Head = "HEAD",
        /// What the backend can do.
        Options = "OPTIONS",
    }

    /// How a client is recognised.
    pub enum StickyBy {
        /// By a cookie that Forebay sets.
        Cookie = "cookie",
        /// By its address.
        ClientIp = "client_ip",
    }

    /// With which requests from other sites a browser sends a cookie (RFC 6265bis).
    pub enum SameSite {
        /// With links that are followed.
        Lax = "lax",
        /// With none.
        Strict = "strict",
        /// With all; browsers take such a cookie over TLS only.
        None = "none",
    }

    /// Whether a cookie is for TLS only.
    pub enum Secure {
        /// If the client came over TLS, to Forebay or to a trusted proxy.
        Auto = "auto",
        /// Yes.
        Always = "always",
        /// No.
        Never = "never",
    }

    /// How the wait before each further attempt grows.
    pub enum Backoff {
        /// It doubles.
        Exponential = "exponential",
        /// It grows by the same step.
        Linear = "linear",
    }

    /// What becomes of requests where no backend of the group may be given any.
    pub enum WhenAllUnhealthy {
        /// They are answered with 503 at once.
        Fail = "fail",
        /// They go to the backends as if all were well, but for those that are drained or disabled.
        FailOpen = "fail_open",
    }

    /// Whether connections to backends begin with a header of the PROXY protocol.
    pub enum SendProxyProtocol {
        /// They do not.
        Off = "off",
        /// Version 1, a line of text.
        V1 = "v1",
        /// Version 2, with what is known of TLS.
        V2 = "v2",
    }

    /// What is done with a limit that follows the latency.
    pub enum AdaptiveMode {
        /// There is none.
        Off = "off",
        /// It is worked out and reported, and refuses nothing.
        Shadow = "shadow",
        /// Requests above it are answered with 503.
        On = "on",
    }

    /// What went wrong with an attempt that is worth another.
    pub enum RetryOn {
        /// The backend could not be reached, or hung up before its answer began.
        ConnectionError = "connection_error",
        /// The answer did not begin in time.
        Timeout = "timeout",
        /// The answer has a status from 500 to 599.
        ServerError = "5xx",
        /// The answer is nothing but the `grpc-status` 1, `CANCELLED`.
        GrpcCancelled = "grpc_cancelled",
        /// The same with 4, `DEADLINE_EXCEEDED`.
        GrpcDeadlineExceeded = "grpc_deadline_exceeded",
        /// The same with 8, `RESOURCE_EXHAUSTED`.
        GrpcResourceExhausted = "grpc_resource_exhausted",
        /// The same with 13, `INTERNAL`.
        GrpcInternal = "grpc_internal",
        /// The same with 14, `UNAVAILABLE`.
        GrpcUnavailable = "grpc_unavailable",
    }
}

settings! {
    /// Backends that can stand in for each other.
    "a backend group" => pub struct BackendGroup {
        /// Name of the group, for routes to point at.
        id: Spanned<String>, rule Form(&WORD), example "api-servers";
        /// How to pick the backend for a request.
        strategy: Spanned<Strategy> = Spanned::unwritten(Strategy::RoundRobin), example "least_connections";
        /// The key of the strategy `hash`, and how far it may go.
        hash: Spanned<Hash>, example {"key": "${header.X-User}"};
        /// Keeps each client at the backend that it was sent to first, whatever the strategy says later.
        sticky: Option<Spanned<Sticky>>, example {"by": "cookie", "ttl": "1h"};
        /// The backends.
        backends: Vec<Spanned<Backend>>, example [{"url": "http://10.0.0.1:8001", "weight": 100}];
        /// Where further backends are found while Forebay runs: in the domain name system, in files, among services that register
        /// themselves. Any number of them, beside `backends` or without.
        sources: Vec<Spanned<BackendSource>>, example [{"dns": "app.example.com", "port": 8080}];
        /// How to find out which backends are well.
        health_check: Spanned<HealthCheck>, example {"enabled": true, "path": "/ping"};
        /// Gives a backend nothing for a time once many requests have failed there, then one request at a time. Without it, never.
        circuit_breaker: Option<Spanned<CircuitBreaker>>, example {"failure_threshold": 10};
        /// What becomes of requests where no backend may be given any.
        when_all_unhealthy: WhenAllUnhealthy = WhenAllUnhealthy::Fail, example "fail_open";
        /// Requests of the group under way at a time, over all backends and those that wait included; further ones are answered with 503.
        /// Without it, any number.
        max_requests: Option<u32>, rule Within(1, 10_000_000), example 500;
        /// A limit of requests under way that follows the group's own latency: none while all is well, and under overload as many as the
        /// backends can do without a queue. Further ones are answered with 503. Without it, none.
        adaptive_concurrency: Option<Spanned<AdaptiveConcurrency>>, example {"mode": "shadow"};
        /// What is spoken with the backends.
        protocol: Spanned<BackendProtocol> = Spanned::unwritten(BackendProtocol::Auto), example "h2c";
        /// How TLS is spoken to backends at `https://` and `tls://`.
        tls: Option<Spanned<BackendTls>>, example {"ca_file": "certs/backends-ca.crt"};
        /// Connections to the backends that are kept for further requests.
        connection_pool: Spanned<ConnectionPool>, example {"max_connections_per_host": 10};
        /// How long to wait for a backend.
        timeout: Spanned<Timeout>, example {"request": "1m"};
        /// Tells backends who the client is by the PROXY protocol, at the beginning of each connection. One for requests then carries one
        /// request and is closed.
        send_proxy_protocol: Spanned<SendProxyProtocol> = Spanned::unwritten(SendProxyProtocol::Off), example "v2";
        /// When to try again.
        retry: Spanned<Retry>, example {"max_attempts": 2};
        /// Asks a second backend as well where the first takes longer than is usual. For requests with a safe method (RFC 9110 section
        /// 9.2.1) and without a body; the first answer that is no 5xx counts. Charged to the budget of `retry`.
        hedge: Option<Spanned<Hedge>>, example {"percentile": 95};
    }

    /// One address that answers requests.
    "a backend" short url => pub struct Backend {
        /// Where it is: `http://host:port`, `https://host:port` for TLS, or `unix:/path/of/socket`; for listeners with `protocol: tcp` also
        /// `tcp://host:port`, and `tls://host:port` for TLS.
        url: Spanned<BackendUrl>, example "http://10.0.0.1:8001";
        /// Its share of the requests relative to the others, for the strategies `weighted`, `least_connections`, `ip_hash` and
        /// `hash`. 0 takes it out of their choice, unless all have 0.
        weight: Spanned<u32> = Spanned::unwritten(1), rule Within(0, 1000), example 100;
        /// Connections at a time to this backend, instead of `connection_pool.max_connections_per_host`.
        max_connections: Option<u32>, rule Within(1, 1_000_000), example 50;
    }

    /// The strategy `hash`.
    "the hash" => pub struct Hash {
        /// What decides: a template. Requests for which it is empty go to any backend.
        key: Spanned<String> = Spanned::unwritten("${client_ip}".to_owned()), rule Form(&WORD), example "${cookie.session}";
        /// Percent of the average load that a backend may have; above it, and above 8 requests under way, its keys go to the next one on
        /// the ring. 0 is no bound.
        load_factor: Spanned<u32> = Spanned::unwritten(125), rule Within(0, 10_000), example 150;
    }

    /// Keeping clients at their backends. A client moves when its backend cannot be reached or is no longer in the group.
    "sticky sessions" => pub struct Sticky {
        /// How a client is recognised.
        by: StickyBy = StickyBy::Cookie, example "client_ip";
        /// Name of the cookie. Without it, `forebay_` and the group's.
        name: Option<Spanned<String>>, rule Form(&COOKIE_NAME), example "route";
        /// How long a browser keeps the cookie. Without it, until it is closed.
        ttl: Option<Duration>, rule Positive, example "1h";
        /// Paths for which a browser sends the cookie.
        path: String = "/".to_owned(), rule Form(&COOKIE_PATH), example "/shop";
        /// Whether scripts in the browser cannot see the cookie.
        http_only: bool = true, example false;
        /// With which requests from other sites a browser sends the cookie.
        same_site: Spanned<SameSite> = Spanned::unwritten(SameSite::Lax), example "strict";
        /// Whether the cookie is for TLS only.
        secure: Secure = Secure::Auto, example "always";
        /// What the cookie is signed with, 16 bytes or more; every Forebay that has the same takes the others' cookies. Without it, each
        /// makes one up when it starts.
        secret: Option<Spanned<String>>, rule Form(&WORD), example "${env:STICKY_SECRET}";
        /// By address: how long a client may be silent before it is forgotten.
        timeout: Duration = Duration::from_secs(30 * 60), rule Positive, example "2h";
        /// By address: the latest clients that are remembered at least.
        max_clients: u32 = 100_000, rule Within(16, 100_000_000), example 1_000_000;
    }

    /// Finding out which backends are well.
    "a health check" => pub struct HealthCheck {
        /// Whether to ask the backends.
        enabled: Spanned<bool> = Spanned::unwritten(false), example true;
        /// How often to ask.
        interval: Duration = Duration::from_secs(10), rule Positive, example "30s";
        /// How long an answer may take.
        timeout: Duration = Duration::from_secs(5), rule Positive, example "2s";
        /// What to ask.
        protocol: CheckProtocol = CheckProtocol::Http, example "tcp";
        /// What to ask for.
        path: Spanned<String> = Spanned::unwritten("/health".to_owned()), rule Form(&TARGET), example "/ping";
        /// With `grpc`, the service that is asked for. Without it, the server as a whole.
        service: Option<Spanned<String>>, rule Form(&WORD), example "shop.Cart";
        /// The method of the request.
        method: CheckMethod = CheckMethod::Get, example "HEAD";
        /// `Host` of the request. Without it, the backend's own.
        host: Option<Spanned<String>>, rule Form(&WORD), example "example.com";
        /// Further fields of the request.
        headers: Pairs, example {"X-Probe": "forebay"};
        /// Statuses of good answers.
        expected_status: Vec<Spanned<Statuses<100>>> = vec![Spanned::unwritten(Statuses::class(2)), Spanned::unwritten(Statuses::class(3))],
            example ["200", "204"];
        /// What the first 64 KiB of a good answer's body have in them.
        expected_body: Option<String>, example "ok";
        /// Whether a backend is used before it has been checked.
        assume_healthy: bool = true, example false;
        /// The longest time between two checks of a backend that has been unwell for long: after every five bad answers it doubles.
        max_interval: Duration = Duration::from_secs(60), rule Positive, example "5m";
        /// Good answers in a row after which a backend is well again.
        healthy_threshold: u32 = 2, rule Within(1, 1000), example 1;
        /// Bad answers in a row after which a backend is taken out.
        unhealthy_threshold: u32 = 3, rule Within(1, 1000), example 2;
        /// Learning from ordinary requests as well.
        passive: Spanned<PassiveCheck>, example {"enabled": false};
        /// How long a backend that is back is given less than its share: from a tenth of it to all, growing evenly. 0 is at once.
        slow_start: Duration = Duration::from_secs(10), example "30s";
    }

    /// Taking a backend out because ordinary requests fail there.
    "a passive check" => pub struct PassiveCheck {
        /// Whether to watch ordinary requests.
        enabled: Spanned<bool> = Spanned::unwritten(true), example false;
        /// Failures in a row after which a backend is taken out: answers with a status from 500 to 599, none in time, or broken off. A
        /// connection that cannot be had is enough by itself.
        max_failures: u32 = 5, rule Within(1, 100_000), example 10;
        /// How long a failure counts, and how long a backend has to stay in for each ejection to be forgotten.
        observation_window: Duration = Duration::from_secs(60), rule Positive, example "30s";
        /// How long a backend is taken out the first time; the n-th time it is n times as long.
        ejection_time: Duration = Duration::from_secs(10), rule Positive, example "30s";
        /// No ejection is longer.
        max_ejection_time: Duration = Duration::from_secs(300), rule Positive, example "2m";
        /// Backends that may be taken out at a time, as a percentage of the group's, rounded down. So half of two is one, and half of one
        /// is none.
        max_ejected_percent: u32 = 50, rule Within(0, 100), example 30;
    }

    /// Giving a backend nothing once many requests have failed there.
    "a circuit breaker" => pub struct CircuitBreaker {
        /// Failures within the window, in a row or not, that open the breaker: everything that `health_check.passive` counts.
        failure_threshold: u32 = 5, rule Within(1, 1000), example 10;
        /// How long a failure counts.
        window: Duration = Duration::from_secs(60), rule Positive, example "10s";
        /// How long an open breaker lets nothing through. Then it lets one request at a time through.
        open_timeout: Duration = Duration::from_secs(30), rule Positive, example "5s";
        /// Good answers to such requests after which everything goes through again. One failure opens the breaker anew.
        success_threshold: u32 = 1, rule Within(1, 1000), example 3;
    }

    /// A limit that follows the latency.
    "adaptive concurrency" short mode => pub struct AdaptiveConcurrency {
        /// What is done with the limit.
        mode: AdaptiveMode = AdaptiveMode::On, example "shadow";
        /// The limit is never lower. No more than the backends do at a time for sure.
        min_limit: Spanned<u32> = Spanned::unwritten(10), rule Within(1, 10_000_000), example 4;
        /// The limit is never higher; while all is well, it is here.
        max_limit: Spanned<u32> = Spanned::unwritten(10_000), rule Within(1, 10_000_000), example 2000;
        /// The latency to be had under overload, in percent of what is usual without. A higher one keeps more requests waiting.
        latency_percent: u32 = 200, rule Within(120, 1000), example 300;
    }

    /// Connections to backends, kept for further requests.
    "a connection pool" => pub struct ConnectionPool {
        /// Unused connections to keep to each backend.
        max_idle_connections: u32 = 100, rule Within(0, 1_000_000), example 20;
        /// Connections at a time to each backend, used and unused. Without it 100, and in a group that listeners with `protocol: tcp` point at
        /// and no route does, as many as these listeners take together.
        max_connections_per_host: Option<u32>, rule Within(1, 1_000_000), example 10;
        /// Requests at a time on one connection that carries several (HTTP/2), where the backend does not want fewer. A further
        /// connection is opened when all have as many.
        max_concurrent_streams: u32 = 128, rule Within(1, 100_000), example 32;
        /// Asks on connections over HTTP/2 that have been silent whether anybody is there (`PING`). Without it, nobody is asked.
        keepalive_ping: Option<Spanned<KeepalivePing>>, example {"interval": "1m"};
        /// How long an unused connection is kept.
        idle_timeout: Duration = Duration::from_secs(90), rule Positive, example "30s";
        /// How long any connection is used before it is replaced.
        max_age: Duration = Duration::from_secs(60 * 60), rule Positive, example "10m";
        /// Requests that may wait for a connection to a backend; further ones are answered with 503.
        max_waiting: u32 = 1000, rule Within(0, 1_000_000), example 100;
        /// How long a request waits for a connection before it is answered with 503.
        wait_timeout: Duration = Duration::from_secs(5), rule Positive, example "1s";
    }

    /// Finding connections at whose other end nobody is.
    "a keepalive ping" => pub struct KeepalivePing {
        /// Silence of the backend after which it is asked. Servers of gRPC end connections on which they are asked more than twice within five
        /// minutes without having anything to send, unless they are told otherwise.
        interval: Duration = Duration::from_secs(300), rule Positive, example "30s";
        /// How long it may stay silent then. After that the connection is lost, with all that is under way on it.
        timeout: Duration = Duration::from_secs(10), rule Positive, example "5s";
        /// Whether to ask also where no request is under way.
        when_idle: bool = false, example true;
    }

    /// How long to wait for a backend.
    "timeouts" => pub struct Timeout {
        /// Until a connection stands.
        connect: Duration = Duration::from_secs(5), rule Positive, example "2s";
        /// Until the head of the answer is there; after that the client gets 504.
        request: Duration = Duration::from_secs(30), rule Positive, example "1m";
        /// From the arrival of a request until the head of its answer is there, over all attempts and waits; then 504.
        total: Option<Duration>, rule Positive, example "1m";
        /// Silence while a body is moving.
        idle: Duration = Duration::from_secs(90), rule Positive, example "5m";
        /// Silence in both directions of a connection that was switched to another protocol, such as a WebSocket.
        tunnel: Duration = Duration::from_mins(10), rule Positive, example "1h";
    }

    /// Asking a second backend.
    "hedging" => pub struct Hedge {
        /// How many percent of answers are usual. The time that these take is worked out for each backend, and the median of the backends
        /// counts, so a slow one does not make slowness usual. A second backend is asked after one and a half times as long.
        percentile: u32 = 95, rule Within(50, 99), example 99;
        /// Hedges as a percentage of the group's requests of the last ten seconds; no more, even where the budget of `retry` would allow it.
        max_percent: u32 = 10, rule Within(1, 100), example 5;
        /// No second backend is asked sooner.
        min_delay: Duration = Duration::from_millis(1), rule Positive, example "20ms";
    }

    /// Trying again.
    "retries" => pub struct Retry {
        /// Attempts in all, the first one included.
        max_attempts: u32 = 3, rule Within(1, 10), example 2;
        /// How the wait before each further attempt grows.
        backoff: Backoff = Backoff::Exponential, example "linear";
        /// The first wait. An attempt at a backend that has not been asked yet, after one that could not be reached, does not wait.
        delay: Duration = Duration::from_millis(100), rule Positive, example "50ms";
        /// No wait is longer. An answer whose `Retry-After` asks for more is passed on as it is.
        max_delay: Duration = Duration::from_secs(1), rule Positive, example "5s";
        /// Retries as a percentage of the group's requests of the last ten seconds; beyond that failures are passed on.
        budget: u32 = 20, rule Within(0, 1000), example 10;
        /// Retries per second that are made whatever the budget says.
        min_retries_per_second: u32 = 3, rule Within(0, 1_000_000), example 10;
        /// What is worth another attempt. A request that a backend may have received is only sent again if its method is idempotent
        /// (RFC 9110 section 9.2.2) and no more than 64 KiB of its body have gone; for a status of gRPC the method does not matter.
        retry_on: Vec<RetryOn> = vec![RetryOn::ConnectionError], example ["connection_error", "timeout", "5xx"];
    }
}

//! Listeners: where connections are taken, and the limits they have to keep.

use std::net::SocketAddr;
use std::time::Duration;

use super::tls::{Hsts, Tls};
use crate::span::Spanned;
use crate::value::Value;
use crate::value::form::{SERVER_NAME, UPGRADE, WORD};
use crate::value::{Pairs, Size};

choices! {
    /// What a listener speaks.
    pub enum Protocol {
        /// HTTP/1.1, HTTP/1.0 and HTTP/2.
        Http = "http",
        /// Whatever bytes there are, passed on both ways to one backend for each connection.
        Tcp = "tcp",
    }

    /// Whether connections begin with a header of the PROXY protocol (versions 1 and 2), which says who the client is.
    pub enum ProxyProtocol {
        /// They do not.
        Off = "off",
        /// Those of `trusted_proxies` may.
        Accept = "accept",
        /// They all do, and come from `trusted_proxies`.
        Require = "require",
    }
}

settings! {
    /// HTTP/2 (RFC 9113), over TLS where the client asks for it, and on plain listeners for clients that begin with it.
    "HTTP/2" => pub struct Http2 {
        /// Whether it is spoken.
        enabled: bool = true, example false;
        /// Requests at a time on one connection; a client may not begin more.
        max_concurrent_streams: u32 = 128, rule Within(1, 100_000), example 256;
        /// Bytes of one request body that a client may send ahead of what its backend has taken. It begins with 64 KiB, or this if it is less, and doubles
        /// while the backend takes as fast as the client sends, by an eighth at most of what is left of `connection_window`.
        stream_window: Size = Size::kib(512), rule Within(16 << 10, 16 << 20), example "4MiB";
        /// The same for all requests of one connection together, beyond the first 64 KiB of each; also what may come in one round trip.
        connection_window: Size = Size::kib(4096), rule Within(64 << 10, 256 << 20), example "16MiB";
        /// Requests that a client may cancel in ten seconds beyond those that it lets be answered; with more the connection is ended.
        max_resets: u32 = 200, rule Within(1, 1_000_000), example 50;
        /// Frames without use that a client may send in ten seconds beyond four for each frame that carries something, in either direction; with more
        /// the connection is ended. Such are `PING`, `SETTINGS`, `WINDOW_UPDATE`, `PRIORITY`, `CONTINUATION`, empty `DATA` and unknown ones.
        max_control_frames: u32 = 1_000, rule Within(10, 1_000_000), example 500;
        /// Answers on one connection that a client may leave untaken for `write_timeout`, each of which is given up; with more the connection is ended.
        max_stalls: u32 = 10, rule Within(0, 1_000_000), example 2;
    }
}

settings! {
    /// Connections to where clients want, for requests that name another server in full (`http://host/path`) and for `CONNECT`. Everything
    /// else goes by the routes.
    "a forward proxy" => pub struct Forward {
        /// Where to: a host or network and a port, such as `example.com:443`, `*.example.com:*` for every name below one on any port, or
        /// `10.0.0.0/8:80`; with IPv6, `[2001:db8::/32]:443`. `*` is every host. A name may only lead to addresses that are public hosts',
        /// or in a network of this list. Nothing else is allowed.
        allow: Vec<Spanned<String>>, rule Form(&WORD), example ["*.example.com:443", "10.0.0.0/8:*"];
        /// How long until a connection stands, finding its address included.
        connect_timeout: Duration = Duration::from_secs(5), rule Positive, example "2s";
        /// Until the head of the answer is there; after that the client gets 504.
        request_timeout: Duration = Duration::from_secs(30), rule Positive, example "1m";
        /// Silence while a body is moving, and in both directions of a tunnel that `CONNECT` has opened.
        idle_timeout: Duration = Duration::from_mins(10), rule Positive, example "1h";
    }
}

settings! {
    /// One address to take connections at, and what clients may do there.
    "a listener" => pub struct Listener {
        /// Name of the listener in logs and metrics. Without it, its address.
        id: Option<Spanned<String>>, rule Form(&WORD), example "public";
        /// IP address and port. `:8080` listens on all addresses; port 0 takes any free port. Beside a listener for all addresses, one with an address of its own takes what comes there; it is told as a warning.
        address: Spanned<SocketAddr>, example "0.0.0.0:8080";
        /// What to speak.
        protocol: Spanned<Protocol> = Spanned::unwritten(Protocol::Http), example "http";
        /// With `protocol: tcp`: the group whose backends get the connections. With `sni`, that of connections that ask for no name there.
        group: Option<Spanned<String>>, rule Form(&WORD), example "databases";
        /// With `protocol: tcp`: groups by the name that a client's TLS asks for, exactly or as one label in front of a name (`*.example.com`).
        /// TLS is not ended here, but passed on as it is.
        sni: Spanned<Pairs>, rule Names("server names", &SERVER_NAME), example {"db.example.com": "databases", "*.apps.example.com": "apps"};
        /// With `protocol: tcp`: how long to wait for a connection to a backend, where it is not the group's `timeout` that says so.
        connect_timeout: Option<Spanned<Duration>>, rule Positive, example "2s";
        /// With `protocol: tcp`: how long a connection may be silent in both directions.
        idle_timeout: Duration = Duration::from_mins(10), rule Positive, example "1h";
        /// Whether connections begin with a header of the PROXY protocol.
        proxy_protocol: Spanned<ProxyProtocol> = Spanned::unwritten(ProxyProtocol::Off), example "require";
        /// How long such a header may take to arrive; after that the connection is closed.
        proxy_protocol_timeout: Duration = Duration::from_secs(5), rule Positive, example "2s";
        /// File with the certificate chain for TLS, in PEM form.
        cert_file: Option<Spanned<String>>, rule Form(&WORD), example "certs/server.crt";
        /// File with the private key for TLS, in PEM form.
        key_file: Option<Spanned<String>>, rule Form(&WORD), example "certs/server.key";
        /// More certificates, and how TLS is spoken.
        tls: Option<Spanned<Tls>>, example {"certificates": [{"cert_file": "certs/a.crt", "key_file": "certs/a.key"}]};
        /// Sends clients of this listener, which has no TLS, to the same place at the first listener that has it, with 308.
        redirect_to_https: Spanned<bool> = Spanned::unwritten(false), example true;
        /// Tells browsers to use nothing but HTTPS from then on. For listeners with TLS.
        hsts: Option<Spanned<Hsts>>, example {"max_age": "180d", "include_subdomains": true};
        /// How long a TLS handshake may take, or with `sni` its first message; after that the connection is closed.
        handshake_timeout: Duration = Duration::from_secs(10), rule Positive, example "5s";
        /// HTTP/2, which clients choose where they can.
        http2: Spanned<Http2>, example {"max_concurrent_streams": 256};
        /// Protocols to which clients may switch a connection (RFC 9110 section 7.8), where a backend agrees. A request for another one
        /// is answered as if it had not asked. An empty list allows none.
        upgrades: Vec<Spanned<String>> = vec![Spanned::unwritten("websocket".to_owned())], rule Form(&UPGRADE), example ["websocket", "chat"];
        /// Makes it a forward proxy.
        forward: Option<Spanned<Forward>>, example {"allow": ["*.example.com:443"]};
        /// HTTP/3: how long a connection may be silent. Accepted now, acts once HTTP/3 is there.
        max_idle_timeout: Duration = Duration::from_secs(30), rule Positive, example "30s";
        /// HTTP/3: requests at a time on one connection. Accepted now, acts once HTTP/3 is there.
        max_incoming_streams: u32 = 100, rule Within(1, 100_000), example 100;
        /// HTTP/3: how often a silent connection is kept alive. Accepted now, acts once HTTP/3 is there.
        keep_alive_period: Duration = Duration::from_secs(15), rule Positive, example "15s";
        /// Connections at a time; further ones are answered with 503 and closed, or just closed with `protocol: tcp`.
        max_connections: u32 = 10_000, rule Within(1, 10_000_000), example 50000;
        /// Longest request line; a longer one is answered with 414.
        max_request_line: Size = Size::kib(8), rule Within(64, 1 << 20), example "16KiB";
        /// Largest block of request headers; a larger one is answered with 431.
        max_header_size: Size = Size::kib(32), rule Within(256, 16 << 20), example "64KiB";
        /// Most header fields in a request; with more, it is answered with 431.
        max_header_count: u32 = 100, rule Within(1, 10_000), example 200;
        /// Largest request body; a larger one is answered with 413.
        max_body: Option<Size>, example "10MiB";
        /// How long the head of a request may take to arrive; after that it is answered with 408.
        header_timeout: Duration = Duration::from_secs(10), rule Positive, example "5s";
        /// How long a request body may pause; after that the request is answered with 408.
        body_timeout: Duration = Duration::from_secs(30), rule Positive, example "1m";
        /// How long a connection may wait for its next request.
        keep_alive_timeout: Duration = Duration::from_secs(75), rule Positive, example "30s";
        /// How long a client may leave an answer unread.
        write_timeout: Duration = Duration::from_secs(30), rule Positive, example "1m";
        /// Bytes per second at which a client has to send a body and take an answer, over all the time that it is waited for: beyond
        /// `body_timeout` or `write_timeout` it gets only as much time as its bytes take at this rate. `0B` is no rate.
        min_rate: Size = Size::bytes(240), rule Within(0, 1 << 30), example "1KiB";
    }
}

impl Listener {
    /// Keys about HTTP that say something else than their defaults.
    pub fn about_http(&self) -> Vec<&'static str> {
        const KEYS: [&str; 17] = [
            "http2",
            "upgrades",
            "forward",
            "redirect_to_https",
            "hsts",
            "max_idle_timeout",
            "max_incoming_streams",
            "keep_alive_period",
            "max_request_line",
            "max_header_size",
            "max_header_count",
            "max_body",
            "header_timeout",
            "body_timeout",
            "keep_alive_timeout",
            "write_timeout",
            "min_rate",
        ];
        self.changed(&KEYS)
    }

    /// Keys about plain TCP that say something else than their defaults.
    pub fn about_tcp(&self) -> Vec<&'static str> {
        self.changed(&["group", "sni", "connect_timeout", "idle_timeout"])
    }

    fn changed(&self, keys: &[&'static str]) -> Vec<&'static str> {
        let (mine, default) = (self.write(), Self::default().write());
        let keys = keys.iter().copied();
        keys.filter(|key| mine.get(key) != default.get(key))
            .collect()
    }
}

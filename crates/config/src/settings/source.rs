//! Where backends of a group are found while Forebay runs.

use std::net::SocketAddr;
use std::time::Duration;

use crate::span::Spanned;
use crate::value::BackendUrl;
use crate::value::form::WORD;

choices! {
    /// Which records of a name lead to backends.
    pub enum DnsRecords {
        /// Addresses: A and AAAA. The port is that of the key `port`.
        Addresses = "a",
        /// Services: SRV (RFC 2782), which have ports and weights of their own.
        Services = "srv",
    }
}

settings! {
    /// Where backends are found: one of `dns`, `file` and `registry`.
    "a source of backends" => pub struct BackendSource {
        /// A name whose addresses are backends. It is looked up again when the answer is no longer valid. An answer without addresses
        /// removes all; where there is no good answer, what was found last stays.
        dns: Option<Spanned<String>>, rule Form(&WORD), example "app.example.com";
        /// With `dns`: the port of the backends. Needed for the type `a`; services have their own.
        port: Option<Spanned<u16>>, rule Within(1, 65535), example 8080;
        /// With `dns`: what to look up.
        r#type: Spanned<DnsRecords> = Spanned::unwritten(DnsRecords::Addresses), example "srv";
        /// With `dns` and addresses: the weight of each backend.
        weight: u32 = 1, rule Within(0, 1000), example 10;
        /// With `dns`: how long to wait at least before looking again, however short an answer is valid.
        min_interval: Duration = Duration::from_secs(1), rule Positive, example "5s";
        /// With `dns`: how long to wait at most, however long an answer is valid.
        max_interval: Duration = Duration::from_secs(5 * 60), rule Positive, example "1m";
        /// With `dns`: the name server to ask. Without it, those of the system.
        resolver: Option<Spanned<SocketAddr>>, example "10.0.0.53:53";
        /// A file with a list of backends, such as `[ { url: "http://10.0.0.1:8080", weight: 2 } ]`, on its own or under the key
        /// `backends`; YAML, or JSON or TOML by its extension. It is read again whenever it changes; one with a mistake changes nothing.
        file: Option<Spanned<String>>, rule Form(&WORD), example "backends.d/app.yaml";
        /// The name of services that register themselves. Their weight is that of their metadata.
        registry: Option<Spanned<String>>, rule Form(&WORD), example "app";
        /// With `registry`: only services that have all of these tags.
        tags: Vec<Spanned<String>>, rule Form(&WORD), example ["blue"];
        /// With `registry`: only services that speak this.
        scheme: String = "http".to_owned(), rule Form(&WORD), example "https";
    }

    /// A file that lists backends.
    "a list of backends" => pub struct BackendList {
        /// The backends.
        backends: Vec<Spanned<ListedBackend>>, example [{"url": "http://10.0.0.1:8001", "weight": 100}];
    }

    /// A backend in a file that lists them.
    "a listed backend" short url => pub struct ListedBackend {
        /// Where it is: `http://host:port`, `https://host:port` for TLS, or `unix:/path/of/socket`.
        url: Spanned<BackendUrl>, example "http://10.0.0.1:8001";
        /// Its share of the requests relative to the others.
        weight: u32 = 1, rule Within(0, 1000), example 100;
    }
}

use std::net::SocketAddr;

use message::{ClientCertificate, RequestHead};
use regex::bytes::Regex;

/// What is known of an exchange besides the text of its request. Filters may
/// change the request; nobody changes these.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The client's address, after trusted proxies have been believed.
    pub client: SocketAddr,
    pub request_id: &'a str,
    /// `http` or `https`: how the client came.
    pub scheme: &'a str,
    /// The host in normal form; empty where the request names none.
    pub host: &'a [u8],
    /// The path in normal form, as the request was routed; `*` for `OPTIONS *`.
    pub path: &'a [u8],
    /// The expression by which the route took the path, if it has one.
    pub expression: Option<&'a Regex>,
    /// The id of the route.
    pub route: &'a str,
    /// The id of the route's backend group; empty where it has none.
    pub group: &'a str,
    /// The name of the listener.
    pub listener: &'a str,
    /// What the client has shown, where it was asked to.
    pub certificate: Option<&'a ClientCertificate>,
}

/// A request with everything known of it, to be read.
#[derive(Debug, Clone, Copy)]
pub struct Exchange<'a> {
    pub request: &'a RequestHead,
    pub facts: &'a Facts<'a>,
}

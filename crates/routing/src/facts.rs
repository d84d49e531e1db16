use std::net::IpAddr;

use message::{ClientCertificate, Fields, Method};

/// What routing may look at in a request.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The host in normal form: lower case, no port, no trailing dot. Empty
    /// where the request names none.
    pub host: &'a [u8],
    /// The path in normal form, beginning with `/`; `*` for `OPTIONS *`.
    pub path: &'a [u8],
    /// As received, without its `?`.
    pub query: &'a [u8],
    pub method: Method,
    /// The method as received.
    pub method_text: &'a [u8],
    /// The client's address, after trusted proxies have been believed.
    pub client: IpAddr,
    pub fields: &'a Fields,
    /// What the client has shown, where it was asked to.
    pub certificate: Option<&'a ClientCertificate>,
}

//! Telling backends by the PROXY protocol who the client is.
//!
//! A connection that begins so is its client's: what another client asks must
//! not go over it. So one for requests carries one, and is closed.

use std::net::SocketAddr;

use wire::proxy_protocol::{Ends, Said, SaidOfTls, Version, write};

use crate::exchange::Exchange;
use crate::sockets::stream::Writer;

/// What is known of a client besides its connection.
pub(crate) struct Introduction<'a> {
    pub(crate) client: SocketAddr,
    /// What the client's connection itself began with.
    pub(crate) ends: Option<Ends>,
    /// The name that it has asked for.
    pub(crate) name: &'a [u8],
    /// Of the connection or request.
    pub(crate) id: &'a [u8],
}

/// Appends a header for a connection on behalf of a client.
pub(crate) fn write_header(
    version: Version,
    who: &Introduction<'_>,
    client: &Writer,
    out: &mut Vec<u8>,
) {
    let here = || client.local_address().unwrap_or(who.client);
    let ends = who.ends.unwrap_or_else(|| Ends {
        source: who.client,
        destination: canonical(here()),
    });
    let terms = client.terms();
    let protocol = terms.as_ref().and_then(|terms| terms.protocol.as_deref());
    let said = Said {
        ends,
        protocol: protocol.unwrap_or_default(),
        authority: who.name,
        unique_id: who.id,
        tls: terms.as_ref().map(|terms| SaidOfTls {
            version: match terms.version {
                tls::Version::Tls12 => "TLSv1.2",
                tls::Version::Tls13 => "TLSv1.3",
            },
            has_certificate: client.certificate().is_some(),
        }),
    };
    write(version, &said, out);
}

/// The header for an exchange; empty where its group wants none.
pub(crate) fn introduction(x: &Exchange<'_>) -> Vec<u8> {
    let mut header = Vec::new();
    let group = x.progress.backend.map(|(group, _)| group);
    let group = group.and_then(|group| x.plan.groups.get(group as usize));
    let Some(version) = group.and_then(|group| group.send_proxy_protocol) else {
        return header;
    };
    let who = Introduction {
        client: x.address,
        ends: None,
        name: &x.heads.host,
        id: x.id.as_bytes(),
    };
    let client = x.client.outbound.io();
    write_header(version, &who, client, &mut header);
    header
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

//! Writing a header.

use std::net::{IpAddr, SocketAddr};

use super::{Ends, SIGNATURE, Version};

/// What a header says.
#[derive(Debug, Clone, Copy)]
pub struct Said<'a> {
    pub ends: Ends,
    /// The application protocol that TLS has agreed on; empty for none.
    pub protocol: &'a [u8],
    /// The name that the client asked TLS for; empty for none.
    pub authority: &'a [u8],
    /// Names the connection; at most 128 bytes, empty for none.
    pub unique_id: &'a [u8],
    /// Where the client came with TLS.
    pub tls: Option<SaidOfTls<'a>>,
}

/// What a header says of a client's TLS.
#[derive(Debug, Clone, Copy)]
pub struct SaidOfTls<'a> {
    /// Such as `TLSv1.3`.
    pub version: &'a str,
    /// The client has shown a certificate, which was good.
    pub has_certificate: bool,
}

/// Types of further facts (sections 2.2.1 to 2.2.7).
const ALPN: u8 = 0x01;
const AUTHORITY: u8 = 0x02;
const UNIQUE_ID: u8 = 0x05;
const SSL: u8 = 0x20;
const SSL_VERSION: u8 = 0x21;

/// Of a client: it came with TLS; its certificate belongs to this connection,
/// and to this session.
const CAME_WITH_TLS: u8 = 0x01;
const HAS_CERTIFICATE: u8 = 0x02 | 0x04;

/// Appends a header. Version 1 has room for the ends alone.
pub fn write(version: Version, said: &Said<'_>, out: &mut Vec<u8>) {
    match version {
        Version::V1 => line(said.ends, out),
        Version::V2 => binary(said, out),
    }
}

/// Appends a header that speaks for whoever sends it, as checks do.
pub fn write_local(version: Version, out: &mut Vec<u8>) {
    match version {
        Version::V1 => out.extend_from_slice(b"PROXY UNKNOWN\r\n"),
        Version::V2 => {
            out.extend_from_slice(&SIGNATURE);
            out.extend_from_slice(&[0x20, 0, 0, 0]);
        }
    }
}

/// Both are of one family: IPv6 unless both are IPv4.
fn same_family(ends: Ends) -> (SocketAddr, SocketAddr) {
    let Ends {
        source,
        destination,
    } = ends;
    if source.is_ipv4() == destination.is_ipv4() {
        return (source, destination);
    }
    let mapped = |address: SocketAddr| match address.ip() {
        IpAddr::V4(ip) => SocketAddr::new(ip.to_ipv6_mapped().into(), address.port()),
        IpAddr::V6(_) => address,
    };
    (mapped(source), mapped(destination))
}

fn line(ends: Ends, out: &mut Vec<u8>) {
    let (source, destination) = same_family(ends);
    let family = if source.is_ipv4() { "TCP4" } else { "TCP6" };
    let (from, to) = (source.port(), destination.port());
    let (source, destination) = (source.ip(), destination.ip());
    let line = format!("PROXY {family} {source} {destination} {from} {to}\r\n");
    out.extend_from_slice(line.as_bytes());
}

fn binary(said: &Said<'_>, out: &mut Vec<u8>) {
    let (source, destination) = same_family(said.ends);
    out.extend_from_slice(&SIGNATURE);
    out.push(0x21);
    out.push(if source.is_ipv4() { 0x11 } else { 0x21 });
    with_length(out, |out| {
        for end in [source, destination] {
            match end.ip() {
                IpAddr::V4(ip) => out.extend_from_slice(&ip.octets()),
                IpAddr::V6(ip) => out.extend_from_slice(&ip.octets()),
            }
        }
        for end in [source, destination] {
            out.extend_from_slice(&end.port().to_be_bytes());
        }
        for (kind, value) in [
            (ALPN, said.protocol),
            (AUTHORITY, said.authority),
            (UNIQUE_ID, said.unique_id),
        ] {
            fact(kind, value, out);
        }
        if let Some(tls) = &said.tls {
            out.push(SSL);
            with_length(out, |out| of_tls(tls, out));
        }
    });
}

/// No value here is longer than a name or an id can be.
const LONGEST_VALUE: usize = 255;

fn fact(kind: u8, value: &[u8], out: &mut Vec<u8>) {
    if (1..=LONGEST_VALUE).contains(&value.len()) {
        out.push(kind);
        with_length(out, |out| out.extend_from_slice(value));
    }
}

fn of_tls(tls: &SaidOfTls<'_>, out: &mut Vec<u8>) {
    let client = match tls.has_certificate {
        true => CAME_WITH_TLS | HAS_CERTIFICATE,
        false => CAME_WITH_TLS,
    };
    out.push(client);
    // Nobody with a bad certificate comes this far; without one nothing is verified.
    let verified = u32::from(!tls.has_certificate);
    out.extend_from_slice(&verified.to_be_bytes());
    fact(SSL_VERSION, tls.version.as_bytes(), out);
}

/// Appends what `write` does, behind its length.
fn with_length(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    out.extend_from_slice(&[0, 0]);
    write(out);
    let length = (out.len() - at - 2) as u16;
    if let Some(room) = out.get_mut(at..at + 2) {
        room.copy_from_slice(&length.to_be_bytes());
    }
}

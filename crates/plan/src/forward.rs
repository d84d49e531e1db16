//! Where clients of a forward proxy may have connections opened.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;

use crate::Times;

/// How a listener is a forward proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forward {
    pub allow: Vec<Reach>,
    pub times: Times,
}

/// A place that clients may reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    host: Host,
    /// Any without.
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    Any,
    Name(Box<str>),
    /// Every name below one, which begins with a dot.
    Below(Box<str>),
    Network(IpNet),
}

/// Why a connection is not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// No entry of the list has it.
    NotListed,
    /// It leads to where only an entry with the network itself may lead.
    Prohibited,
}

impl Reach {
    pub fn parse(text: &str) -> Result<Self, String> {
        let Some((host, port)) = text.rsplit_once(':') else {
            return Err(format!(
                "`{text}` has no port; `{text}:443`, or `{text}:*` for all"
            ));
        };
        let port = match port {
            "*" => None,
            port => match port.parse() {
                Ok(port @ 1..) => Some(port),
                _ => return Err(format!("`{port}` is no port from 1 to 65535, and not `*`")),
            },
        };
        let host = Host::parse(host).ok_or_else(|| {
            format!("`{host}` is no host such as `example.com`, `*.example.com` or `*`, and no network such as `10.0.0.0/8` or `[fd00::/8]`")
        })?;
        Ok(Self { host, port })
    }

    /// Whether it allows every host, or every address of a kind.
    pub(crate) fn is_anywhere(&self) -> bool {
        match &self.host {
            Host::Any => true,
            Host::Network(network) => network.prefix_len() == 0,
            Host::Name(_) | Host::Below(_) => false,
        }
    }

    fn has_port(&self, port: u16) -> bool {
        self.port.is_none_or(|only| only == port)
    }
}

impl Host {
    fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::Any);
        }
        let bracketed = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
        let bare = bracketed.unwrap_or(text);
        let address = bare.parse::<IpAddr>().map(IpNet::from);
        if let Ok(network) = bare.parse::<IpNet>().or(address) {
            let needs_brackets = network.addr().is_ipv6();
            return (needs_brackets == bracketed.is_some()).then(|| Self::Network(network.trunc()));
        }
        let (name, is_below) = match text.strip_prefix('*') {
            Some(below) => (below.strip_prefix('.')?, true),
            None => (text, false),
        };
        let mut normal = Vec::new();
        let is_name = routing::normalise::host(name.as_bytes(), &mut normal).is_ok();
        let name = String::from_utf8(normal)
            .ok()
            .filter(|n| is_name && !n.is_empty())?;
        Some(match is_below {
            true => Self::Below(format!(".{name}").into()),
            false => Self::Name(name.into()),
        })
    }
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Any => f.write_str("*")?,
            Host::Name(name) => f.write_str(name)?,
            Host::Below(name) => write!(f, "*{name}")?,
            Host::Network(network) if network.addr().is_ipv6() => write!(f, "[{network}]")?,
            Host::Network(network) => write!(f, "{network}")?,
        }
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => f.write_str(":*"),
        }
    }
}

impl Forward {
    /// Whether a name, in normal form, may be looked up to connect to this port.
    /// Networks say nothing of names: asking for those of others would tell
    /// whoever answers.
    pub fn check_name(&self, name: &str, port: u16) -> Result<(), Refused> {
        let has = |reach: &Reach| match &reach.host {
            Host::Any => true,
            Host::Name(only) => **only == *name,
            Host::Below(end) => name.len() > end.len() && name.ends_with(&**end),
            Host::Network(_) => false,
        };
        let mut allow = self.allow.iter();
        match allow.any(|reach| reach.has_port(port) && has(reach)) {
            true => Ok(()),
            false => Err(Refused::NotListed),
        }
    }

    /// Whether an address may be connected to, for a client that has given it
    /// itself, or a name that leads there.
    pub fn check_address(&self, address: SocketAddr, is_named: bool) -> Result<(), Refused> {
        let (ip, port) = (address.ip().to_canonical(), address.port());
        let has = |wanted: &dyn Fn(&Host) -> bool| {
            let mut allow = self.allow.iter();
            allow.any(|reach| reach.has_port(port) && wanted(&reach.host))
        };
        let is_listed = has(&|host| matches!(host, Host::Network(net) if net.contains(&ip)));
        match is_listed {
            true => Ok(()),
            false if !is_named && !has(&|host| *host == Host::Any) => Err(Refused::NotListed),
            false if is_special(ip) => Err(Refused::Prohibited),
            false => Ok(()),
        }
    }
}

/// Addresses that are no public host's: of this machine, of its neighbours, of
/// services that tell a cloud's machines their secrets.
fn is_special(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_special_v4(ip),
        IpAddr::V6(ip) => is_special_v6(ip),
    }
}

fn is_special_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, d] = ip.octets();
    ip.is_loopback()
        || ip.is_private()
        || ip.is_link_local()
        || ip.is_multicast()
        || ip.is_broadcast()
        // "This network" (RFC 1122), shared by carriers (RFC 6598, where Alibaba has its
        // metadata), protocols (RFC 6890, where Oracle has), benchmarks (RFC 2544), and reserved.
        || a == 0
        || (a == 100 && b & 0xc0 == 64)
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && b & 0xfe == 18)
        || a >= 240
        // Azure's.
        || [a, b, c, d] == [168, 63, 129, 16]
}

fn is_special_v6(ip: Ipv6Addr) -> bool {
    let segments @ [first, second, ..] = ip.segments();
    let v4 = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        is_special_v4(Ipv4Addr::new(a, b, c, d))
    };
    ip.is_loopback()
        || ip.is_unspecified()
        || ip.is_multicast()
        || ip.is_unique_local()
        || ip.is_unicast_link_local()
        // Site-local (RFC 3879).
        || first & 0xffc0 == 0xfec0
        // What stands for an IPv4 address: compatible, mapped, NAT64 (RFC 6052), 6to4.
        || (segments.starts_with(&[0; 6]) || segments.starts_with(&[0, 0, 0, 0, 0, 0xffff]) || segments.starts_with(&[0x64, 0xff9b, 0, 0, 0, 0]))
            && v4(segments[6], segments[7])
        // NAT64 of the network itself (RFC 8215), which leads nobody knows where.
        || (first == 0x64 && second == 0xff9b && segments[2] == 1)
        || (first == 0x2002 && v4(second, segments[2]))
        // Teredo (RFC 4380).
        || (first == 0x2001 && second == 0)
}

#[cfg(test)]
mod tests;

//! Who the client is when another proxy stands in between.

use std::net::IpAddr;

use ipnet::IpNet;

/// The proxies that are believed when they say who the client is.
#[derive(Debug, Clone, Default)]
pub struct Trusted(Vec<IpNet>);

impl Trusted {
    pub fn new(nets: Vec<IpNet>) -> Self {
        Self(nets)
    }

    pub fn networks(&self) -> &[IpNet] {
        &self.0
    }

    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|net| net.contains(&address))
    }

    /// The client's address: the last entry of `X-Forwarded-For` that is not
    /// itself a trusted proxy. `values` are the field's values in order; `peer`
    /// is a trusted proxy. An entry that is no address ends the search, since
    /// whoever wrote it may have written everything before it.
    pub fn client<'a>(&self, peer: IpAddr, values: impl Iterator<Item = &'a [u8]>) -> IpAddr {
        let mut client = peer;
        let values: Vec<&[u8]> = values.collect();
        let entries = values.iter().rev().flat_map(|v| v.rsplit(|&b| b == b','));
        for entry in entries {
            let Some(address) = address_of(entry) else {
                break;
            };
            client = address;
            if !self.contains(address) {
                break;
            }
        }
        client
    }
}

/// An address as proxies write them: plain, `[v6]`, and with or without a port.
fn address_of(entry: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(entry).ok()?.trim();
    let with_port = || text.parse().map(|a: std::net::SocketAddr| a.ip()).ok();
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let address: Option<IpAddr> = text.parse().ok().or_else(with_port).or_else(bracketed);
    address.map(|a| a.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_untrusted_entry_is_the_client() {
        let trusted = Trusted::new(vec![
            "10.0.0.0/8".parse().unwrap(),
            "fd00::/8".parse().unwrap(),
        ]);
        let peer: IpAddr = "10.0.0.1".parse().unwrap();
        for (values, expected) in [
            (&[][..], "10.0.0.1"),
            (&["1.2.3.4"], "1.2.3.4"),
            (&["6.6.6.6, 1.2.3.4"], "1.2.3.4"),
            (&["1.2.3.4, 10.9.9.9"], "1.2.3.4"),
            (&["6.6.6.6", "1.2.3.4,10.1.1.1", "fd00::1"], "1.2.3.4"),
            (&["10.2.2.2, 10.3.3.3"], "10.2.2.2"),
            (&["1.2.3.4:5678"], "1.2.3.4"),
            (&["[2001:db8::1]:80"], "2001:db8::1"),
            (&["[2001:db8::1]"], "2001:db8::1"),
            (&["::ffff:1.2.3.4"], "1.2.3.4"),
            (&["1.2.3.4, unknown"], "10.0.0.1"),
            (&["1.2.3.4, nonsense, 10.1.1.1"], "10.1.1.1"),
        ] {
            let client = trusted.client(peer, values.iter().map(|v| v.as_bytes()));
            assert_eq!(client, expected.parse::<IpAddr>().unwrap(), "{values:?}");
        }
        assert!(trusted.contains("::ffff:10.0.0.1".parse().unwrap()));
        assert!(!trusted.contains("11.0.0.1".parse().unwrap()));
    }
}

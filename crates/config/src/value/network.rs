//! Networks and IP addresses.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

use super::written::{Fault, Written, unlike};

impl Written for IpNet {
    const NOUN: &'static str = "an IP address or network such as `10.0.0.0/8`";
    const PATTERN: &'static str = "^[0-9a-fA-F:.]+(/[0-9]{1,3})?$";

    /// Bits behind the prefix do not count and are dropped.
    fn parse(text: &str) -> Result<Self, Fault> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::from(address));
        }
        let network = text.parse::<Self>().map(|network| network.trunc());
        network.map_err(|_| {
            let fault = unlike(Self::NOUN, text);
            match text.split_once('/') {
                Some((address, _)) if address.parse::<Ipv4Addr>().is_ok() => {
                    fault.help("the prefix length of an IPv4 network is from 0 to 32")
                }
                Some((address, _)) if address.parse::<IpAddr>().is_ok() => {
                    fault.help("the prefix length of an IPv6 network is from 0 to 128")
                }
                _ => fault,
            }
        })
    }

    fn text(&self) -> String {
        self.to_string()
    }

    fn placeholder() -> Self {
        Self::from(IpAddr::from(Ipv4Addr::UNSPECIFIED))
    }
}

impl Written for IpAddr {
    const NOUN: &'static str = "an IP address such as `127.0.0.1`";
    const PATTERN: &'static str = "^[0-9a-fA-F:.]+$";

    fn parse(text: &str) -> Result<Self, Fault> {
        let unbracketed = text
            .strip_prefix('[')
            .and_then(|text| text.strip_suffix(']'));
        unbracketed
            .unwrap_or(text)
            .parse()
            .map_err(|_| unlike(Self::NOUN, text).help("names and ports do not belong here"))
    }

    fn text(&self) -> String {
        self.to_string()
    }

    fn placeholder() -> Self {
        Ipv4Addr::LOCALHOST.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_and_addresses_are_read() {
        for (text, network) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("192.0.2.1", "192.0.2.1/32"),
            ("2001:db8::/32", "2001:db8::/32"),
            ("::1", "::1/128"),
        ] {
            assert_eq!(IpNet::parse(text).map(|n| n.text()), Ok(network.to_owned()));
        }
    }

    #[test]
    fn others_are_refused() {
        for (text, help) in [
            ("10.0.0.0/33", Some("0 to 32")),
            ("::/129", Some("0 to 128")),
            ("10.0.0/8", None),
            ("localhost", None),
            ("", None),
        ] {
            let advice = IpNet::parse(text).expect_err(text).help;
            assert_eq!(advice.is_some(), help.is_some(), "{text}");
            assert!(
                advice
                    .unwrap_or_default()
                    .contains(help.unwrap_or_default())
            );
        }
        for text in ["localhost", "127.0.0.1:80", ""] {
            assert!(IpAddr::parse(text).is_err(), "{text}");
        }
        assert_eq!(
            IpAddr::parse("[::1]").map(|ip| ip.text()),
            Ok("::1".to_owned())
        );
    }
}

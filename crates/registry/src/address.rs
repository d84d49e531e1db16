//! Where a registered service can be reached: a host and a port.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU16;

use crate::fault::shown;

/// A host and a port, checked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address {
    pub host: Host,
    pub port: NonZeroU16,
}

/// An IP address, or a name in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    Ip(IpAddr),
    Name(Box<str>),
}

impl Address {
    /// An IPv6 address can stand with or without its brackets here.
    pub(crate) fn new(host: &str, port: u64) -> Result<Self, String> {
        let host = Host::parse(host)?;
        let checked = u16::try_from(port).ok().and_then(NonZeroU16::new);
        let port = checked.ok_or_else(|| no_port(&port.to_string()))?;
        Ok(Self { host, port })
    }

    /// Reads `host:port`; an IPv6 address needs its brackets.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let split = text.rsplit_once(':').filter(|(host, _)| !host.is_empty());
        let Some((host, port)) = split else {
            return Err(format!(
                "is a host and a port such as `10.0.0.1:8080`, found `{}`",
                shown(text)
            ));
        };
        if host.contains("://") {
            let text = shown(text);
            return Err(format!("the protocol belongs in `scheme`, found `{text}`"));
        }
        if host.contains(':') && !host.starts_with('[') {
            return Err(format!(
                "put brackets around an IPv6 address, as in `[::1]:8080`, found `{}`",
                shown(text)
            ));
        }
        let digits = port.bytes().all(|byte| byte.is_ascii_digit());
        let number = port.parse().ok().filter(|_| digits);
        Self::new(host, number.ok_or_else(|| no_port(port))?)
    }
}

fn no_port(found: &str) -> String {
    format!(
        "a port is a number from 1 to 65535, found `{}`",
        shown(found)
    )
}

impl Host {
    fn parse(text: &str) -> Result<Self, String> {
        let bracketed = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
        let address = match bracketed {
            Some(inside) => inside.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
            None => text.parse::<IpAddr>().ok(),
        };
        match address {
            Some(ip) if ip.is_unspecified() => Err(format!(
                "a service can listen on `{ip}` but not be reached there; give an address of its own"
            )),
            Some(ip) => Ok(Self::Ip(ip)),
            None => name(text),
        }
    }
}

fn name(text: &str) -> Result<Host, String> {
    // A name whose last label is a number could only be a misspelt address.
    let last = text.rsplit('.').next().unwrap_or_default();
    let misspelt = !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit());
    if misspelt || !is_name(text) {
        return Err(format!(
            "a host is an IP address or a name of letters, digits, `-`, `_` and dots, found `{}`",
            shown(text)
        ));
    }
    Ok(Host::Name(text.to_ascii_lowercase().into()))
}

/// Names as resolvers take them: labels of up to 63 bytes, 253 in all (RFC 1035
/// section 2.3.4), a final dot allowed; underscores too, since private names
/// have them.
fn is_name(text: &str) -> bool {
    let text = text.strip_suffix('.').unwrap_or(text);
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let label = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(fits);
    text.len() <= 253 && text.split('.').all(label)
}

impl fmt::Display for Host {
    /// Without brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Ip(address) => address.fmt(f),
            Host::Name(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for Address {
    /// As it stands in a URL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Ip(IpAddr::V6(address)) => write!(f, "[{address}]:{}", self.port),
            host => write!(f, "{host}:{}", self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_are_read_and_written() {
        for (text, url) in [
            ("10.0.0.1:80", "10.0.0.1:80"),
            ("[::1]:65535", "[::1]:65535"),
            ("App-1.Example.com:3000", "app-1.example.com:3000"),
            ("my_app:1", "my_app:1"),
            ("app.internal.:80", "app.internal.:80"),
        ] {
            assert_eq!(Address::parse(text).unwrap().to_string(), url, "{text}");
        }
        for host in ["::1", "[::1]"] {
            assert_eq!(Address::new(host, 80).unwrap().to_string(), "[::1]:80");
        }
    }

    #[test]
    fn others_are_refused() {
        for (text, problem) in [
            ("", "a host and a port"),
            ("web", "a host and a port"),
            (":80", "a host and a port"),
            ("web:", "from 1 to 65535"),
            ("web:0", "from 1 to 65535"),
            ("web:65536", "from 1 to 65535"),
            ("web:+80", "from 1 to 65535"),
            ("web:-1", "from 1 to 65535"),
            ("web:99999999999999999999999", "from 1 to 65535"),
            ("::1:80", "brackets"),
            ("[::1", "a host is"),
            ("[web]:80", "a host is"),
            ("10.0.0.256:80", "a host is"),
            ("10.0.0:80", "a host is"),
            ("a b:80", "a host is"),
            ("a..b:80", "a host is"),
            ("user@web:80", "a host is"),
            ("http://web:80", "`scheme`"),
            ("0.0.0.0:80", "listen on"),
            ("[::]:80", "listen on"),
        ] {
            let refused = Address::parse(text).expect_err(text);
            assert!(refused.contains(problem), "{text}: {refused}");
        }
        assert!(Address::new(&"a".repeat(64), 80).is_err());
        assert!(Address::new("[web]", 80).is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            host in "([a-z][a-z0-9-]{0,9}(\\.[a-z]{1,5}){0,2})|(10\\.[0-9]\\.[0-9]\\.1)|(fe80::[1-9a-f])",
            port in 1..u16::MAX,
        ) {
            let address = Address::new(&host, port.into()).unwrap();
            prop_assert_eq!(Address::parse(&address.to_string()), Ok(address));
        }

        #[test]
        fn any_text_is_refused_or_read(text in "\\PC{0,20}") {
            if let Ok(address) = Address::parse(&text) {
                prop_assert_eq!(Address::parse(&address.to_string()), Ok(address));
            }
        }
    }
}

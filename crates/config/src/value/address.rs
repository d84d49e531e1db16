//! Addresses to listen on.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use super::written::{Fault, Written, unlike};

impl Written for SocketAddr {
    const NOUN: &'static str = "an address and port such as `0.0.0.0:8080`";
    const PATTERN: &'static str = "^([0-9.]+|\\[[0-9a-fA-F:.]+\\])?:[0-9]{1,5}$";

    /// Without an address before the port, `[::]`: every address, IPv6 and IPv4.
    fn parse(text: &str) -> Result<Self, Fault> {
        if let Ok(address) = text.parse() {
            return Ok(address);
        }
        if let Some(Ok(port)) = text.strip_prefix(':').map(str::parse::<u16>) {
            return Ok((Ipv6Addr::UNSPECIFIED, port).into());
        }
        Err(unlike(Self::NOUN, text).help(advice(text)))
    }

    fn text(&self) -> String {
        self.to_string()
    }

    fn placeholder() -> Self {
        (Ipv4Addr::UNSPECIFIED, 0).into()
    }
}

/// What to write instead of `text`.
fn advice(text: &str) -> String {
    if text.parse::<Ipv6Addr>().is_ok() {
        return format!("put brackets around an IPv6 address and add a port: `[{text}]:8080`");
    }
    if text.parse::<Ipv4Addr>().is_ok() {
        return format!("add a port: `{text}:8080`");
    }
    if text.parse::<u16>().is_ok() {
        return format!("write `:{text}` to listen on all addresses");
    }
    let Some((host, port)) = text.rsplit_once(':') else {
        return "write `0.0.0.0:8080`, `[::1]:8080`, or `:8080` for all addresses".to_owned();
    };
    if port.parse::<u16>().is_err() {
        return "a port is a number from 0 to 65535".to_owned();
    }
    if host == "localhost" {
        return format!("listening needs an IP address, not a name: `127.0.0.1:{port}`");
    }
    if host.parse::<Ipv6Addr>().is_ok() {
        return format!("put brackets around an IPv6 address: `[{host}]:{port}`");
    }
    format!("listening needs an IP address, not a name; `:{port}` means all addresses")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        for (text, address) in [
            ("0.0.0.0:8080", "0.0.0.0:8080"),
            ("[::1]:80", "[::1]:80"),
            (":8080", "[::]:8080"),
            ("127.0.0.1:0", "127.0.0.1:0"),
        ] {
            assert_eq!(
                SocketAddr::parse(text).map(|a| a.text()),
                Ok(address.to_owned())
            );
        }
    }

    #[test]
    fn others_are_refused_with_advice() {
        for (text, help) in [
            ("8080", "write `:8080`"),
            ("127.0.0.1", "add a port: `127.0.0.1:8080`"),
            ("::1", "`[::1]:8080`"),
            ("fe80::1:x", "a port is a number"),
            ("0.0.0.0:99999", "a port is a number"),
            ("localhost:80", "`127.0.0.1:80`"),
            ("example.com:80", "not a name"),
            ("nonsense", "write `0.0.0.0:8080`"),
            ("", "write `0.0.0.0:8080`"),
        ] {
            let advice = SocketAddr::parse(text).expect_err(text).help;
            assert!(
                advice.as_deref().unwrap_or_default().contains(help),
                "{text}: {advice:?}"
            );
        }
    }
}

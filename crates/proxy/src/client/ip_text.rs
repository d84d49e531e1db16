//! An IP address as text, written once per connection instead of once per
//! request.

use std::io::Write;
use std::net::IpAddr;

/// The longest text: an IPv6 address with an embedded IPv4 one.
const LONGEST: usize = 45;

#[derive(Clone, Copy)]
pub(crate) struct IpText {
    text: [u8; LONGEST],
    length: u8,
}

impl IpText {
    pub(crate) fn new(ip: IpAddr) -> Self {
        let mut text = [0; LONGEST];
        let mut rest = &mut text[..];
        // Every address fits.
        let _ = write!(rest, "{ip}");
        let length = LONGEST - rest.len();
        Self {
            text,
            length: length as u8,
        }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.text
            .get(..usize::from(self.length))
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_fits() {
        for ip in [
            "0.0.0.0",
            "255.255.255.255",
            "::1",
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
            "::ffff:255.255.255.255",
        ] {
            assert_eq!(IpText::new(ip.parse().unwrap()).as_bytes(), ip.as_bytes());
        }
    }
}

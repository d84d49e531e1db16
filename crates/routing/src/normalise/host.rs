use std::fmt;
use std::io::Write;
use std::net::Ipv6Addr;

use super::is_unreserved;

/// The longest name that DNS can hold.
const LONGEST: usize = 255;

/// Why something is not a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostFault {
    /// A port without a host, or a lone dot.
    Empty,
    /// More than 255 bytes.
    TooLong,
    /// User information before an `@` (RFC 9110 section 4.2.4).
    UserInfo,
    /// A byte that no host name has.
    BadByte,
    /// Two dots in a row, or one at the beginning.
    EmptyLabel,
    /// Brackets around something other than an IPv6 address.
    BadAddress,
    /// A port that is not a number up to 65535.
    BadPort,
}

impl fmt::Display for HostFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            HostFault::Empty => "it has no name",
            HostFault::TooLong => "it is longer than 255 bytes",
            HostFault::UserInfo => "it has user information",
            HostFault::BadByte => "it has a byte that no host name has",
            HostFault::EmptyLabel => "it has an empty label",
            HostFault::BadAddress => "it has brackets without an IPv6 address",
            HostFault::BadPort => "its port is not a number up to 65535",
        })
    }
}

impl std::error::Error for HostFault {}

/// Writes the normal form of a `Host` field or an authority into `out`: lower
/// case, no port, no trailing dot, IPv6 addresses in their one shortest
/// spelling (RFC 5952). An empty `raw` is a valid `Host` (RFC 9112 section
/// 3.2) and gives an empty `out`; so does a fault.
///
/// Names are letters, digits and `-._~`: the sub-delimiters and escapes that
/// RFC 3986 would allow occur in no name that resolves, but could be mistaken
/// for structure where the host is quoted in another field.
pub fn host(raw: &[u8], out: &mut Vec<u8>) -> Result<(), HostFault> {
    out.clear();
    if raw.is_empty() {
        return Ok(());
    }
    if raw.contains(&b'@') {
        return Err(HostFault::UserInfo);
    }
    match raw.strip_prefix(b"[") {
        Some(address) => bracketed(address, out),
        None => named(raw, out),
    }
}

fn named(raw: &[u8], out: &mut Vec<u8>) -> Result<(), HostFault> {
    let name = match raw.iter().position(|&b| b == b':') {
        Some(at) => {
            let (name, port) = raw.split_at(at);
            check_port(port)?;
            name
        }
        None => raw,
    };
    let name = name.strip_suffix(b".").unwrap_or(name);
    check_name(name)?;
    out.extend(name.iter().map(u8::to_ascii_lowercase));
    Ok(())
}

fn check_name(name: &[u8]) -> Result<(), HostFault> {
    if name.is_empty() {
        return Err(HostFault::Empty);
    }
    if name.len() > LONGEST {
        return Err(HostFault::TooLong);
    }
    let mut before = b'.';
    for &byte in name {
        if byte == b'.' && before == b'.' {
            return Err(HostFault::EmptyLabel);
        }
        if !is_unreserved(byte) {
            return Err(HostFault::BadByte);
        }
        before = byte;
    }
    // One trailing dot is gone already; this is a second one.
    (before != b'.').then_some(()).ok_or(HostFault::EmptyLabel)
}

fn bracketed(raw: &[u8], out: &mut Vec<u8>) -> Result<(), HostFault> {
    let end = raw.iter().position(|&b| b == b']');
    let (address, after) = raw.split_at(end.ok_or(HostFault::BadAddress)?);
    match after.strip_prefix(b"]") {
        Some(b"") | None => {}
        Some(port) => check_port(port)?,
    }
    let address: Ipv6Addr = std::str::from_utf8(address)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or(HostFault::BadAddress)?;
    // Writing into memory cannot fail.
    let _ = write!(out, "[{address}]");
    Ok(())
}

/// A port with its colon. No digits at all are allowed (RFC 3986 section 3.2.3).
fn check_port(port: &[u8]) -> Result<(), HostFault> {
    let digits = port.strip_prefix(b":").ok_or(HostFault::BadPort)?;
    let mut value = 0u32;
    for &digit in digits {
        if !digit.is_ascii_digit() {
            return Err(HostFault::BadPort);
        }
        value = value * 10 + u32::from(digit - b'0');
        if value > u32::from(u16::MAX) {
            return Err(HostFault::BadPort);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn normal(raw: &[u8]) -> Result<String, HostFault> {
        let mut out = b"left over".to_vec();
        host(raw, &mut out).map(|()| String::from_utf8(out).unwrap())
    }

    #[test]
    fn accepted() {
        for (raw, expected) in [
            ("", ""),
            ("example.com", "example.com"),
            ("Example.COM", "example.com"),
            ("example.com.", "example.com"),
            ("example.com:80", "example.com"),
            ("example.com.:8080", "example.com"),
            ("example.com:", "example.com"),
            ("example.com:0", "example.com"),
            ("example.com:65535", "example.com"),
            ("example.com:00080", "example.com"),
            ("my_service", "my_service"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
            ("127.0.0.1:8080", "127.0.0.1"),
            ("[::1]", "[::1]"),
            ("[::1]:8080", "[::1]"),
            ("[::1]:", "[::1]"),
            ("[2001:DB8:0:0::1]", "[2001:db8::1]"),
            ("[::FFFF:192.0.2.1]", "[::ffff:192.0.2.1]"),
        ] {
            assert_eq!(normal(raw.as_bytes()).as_deref(), Ok(expected), "{raw}");
        }
    }

    #[test]
    fn refused() {
        let long = "a".repeat(256);
        for (raw, expected) in [
            (":80", HostFault::Empty),
            (".", HostFault::Empty),
            (long.as_str(), HostFault::TooLong),
            ("user@example.com", HostFault::UserInfo),
            ("user:secret@example.com", HostFault::UserInfo),
            ("a b", HostFault::BadByte),
            (" a", HostFault::BadByte),
            ("a\t", HostFault::BadByte),
            ("a\0b", HostFault::BadByte),
            ("a\r\nb", HostFault::BadByte),
            ("a/b", HostFault::BadByte),
            ("a?b", HostFault::BadByte),
            ("a\\b", HostFault::BadByte),
            ("a,b", HostFault::BadByte),
            ("a%2eb", HostFault::BadByte),
            ("bücher", HostFault::BadByte),
            ("a..b", HostFault::EmptyLabel),
            (".a", HostFault::EmptyLabel),
            ("a..", HostFault::EmptyLabel),
            ("a:x", HostFault::BadPort),
            ("a:-1", HostFault::BadPort),
            ("a:+1", HostFault::BadPort),
            ("a:65536", HostFault::BadPort),
            ("a:99999999999999999999", HostFault::BadPort),
            ("a:80:80", HostFault::BadPort),
            ("::1", HostFault::BadPort),
            ("[::1", HostFault::BadAddress),
            ("[]", HostFault::BadAddress),
            ("[a.example]", HostFault::BadAddress),
            ("[127.0.0.1]", HostFault::BadAddress),
            ("[fe80::1%25eth0]", HostFault::BadAddress),
            ("[v1.x]", HostFault::BadAddress),
            ("[::1]x", HostFault::BadPort),
            ("[::1]:x", HostFault::BadPort),
        ] {
            assert_eq!(normal(raw.as_bytes()), Err(expected), "{raw:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused_or_become_a_clean_host(raw in hostish()) {
            let mut out = Vec::new();
            if host(&raw, &mut out).is_ok() {
                prop_assert!(out.iter().all(|b| !b.is_ascii_uppercase()));
                prop_assert!(out.iter().all(|&b| is_unreserved(b) || b"[]:".contains(&b)));
                prop_assert!(!out.ends_with(b"."));
                let mut again = Vec::new();
                prop_assert_eq!(host(&out, &mut again), Ok(()));
                prop_assert_eq!(again, out);
            } else {
                prop_assert!(out.is_empty());
            }
        }
    }

    fn hostish() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![
            8 => proptest::sample::select(b"aZ09.-_:[]@%\\ /".to_vec()),
            1 => any::<u8>(),
        ];
        proptest::collection::vec(byte, 0..14)
    }
}

//! Reading a header from the first bytes of a connection.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::checksum::crc32c;
use super::{Beginning, CHECKSUM, Ends, LONGEST, Malformed, SIGNATURE};

/// The longest line of version 1, its end included (section 2.1).
const LONGEST_LINE: usize = 107;

/// Looks at the first bytes of a connection. More of them never change the
/// answer, unless it is [`Beginning::Unfinished`].
///
/// # Errors
///
/// When they begin like a header that is not one, or that is longer than
/// [`LONGEST`].
pub fn read(bytes: &[u8]) -> Result<Beginning, Malformed> {
    if begins_like(bytes, b"PROXY ") {
        return line(bytes);
    }
    if begins_like(bytes, &SIGNATURE) {
        return binary(bytes);
    }
    Ok(Beginning::Other)
}

/// As far as there are any.
fn begins_like(bytes: &[u8], start: &[u8]) -> bool {
    bytes.iter().zip(start).all(|(a, b)| a == b)
}

fn line(bytes: &[u8]) -> Result<Beginning, Malformed> {
    let window = bytes.get(..LONGEST_LINE).unwrap_or(bytes);
    let Some(end) = memchr::memchr(b'\n', window) else {
        return match bytes.len() < LONGEST_LINE {
            true => Ok(Beginning::Unfinished),
            false => Err(Malformed("the line does not end")),
        };
    };
    let line = window.get(..end).unwrap_or_default();
    let line = line
        .strip_suffix(b"\r")
        .ok_or(Malformed("the line does not end in CR and LF"))?;
    let text = std::str::from_utf8(line).map_err(|_| Malformed("the line is no text"))?;
    let length = end + 1;
    let mut words = text.split(' ').skip(1);
    let family = words.next().unwrap_or_default();
    // Whatever comes behind it says nothing.
    if family == "UNKNOWN" {
        return Ok(Beginning::Header { ends: None, length });
    }
    let mut address = || -> Option<IpAddr> {
        let word = words.next()?;
        match family {
            "TCP4" => word.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
            "TCP6" => word.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
            _ => None,
        }
    };
    let (source, destination) = (address(), address());
    let mut port = || words.next().and_then(port);
    let (from, to) = (port(), port());
    match (source, destination, from, to, words.next()) {
        (Some(source), Some(destination), Some(from), Some(to), None) => Ok(Beginning::Header {
            ends: Some(ends(source, from, destination, to)),
            length,
        }),
        _ => Err(Malformed("the line has no two addresses and two ports")),
    }
}

/// Digits alone, and no more of them than needed.
fn port(word: &str) -> Option<u16> {
    let is_plain = word.bytes().all(|byte| byte.is_ascii_digit());
    let is_short = word == "0" || !word.starts_with('0');
    (is_plain && is_short).then(|| word.parse().ok()).flatten()
}

fn ends(source: IpAddr, from: u16, destination: IpAddr, to: u16) -> Ends {
    Ends {
        source: SocketAddr::new(source.to_canonical(), from),
        destination: SocketAddr::new(destination.to_canonical(), to),
    }
}

fn binary(bytes: &[u8]) -> Result<Beginning, Malformed> {
    // What can be refused early is: nobody waits for the rest of it.
    let command = bytes.get(12).map(|byte| match byte {
        0x20 => Ok(Command::Local),
        0x21 => Ok(Command::Proxy),
        _ => Err(Malformed("neither version nor command are known")),
    });
    let Some(command) = command.transpose()? else {
        return Ok(Beginning::Unfinished);
    };
    let Some((&[family, high, low], _)) = bytes.get(13..).and_then(<[u8]>::split_first_chunk)
    else {
        return Ok(Beginning::Unfinished);
    };
    let length = 16 + usize::from(u16::from_be_bytes([high, low]));
    if length > LONGEST {
        return Err(Malformed("the header is too long"));
    }
    let Some(header) = bytes.get(..length) else {
        return Ok(Beginning::Unfinished);
    };
    let ends = match command {
        // All else that it says is to be ignored.
        Command::Local => None,
        Command::Proxy => proxied(header, family)?,
    };
    Ok(Beginning::Header { ends, length })
}

enum Command {
    Local,
    Proxy,
}

fn proxied(header: &[u8], family: u8) -> Result<Option<Ends>, Malformed> {
    let body = header.get(16..).unwrap_or_default();
    // The lower half says whether it is a stream; here it always is one.
    let (ends, rest) = match family >> 4 {
        0 => return Ok(None),
        1 => addresses::<4>(body, |bytes| Ipv4Addr::from(bytes).into()),
        2 => addresses::<16>(body, |bytes| Ipv6Addr::from(bytes).into()),
        // Two paths of sockets in the file system.
        3 => body.get(216..).map(|rest| (None, rest)),
        _ => return Err(Malformed("the family of the addresses is not known")),
    }
    .ok_or(Malformed("the addresses are cut short"))?;
    check_rest(header, rest)?;
    Ok(ends)
}

/// Two addresses of so many bytes with their ports, and what is behind them.
fn addresses<const N: usize>(
    body: &[u8],
    read: impl Fn([u8; N]) -> IpAddr,
) -> Option<(Option<Ends>, &[u8])> {
    let (&source, rest) = body.split_first_chunk()?;
    let (&destination, rest) = rest.split_first_chunk()?;
    let (&from, rest) = rest.split_first_chunk()?;
    let (&to, rest) = rest.split_first_chunk()?;
    let (from, to) = (u16::from_be_bytes(from), u16::from_be_bytes(to));
    Some((Some(ends(read(source), from, read(destination), to)), rest))
}

/// Further facts, each with a type and a length. Nothing is done with them,
/// but a checksum has to be right (section 2.2.3).
fn check_rest(header: &[u8], mut rest: &[u8]) -> Result<(), Malformed> {
    const CUT: Malformed = Malformed("what follows the addresses is cut short");
    while !rest.is_empty() {
        let (&[kind, high, low], behind) = rest.split_first_chunk().ok_or(CUT)?;
        let length = usize::from(u16::from_be_bytes([high, low]));
        let (value, behind) = behind.split_at_checked(length).ok_or(CUT)?;
        if kind == CHECKSUM {
            let at = header.len() - behind.len() - length;
            check_sum(header, at, value)?;
        }
        rest = behind;
    }
    Ok(())
}

/// Of all of the header, with nothing in the checksum's place.
fn check_sum(header: &[u8], at: usize, value: &[u8]) -> Result<(), Malformed> {
    let wrong = Malformed("the checksum is wrong");
    let value = <[u8; 4]>::try_from(value).map_err(|_| wrong)?;
    let is_sum = |index: usize| (at..at + 4).contains(&index);
    let bytes = header.iter().enumerate();
    let bytes = bytes.map(|(index, &byte)| if is_sum(index) { 0 } else { byte });
    match crc32c(bytes) == u32::from_be_bytes(value) {
        true => Ok(()),
        false => Err(wrong),
    }
}

//! The first message of a client, read where TLS is passed on and not ended:
//! only to learn which name it asks for.

use std::fmt;

#[cfg(test)]
mod tests;

/// No first message that is looked at is longer, its records' frames included.
/// Those with keys against quantum computers have about 2 KiB.
pub const LONGEST_HELLO: usize = 32 * 1024;

/// What has come so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hello {
    /// More has to come.
    Unfinished,
    /// All of it, with the name it asks for, in small letters.
    Whole(Option<Box<str>>),
}

/// It is no first message of TLS, or a broken one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoHello(&'static str);

impl fmt::Display for NoHello {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// An alert, as it is sent before anything is encrypted: there is nothing under
/// this name (RFC 6066 section 3).
pub const UNRECOGNIZED_NAME: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];

const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const RECORD_FRAME: usize = 5;

/// Looks at the first bytes of a connection (RFC 8446 sections 4.1.2 and 5.1).
/// More of them never change the answer, unless it is [`Hello::Unfinished`].
///
/// # Errors
///
/// When they cannot become a first message of at most [`LONGEST_HELLO`] bytes.
pub fn client_hello(bytes: &[u8]) -> Result<Hello, NoHello> {
    let mut message = Vec::new();
    let mut rest = bytes;
    loop {
        if let Some(&[kind, high, middle, low]) = message.first_chunk() {
            if kind != CLIENT_HELLO {
                return Err(NoHello("the first message is another one"));
            }
            let length = u32::from_be_bytes([0, high, middle, low]) as usize;
            if length > LONGEST_HELLO {
                return Err(NoHello("the first message is too long"));
            }
            if let Some(body) = message.get(4..4 + length) {
                return server_name(body).map(Hello::Whole);
            }
        }
        let Some((fragment, behind)) = record(rest)? else {
            return match bytes.len() < LONGEST_HELLO {
                true => Ok(Hello::Unfinished),
                false => Err(NoHello("the first message is too long")),
            };
        };
        message.extend_from_slice(fragment);
        rest = behind;
    }
}

/// What is in a record, and what is behind it.
type Record<'a> = (&'a [u8], &'a [u8]);

/// None where more has to come.
fn record(bytes: &[u8]) -> Result<Option<Record<'_>>, NoHello> {
    const OTHER: NoHello = NoHello("it is not TLS");
    if bytes.first().is_some_and(|&kind| kind != HANDSHAKE)
        || bytes.get(1).is_some_and(|&version| version != 3)
    {
        return Err(OTHER);
    }
    let Some(&[_, _, _, high, low]) = bytes.first_chunk::<RECORD_FRAME>() else {
        return Ok(None);
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    if !(1..=crate::RECORD).contains(&length) {
        return Err(OTHER);
    }
    let behind = bytes.get(RECORD_FRAME..).unwrap_or_default();
    Ok(behind.split_at_checked(length))
}

const BROKEN: NoHello = NoHello("the first message is malformed");

/// Takes pieces from a message's beginning.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], NoHello> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(BROKEN)?;
        self.0 = rest;
        Ok(taken)
    }

    fn number(&mut self, bytes: usize) -> Result<usize, NoHello> {
        let bytes = self.take(bytes)?.iter();
        Ok(bytes.fold(0, |number, &byte| number << 8 | usize::from(byte)))
    }

    /// What is behind its length, which has so many bytes.
    fn counted(&mut self, length: usize) -> Result<Rest<'a>, NoHello> {
        let count = self.number(length)?;
        self.take(count).map(Rest)
    }
}

fn server_name(body: &[u8]) -> Result<Option<Box<str>>, NoHello> {
    let mut rest = Rest(body);
    // The version and random bytes; then a session, cipher suites, compressions.
    rest.take(2 + 32)?;
    for length in [1, 2, 1] {
        rest.counted(length)?;
    }
    // Old clients have no extensions.
    if rest.0.is_empty() {
        return Ok(None);
    }
    let mut extensions = rest.counted(2)?;
    while !extensions.0.is_empty() {
        let kind = extensions.number(2)?;
        let value = extensions.counted(2)?;
        if kind == 0 {
            return host_name(value).map(Some);
        }
    }
    Ok(None)
}

/// The extension `server_name` (RFC 6066 section 3): there is no other kind of
/// name than that of a host.
fn host_name(mut extension: Rest<'_>) -> Result<Box<str>, NoHello> {
    let mut names = extension.counted(2)?;
    let kind = names.number(1)?;
    let name = names.counted(2)?.0;
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    let is_host = kind == 0 && (1..=253).contains(&name.len()) && name.iter().all(fits);
    let name = std::str::from_utf8(name).ok().filter(|_| is_host);
    name.map(|name| name.to_ascii_lowercase().into())
        .ok_or(BROKEN)
}

use std::fmt;

use super::is_unreserved;

/// How a path relates to its normal form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Path {
    /// It is its normal form; nothing was written.
    AsIs,
    /// The normal form was written.
    Normalised,
}

/// Why a path is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathFault {
    /// It does not begin with `/`.
    NotAbsolute,
    /// It climbs above the root, in at least one reading of its separators.
    AboveRoot,
    /// A `%` without two hexadecimal digits.
    BadEscape,
    /// A NUL, plain or escaped.
    Nul,
    /// A control byte, a space, `?` or `#`: none can be part of a path.
    BadByte,
}

impl fmt::Display for PathFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PathFault::NotAbsolute => "it does not begin with a slash",
            PathFault::AboveRoot => "it climbs above the root",
            PathFault::BadEscape => "it has a percent sign without two hexadecimal digits",
            PathFault::Nul => "it has a NUL",
            PathFault::BadByte => "it has a byte that no path has",
        })
    }
}

impl std::error::Error for PathFault {}

/// Brings a path into its normal form (RFC 3986 section 6.2.2): escapes of
/// unreserved bytes are decoded, once; the digits of other escapes are upper
/// case; dot segments are removed; repeated slashes are one. The result is
/// never longer than `raw`, and normalising it again changes nothing.
///
/// `out` is emptied first and holds something only after `Path::Normalised`.
///
/// A backslash, `%5C` and `%2F` stay what they are, data within a segment. But
/// a backend may take them for separators, so a path is also refused if it
/// would climb above the root in that backend's reading.
pub fn path(raw: &[u8], out: &mut Vec<u8>) -> Result<Path, PathFault> {
    out.clear();
    let Some((b'/', rest)) = raw.split_first() else {
        return Err(PathFault::NotAbsolute);
    };
    if is_plainly_normal(raw) {
        return Ok(Path::AsIs);
    }
    match write_normal_form(rest, out) {
        Ok(()) if out == raw => {
            out.clear();
            Ok(Path::AsIs)
        }
        Ok(()) => Ok(Path::Normalised),
        Err(fault) => {
            out.clear();
            Err(fault)
        }
    }
}

/// The common case, in one scan: nothing that could need work. May say no to
/// a normal path, such as one with an escape or a segment like `.well-known`.
fn is_plainly_normal(raw: &[u8]) -> bool {
    let mut before = 0;
    raw.iter().all(|&byte| {
        let joined = before == b'/' && matches!(byte, b'/' | b'.');
        before = byte;
        !joined && byte != b'%' && byte != b'\\' && !is_forbidden(byte)
    })
}

fn is_forbidden(byte: u8) -> bool {
    byte <= b' ' || matches!(byte, 0x7f | b'?' | b'#')
}

/// Writes the normal form of a path whose first slash has been taken.
fn write_normal_form(rest: &[u8], out: &mut Vec<u8>) -> Result<(), PathFault> {
    let mut depths = Depths::default();
    let mut ends_in_slash = false;
    let mut went_up = false;
    for segment in rest.split(|&b| b == b'/') {
        let start = out.len();
        out.push(b'/');
        decode(segment, out)?;
        let decoded = out.get(start + 1..).unwrap_or_default();
        depths.enter(decoded)?;
        ends_in_slash = matches!(decoded, b"" | b"." | b"..");
        went_up |= decoded == b"..";
        match decoded {
            b"" | b"." => out.truncate(start),
            b".." => {
                out.truncate(start);
                drop_last_segment(out);
            }
            _ => {}
        }
    }
    if ends_in_slash {
        out.push(b'/');
    }
    // `/a%2Fb/../..%2Fc` stays below the root until the dots that are plain
    // to see have taken two levels at once.
    if went_up { check_depths(out) } else { Ok(()) }
}

fn drop_last_segment(out: &mut Vec<u8>) {
    let slash = out.iter().rposition(|&b| b == b'/');
    out.truncate(slash.unwrap_or(0));
}

fn decode(segment: &[u8], out: &mut Vec<u8>) -> Result<(), PathFault> {
    let mut rest = segment;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'%' => {
                let (digits, after) = after.split_first_chunk().ok_or(PathFault::BadEscape)?;
                decode_escape(*digits, out)?;
                rest = after;
            }
            0 => return Err(PathFault::Nul),
            byte if is_forbidden(byte) => return Err(PathFault::BadByte),
            byte => out.push(byte),
        }
    }
    Ok(())
}

fn decode_escape(digits: [u8; 2], out: &mut Vec<u8>) -> Result<(), PathFault> {
    let [high, low] = digits.map(|digit| char::from(digit).to_digit(16));
    let (Some(high), Some(low)) = (high, low) else {
        return Err(PathFault::BadEscape);
    };
    match (high << 4 | low) as u8 {
        0 => return Err(PathFault::Nul),
        byte if is_unreserved(byte) => out.push(byte),
        _ => {
            out.push(b'%');
            out.extend(digits.map(|digit| digit.to_ascii_uppercase()));
        }
    }
    Ok(())
}

/// Which separators, besides the slash, a backend may see.
#[derive(Clone, Copy)]
struct Reading {
    escaped_slash: bool,
    backslash: bool,
}

/// Every combination: a reading with more separators can both climb further
/// up and have been further down.
const READINGS: [Reading; 4] = [
    Reading::new(false, false),
    Reading::new(true, false),
    Reading::new(false, true),
    Reading::new(true, true),
];

impl Reading {
    const fn new(escaped_slash: bool, backslash: bool) -> Self {
        Self {
            escaped_slash,
            backslash,
        }
    }
}

/// How far below the root a path has come, in each reading.
#[derive(Default)]
struct Depths([usize; READINGS.len()]);

impl Depths {
    fn enter(&mut self, segment: &[u8]) -> Result<(), PathFault> {
        for (depth, reading) in self.0.iter_mut().zip(READINGS) {
            for piece in pieces(segment, reading) {
                match piece {
                    b"" | b"." => {}
                    b".." => *depth = depth.checked_sub(1).ok_or(PathFault::AboveRoot)?,
                    _ => *depth += 1,
                }
            }
        }
        Ok(())
    }
}

fn check_depths(normal: &[u8]) -> Result<(), PathFault> {
    let mut depths = Depths::default();
    normal
        .split(|&b| b == b'/')
        .try_for_each(|segment| depths.enter(segment))
}

/// The parts of a decoded segment between the separators of a reading.
fn pieces(segment: &[u8], reading: Reading) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(segment);
    std::iter::from_fn(move || {
        let text = rest?;
        let cut = (0..text.len()).find_map(|at| {
            let length = separator_length(text.get(at..)?, reading)?;
            Some((text.get(..at)?, text.get(at + length..)?))
        });
        let (piece, after) = match cut {
            Some((piece, after)) => (piece, Some(after)),
            None => (text, None),
        };
        rest = after;
        Some(piece)
    })
}

fn separator_length(text: &[u8], reading: Reading) -> Option<usize> {
    match text {
        [b'\\', ..] if reading.backslash => Some(1),
        [b'%', b'5', b'C', ..] if reading.backslash => Some(3),
        [b'%', b'2', b'F', ..] if reading.escaped_slash => Some(3),
        _ => None,
    }
}

#[cfg(test)]
mod tests;

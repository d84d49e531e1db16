//! Lines as they are written: an index of the static table where it has them,
//! and otherwise as they are. Nothing is indexed, so there is no state.

use message::{Known, KnownSet};

use super::{INDEXED, NEVER_INDEXED, WITHOUT_INDEXING};

/// The fields of a request that are not in its fields (RFC 9113 section 8.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pseudo {
    Method,
    Scheme,
    Path,
    Authority,
    /// RFC 8441.
    Protocol,
}

/// What nobody on the way may put in a table, where it could be guessed from the
/// length of what is sent (RFC 7541 section 7.1.3).
const SECRETS: KnownSet = KnownSet::of(&[
    Known::Authorization,
    Known::Cookie,
    Known::ProxyAuthorization,
    Known::SetCookie,
]);

const ACCEPT_ENCODING: u8 = 16;

/// Names that the static table has, with the first index of each.
const INDEXED_NAMES: [(Known, u8); 25] = [
    (Known::AcceptEncoding, ACCEPT_ENCODING),
    (Known::Accept, 19),
    (Known::Age, 21),
    (Known::Authorization, 23),
    (Known::CacheControl, 24),
    (Known::ContentLength, 28),
    (Known::ContentType, 31),
    (Known::Cookie, 32),
    (Known::Date, 33),
    (Known::ETag, 34),
    (Known::Expect, 35),
    (Known::Expires, 36),
    (Known::Host, 38),
    (Known::LastModified, 44),
    (Known::Location, 46),
    (Known::ProxyAuthorization, 49),
    (Known::Range, 50),
    (Known::Referer, 51),
    (Known::RetryAfter, 53),
    (Known::Server, 54),
    (Known::SetCookie, 55),
    (Known::TransferEncoding, 57),
    (Known::UserAgent, 58),
    (Known::Vary, 59),
    (Known::Via, 60),
];

/// The same by name, and 0 where there is none. There are at most 64 known names.
static INDEX: [u8; 64] = {
    let mut index = [0; 64];
    let mut i = 0;
    while i < INDEXED_NAMES.len() {
        let (known, at) = INDEXED_NAMES[i];
        index[known as usize] = at;
        i += 1;
    }
    index
};

/// Appends `:status`.
pub fn write_status(out: &mut Vec<u8>, status: u16) {
    let index = match status {
        200 => 8,
        204 => 9,
        206 => 10,
        304 => 11,
        400 => 12,
        404 => 13,
        500 => 14,
        _ => {
            let mut digits = itoa::Buffer::new();
            return write_value(out, WITHOUT_INDEXING, 8, digits.format(status).as_bytes());
        }
    };
    out.push(INDEXED | index);
}

/// Appends one field line. `known` is what `message::Known::of(name)` says; the
/// name is written in lower case.
pub fn write_field(out: &mut Vec<u8>, known: Known, name: &[u8], value: &[u8]) {
    let form = match SECRETS.has(known) {
        true => NEVER_INDEXED,
        false => WITHOUT_INDEXING,
    };
    match INDEX.get(known as usize) {
        Some(&ACCEPT_ENCODING) if value == b"gzip, deflate" => out.push(INDEXED | ACCEPT_ENCODING),
        Some(&index) if index != 0 => write_value(out, form, index, value),
        _ => write_line(out, form, name, value),
    }
}

/// For requests: appends a field that is not one.
pub fn write_pseudo(out: &mut Vec<u8>, name: Pseudo, value: &[u8]) {
    let index = match (name, value) {
        (Pseudo::Method, b"GET") => 2,
        (Pseudo::Method, b"POST") => 3,
        (Pseudo::Path, b"/") => 4,
        (Pseudo::Path, b"/index.html") => 5,
        (Pseudo::Scheme, b"http") => 6,
        (Pseudo::Scheme, b"https") => 7,
        (Pseudo::Authority, _) => return write_value(out, WITHOUT_INDEXING, 1, value),
        (Pseudo::Method, _) => return write_value(out, WITHOUT_INDEXING, 2, value),
        (Pseudo::Path, _) => return write_value(out, WITHOUT_INDEXING, 4, value),
        (Pseudo::Scheme, _) => return write_value(out, WITHOUT_INDEXING, 6, value),
        (Pseudo::Protocol, _) => return write_line(out, WITHOUT_INDEXING, b":protocol", value),
    };
    out.push(INDEXED | index);
}

/// A line whose name is that of the line with this index (RFC 7541 section 6.2).
fn write_value(out: &mut Vec<u8>, form: u8, index: u8, value: &[u8]) {
    write_integer(out, form, 0x0f, usize::from(index));
    write_integer(out, 0, 0x7f, value.len());
    out.extend_from_slice(value);
}

fn write_line(out: &mut Vec<u8>, form: u8, name: &[u8], value: &[u8]) {
    out.push(form);
    write_integer(out, 0, 0x7f, name.len());
    let at = out.len();
    out.extend_from_slice(name);
    out.get_mut(at..).unwrap_or_default().make_ascii_lowercase();
    write_integer(out, 0, 0x7f, value.len());
    out.extend_from_slice(value);
}

/// An integer (RFC 7541 section 5.1) whose first byte has the bits of `form` as well.
pub(super) fn write_integer(out: &mut Vec<u8>, form: u8, mask: u8, value: usize) {
    let Some(mut rest) = value.checked_sub(usize::from(mask)) else {
        return out.push(form | value as u8);
    };
    out.push(form | mask);
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

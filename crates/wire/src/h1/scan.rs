//! Bytes: which may stand where, and where lines end.

use message::Known;

/// The bytes of a token (RFC 9110 section 5.6.2).
const TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        table[byte] = b.is_ascii_alphanumeric()
            || matches!(
                b,
                b'!' | b'#'
                    | b'$'
                    | b'%'
                    | b'&'
                    | b'\''
                    | b'*'
                    | b'+'
                    | b'-'
                    | b'.'
                    | b'^'
                    | b'_'
                    | b'`'
                    | b'|'
                    | b'~'
            );
        byte += 1;
    }
    table
};

pub(super) fn is_token_byte(byte: u8) -> bool {
    TOKEN.get(usize::from(byte)).copied().unwrap_or(false)
}

pub(crate) fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|&b| is_token_byte(b))
}

/// A line of a head.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// The line without its CR LF.
    Whole(&'a [u8]),
    /// No line end yet.
    Partial,
    /// The line without the bare LF in which it ends.
    BareLf(&'a [u8]),
}

/// The first line of `bytes`.
pub(super) fn line(bytes: &[u8]) -> Line<'_> {
    let Some(lf) = memchr::memchr(b'\n', bytes) else {
        return Line::Partial;
    };
    let before = bytes.get(..lf).unwrap_or_default();
    match before.split_last() {
        Some((b'\r', line)) => Line::Whole(line),
        _ => Line::BareLf(before),
    }
}

/// Every byte may stand in a field value: visible, space, tab or above 0x7f
/// (RFC 9110 section 5.5).
pub(crate) fn is_value(text: &[u8]) -> bool {
    find_control(text).is_none()
}

/// The first byte that may not stand in a field value. Eight bytes are looked
/// at together.
fn find_control(text: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let rest = text.get(from..)?;
        let (words, tail) = rest.as_chunks::<8>();
        let word = words
            .iter()
            .map(|word| controls(u64::from_le_bytes(*word)))
            .enumerate()
            .find(|(_, found)| *found != 0);
        let at = match word {
            Some((i, found)) => from + i * 8 + found.trailing_zeros() as usize / 8,
            None => {
                let at = tail.iter().position(|&b| is_control(b))?;
                return Some(from + rest.len() - tail.len() + at);
            }
        };
        if text.get(at) != Some(&b'\t') {
            return Some(at);
        }
        from = at + 1;
    }
}

fn is_control(byte: u8) -> bool {
    byte < 0x20 && byte != b'\t' || byte == 0x7f
}

/// One in every byte of a word, and the high bit of every byte.
const ONES: u64 = u64::MAX / 255;
const HIGH: u64 = ONES * 0x80;

/// The high bit of every byte that is below 0x20 or is 0x7f, and perhaps of
/// bytes behind the first such one.
fn controls(word: u64) -> u64 {
    let below_space = word.wrapping_sub(ONES * 0x20) & !word;
    let del = word ^ (ONES * 0x7f);
    let is_del = del.wrapping_sub(ONES) & !del;
    (below_space | is_del) & HIGH
}

/// The first colon, if neither space nor a control character stands before it.
/// Eight bytes are looked at together.
fn find_colon(bytes: &[u8]) -> Option<usize> {
    let (words, tail) = bytes.as_chunks::<8>();
    let mut at = 0;
    for word in words {
        let word = u64::from_le_bytes(*word);
        let zero_where_it_is = word ^ (ONES * u64::from(b':'));
        let colon = zero_where_it_is.wrapping_sub(ONES) & !zero_where_it_is;
        let space = word.wrapping_sub(ONES * 0x21) & !word;
        let found = (colon | space) & HIGH;
        if found != 0 {
            at += found.trailing_zeros() as usize / 8;
            return (bytes.get(at) == Some(&b':')).then_some(at);
        }
        at += 8;
    }
    let rest = tail.iter().position(|&b| b == b':' || b <= b' ')?;
    (tail.get(rest) == Some(&b':')).then_some(at + rest)
}

/// Where the parts of a field line lie, counted from its first byte.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FieldLine {
    pub(super) known: Known,
    pub(super) name_len: usize,
    pub(super) value_at: usize,
    pub(super) value_len: usize,
    /// Without CR LF.
    pub(super) len: usize,
}

impl FieldLine {
    /// One space stands before the value and none behind it.
    pub(super) fn is_plain(&self, bytes: &[u8]) -> bool {
        self.value_at == self.name_len + 2
            && self.len == self.value_at + self.value_len
            && bytes.get(self.name_len + 1) == Some(&b' ')
    }
}

/// The first line of `bytes`, if it is whole and a field line without a fault;
/// what the fault is, if there is one, is not said here. Most lines are such,
/// and are looked at only once.
pub(super) fn field_line(bytes: &[u8]) -> Option<FieldLine> {
    let name_len = find_colon(bytes)?;
    let (name, value) = bytes.split_at_checked(name_len)?;
    let value = value.get(1..)?;
    let known = Known::of(name);
    // The names that are known are tokens.
    if !known.is_name() && !is_token(name) {
        return None;
    }
    let front = value.iter().position(|&b| !is_space(b))?;
    let value = value.get(front..)?;
    let end = find_control(value)?;
    let (value, line_end) = value.split_at_checked(end)?;
    if !line_end.starts_with(b"\r\n") {
        return None;
    }
    let value_at = name_len + 1 + front;
    let back = value.iter().rev().take_while(|&&b| is_space(b)).count();
    Some(FieldLine {
        known,
        name_len,
        value_at,
        value_len: end - back,
        len: value_at + end,
    })
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Every byte may stand in a request target: visible ASCII but for the
/// fragment's `#`, or above 0x7f, which clients send unescaped.
pub(crate) fn is_target(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|&b| b > 0x20 && b != 0x7f && b != b'#')
}

/// Cuts spaces and tabs off both ends; returns how many were cut off the front.
pub(super) fn trim(text: &[u8]) -> (usize, &[u8]) {
    let front = text.iter().take_while(|&&b| is_space(b)).count();
    let text = text.get(front..).unwrap_or_default();
    let back = text.iter().rev().take_while(|&&b| is_space(b)).count();
    (front, text.get(..text.len() - back).unwrap_or_default())
}

/// A non-empty run of digits below 10^19, so that no reading of it overflows.
pub(super) fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 19 {
        return None;
    }
    text.iter().try_fold(0u64, |sum, b| {
        b.is_ascii_digit().then(|| sum * 10 + u64::from(b - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_in_cr_lf() {
        assert_eq!(line(b"ab\r\ncd"), Line::Whole(b"ab"));
        assert_eq!(line(b"\r\n"), Line::Whole(b""));
        assert_eq!(line(b"ab\r"), Line::Partial);
        assert_eq!(line(b"ab\n"), Line::BareLf(b"ab"));
        assert_eq!(line(b"\n"), Line::BareLf(b""));
    }

    #[test]
    fn value_bytes_are_judged_alike_at_every_offset() {
        for byte in 0..=255u8 {
            for at in 0..20 {
                let mut text = [b'a'; 20];
                text[at] = byte;
                assert_eq!(is_value(&text), !is_control(byte), "byte {byte:#x} at {at}");
            }
        }
    }

    #[test]
    fn a_tab_hides_nothing_behind_it() {
        for tabs in 0..20 {
            let mut text = vec![b'\t'; tabs];
            assert!(is_value(&text));
            text.extend_from_slice(b"abc\x01");
            assert_eq!(find_control(&text), Some(tabs + 3));
        }
    }

    #[test]
    fn parts_of_a_field_line() {
        let parts = |bytes| {
            let line = field_line(bytes)?;
            let value = &bytes[line.value_at..line.value_at + line.value_len];
            Some((&bytes[..line.name_len], value, line.len))
        };
        type Parts<'a> = Option<(&'a [u8], &'a [u8], usize)>;
        let table: &[(&[u8], Parts<'_>)] = &[
            (b"A: b\r\nC: d\r\n", Some((b"A", b"b", 4))),
            (b"A:b\r\n", Some((b"A", b"b", 3))),
            (b"A:\r\n", Some((b"A", b"", 2))),
            (b"A: \t \r\n", Some((b"A", b"", 5))),
            (b"A:\tb c\td \t\r\n", Some((b"A", b"b c\td", 10))),
            (
                b"A: 0123456789abcdef\xff\r\n",
                Some((b"A", b"0123456789abcdef\xff", 20)),
            ),
            (b"A: b\r", None),
            (b"A: b", None),
            (b"A: ", None),
            (b"A", None),
            (b"", None),
            (b"\r\n", None),
            (b": b\r\n", None),
            (b" A: b\r\n", None),
            (b"A : b\r\n", None),
            (b"A: b\n", None),
            (b"A: b\rc\r\n", None),
            (b"A: b\x7fc\r\n", None),
            (b"A: b\0\r\n", None),
            (b"A\r\n", None),
            (b"A\r\nB: c\r\n", None),
            (b"\r\nbody: \r\n", None),
            (
                b"Content-Length: 5\r\n",
                Some((b"Content-Length", b"5", 17)),
            ),
            (
                b"A-name-of-31-bytes-if-I-counted: b\r\n",
                Some((b"A-name-of-31-bytes-if-I-counted", b"b", 34)),
            ),
            (b"A-name-of-8: b\r\n", Some((b"A-name-of-8", b"b", 14))),
            (b"Name-of-8: b\r\n", Some((b"Name-of-8", b"b", 12))),
            (b"A-n@me: b\r\n", None),
            (b"A-n\x80me: b\r\n", None),
        ];
        for (bytes, wanted) in table {
            assert_eq!(parts(bytes), *wanted, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn numbers() {
        assert_eq!(decimal(b"0"), Some(0));
        assert_eq!(
            decimal(b"9999999999999999999"),
            Some(9_999_999_999_999_999_999)
        );
        for bad in [
            &b""[..],
            b"+1",
            b"-1",
            b"1 ",
            b"0x1",
            b"10000000000000000000",
        ] {
            assert_eq!(decimal(bad), None);
        }
    }

    #[test]
    fn trimming() {
        assert_eq!(trim(b" \ta b\t "), (2, &b"a b"[..]));
        assert_eq!(trim(b"  "), (2, &b""[..]));
    }
}

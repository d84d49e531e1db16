//! Bytes: which may stand where, and where lines end.

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

pub(super) fn is_token(text: &[u8]) -> bool {
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
/// (RFC 9110 section 5.5). Eight bytes are looked at together, the last eight
/// once more if they overlap.
pub(super) fn is_value(text: &[u8]) -> bool {
    let Some(last) = text.last_chunk::<8>() else {
        return text.iter().all(|&b| !is_control(b));
    };
    let (words, _) = text.as_chunks::<8>();
    words.iter().chain([last]).all(|word| {
        !may_hold_control(u64::from_ne_bytes(*word)) || word.iter().all(|&b| !is_control(b))
    })
}

fn is_control(byte: u8) -> bool {
    byte < 0x20 && byte != b'\t' || byte == 0x7f
}

/// Some byte of the word is below 0x20 or is 0x7f. Exact in saying no; a yes
/// may be a tab.
fn may_hold_control(word: u64) -> bool {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES * 0x80;
    let below_space = word.wrapping_sub(ONES * 0x20) & !word;
    let del = word ^ (ONES * 0x7f);
    let is_del = del.wrapping_sub(ONES) & !del;
    (below_space | is_del) & HIGH != 0
}

/// Every byte may stand in a request target: visible ASCII but for the
/// fragment's `#`, or above 0x7f, which clients send unescaped.
pub(super) fn is_target(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|&b| b > 0x20 && b != 0x7f && b != b'#')
}

/// Cuts spaces and tabs off both ends; returns how many were cut off the front.
pub(super) fn trim(text: &[u8]) -> (usize, &[u8]) {
    let is_space = |b: &u8| matches!(b, b' ' | b'\t');
    let front = text.iter().take_while(|b| is_space(b)).count();
    let text = text.get(front..).unwrap_or_default();
    let back = text.iter().rev().take_while(|b| is_space(b)).count();
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

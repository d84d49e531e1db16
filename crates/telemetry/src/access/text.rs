//! Values as bytes of a log line: numbers, addresses, and text made harmless.

use std::io::Write;
use std::net::IpAddr;
use std::time::Duration;

pub(super) fn push_number(out: &mut Vec<u8>, n: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(n).as_bytes());
}

/// Milliseconds with three decimals: `1.234`.
pub(super) fn push_millis(out: &mut Vec<u8>, duration: Duration) {
    let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    let rest = micros % 1_000;
    push_number(out, micros / 1_000);
    out.extend_from_slice(&[
        b'.',
        b'0' + (rest / 100) as u8,
        b'0' + (rest / 10 % 10) as u8,
        b'0' + (rest % 10) as u8,
    ]);
}

/// An address; one that a dual-stack socket shows as `::ffff:1.2.3.4` is
/// written as the IPv4 address it is.
pub(super) fn push_ip(out: &mut Vec<u8>, ip: IpAddr) {
    match ip.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            push_number(out, a);
            for octet in [b, c, d] {
                out.push(b'.');
                push_number(out, octet);
            }
        }
        // Writing to a Vec cannot fail.
        IpAddr::V6(v6) => drop(write!(out, "{v6}")),
    }
}

/// Text that needs no care in any format: printable ASCII without quote and
/// backslash. Looks at every byte, without branches, so that it vectorises.
fn is_plain(text: &[u8]) -> bool {
    !text.iter().fold(false, |odd, &b| odd | !is_plain_byte(b))
}

fn is_plain_byte(b: u8) -> bool {
    (0x20..0x7f).contains(&b) & (b != b'"') & (b != b'\\')
}

/// The inside of a JSON string. Bytes that are not UTF-8 become U+FFFD;
/// control characters, also those above ASCII, are escaped so that a terminal
/// showing the log does not obey them.
pub fn push_json(out: &mut Vec<u8>, text: &[u8]) {
    if is_plain(text) {
        out.extend_from_slice(text);
        return;
    }
    for chunk in text.utf8_chunks() {
        chunk.valid().chars().for_each(|c| push_json_char(out, c));
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
}

fn push_json_char(out: &mut Vec<u8>, c: char) {
    match c {
        '"' => out.extend_from_slice(b"\\\""),
        '\\' => out.extend_from_slice(b"\\\\"),
        '\n' => out.extend_from_slice(b"\\n"),
        '\r' => out.extend_from_slice(b"\\r"),
        '\t' => out.extend_from_slice(b"\\t"),
        // Control characters end at U+009F, so two digits always suffice.
        c if c.is_control() => {
            out.extend_from_slice(b"\\u00");
            out.extend_from_slice(&hex(c as u8, b"0123456789abcdef"));
        }
        c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}

/// Text in a line that people and old tools read: everything but plain
/// printable ASCII becomes `\xHH`, as nginx does, so no value can end its
/// quotes or its line.
pub(super) fn push_hex_escaped(out: &mut Vec<u8>, text: &[u8]) {
    if is_plain(text) {
        out.extend_from_slice(text);
        return;
    }
    for &b in text {
        if is_plain_byte(b) {
            out.push(b);
        } else {
            out.extend_from_slice(b"\\x");
            out.extend_from_slice(&hex(b, b"0123456789ABCDEF"));
        }
    }
}

fn hex(b: u8, digits: &[u8; 16]) -> [u8; 2] {
    [digits[usize::from(b >> 4)], digits[usize::from(b & 15)]]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text<T>(push: impl Fn(&mut Vec<u8>, T), value: T) -> String {
        let mut out = Vec::new();
        push(&mut out, value);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn milliseconds_keep_three_decimals() {
        let table = [
            (0, "0.000"),
            (7, "0.007"),
            (1_234, "1.234"),
            (60_000_050, "60000.050"),
        ];
        for (micros, expected) in table {
            assert_eq!(text(push_millis, Duration::from_micros(micros)), expected);
        }
        assert_eq!(text(push_millis, Duration::MAX), "18446744073709551.615");
    }

    #[test]
    fn addresses() {
        for (ip, expected) in [
            ("1.2.3.4", "1.2.3.4"),
            ("255.10.0.100", "255.10.0.100"),
            ("::ffff:10.0.0.1", "10.0.0.1"),
            ("2001:db8::1", "2001:db8::1"),
        ] {
            assert_eq!(text(push_ip, ip.parse().unwrap()), expected);
        }
    }

    #[test]
    fn json_escapes() {
        let table: [(&[u8], &str); 7] = [
            (b"plain text /x?y=1", "plain text /x?y=1"),
            (b"a\"b\\c", r#"a\"b\\c"#),
            (b"a\r\n\tb\0", r"a\r\n\tb\u0000"),
            (b"\x1b[31m\x7f", r"\u001b[31m\u007f"),
            ("gr\u{fc}n \u{9b}31m".as_bytes(), "gr\u{fc}n \\u009b31m"),
            (b"bad \xff\xfe end", "bad \u{fffd}\u{fffd} end"),
            (b"cut \xe2\x82", "cut \u{fffd}"),
        ];
        for (input, expected) in table {
            assert_eq!(text(push_json, input), expected);
        }
    }

    #[test]
    fn hex_escapes() {
        let table: [(&[u8], &str); 3] = [
            (b"plain", "plain"),
            (b"a\"b\\c\n\x7f", r"a\x22b\x5Cc\x0A\x7F"),
            ("\u{fc}".as_bytes(), r"\xC3\xBC"),
        ];
        for (input, expected) in table {
            assert_eq!(text(push_hex_escaped, input), expected);
        }
    }

    proptest! {
        #[test]
        fn json_reads_back_as_the_lossy_text(bytes: Vec<u8>) {
            let line = format!("\"{}\"", text(push_json, &bytes));
            prop_assert!(!line.chars().any(char::is_control));
            let back: String = serde_json::from_str(&line).unwrap();
            prop_assert_eq!(back, String::from_utf8_lossy(&bytes));
        }

        #[test]
        fn hex_escapes_lose_nothing(bytes: Vec<u8>) {
            let line = text(push_hex_escaped, &bytes);
            prop_assert!(line.bytes().all(|b| (0x20..0x7f).contains(&b) && b != b'"'));
            let mut pieces = line.split("\\x");
            let mut back = pieces.next().unwrap().as_bytes().to_vec();
            for piece in pieces {
                back.push(u8::from_str_radix(&piece[..2], 16).unwrap());
                back.extend_from_slice(&piece.as_bytes()[2..]);
            }
            prop_assert_eq!(back, bytes);
        }
    }
}

//! The combined log format of Apache and nginx, for the tools that read it.

use super::text::{push_hex_escaped, push_ip, push_number};
use super::time::push_combined;
use crate::Record;

/// `1.2.3.4 - - [21/Nov/2026:01:02:03 +0000] "GET /x HTTP/1.1" 200 123 "ref" "ua"`
pub(super) fn write(record: &Record<'_>, out: &mut Vec<u8>) {
    push_ip(out, record.client.ip());
    out.extend_from_slice(b" - - [");
    push_combined(out, record.started_unix_micros);
    out.extend_from_slice(b"] \"");
    push_request_line(out, record);
    out.extend_from_slice(b"\" ");
    push_number(out, record.status);
    out.push(b' ');
    push_number(out, record.response_bytes);
    for value in [record.referer, record.user_agent] {
        out.extend_from_slice(b" \"");
        push_or_dash(out, value);
        out.push(b'"');
    }
}

/// The request line as received; `-` when none could be read.
pub(super) fn push_request_line(out: &mut Vec<u8>, record: &Record<'_>) {
    if record.method_text.is_empty() {
        out.push(b'-');
        return;
    }
    push_hex_escaped(out, record.method_text);
    out.push(b' ');
    push_hex_escaped(out, record.target);
    out.push(b' ');
    let version = record.version.map_or("-", |version| version.label());
    out.extend_from_slice(version.as_bytes());
}

/// Escaped text, `-` standing for nothing.
pub(super) fn push_or_dash(out: &mut Vec<u8>, text: &[u8]) {
    match text {
        [] => out.push(b'-'),
        text => push_hex_escaped(out, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::sample;

    fn line(record: &Record<'_>) -> String {
        let mut out = Vec::new();
        write(record, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_exact_form() {
        assert_eq!(
            line(&sample::record()),
            "1.2.3.4 - - [21/Nov/2026:01:02:03 +0000] \"GET /x?y=1 HTTP/1.1\" 200 123 \"ref\" \"ua\""
        );
    }

    #[test]
    fn nothing_known_is_a_dash() {
        let record = Record {
            method_text: b"",
            target: b"",
            user_agent: b"",
            referer: b"",
            status: 400,
            response_bytes: 0,
            ..sample::record()
        };
        assert_eq!(
            line(&record),
            "1.2.3.4 - - [21/Nov/2026:01:02:03 +0000] \"-\" 400 0 \"-\" \"-\""
        );
    }

    #[test]
    fn a_client_cannot_forge_a_line() {
        let record = Record {
            user_agent: b"x\"\n6.6.6.6 - - [now] \"GET /forged",
            referer: b"\\",
            ..sample::record()
        };
        let line = line(&record);
        assert!(line.ends_with(r#" "\x5C" "x\x22\x0A6.6.6.6 - - [now] \x22GET /forged""#));
        assert!(!line.contains('\n'));
    }
}

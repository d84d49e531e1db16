use std::net::SocketAddr;

use proptest::prelude::*;

use super::checksum::crc32c;
use super::*;

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn ends(source: &str, destination: &str) -> Option<Ends> {
    Some(Ends {
        source: address(source),
        destination: address(destination),
    })
}

/// A header of version 2 with this behind its signature and length.
fn v2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
    let mut header = SIGNATURE.to_vec();
    header.extend_from_slice(&[command, family]);
    header.extend_from_slice(&(body.len() as u16).to_be_bytes());
    header.extend_from_slice(body);
    header
}

const V4: [u8; 12] = [1, 2, 3, 4, 10, 0, 0, 1, 0x9c, 0x40, 0x01, 0xbb];

#[test]
fn lines_are_read() {
    for (line, expected) in [
        (
            "PROXY TCP4 1.2.3.4 10.0.0.1 40000 443\r\n",
            ends("1.2.3.4:40000", "10.0.0.1:443"),
        ),
        (
            "PROXY TCP6 2001:db8::1 ::1 0 65535\r\n",
            ends("[2001:db8::1]:0", "[::1]:65535"),
        ),
        (
            "PROXY TCP6 ::ffff:1.2.3.4 ::ffff:10.0.0.1 1 2\r\n",
            ends("1.2.3.4:1", "10.0.0.1:2"),
        ),
        ("PROXY UNKNOWN\r\n", None),
        ("PROXY UNKNOWN ffff::1 ::1 1 2\r\n", None),
    ] {
        let length = line.len();
        let expected = Ok(Beginning::Header {
            ends: expected,
            length,
        });
        assert_eq!(read(line.as_bytes()), expected, "{line}");
        let more = [line, "GET / HTTP/1.1\r\n"].concat();
        assert_eq!(read(more.as_bytes()), expected, "{line}");
        for end in 0..length {
            let part = &line.as_bytes()[..end];
            assert_eq!(read(part), Ok(Beginning::Unfinished), "{line} {end}");
        }
    }
}

#[test]
fn bad_lines_are_refused() {
    let long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(100));
    for line in [
        "PROXY TCP4 1.2.3.4 10.0.0.1 40000\r\n",
        "PROXY TCP4 1.2.3.4 10.0.0.1 40000 443 1\r\n",
        "PROXY TCP4 1.2.3.4 10.0.0.1 40000 443\n",
        "PROXY TCP4  1.2.3.4 10.0.0.1 40000 443\r\n",
        "PROXY TCP4 1.2.3.4 10.0.0.1 040000 443\r\n",
        "PROXY TCP4 1.2.3.4 10.0.0.1 65536 443\r\n",
        "PROXY TCP4 1.2.3.4 10.0.0.1 +1 443\r\n",
        "PROXY TCP4 1.2.3.04 10.0.0.1 1 443\r\n",
        "PROXY TCP4 ::1 ::1 1 443\r\n",
        "PROXY TCP6 1.2.3.4 10.0.0.1 1 443\r\n",
        "PROXY UDP4 1.2.3.4 10.0.0.1 1 443\r\n",
        "PROXY  \r\n",
        "PROXY \u{fffd}\r\n",
        &long,
    ] {
        assert!(read(line.as_bytes()).is_err(), "{line}");
    }
    assert!(read(b"PROXY \xff\r\n").is_err());
}

#[test]
fn what_is_no_header_is_told_at_once() {
    for other in [
        &b"GET / HTTP/1.1\r\n"[..],
        b"P0",
        b"PROXX",
        b"\r\n\r\nGET",
        b"\x16\x03\x01",
    ] {
        assert_eq!(read(other), Ok(Beginning::Other), "{other:?}");
    }
    assert_eq!(read(b""), Ok(Beginning::Unfinished));
}

#[test]
fn binary_headers_are_read() {
    let mut v6 = [0; 36];
    v6[15] = 1;
    v6[31] = 2;
    v6[33] = 3;
    v6[35] = 4;
    let facts = [&V4[..], &[0x04, 0, 1, 0], &[0x02, 0, 3, b'a', b'.', b'b']].concat();
    let client = ends("1.2.3.4:40000", "10.0.0.1:443");
    for (header, expected) in [
        (v2(0x21, 0x11, &V4), client),
        (v2(0x21, 0x11, &facts), client),
        (v2(0x21, 0x21, &v6), ends("[::1]:3", "[::2]:4")),
        (v2(0x21, 0x31, &[b'x'; 216]), None),
        (v2(0x21, 0x00, b""), None),
        (v2(0x21, 0x00, b"anything"), None),
        (v2(0x20, 0x00, b""), None),
        (v2(0x20, 0xff, &V4), None),
    ] {
        let length = header.len();
        let expected = Ok(Beginning::Header {
            ends: expected,
            length,
        });
        assert_eq!(read(&header), expected, "{header:?}");
        let more = [&header[..], b"more"].concat();
        assert_eq!(read(&more), expected, "{header:?}");
        for end in 0..length {
            assert_eq!(read(&header[..end]), Ok(Beginning::Unfinished), "{end}");
        }
    }
}

#[test]
fn bad_binary_headers_are_refused() {
    let with = |facts: &[u8]| v2(0x21, 0x11, &[&V4[..], facts].concat());
    for header in [
        v2(0x11, 0x11, &V4),
        v2(0x22, 0x11, &V4),
        v2(0x21, 0x41, &V4),
        v2(0x21, 0x11, &V4[..11]),
        v2(0x21, 0x21, &V4),
        v2(0x21, 0x31, &[0; 215]),
        v2(0x21, 0x11, &[0; LONGEST]),
        with(&[1]),
        with(&[1, 0, 2, 0]),
        with(&[CHECKSUM, 0, 4, 1, 2, 3, 4]),
        with(&[CHECKSUM, 0, 2, 0, 0]),
    ] {
        assert!(read(&header).is_err(), "{header:?}");
    }
    // No need to wait for all of it.
    assert!(read(&v2(0x31, 0x11, &V4)[..13]).is_err());
    assert!(read(&v2(0x21, 0x11, &[0; LONGEST])[..16]).is_err());
}

#[test]
fn a_right_checksum_is_taken() {
    let facts = [
        &V4[..],
        &[0x04, 0, 1, 7, CHECKSUM, 0, 4, 0, 0, 0, 0, 0x05, 0, 1, 9],
    ];
    let mut header = v2(0x21, 0x11, &facts.concat());
    let sum = crc32c(header.iter().copied());
    let at = 16 + V4.len() + 7;
    header[at..at + 4].copy_from_slice(&sum.to_be_bytes());
    assert!(matches!(
        read(&header),
        Ok(Beginning::Header { ends: Some(_), .. })
    ));
    for index in 16..header.len() {
        let mut other = header.clone();
        other[index] ^= 1;
        let is_of_facts = (28..35).contains(&index) || index >= at + 4;
        let found = read(&other);
        // One that is turned into another fact is not there.
        assert!(found.is_err() || is_of_facts, "{index} {found:?}");
    }
}

#[test]
fn checks_speak_for_themselves() {
    for version in [Version::V1, Version::V2] {
        let mut out = Vec::new();
        write_local(version, &mut out);
        let length = out.len();
        let expected = Beginning::Header { ends: None, length };
        assert_eq!(read(&out), Ok(expected), "{version}");
    }
}

#[test]
fn the_exact_form_of_version_2() {
    let said = Said {
        ends: ends("1.2.3.4:40000", "10.0.0.1:443").unwrap(),
        protocol: b"h2",
        authority: b"a.b",
        unique_id: b"7",
        tls: Some(SaidOfTls {
            version: "TLSv1.3",
            has_certificate: true,
        }),
    };
    let mut out = Vec::new();
    write(Version::V2, &said, &mut out);
    let facts: &[u8] =
        b"\x01\0\x02h2\x02\0\x03a.b\x05\0\x017\x20\0\x0f\x07\0\0\0\0\x21\0\x07TLSv1.3";
    assert_eq!(out, v2(0x21, 0x11, &[&V4[..], facts].concat()));
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        source: SocketAddr, destination: SocketAddr, text: Vec<u8>, is_v1: bool, has_tls: bool,
    ) {
        let canonical = |a: SocketAddr| SocketAddr::new(a.ip().to_canonical(), a.port());
        let ends = Ends { source: canonical(source), destination: canonical(destination) };
        let tls = has_tls.then_some(SaidOfTls { version: "TLSv1.2", has_certificate: false });
        let said = Said { ends, protocol: &text, authority: &text, unique_id: &text, tls };
        let version = if is_v1 { Version::V1 } else { Version::V2 };
        let mut out = Vec::new();
        write(version, &said, &mut out);
        let length = out.len();
        prop_assert_eq!(read(&out), Ok(Beginning::Header { ends: Some(ends), length }));
    }

    #[test]
    fn more_bytes_change_no_answer(
        start in prop::sample::select(vec![&b"PROXY TCP4 1.1.1.1 2.2.2.2 1 2"[..], b"PROXY ", &SIGNATURE, b""]),
        command in prop::sample::select(vec![0x20u8, 0x21, 0x21, b'\r']),
        rest: Vec<u8>,
    ) {
        let bytes = [start, &[command], &rest].concat();
        let whole = read(&bytes);
        let mut answer = Ok(Beginning::Unfinished);
        for end in 0..=bytes.len() {
            let found = read(&bytes[..end]);
            if answer != Ok(Beginning::Unfinished) {
                prop_assert_eq!(found, answer);
            }
            answer = found;
        }
        prop_assert_eq!(answer, whole);
        if let Ok(Beginning::Header { length, .. }) = whole {
            prop_assert!(length <= bytes.len().min(LONGEST));
        }
    }
}

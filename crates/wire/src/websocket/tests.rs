use proptest::prelude::*;

use super::*;

/// The example of RFC 6455 section 1.3.
#[test]
fn a_key_is_accepted_as_the_standard_says() {
    assert_eq!(
        accept("dGhlIHNhbXBsZSBub25jZQ=="),
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    );
    assert_eq!(key((0, 0)), "AAAAAAAAAAAAAAAAAAAAAA==");
    assert_eq!(
        BASE64
            .decode(key((7, u64::MAX)).as_bytes())
            .map(|key| key.len()),
        Ok(16)
    );
}

#[test]
fn going_away_as_either_side_says_it() {
    let said = |from| {
        let mut out = Vec::new();
        push_going_away(&mut out, from);
        out
    };
    assert_eq!(said(From::Server), [0x88, 2, 0x03, 0xe9]);
    assert_eq!(
        said(From::Client([1, 2, 3, 4])),
        [0x88, 0x82, 1, 2, 3, 4, 0x03 ^ 1, 0xe9 ^ 2]
    );
}

/// What has come, whether a frame may begin then, and whether a Close has passed.
#[test]
fn frames_are_told_apart() {
    let long = [&[0x82, 127, 0, 0, 0, 0, 0, 0, 0, 3][..], b"abc"].concat();
    let table: &[(&[u8], bool, bool)] = &[
        (b"", true, false),
        (b"\x81", false, false),
        (b"\x81\x00", true, false),
        (b"\x81\x02a", false, false),
        (b"\x81\x02ab", true, false),
        (b"\x81\x02ab\x89", false, false),
        // The mask is a part of the frame.
        (b"\x81\x80", false, false),
        (b"\x81\x80mask", true, false),
        (b"\x81\x81mask", false, false),
        (b"\x81\x7e\x00", false, false),
        (b"\x81\x7e\x00\x01", false, false),
        (b"\x81\x7e\x00\x01a", true, false),
        (&long, true, false),
        (&long[..12], false, false),
        (
            b"\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff and on",
            false,
            false,
        ),
        (b"\x88\x00", true, true),
        (b"\x88\x02\x03", false, false),
        (b"\x88\x02\x03\xe9", true, true),
        (b"\x88\x82mask\x03\xe9", true, true),
        // The middle of a message in pieces.
        (b"\x01\x01a", true, false),
    ];
    for (bytes, is_between, has_closed) in table {
        let mut frames = Frames::default();
        frames.pass(bytes);
        let found = (frames.is_between(), frames.has_closed());
        assert_eq!(found, (*is_between, *has_closed), "{bytes:x?}");
    }
}

/// One frame of so many bytes, masked or not.
fn frame(opcode: u8, is_masked: bool, length: usize) -> Vec<u8> {
    let mask = if is_masked { 0x80 } else { 0 };
    let mut bytes = vec![0x80 | opcode];
    match length {
        0..=125 => bytes.push(mask | length as u8),
        126..=65535 => {
            bytes.push(mask | 126);
            bytes.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            bytes.push(mask | 127);
            bytes.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    bytes.resize(bytes.len() + length + if is_masked { 4 } else { 0 }, 0x88);
    bytes
}

proptest! {
    /// However the bytes come, frames end where they end.
    #[test]
    fn any_split_gives_the_same(
        frames in proptest::collection::vec((0u8..8, any::<bool>(), prop_oneof![0usize..130, 65_530usize..65_540]), 0..6),
        piece in 1usize..200,
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = Vec::new();
        let mut ends = vec![0];
        for (opcode, is_masked, length) in frames {
            bytes.extend(frame(opcode, is_masked, length));
            ends.push(bytes.len());
        }
        let cut = cut.index(bytes.len() + 1);
        let mut tracked = Frames::default();
        for piece in bytes[..cut].chunks(piece) {
            tracked.pass(piece);
        }
        prop_assert_eq!(tracked.is_between(), ends.contains(&cut));
        prop_assert!(!tracked.has_closed());
    }
}

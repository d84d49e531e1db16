use super::*;

/// What is refused, beside what is like it and good.
#[test]
fn what_is_refused() {
    let table: &[(&str, &[u8], &[u8])] = &[
        ("index 0", b"\x80", b"\x81"),
        ("no such line", b"\xbe", b"\xbd"),
        (
            "beyond what is kept",
            b"\x40\x01a\x01b\xbf",
            b"\x40\x01a\x01b\xbe",
        ),
        ("index beyond all", b"\xff\x80\x80\x80\x01", b"\xbd"),
        ("no such name, kept", b"\x7e\x01a", b"\x7d\x01a"),
        ("no such name", b"\x0f\x2f\x01a", b"\x0f\x2e\x01a"),
        (
            "no such name, never kept",
            b"\x1f\x2f\x01a",
            b"\x1f\x2e\x01a",
        ),
        ("size update behind a line", b"\x82\x20", b"\x20\x82"),
        (
            "size update between lines",
            b"\x20\x82\x20\x82",
            b"\x20\x20\x82",
        ),
        ("size too large", b"\x3f\xe2\x1f", b"\x3f\xe1\x1f"),
        (
            "a second size too large",
            b"\x20\x3f\xe2\x1f",
            b"\x20\x3f\xe1\x1f",
        ),
        ("no name", b"\x40", b"\x40\x00\x00"),
        ("no value", b"\x00\x01a", b"\x00\x01a\x00"),
        ("a name cut short", b"\x00\x04abc", b"\x00\x03abc\x00"),
        ("a value cut short", b"\x00\x01a\x02b", b"\x00\x01a\x01b"),
        (
            "an endless length",
            b"\x00\x7f\xff\xff\xff\xff\xff\xff",
            b"\x00\x00\x00",
        ),
        ("padding of a byte", b"\x00\x00\x81\xff", b"\x00\x00\x80"),
        (
            "padding of a byte and more",
            b"\x00\x00\x82\x07\xff",
            b"\x00\x00\x81\x07",
        ),
        ("padding of zeros", b"\x00\x00\x81\x18", b"\x00\x00\x81\x1f"),
        (
            "padding with a zero",
            b"\x00\x00\x81\x1d",
            b"\x00\x00\x81\x1f",
        ),
        (
            "a code cut short",
            b"\x00\x00\x82\xff\xc0",
            b"\x00\x00\x82\xfe\x3f",
        ),
        (
            "the end's code",
            b"\x00\x00\x84\xff\xff\xff\xff",
            b"\x00\x00\x84\xff\xff\xff\xf3",
        ),
        (
            "a name with the end's code",
            b"\x00\x84\xff\xff\xff\xfc\x00",
            b"\x00\x81\x1f\x00",
        ),
    ];
    for (what, bad, good) in table {
        assert_eq!(alone(bad), Err(Broken), "{what}");
        assert!(alone(good).is_ok(), "{what}: {good:x?}");
    }
}

/// Where a line ends a block may end, and nowhere else.
#[test]
fn blocks_that_are_cut_short() {
    let plain = b"\x82\x41\x0fwww.example.com\x04\x0c/sample/path\x10\x01a\x01b".to_vec();
    let mut coded = vec![0x82, 0x41];
    push_huffman(&mut coded, b"www.example.com");
    coded.push(0);
    push_huffman(&mut coded, b"custom-key");
    push_huffman(&mut coded, b"custom-value");
    for (block, ends) in [(plain, vec![0, 1, 18, 32, 37]), (coded, vec![0, 1, 15, 35])] {
        assert_eq!(ends.last(), Some(&block.len()));
        for end in 0..=block.len() {
            assert_eq!(alone(&block[..end]).is_ok(), ends.contains(&end), "{end}");
        }
    }
}

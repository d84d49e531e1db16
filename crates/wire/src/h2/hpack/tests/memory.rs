use super::*;

#[test]
fn an_empty_table_takes_no_memory() {
    let mut decoder = Decoder::new(4096);
    assert_eq!(memory(&decoder), 0);
    let mut kept = vec![0x40, 1, b'a'];
    push_huffman(&mut kept, b"kept");
    let mut not_kept = kept.clone();
    not_kept[0] = 0;
    let mut too_large = vec![0x40, 1, b'a'];
    push_huffman(&mut too_large, &[b'e'; 5000]);
    for emptied_by in [b"\x20".to_vec(), b"\x20\x3f\xe1\x1f".to_vec(), too_large] {
        decode(&mut decoder, &kept).unwrap();
        assert!(memory(&decoder) > 0);
        decode(&mut decoder, &emptied_by).unwrap();
        assert_eq!(memory(&decoder), 0, "{emptied_by:x?}");
        decode(&mut decoder, b"\x3f\xe1\x1f").unwrap();
    }
    decode(&mut decoder, &not_kept).unwrap();
    assert_eq!(memory(&decoder), 0);
}

#[test]
fn scratch_is_kept_unless_it_is_large() {
    let mut decoder = Decoder::new(4096);
    decode(&mut decoder, b"\x40\x01a\x01b").unwrap();
    for (length, is_kept) in [(100, true), (10_000, true), (20_000, false)] {
        let mut block = vec![0, 1, b'a'];
        push_huffman(&mut block, &vec![b'e'; length]);
        let lines = decode(&mut decoder, &block).unwrap();
        assert_eq!(lines, [line("a", &"e".repeat(length))]);
        assert_eq!(decoder.value.capacity() > 0, is_kept, "{length}");
    }
}

/// Small lines that take over the buffers of large ones, again and again.
#[test]
fn small_lines_take_little_memory() {
    let mut decoder = Decoder::new(4096);
    for _ in 0..1000 {
        let mut block = b"\x40\x00\x7f\x81\x0f".to_vec();
        block.extend([b'a'; 2048]);
        // They fill the table, so that the large one goes, and then one is left.
        block.extend(b"\x40\x00\x00".repeat(70));
        decode(&mut decoder, &block).unwrap();
        assert!(memory(&decoder) <= 5 * 4096);
    }
}

/// A field whose name is one that goes to make room for it.
#[test]
fn names_outlive_their_lines() {
    let mut decoder = Decoder::new(70);
    assert_eq!(
        decode(&mut decoder, b"\x40\x01a\x05first\x7e\x06second\xbe"),
        Ok(vec![
            line("a", "first"),
            line("a", "second"),
            line("a", "second")
        ])
    );
    assert_eq!(decode(&mut decoder, b"\xbf"), Err(Broken));
}

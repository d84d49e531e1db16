mod examples;
mod memory;
mod properties;
mod refusals;
mod written;

use message::Known;

use super::known_lines::LINES;
use super::write::write_integer;
use super::*;

pub(super) type Lines = Vec<(Vec<u8>, Vec<u8>)>;

pub(super) fn decode(decoder: &mut Decoder, block: &[u8]) -> Result<Lines, Broken> {
    let mut lines = Lines::new();
    decoder.decode(block, |name, value| {
        lines.push((name.to_vec(), value.to_vec()));
    })?;
    Ok(lines)
}

/// What a block means to one that has seen nothing before.
pub(super) fn alone(block: &[u8]) -> Result<Lines, Broken> {
    decode(&mut Decoder::new(4096), block)
}

pub(super) fn line(name: &str, value: &str) -> (Vec<u8>, Vec<u8>) {
    (name.into(), value.into())
}

/// All bytes on the heap that the decoder holds.
pub(super) fn memory(decoder: &Decoder) -> usize {
    decoder.name.capacity() + decoder.value.capacity() + decoder.table.memory()
}

/// A symbol's code by what is before it, and its length.
fn code(symbol: usize) -> (u64, u8) {
    let length = huffman::LENGTHS[symbol];
    let before = huffman::LENGTHS.iter().enumerate();
    let before = before.filter(|&(other, &bits)| (bits, other) < (length, symbol));
    let code: u64 = before.map(|(_, &bits)| 1 << (30 - bits)).sum();
    (code >> (30 - length), length)
}

/// Bits, and ones behind them up to a whole byte.
fn padded(codes: impl Iterator<Item = (u64, u8)>) -> Vec<u8> {
    let mut bits: Vec<bool> = codes
        .flat_map(|(code, length)| (0..length).rev().map(move |bit| code >> bit & 1 == 1))
        .collect();
    bits.resize(bits.len().next_multiple_of(8), true);
    let byte = |bits: &[bool]| bits.iter().fold(0, |byte, &bit| byte << 1 | u8::from(bit));
    bits.chunks(8).map(byte).collect()
}

pub(super) fn push_huffman(block: &mut Vec<u8>, text: &[u8]) {
    let coded = padded(text.iter().map(|&byte| code(usize::from(byte))));
    write_integer(block, HUFFMAN, 0x7f, coded.len());
    block.extend(coded);
}

/// Some rows of RFC 7541 appendix B.
#[test]
fn codes_are_those_of_the_standard() {
    let table = [
        (0, 0x1ff8, 13),
        (10, 0x3fff_fffc, 30),
        (b'0', 0x0, 5),
        (b'A', 0x21, 6),
        (b'a', 0x3, 5),
        (b'z', 0x7b, 7),
        (b'\\', 0x7fff0, 19),
        (b'~', 0x1ffd, 13),
        (127, 0xfff_fffc, 28),
        (128, 0xfffe6, 20),
        (199, 0x1ff_ffec, 25),
        (249, 0xfff_fffe, 28),
        (255, 0x3ff_ffee, 26),
    ];
    for (symbol, bits, length) in table {
        assert_eq!(code(usize::from(symbol)), (bits, length), "{symbol}");
    }
    assert_eq!(code(256), (0x3fff_ffff, 30));
}

#[test]
fn every_byte_is_decoded_after_every_other() {
    for first in 0..=255 {
        for second in 0..=255 {
            let mut block = vec![0];
            push_huffman(&mut block, &[first]);
            push_huffman(&mut block, &[first, second]);
            let line = (vec![first], vec![first, second]);
            assert_eq!(alone(&block), Ok(vec![line]));
        }
    }
}

/// RFC 7541 section C.1, and the bounds.
#[test]
fn integers() {
    let table: [(u8, usize, &[u8]); 6] = [
        (0x1f, 10, &[10]),
        (0x1f, 31, &[31, 0]),
        (0x1f, 1337, &[31, 0x9a, 10]),
        (0xff, 42, &[42]),
        (0x7f, 127, &[127, 0x80, 0x80, 0x80, 0x80, 0]),
        (0x7f, 1 << 28, &[127, 0x81, 0xff, 0xff, 0x7f]),
    ];
    for (mask, value, bytes) in table {
        let (&first, mut rest) = bytes.split_first().unwrap();
        assert_eq!(integer(first, mask, &mut rest), Ok(value), "{bytes:x?}");
        assert!(rest.is_empty());
        let mut written = Vec::new();
        write_integer(&mut written, 0, mask, value);
        assert!(written == bytes || bytes.ends_with(&[0]), "{bytes:x?}");
    }
    let refused: [&[u8]; 6] = [
        &[],
        &[0x80],
        &[0x82, 0xff, 0xff, 0x7f],
        &[0xff, 0xff, 0xff, 0xff, 0x7f],
        &[0x80, 0x80, 0x80, 0x80, 0x80, 0],
        &[0xff; 40],
    ];
    for mut bytes in refused {
        assert_eq!(integer(127, 0x7f, &mut bytes), Err(Broken), "{bytes:x?}");
    }
}

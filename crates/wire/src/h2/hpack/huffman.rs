//! Huffman's code of HPACK (RFC 7541 section 5.2 and appendix B). It is
//! canonical: codes of one length follow one another in the order of their
//! symbols, and longer ones come behind shorter ones. So their lengths say it all.

use super::Broken;

/// The symbol that stands for the end and is never written out.
const END: u16 = 256;

/// The length of each symbol's code, in bits.
#[rustfmt::skip]
pub(super) const LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
    6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
    30,
];

const SHORTEST: u8 = 5;
const LONGEST: u8 = 30;

/// Codes up to this length, those of most text, are looked up by it.
const SHORT: u8 = 8;

/// The codes of one length. The first bits of a window are one of them if it is
/// not above `last`, and is above that of the shorter ones.
#[derive(Clone, Copy)]
struct Group {
    /// The last code, with ones behind it.
    last: u32,
    length: u8,
    /// From a code to its symbol's place in the order of the codes.
    shift: u32,
}

struct Codes {
    /// By a window's first eight bits: the symbol, and its length, which is zero
    /// where the code is longer.
    short: [(u8, u8); 256],
    long: [Group; (LONGEST - SHORT) as usize],
    /// Symbols in the order of their codes.
    order: [u16; LENGTHS.len()],
}

static CODES: Codes = {
    let none = Group {
        last: 0,
        length: 0,
        shift: 0,
    };
    let mut codes = Codes {
        short: [(0, 0); 256],
        long: [none; (LONGEST - SHORT) as usize],
        order: [0; LENGTHS.len()],
    };
    // The next code, with zeros behind it up to 32 bits.
    let mut next: u64 = 0;
    let mut placed = 0;
    let mut length = SHORTEST;
    while length <= LONGEST {
        let shift = (placed as u32).wrapping_sub((next >> (32 - length)) as u32);
        let mut symbol = 0;
        while symbol < LENGTHS.len() {
            if LENGTHS[symbol] == length {
                codes.order[placed] = symbol as u16;
                placed += 1;
                let mut window = next >> 24;
                next += 1 << (32 - length);
                while length <= SHORT && window < next >> 24 {
                    codes.short[window as usize] = (symbol as u8, length);
                    window += 1;
                }
            }
            symbol += 1;
        }
        if length > SHORT {
            codes.long[(length - SHORT - 1) as usize] = Group {
                last: (next - 1) as u32,
                length,
                shift,
            };
        }
        length += 1;
    }
    // Every sequence of bits is a sequence of codes: the sum of Kraft is 1.
    assert!(next == 1 << 32 && placed == LENGTHS.len());
    codes
};

/// The symbol that a window begins with, and the length of its code.
fn symbol(window: u32) -> Option<(u16, u8)> {
    let [first, ..] = window.to_be_bytes();
    match CODES.short[usize::from(first)] {
        (_, 0) => {
            let group = CODES.long.iter().find(|group| window <= group.last)?;
            let code = window >> (32 - group.length);
            let place = code.wrapping_add(group.shift) as usize;
            Some((*CODES.order.get(place)?, group.length))
        }
        (symbol, length) => Some((u16::from(symbol), length)),
    }
}

/// Appends what the bytes stand for.
pub(super) fn decode(mut bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Broken> {
    out.reserve(bytes.len() * 8 / usize::from(SHORTEST));
    // The bits to be decoded next come first; behind those there are zeros.
    let (mut bits, mut count) = (0u64, 0u32);
    loop {
        if count < u32::from(LONGEST) {
            if let Some((word, rest)) = bytes.split_first_chunk() {
                bits |= u64::from(u32::from_be_bytes(*word)) << (32 - count);
                count += 32;
                bytes = rest;
            } else {
                for &byte in bytes {
                    bits |= u64::from(byte) << (56 - count);
                    count += 8;
                }
                bytes = &[];
            }
        }
        let (symbol, length) = symbol((bits >> 32) as u32).ok_or(Broken)?;
        if u32::from(length) > count {
            break;
        }
        if symbol == END {
            return Err(Broken);
        }
        out.push(symbol as u8);
        bits <<= length;
        count -= u32::from(length);
    }
    // The beginning of the end's code, and not a whole byte of it.
    match count < 8 && bits.leading_ones() == count {
        true => Ok(()),
        false => Err(Broken),
    }
}

//! Bytes of which one can tell whose they are.

/// A number from two, as good as random.
pub(crate) fn mix(a: u64, b: u64) -> u64 {
    let mut x = a ^ b.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}

/// What some bodies are full of: whoever loses track of where a message ends
/// takes it for the next one, with a token that nobody has.
const BAIT: &[u8] = b"HTTP/1.1 200 OK\r\nX-Token: 0000000000000000\r\nContent-Length: 0\r\n\r\n\
GET /t/0000000000000000 HTTP/1.1\r\nHost: bait\r\nX-Token: 0000000000000000\r\n\r\n\
0\r\n\r\n";

/// The body with this id.
pub(crate) fn body(id: u64, length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length + 8);
    if is_bait(id) {
        bytes.extend(BAIT.iter().cycle().take(length));
        return bytes;
    }
    let mut block = 0;
    while bytes.len() < length {
        bytes.extend_from_slice(&mix(id, block).to_le_bytes());
        block += 1;
    }
    bytes.truncate(length);
    bytes
}

/// Whether these bytes stand at `at` of the body with this id.
pub(crate) fn is_part(id: u64, at: u64, bytes: &[u8]) -> bool {
    let at = at as usize;
    if is_bait(id) {
        let expected = BAIT.iter().cycle().skip(at % BAIT.len());
        return bytes.iter().zip(expected).all(|(a, b)| a == b);
    }
    let mut block = at / 8;
    let mut rest = bytes;
    let mut skip = at % 8;
    while !rest.is_empty() {
        let expected = mix(id, block as u64).to_le_bytes();
        let n = rest.len().min(8 - skip);
        if rest[..n] != expected[skip..skip + n] {
            return false;
        }
        rest = &rest[n..];
        skip = 0;
        block += 1;
    }
    true
}

fn is_bait(id: u64) -> bool {
    id.is_multiple_of(8)
}

#[test]
fn parts_of_a_body_are_known_wherever_they_begin() {
    for id in [7, 8, u64::MAX] {
        let whole = body(id, 1000);
        for at in [0, 1, 7, 8, 9, 500] {
            assert!(is_part(id, at as u64, &whole[at..]));
            assert!(is_part(id, at as u64, &whole[at..at + 3]));
            assert!(!is_part(id, at as u64 + 1, &whole[at..]));
            assert!(!is_part(id ^ 1, at as u64, &whole[at..]));
        }
    }
}

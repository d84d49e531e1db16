//! The id that ties together everything said about one request.

/// The longest id that is taken over from a trusted peer.
const LONGEST: usize = 64;

/// Where the two digits of each byte of a UUID stand.
const PLACES: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];

/// The two digits of each byte.
const HEX: [[u8; 2]; 256] = {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut table = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = [DIGITS[byte >> 4], DIGITS[byte & 15]];
        byte += 1;
    }
    table
};

/// A UUIDv7 (RFC 9562 section 5.7) in its usual spelling, or what a trusted
/// peer has sent.
#[derive(Clone, Copy)]
pub(crate) struct RequestId {
    text: [u8; LONGEST],
    length: u8,
}

impl RequestId {
    /// A new id from the wall time and 74 random bits.
    pub(crate) fn new(unix_micros: u64, random: (u64, u64)) -> Self {
        let millis = unix_micros / 1000;
        let high = millis << 16 | 0x7000 | random.0 & 0x0fff;
        let low = random.1 & (u64::MAX >> 2) | 1 << 63;
        let mut text = [0; LONGEST];
        let digits = u128::from(high) << 64 | u128::from(low);
        let bytes = digits.to_be_bytes();
        for (byte, place) in bytes.iter().zip(PLACES) {
            let pair = HEX[usize::from(*byte)];
            text[place] = pair[0];
            text[place + 1] = pair[1];
        }
        for place in [8, 13, 18, 23] {
            text[place] = b'-';
        }
        Self { text, length: 36 }
    }

    /// An id as received, if it is one: up to 64 letters, digits and `-_.:/+=@`.
    pub(crate) fn received(value: &[u8]) -> Option<Self> {
        let fits = |b: &u8| b.is_ascii_alphanumeric() || b"-_.:/+=@".contains(b);
        if value.is_empty() || value.len() > LONGEST || !value.iter().all(fits) {
            return None;
        }
        let mut text = [0; LONGEST];
        text.get_mut(..value.len())?.copy_from_slice(value);
        Some(Self {
            text,
            length: value.len() as u8,
        })
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.text
            .get(..usize::from(self.length))
            .unwrap_or_default()
    }

    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_id_is_a_version_7_uuid() {
        let id = RequestId::new(0x0123_4567_89ab * 1000, (u64::MAX, u64::MAX));
        assert_eq!(id.as_str(), "01234567-89ab-7fff-bfff-ffffffffffff");
        let id = RequestId::new(0, (0, 0));
        assert_eq!(id.as_str(), "00000000-0000-7000-8000-000000000000");
    }

    #[test]
    fn received_ids_are_kept_only_when_harmless() {
        assert_eq!(
            RequestId::received(b"abc-1").map(|i| i.as_str().to_owned()),
            Some("abc-1".into())
        );
        for bad in [&b""[..], b"a b", b"a\"b", b"a\xffb", &[b'a'; 65]] {
            assert!(RequestId::received(bad).is_none());
        }
    }
}

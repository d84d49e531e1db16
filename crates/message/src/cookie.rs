//! The cookies of a request (RFC 6265 section 4.2).

use crate::Fields;

/// Names and values in their order, as the client sent them; a value keeps its
/// quotes. Pieces without `=` are passed over.
pub fn cookies(fields: &Fields) -> impl Iterator<Item = (&[u8], &[u8])> {
    fields
        .all_named(b"Cookie")
        .flat_map(|line| line.split(|&byte| byte == b';'))
        .filter_map(|pair| {
            let pair = pair.trim_ascii();
            let at = pair.iter().position(|&byte| byte == b'=')?;
            let (name, value) = (pair.get(..at)?, pair.get(at + 1..)?);
            Some((name.trim_ascii_end(), value.trim_ascii_start()))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling() {
        let mut fields = Fields::default();
        fields.push(b"Cookie", b"a=1; b=\"x\";c=2=3 ; d;; =e");
        fields.push(b"cookie", b"a=4");
        fields.push(b"Set-Cookie", b"no=1");
        let found: Vec<(&[u8], &[u8])> = cookies(&fields).collect();
        let expected: [(&[u8], &[u8]); 5] = [
            (b"a", b"1"),
            (b"b", b"\"x\""),
            (b"c", b"2=3"),
            (b"", b"e"),
            (b"a", b"4"),
        ];
        assert_eq!(found, expected);
    }
}

/// Writes a byte as a URL can hold it (RFC 3986 section 2); `also` are bytes
/// that would mean something where it stands.
pub(crate) fn push_escaped(byte: u8, also: &[u8], out: &mut Vec<u8>) {
    let is_plain = byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte);
    if is_plain && !also.contains(&byte) {
        return out.push(byte);
    }
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |value: u8| DIGITS[usize::from(value & 0xf)];
    out.extend([b'%', digit(byte >> 4), digit(byte)]);
}

//! The protocol a service speaks, as the beginning of its URL.

use crate::fault::shown;

/// What a service speaks that does not say.
pub(crate) const DEFAULT: &str = "http";

const LONGEST: usize = 16;

/// A scheme in lower case (RFC 3986 section 3.1). Which ones can be served is
/// for the proxy to say: services that it never speaks to can be looked up here
/// too.
pub(crate) fn scheme(text: &str) -> Result<Box<str>, String> {
    let first = text.bytes().next();
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    let good = first.is_some_and(|byte| byte.is_ascii_alphabetic())
        && text.len() <= LONGEST
        && text.bytes().all(fits);
    if !good {
        let text = shown(text);
        return Err(format!("is a protocol such as `http`, found `{text}`"));
    }
    Ok(text.to_ascii_lowercase().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes_are_words_that_begin_with_a_letter() {
        assert_eq!(scheme("HTTP").as_deref(), Ok("http"));
        assert_eq!(scheme("coap+tcp").as_deref(), Ok("coap+tcp"));
        for bad in ["", "1a", "http:", "http://", "a b", "abcdefghijklmnopq"] {
            assert!(scheme(bad).is_err(), "{bad}");
        }
    }
}

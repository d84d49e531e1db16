//! The parameters of a query, as forms write them: `a=1&b=x+y&c`.

use std::borrow::Cow;

/// The parameters in their order, decoded: `+` is a space and `%XX` a byte. A
/// parameter without `=` has the empty value.
pub fn parameters(query: &[u8]) -> impl Iterator<Item = (Cow<'_, [u8]>, Cow<'_, [u8]>)> {
    query
        .split(|&byte| byte == b'&')
        .filter(|parameter| !parameter.is_empty())
        .map(|parameter| {
            let (name, value) = match parameter.iter().position(|&byte| byte == b'=') {
                Some(at) => (&parameter[..at], &parameter[at + 1..]),
                None => (parameter, &b""[..]),
            };
            (decoded(name), decoded(value))
        })
}

/// A `%` without two digits behind it stands for itself.
fn decoded(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.iter().any(|byte| matches!(byte, b'+' | b'%')) {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match (byte, escaped(after)) {
            (b'+', _) => out.push(b' '),
            (b'%', Some(escaped)) => {
                out.push(escaped);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => out.push(byte),
        }
    }
    Cow::Owned(out)
}

fn escaped(digits: &[u8]) -> Option<u8> {
    let [high, low, ..] = digits else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling() {
        for (query, expected) in [
            ("", &[][..]),
            ("&&", &[]),
            ("a", &[("a", "")]),
            ("a=", &[("a", "")]),
            ("=1", &[("", "1")]),
            ("a=1&b=2&a=3", &[("a", "1"), ("b", "2"), ("a", "3")]),
            ("a=b=c", &[("a", "b=c")]),
            ("x+y=%41+%62", &[("x y", "A b")]),
            (
                "a=%&b=%4&c=%zz&d=%2541",
                &[("a", "%"), ("b", "%4"), ("c", "%zz"), ("d", "%41")],
            ),
        ] {
            let found: Vec<_> = parameters(query.as_bytes())
                .map(|(name, value)| {
                    let text = |part: &[u8]| String::from_utf8_lossy(part).into_owned();
                    (text(&name), text(&value))
                })
                .collect();
            let expected: Vec<_> = expected
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect();
            assert_eq!(found, expected, "{query}");
        }
    }
}

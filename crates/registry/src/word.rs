//! What ids and names are made of: they stand in paths, queries and cursors, so
//! nothing that has a meaning there may be in them.

use crate::fault::shown;

/// `text`, if it has 1 to `most` bytes of letters, digits, `-`, `_`, `.` and
/// `:`, and is not a dot segment.
pub(crate) fn word(text: &str, most: usize) -> Result<&str, String> {
    if text.is_empty() {
        return Err("is empty".to_owned());
    }
    if text.len() > most {
        let length = text.len();
        return Err(format!("can have {most} bytes, this one has {length}"));
    }
    if !text.bytes().all(may_be_in_a_word) || matches!(text, "." | "..") {
        let text = shown(text);
        return Err(format!(
            "is made of letters, digits, `-`, `_`, `.` and `:`, found `{text}`"
        ));
    }
    Ok(text)
}

fn may_be_in_a_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_plain() {
        for good in ["web", "Web-1", "a.b_c:80", "...", "0"] {
            assert_eq!(word(good, 10), Ok(good), "{good}");
        }
        for bad in [
            "",
            ".",
            "..",
            "a b",
            "a/b",
            "a%41",
            "ä",
            "a\n",
            "12345678901",
        ] {
            assert!(word(bad, 10).is_err(), "{bad}");
        }
    }
}

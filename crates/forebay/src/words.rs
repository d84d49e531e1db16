//! Texts for people.

/// Letters of a value that are shown at most.
const SHOWN: usize = 72;

/// Letters before the place where two values part.
const BEFORE: usize = 24;

/// A text on one line that does nothing to a terminal.
pub fn plain(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '"' | '\'' | '\\' => shown.push(letter),
            // Whatever has no shape of its own, or turns the others around.
            letter => shown.extend(letter.escape_debug()),
        }
    }
    match shown.is_empty() {
        true => "\"\"".to_owned(),
        false => shown,
    }
}

/// Written JSON that does nothing to a terminal, and says the same.
pub fn plain_json(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        // The others stand within texts, or not at all.
        match letter.is_control() && letter != '\n' {
            true => shown.push_str(&format!("\\u{:04x}", u32::from(letter))),
            false => shown.push(letter),
        }
    }
    shown
}

/// Two values, or what is around the place where they part.
pub fn excerpts(old: &str, new: &str) -> [String; 2] {
    let texts = [old, new];
    if texts.iter().all(|text| text.chars().count() <= SHOWN) {
        return texts.map(plain);
    }
    let pairs = old.chars().zip(new.chars());
    let common = pairs.take_while(|(a, b)| a == b).count();
    texts.map(|text| excerpt(text, common.saturating_sub(BEFORE)))
}

fn excerpt(text: &str, from: usize) -> String {
    let shown: String = text.chars().skip(from).take(SHOWN).collect();
    let mut excerpt = plain(&shown);
    if from > 0 {
        excerpt.insert(0, '\u{2026}');
    }
    if text.chars().nth(from + SHOWN).is_some() {
        excerpt.push('\u{2026}');
    }
    excerpt
}

/// `1,204`.
pub fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `1 request`, `2 requests`.
pub fn count(n: u64, what: &str) -> String {
    let s = if n == 1 { "" } else { "s" };
    format!("{} {what}{s}", number(n))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        for (n, expected) in [
            (0, "0"),
            (999, "999"),
            (1204, "1,204"),
            (123456, "123,456"),
            (1234567, "1,234,567"),
        ] {
            assert_eq!(number(n), expected);
        }
        assert_eq!(count(1, "line"), "1 line");
        assert_eq!(count(0, "line"), "0 lines");
    }

    #[test]
    fn texts_do_nothing_to_a_terminal() {
        for (text, expected) in [
            ("", "\"\""),
            ("a \"b\" 'c' \\d", "a \"b\" 'c' \\d"),
            ("a\nb\u{1b}[31m", "a\\nb\\u{1b}[31m"),
            ("\u{202e}x\u{e9}", "\\u{202e}x\u{e9}"),
        ] {
            assert_eq!(plain(text), expected);
        }
    }

    #[test]
    fn json_says_the_same_without_control_characters() {
        let value = serde_json::json!({"a\u{9b}": "\u{1b}[31m\u{7f}\n\u{85}\u{e9}"});
        let shown = plain_json(&format!("{value:#}"));
        assert!(!shown.contains(|c: char| c.is_control() && c != '\n'));
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&shown).unwrap(),
            value
        );
    }

    #[test]
    fn long_values_are_shown_where_they_part() {
        let (a, b) = ("a".repeat(100), "b".repeat(100));
        let [old, new] = excerpts(&format!("{a}x{b}"), &format!("{a}y"));
        assert_eq!(old, format!("\u{2026}{}x{}\u{2026}", &a[..24], &b[..47]));
        assert_eq!(new, format!("\u{2026}{}y", &a[..24]));
        assert_eq!(excerpts("a", "b"), ["a", "b"]);
    }
}

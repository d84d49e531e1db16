//! "Did you mean": the known word closest to an unknown one.

/// The word that takes the fewest single-letter changes to reach from `typed`,
/// if that is few enough to be a slip.
pub(crate) fn nearest<'a>(typed: &str, words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let typed: Vec<char> = typed.to_ascii_lowercase().chars().take(64).collect();
    let allowed = 1 + typed.len() / 4;
    words
        .map(|word| (distance(&typed, word), word))
        .filter(|&(distance, _)| distance <= allowed)
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, word)| word)
}

/// Levenshtein's distance.
fn distance(from: &[char], to: &str) -> usize {
    let mut row: Vec<usize> = (0..=from.len()).collect();
    for (line, wanted) in to.chars().enumerate() {
        let mut diagonal = line;
        let mut left = line + 1;
        let (first, cells) = match row.split_first_mut() {
            Some(split) => split,
            None => break,
        };
        *first = left;
        for (cell, letter) in cells.iter_mut().zip(from) {
            let replaced = diagonal + usize::from(*letter != wanted);
            diagonal = *cell;
            *cell = replaced.min(diagonal + 1).min(left + 1);
            left = *cell;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (from, to, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("kitten", "sitting", 3),
            ("host", "hsot", 2),
            ("path", "path", 0),
        ] {
            let letters: Vec<char> = from.chars().collect();
            assert_eq!(distance(&letters, to), expected, "{from} {to}");
        }
    }

    #[test]
    fn suggestions() {
        let words = ["client_ip", "client_port", "host", "path"];
        for (typed, expected) in [
            ("clientip", Some("client_ip")),
            ("Client-IP", Some("client_ip")),
            ("hots", Some("host")),
            ("paht", Some("path")),
            ("weather", None),
            ("", None),
        ] {
            assert_eq!(nearest(typed, words.into_iter()), expected, "{typed}");
        }
    }
}

//! "Did you mean": the known word nearest to an unknown one.

/// Words looked at, so that thousands of mistakes in a generated file do not take minutes to explain.
const LOOKED_AT: usize = 1000;

/// The word of `known` that someone who wrote `word` most likely meant, if any is near.
///
/// Case, and a hyphen where an underscore belongs, do not count as mistakes; beyond that about one letter in
/// three may be wrong.
/// Where none is, the only one that begins or ends with `word` was: `backend` is short for `backend_group`.
pub fn suggest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<String> {
    let known: Vec<_> = known.into_iter().take(LOOKED_AT).collect();
    let word = normal(word);
    let meant = nearest(&word, &known).or_else(|| only_longer(&word, &known));
    meant.map(str::to_owned)
}

fn nearest<'k>(word: &[char], known: &[&'k str]) -> Option<&'k str> {
    let tolerated = (word.len() / 3).max(1);
    known
        .iter()
        .map(|candidate| (normal(candidate), *candidate))
        // At least as many letters are wrong as are missing or too many.
        .filter(|(normal, _)| normal.len().abs_diff(word.len()) <= tolerated)
        .map(|(normal, candidate)| (distance(word, &normal), candidate))
        .filter(|(distance, candidate)| *distance <= tolerated && *distance < candidate.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Shorter words are the beginning or the end of too much.
const TELLING: usize = 4;

fn only_longer<'k>(word: &[char], known: &[&'k str]) -> Option<&'k str> {
    let letters = |word: &[char]| -> Vec<char> {
        let letters = word.iter().filter(|letter| **letter != '_');
        letters.copied().collect()
    };
    let short = letters(word);
    if short.len() < TELLING {
        return None;
    }
    let mut longer = known.iter().filter(|candidate| {
        let long = letters(&normal(candidate));
        long.starts_with(&short) || long.ends_with(&short)
    });
    let first = longer.next()?;
    longer.next().is_none().then_some(*first)
}

fn normal(word: &str) -> Vec<char> {
    word.chars()
        .map(|letter| match letter {
            '-' | ' ' => '_',
            _ => letter.to_ascii_lowercase(),
        })
        .collect()
}

/// Levenshtein distance, keeping one row of the table at a time.
fn distance(from: &[char], to: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, letter) in from.iter().enumerate() {
        let mut diagonal = line;
        let mut left = line + 1;
        for (cell, other) in row.iter_mut().skip(1).zip(to) {
            let substituted = diagonal + usize::from(letter != other);
            diagonal = *cell;
            left = substituted.min(diagonal + 1).min(left + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = line + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn near_words_are_suggested_and_far_ones_are_not() {
        let known = [
            "round_robin",
            "least_connections",
            "random",
            "id",
            "address",
        ];
        for (word, meant) in [
            ("round-robin", Some("round_robin")),
            ("Round Robin", Some("round_robin")),
            ("roundrobin", Some("round_robin")),
            ("least_conections", Some("least_connections")),
            ("adress", Some("address")),
            ("ramdon", Some("random")),
            ("Id", Some("id")),
            ("least_conn", Some("least_connections")),
            ("leastconn", Some("least_connections")),
            ("connections", Some("least_connections")),
            ("addr", Some("address")),
            ("r", None),
            ("xy", None),
            ("fastest", None),
            ("", None),
        ] {
            assert_eq!(suggest(word, known).as_deref(), meant, "{word}");
        }
    }

    fn measured(from: &str, to: &str) -> usize {
        let letters = |word: &str| word.chars().collect::<Vec<_>>();
        distance(&letters(from), &letters(to))
    }

    #[test]
    fn known_distances() {
        for (from, to, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("kitten", "sitting", 3),
            ("flaw", "lawn", 2),
        ] {
            assert_eq!(measured(from, to), expected, "{from} {to}");
        }
    }

    proptest! {
        #[test]
        fn distance_is_symmetric_and_zero_only_for_equals(a in "[ab_]{0,8}", b in "[ab_]{0,8}") {
            prop_assert_eq!(measured(&a, &b), measured(&b, &a));
            prop_assert_eq!(measured(&a, &b) == 0, a == b);
        }
    }
}

//! What else a service says about itself: a bounded map of text, in which
//! `weight` has a meaning of its own.

use std::collections::BTreeMap;

use crate::fault::shown;

const MOST: usize = 64;
const LONGEST_KEY: usize = 64;
const LONGEST_VALUE: usize = 1024;

const MOST_WEIGHT: u16 = 1000;

pub(crate) type Metadata = BTreeMap<String, String>;

/// At most 64 entries, keys of 1 to 64 bytes, values of up to 1024.
pub(crate) fn metadata(map: Metadata) -> Result<Metadata, String> {
    if map.len() > MOST {
        return Err(format!("can have {MOST} entries, found {}", map.len()));
    }
    for (key, value) in &map {
        if !(1..=LONGEST_KEY).contains(&key.len()) {
            let key = shown(key);
            return Err(format!("a key has 1 to {LONGEST_KEY} bytes, found `{key}`"));
        }
        if value.len() > LONGEST_VALUE {
            let (key, length) = (shown(key), value.len());
            return Err(format!(
                "a value can have {LONGEST_VALUE} bytes, that of `{key}` has {length}"
            ));
        }
    }
    Ok(map)
}

/// The share of requests that a service asks for, 1 if it does not say.
pub(crate) fn weight(map: &Metadata) -> Result<u16, String> {
    let Some(text) = map.get("weight") else {
        return Ok(1);
    };
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|_| digits);
    number
        .filter(|&weight| weight <= MOST_WEIGHT)
        .ok_or_else(|| {
            let text = shown(text);
            format!("`weight` is a whole number from 0 to {MOST_WEIGHT}, found `{text}`")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(entries: &[(&str, &str)]) -> Metadata {
        let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        entries.iter().map(own).collect()
    }

    #[test]
    fn the_bounds_hold() {
        let many = |n: usize| (0..n).map(|n| (n.to_string(), String::new())).collect();
        let long = "x".repeat(65);
        let longer = "x".repeat(1025);
        assert!(metadata(many(64)).is_ok());
        assert!(metadata(many(65)).is_err());
        assert!(metadata(entries(&[("", "x")])).is_err());
        assert!(metadata(entries(&[(&long[..64], &longer[..1024])])).is_ok());
        assert!(metadata(entries(&[(&long, "x")])).is_err());
        assert!(metadata(entries(&[("k", &longer)])).is_err());
    }

    #[test]
    fn weights_are_small_whole_numbers() {
        assert_eq!(weight(&Metadata::new()), Ok(1));
        for (text, number) in [("0", 0), ("1", 1), ("007", 7), ("1000", 1000)] {
            assert_eq!(weight(&entries(&[("weight", text)])), Ok(number), "{text}");
        }
        for text in ["", "-1", "+1", "1.5", "1001", "65537", "many", " 1"] {
            assert!(weight(&entries(&[("weight", text)])).is_err(), "{text}");
        }
    }
}

//! The tags of a service: a bounded set of short texts.

use std::collections::BTreeSet;

use crate::fault::shown;

const MOST: usize = 64;
const LONGEST: usize = 64;

pub(crate) type Tags = BTreeSet<String>;

/// At most 64 tags of 1 to 64 bytes, without control characters.
pub(crate) fn tags(list: Vec<String>) -> Result<Tags, String> {
    if list.len() > MOST {
        return Err(format!("there can be {MOST} tags, found {}", list.len()));
    }
    let bad =
        |tag: &&String| !(1..=LONGEST).contains(&tag.len()) || tag.chars().any(char::is_control);
    if let Some(tag) = list.iter().find(bad) {
        let tag = shown(tag);
        return Err(format!(
            "a tag has 1 to {LONGEST} bytes and no control characters, found `{tag}`"
        ));
    }
    Ok(list.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bounds_hold() {
        let many = |n: usize| (0..n).map(|n| n.to_string()).collect();
        assert_eq!(tags(many(64)).map(|tags| tags.len()), Ok(64));
        assert!(tags(many(65)).is_err());
        let twice = vec!["v1".to_owned(), "eu west/1".to_owned(), "v1".to_owned()];
        assert_eq!(tags(twice).map(|tags| tags.len()), Ok(2));
        for bad in ["", "a\nb", &"x".repeat(65)] {
            assert!(tags(vec![bad.to_owned()]).is_err(), "{bad}");
        }
    }
}

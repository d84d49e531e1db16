//! How a path is spelled decides nothing: escaping what needs no escape gives
//! the same normal form, or is refused for the same reason.

use forebay_routing as routing;

use proptest::prelude::*;
use proptest::sample::select;
use routing::normalise::{Path, PathFault, path};

fn normalised(raw: &[u8]) -> Result<Vec<u8>, PathFault> {
    let mut out = b"left over".to_vec();
    Ok(match path(raw, &mut out)? {
        Path::AsIs => raw.to_vec(),
        Path::Normalised => out,
    })
}

/// Some part of a path, and whether it may be spelled with an escape: not the
/// bytes of an escape, be it whole or broken.
fn piece() -> impl Strategy<Value = (String, bool)> {
    let plain = "[a-z0-9._~-]{1,3}".prop_map(|text| (text, true));
    let odd = vec![
        "/", "/", "/.", "/..", "\\", "%2f", "%5C", "%2e", "%00", "%zz", "%", " ", "?", "\0", "é",
    ];
    prop_oneof![2 => plain, 3 => select(odd).prop_map(|text| (text.to_owned(), false))]
}

fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn a_path_fares_the_same_however_it_is_spelled(
        pieces in prop::collection::vec((piece(), any::<bool>()), 0..10),
    ) {
        let (mut plain, mut other) = ("/".to_owned(), "/".to_owned());
        let mut broken = false;
        for ((text, can), wanted) in pieces {
            plain.push_str(&text);
            // A `%` takes the next two bytes with it, whatever they are.
            other.push_str(&if can && wanted && !broken { escaped(&text) } else { text.clone() });
            broken |= text == "%";
        }
        prop_assert_eq!(normalised(plain.as_bytes()), normalised(other.as_bytes()));
    }
}

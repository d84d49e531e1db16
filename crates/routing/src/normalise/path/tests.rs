use proptest::prelude::*;
use proptest::sample::select;

use super::*;

fn normal(raw: &[u8]) -> Result<Vec<u8>, PathFault> {
    let mut out = b"left over".to_vec();
    Ok(match path(raw, &mut out)? {
        Path::AsIs => {
            assert!(out.is_empty());
            raw.to_vec()
        }
        Path::Normalised => out,
    })
}

#[test]
fn normal_already() {
    for raw in [
        "/",
        "/a",
        "/a/",
        "/a/b.c",
        "/a..b",
        "/..a",
        "/...",
        "/.well-known/x",
        "/a%20b",
        "/a%2Fb",
        "/a\\b",
        "/a%5Cb",
        "/%252e%252e/x",
        "/caf\u{e9}",
        "/a;b=1,2",
        "/a/..%2Fb",
    ] {
        let mut out = Vec::new();
        assert_eq!(path(raw.as_bytes(), &mut out), Ok(Path::AsIs), "{raw}");
    }
}

#[test]
fn made_normal() {
    for (raw, expected) in [
        ("//", "/"),
        ("//a//b//", "/a/b/"),
        ("/.", "/"),
        ("/./", "/"),
        ("/./a", "/a"),
        ("/a/.", "/a/"),
        ("/a/..", "/"),
        ("/a/../", "/"),
        ("/a/b/..", "/a/"),
        ("/a/../b", "/b"),
        ("/a/b/../../c", "/c"),
        ("/a/./b/../c/.", "/a/c/"),
        ("/a/b/c/./../../g", "/a/g"),
        ("/mid/content=5/../6", "/mid/6"),
        ("/%61%7E%2d", "/a~-"),
        ("/%2e/a", "/a"),
        ("/a/%2E%2e/b", "/b"),
        ("/a/.%2e/b", "/b"),
        ("/a%2fb", "/a%2Fb"),
        ("/a%5cb", "/a%5Cb"),
        ("/%c3%a9", "/%C3%A9"),
        ("/a//../b", "/b"),
        ("/%252E%2e", "/%252E."),
        ("/a/b%2f../x", "/a/b%2F../x"),
    ] {
        let mut out = Vec::new();
        let found = path(raw.as_bytes(), &mut out);
        assert_eq!(found, Ok(Path::Normalised), "{raw}");
        assert_eq!(String::from_utf8(out).unwrap(), expected, "{raw}");
    }
}

#[test]
fn refused() {
    for (raw, expected) in [
        ("", PathFault::NotAbsolute),
        ("*", PathFault::NotAbsolute),
        ("a/b", PathFault::NotAbsolute),
        ("\\a", PathFault::NotAbsolute),
        ("/..", PathFault::AboveRoot),
        ("/../", PathFault::AboveRoot),
        ("/a/../..", PathFault::AboveRoot),
        ("/a/../../b", PathFault::AboveRoot),
        ("/a//../..", PathFault::AboveRoot),
        ("/%2e%2e/a", PathFault::AboveRoot),
        ("/.%2E/a", PathFault::AboveRoot),
        ("/..\\..\\windows", PathFault::AboveRoot),
        ("/a\\..\\..\\b", PathFault::AboveRoot),
        ("/..%5ca", PathFault::AboveRoot),
        ("/..%2f..%2fetc", PathFault::AboveRoot),
        ("/a/..%2F..%2fetc", PathFault::AboveRoot),
        ("/%2e%2e%2fetc", PathFault::AboveRoot),
        ("/a%2f..%2f..", PathFault::AboveRoot),
        // Deep enough with `%2F` as a separator, not without.
        ("/a%2fb/../..", PathFault::AboveRoot),
        // Deep enough as received, not once the plain dots are gone.
        ("/a%2fb/../..%2fc", PathFault::AboveRoot),
        // Only a backend that splits at `%5C` but not at `%2F` climbs.
        ("/a%2fb/..%5c..%5cc", PathFault::AboveRoot),
        ("/%", PathFault::BadEscape),
        ("/%2", PathFault::BadEscape),
        ("/%2/x", PathFault::BadEscape),
        ("/%zz", PathFault::BadEscape),
        ("/%+1", PathFault::BadEscape),
        ("/%%32%65", PathFault::BadEscape),
        ("/a\0", PathFault::Nul),
        ("/a%00b", PathFault::Nul),
        ("/a b", PathFault::BadByte),
        ("/a\tb", PathFault::BadByte),
        ("/a\rb", PathFault::BadByte),
        ("/a\u{7f}", PathFault::BadByte),
        ("/a?b", PathFault::BadByte),
        ("/a#b", PathFault::BadByte),
    ] {
        assert_eq!(normal(raw.as_bytes()), Err(expected), "{raw:?}");
    }
}

/// Bytes that matter to paths, thrown together often enough to hit the corners.
fn pathish() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        8 => select(vec![
            "/", "/", "/", ".", "..", "/..", "\\", "%2e", "%2E", "%2f", "%2F", "%5c", "%5C",
            "a", "b", "%61", "%41", "%7e", "%25", "%252e", "%20", "%c3", "%00", "%", "%z",
        ]).prop_map(|text| text.as_bytes().to_vec()),
        1 => any::<u8>().prop_map(|byte| vec![byte]),
    ];
    proptest::collection::vec(piece, 0..16).prop_map(|pieces| {
        let mut raw = vec![b'/'];
        raw.extend(pieces.concat());
        raw
    })
}

/// Paths that go down and up and down again, by every separator there is.
fn winding() -> impl Strategy<Value = Vec<u8>> {
    let steps = vec!["/a", "/..", "%2fa", "%2f..", "%5ca", "\\.."];
    proptest::collection::vec(select(steps), 2..7).prop_map(|steps| {
        let mut raw = b"/a".to_vec();
        raw.extend(steps.concat().into_bytes());
        raw
    })
}

/// A backend's view, written differently on purpose: everything is decoded
/// once, then the chosen bytes separate. True if it ever leaves the root.
fn backend_climbs(path: &[u8], escaped_slash: bool, backslash: bool) -> bool {
    let text: String = path.iter().map(|&b| char::from(b)).collect();
    let mut text = text.replace("%2E", ".").replace("%2e", ".");
    if escaped_slash {
        text = text.replace("%2F", "/").replace("%2f", "/");
    }
    if backslash {
        text = text
            .replace("%5C", "/")
            .replace("%5c", "/")
            .replace('\\', "/");
    }
    let mut depth = 0i32;
    text.split('/').any(|segment| {
        depth += match segment {
            "" | "." => 0,
            ".." => -1,
            _ => 1,
        };
        depth < 0
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8000))]

    #[test]
    fn the_normal_form_is_one(raw in pathish()) {
        if let Ok(once) = normal(&raw) {
            prop_assert!(once.len() <= raw.len());
            prop_assert!(once.starts_with(b"/"));
            let mut out = Vec::new();
            prop_assert_eq!(path(&once, &mut out), Ok(Path::AsIs));
            let mut segments = once[1..].split(|&b| b == b'/').peekable();
            while let Some(segment) = segments.next() {
                let last = segments.peek().is_none();
                prop_assert!(last || !segment.is_empty());
                prop_assert!(segment != b"." && segment != b"..");
            }
        }
    }

    #[test]
    fn as_is_exactly_where_nothing_changes(raw in pathish()) {
        let mut out = Vec::new();
        match path(&raw, &mut out) {
            Ok(Path::Normalised) => prop_assert_ne!(out, raw),
            Ok(Path::AsIs) | Err(_) => prop_assert!(out.is_empty()),
        }
    }

    #[test]
    fn no_accepted_path_climbs_for_any_backend(raw in prop_oneof![pathish(), winding()]) {
        if let Ok(once) = normal(&raw) {
            for (escaped_slash, backslash) in
                [(false, false), (true, false), (false, true), (true, true)]
            {
                prop_assert!(!backend_climbs(&raw, escaped_slash, backslash));
                prop_assert!(!backend_climbs(&once, escaped_slash, backslash));
            }
        }
    }

    #[test]
    fn two_spellings_have_one_normal_form(raw in "/[a-c./]{0,12}", which in any::<u32>()) {
        let mut bit = 0;
        let spelled: String = raw.chars().map(|c| {
            bit += 1;
            if c != '/' && which >> (bit % 32) & 1 == 1 {
                format!("%{:02x}", u32::from(c))
            } else {
                c.to_string()
            }
        }).collect();
        prop_assert_eq!(normal(raw.as_bytes()), normal(spelled.as_bytes()));
    }
}

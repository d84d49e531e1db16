#![no_main]

use libfuzzer_sys::fuzz_target;
use routing::normalise::{Path, PathFault, path};

/// What paths are climbed with.
const PIECES: [&str; 16] = [
    "/", "..", ".", "/..", "a", "%2F", "%2f", "\\", "%5C", "%5c", "%2e", "%2E.", "%252e", "%61",
    "//", "%",
];

// The first byte says whether the rest is a path or numbers of pieces of one,
// and chooses another spelling of it, which must fare the same.
fuzz_target!(|data: &[u8]| {
    let Some((&seed, rest)) = data.split_first() else {
        return;
    };
    let raw = match seed & 1 {
        0 => rest.to_vec(),
        _ => assembled(rest),
    };
    check(&raw, seed);
});

fn assembled(numbers: &[u8]) -> Vec<u8> {
    let pieces = numbers
        .iter()
        .map(|&n| PIECES[usize::from(n) % PIECES.len()]);
    let path: String = ["/"].into_iter().chain(pieces).collect();
    path.into_bytes()
}

fn check(raw: &[u8], seed: u8) {
    let normal = normalised(raw);
    assert_eq!(normalised(&respelled(raw, seed)), normal, "respelled");
    let Ok(normal) = normal else {
        return;
    };
    assert_eq!(path(&normal, &mut Vec::new()), Ok(Path::AsIs), "twice");
    assert!(normal.len() <= raw.len());
    assert!(normal.starts_with(b"/"));
    assert!(!normal.windows(2).any(|two| two == b"//"));
    for segment in normal.split(|&b| b == b'/') {
        assert!(segment != b"." && segment != b"..");
    }
    for separators in [&[][..], &["%2F"], &["%5C", "\\"], &["%2F", "%5C", "\\"]] {
        assert!(!climbs(raw, separators), "{separators:?}");
        assert!(!climbs(&normal, separators), "{separators:?}");
    }
}

fn normalised(raw: &[u8]) -> Result<Vec<u8>, PathFault> {
    let mut out = b"left over".to_vec();
    match path(raw, &mut out) {
        Ok(Path::AsIs) => {
            assert!(out.is_empty());
            Ok(raw.to_vec())
        }
        Ok(Path::Normalised) => {
            assert_ne!(out, raw);
            Ok(out)
        }
        Err(fault) => {
            assert!(out.is_empty());
            Err(fault)
        }
    }
}

/// The same path with some unreserved bytes escaped. What belongs to a `%`
/// stays as it is, so that a broken escape stays the same broken escape.
fn respelled(raw: &[u8], seed: u8) -> Vec<u8> {
    let mut out = Vec::new();
    let mut escape = 0;
    for (at, &byte) in raw.iter().enumerate() {
        let chosen = (at as u8).wrapping_mul(seed) & 4 != 0;
        if byte == b'%' {
            escape = 3;
        }
        if escape == 0 && chosen && (byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)) {
            out.extend(format!("%{byte:02x}").bytes());
        } else {
            out.push(byte);
        }
        escape = u8::saturating_sub(escape, 1);
    }
    out
}

/// A backend's view: it decodes once, takes these for slashes as well, and
/// follows the dots. True if it is ever above the root.
fn climbs(path: &[u8], separators: &[&str]) -> bool {
    let mut text: String = path.iter().map(|&b| char::from(b)).collect();
    text = text.replace("%2e", ".").replace("%2E", ".");
    for separator in separators {
        text = text
            .replace(separator, "/")
            .replace(&separator.to_ascii_lowercase(), "/");
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

#![no_main]

use config::{Problems, Span};
use libfuzzer_sys::fuzz_target;
use plan::Heritage;

// Any text, in every format. Reading and compiling end, what is refused has a
// reason, and every reason has a place in the text.
fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    for name in ["f.yaml", "f.json", "f.toml"] {
        check(name, text);
    }
});

fn check(name: &str, text: &str) {
    let config::Reading {
        settings,
        mut problems,
        parsed,
    } = config::read(name, text, &env);
    let plan = match parsed {
        true => plan::compile(&settings, &mut problems, &Heritage::default(), &open),
        false => None,
    };
    assert_eq!(plan.is_none(), problems.has_errors());
    for problem in problems.iter() {
        assert!(!problem.message.is_empty());
        assert_within(problem.span, &problems);
        if let Some((span, label)) = &problem.related {
            assert!(!label.is_empty());
            assert_within(*span, &problems);
        }
    }
    assert_eq!(problems.render(false).is_empty(), problems.is_empty());
}

fn assert_within(span: Span, problems: &Problems) {
    let (_, text, local) = problems.place(span);
    assert!(text.get(local.start..local.end).is_some(), "{span:?}");
    let place = problems.position(span);
    assert!(place.line <= text.lines().count().max(1), "{place}");
}

/// No file is there but one.
fn open(name: &str) -> std::io::Result<Vec<u8>> {
    match name {
        "page.html" => Ok(b"<h1>${status}</h1>".to_vec()),
        _ => Err(std::io::ErrorKind::NotFound.into()),
    }
}

/// Some variables are set, some are empty, some are not there.
fn env(name: &str) -> Option<String> {
    match name.len() % 3 {
        0 => None,
        1 => Some("8080".to_owned()),
        _ => Some(String::new()),
    }
}

//! Whatever the text, reading it ends; what is refused has a reason; and every
//! reason has a place in the text. The fuzz target `configuration` asks the
//! same of stranger texts.

use std::ops::Range;

use forebay::{Outside, read};
use proptest::prelude::*;
use proptest::sample::select;

const EXAMPLES: [&str; 7] = [
    include_str!("../../../examples/config.json"),
    include_str!("../../../examples/config.toml"),
    include_str!("../../../examples/limits-and-timeouts.yaml"),
    include_str!("../../../examples/load-balancing.yaml"),
    include_str!("../../../examples/routes.yaml"),
    include_str!("../../../examples/static-and-api.yaml"),
    include_str!("../../../examples/tested.yaml"),
];

/// What mistakes are made of.
const SCRAPS: [&str; 24] = [
    "\n",
    "\n\n",
    " ",
    "\t",
    "  - ",
    ": ",
    "{",
    "}",
    "[",
    "]",
    "\"",
    "'",
    "#",
    "&a",
    "*a",
    "<<: ",
    "null",
    "-1",
    "99999999999999999999",
    "1e999",
    "${env:X}",
    "${nope}",
    "é",
    "\u{feff}",
];

/// In the text from a place on, so many bytes become a scrap.
#[derive(Debug, Clone)]
struct Edit {
    at: prop::sample::Index,
    length: usize,
    scrap: &'static str,
}

fn edit() -> impl Strategy<Value = Edit> {
    (
        any::<prop::sample::Index>(),
        0usize..12,
        select(&SCRAPS[..]),
    )
        .prop_map(|(at, length, scrap)| Edit { at, length, scrap })
}

fn edited(mut text: String, edits: &[Edit]) -> String {
    for edit in edits {
        let start = text.floor_char_boundary(edit.at.index(text.len() + 1));
        let end = text.ceil_char_boundary((start + edit.length).min(text.len()));
        text.replace_range(start..end, edit.scrap);
    }
    text
}

fn check(name: &str, text: &str) -> Result<(), TestCaseError> {
    let outside = Outside {
        env: &|variable| (variable == "X").then(String::new),
        ..Outside::nothing()
    };
    let found = read(name, text, &outside);
    prop_assert_eq!(found.plan.is_none(), found.problems.has_errors());
    let is_within = |span: Range<usize>| text.get(span).is_some();
    for problem in found.problems.iter() {
        prop_assert!(!problem.message.is_empty());
        prop_assert!(
            is_within(problem.span.start..problem.span.end),
            "{:?}",
            problem
        );
        if let Some((span, _)) = &problem.related {
            prop_assert!(is_within(span.start..span.end), "{:?}", problem);
        }
    }
    let shown = found.problems.render(false);
    prop_assert_eq!(shown.is_empty(), found.problems.is_empty());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn of_an_example_with_mistakes(
        example in select(&EXAMPLES[..]),
        edits in prop::collection::vec(edit(), 1..5),
    ) {
        let text = edited(example.to_owned(), &edits);
        for name in ["f.yaml", "f.json", "f.toml"] {
            check(name, &text)?;
        }
    }

    #[test]
    fn of_scraps_alone(scraps in prop::collection::vec(select(&SCRAPS[..]), 0..30)) {
        for name in ["f.yaml", "f.json", "f.toml"] {
            check(name, &scraps.concat())?;
        }
    }
}

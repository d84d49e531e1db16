//! Reading configurations, and showing what is wrong with them.
#![expect(clippy::print_stderr, reason = "the program owns the terminal")]
#![expect(
    clippy::disallowed_methods,
    reason = "only the program reads the environment"
)]

use std::io::IsTerminal;
use std::path::Path;

use forebay::{Outside, Plan, Problems, Read, Test};

/// Reads a configuration file. Problems go to standard error; None when there
/// are errors among them.
pub(crate) fn load(path: &Path) -> Option<Plan> {
    load_with_tests(path).map(|(plan, _)| plan)
}

/// Reads a configuration file and its unit tests.
pub(crate) fn load_with_tests(path: &Path) -> Option<(Plan, Vec<Test>)> {
    let read = read_whole(&path.display().to_string(), &text_of(path)?);
    Some((read.plan?, read.tests))
}

/// Reads a file that holds only unit tests.
pub(crate) fn load_tests(path: &Path) -> Option<Vec<Test>> {
    let (tests, problems) = forebay::read_tests(&path.display().to_string(), &text_of(path)?);
    show(&problems);
    (!problems.has_errors()).then_some(tests)
}

/// Reads a configuration text.
pub(crate) fn read(name: &str, text: &str) -> Option<Plan> {
    read_whole(name, text).plan
}

fn read_whole(name: &str, text: &str) -> Read {
    let directory = Path::new(name).parent().unwrap_or(Path::new(""));
    let outside = Outside {
        env: &|variable| std::env::var(variable).ok(),
        open: &|file| std::fs::read(directory.join(file)),
    };
    let read = forebay::read(name, text, &outside);
    show(&read.problems);
    read
}

fn text_of(path: &Path) -> Option<String> {
    let error = match std::fs::read_to_string(path) {
        Ok(text) => return Some(text),
        Err(error) => error,
    };
    eprintln!("error: cannot read {}: {error}", path.display());
    if error.kind() == std::io::ErrorKind::NotFound {
        eprintln!(
            "  a first one: server: {{ address: \"127.0.0.1:8080\" }} and so on; see `forebay reference`"
        );
    }
    None
}

fn show(problems: &Problems) {
    if !problems.is_empty() {
        let color = std::io::stderr().is_terminal() && std::env::var("NO_COLOR").is_err();
        eprintln!("{}", problems.render(color).trim_end());
    }
}

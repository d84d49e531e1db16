//! Reading configurations, and showing what is wrong with them.
#![expect(clippy::print_stderr, reason = "the program owns the terminal")]
#![expect(
    clippy::disallowed_methods,
    reason = "only the program reads the environment"
)]

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use forebay::{IncludedFile, Outside, Plan, Problems, Read, Test};

/// What to do about included files with mistakes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mistakes {
    /// Leave them out, and say so.
    LeaveOut,
    /// Refuse the whole configuration.
    Refuse,
}

impl Mistakes {
    pub(crate) fn when(strict: bool) -> Self {
        match strict {
            true => Self::Refuse,
            false => Self::LeaveOut,
        }
    }
}

/// Reads a configuration file. Problems go to standard error; None when there
/// are errors among them.
pub(crate) fn load(path: &Path, mistakes: Mistakes) -> Option<Plan> {
    load_with_tests(path, mistakes).map(|(plan, _)| plan)
}

/// Reads a configuration file and its unit tests.
pub(crate) fn load_with_tests(path: &Path, mistakes: Mistakes) -> Option<(Plan, Vec<Test>)> {
    let read = read_whole(&path.display().to_string(), &text_of(path)?, mistakes);
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
    read_whole(name, text, Mistakes::Refuse).plan
}

fn read_whole(name: &str, text: &str, mistakes: Mistakes) -> Read {
    let directory = Path::new(name).parent().unwrap_or(Path::new(""));
    let outside = Outside {
        env: &|variable| std::env::var(variable).ok(),
        open: &|file| std::fs::read(directory.join(file)),
        find: &|pattern| included(directory, pattern),
        strict: mistakes == Mistakes::Refuse,
    };
    let read = forebay::read(name, text, &outside);
    for (file, problems) in &read.left_out {
        show(problems);
        eprintln!("error: {file} is left out until this is mended; everything else goes on\n");
    }
    show(&read.problems);
    read
}

/// The files of an `include`, in the order of their names. A pattern may stand
/// for none, a name has to be there.
fn included(directory: &Path, pattern: &str) -> Result<Vec<IncludedFile>, String> {
    let whole = directory.join(pattern);
    let is_pattern = pattern.contains(['*', '?', '[']);
    let mut paths: Vec<PathBuf> = match is_pattern {
        false => vec![whole],
        true => glob::glob(&whole.display().to_string())
            .map_err(|error| format!("it is no pattern: {}", error.msg))?
            .collect::<Result<_, _>>()
            .map_err(|error| error.to_string())?,
    };
    paths.retain(|path| !is_pattern || path.is_file());
    let file = |path: PathBuf| {
        let text = std::fs::read_to_string(&path);
        let name = path.display().to_string();
        match text {
            Ok(text) => Ok(IncludedFile { name, text }),
            Err(error) => Err(format!("{name}: {error}")),
        }
    };
    paths.into_iter().map(file).collect()
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

//! Reading configurations, and showing what is wrong with them.
#![expect(clippy::print_stderr, reason = "the program owns the terminal")]
#![expect(
    clippy::disallowed_methods,
    reason = "only the program reads the environment"
)]

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use forebay::{Heritage, IncludedFile, Outside, Plan, Problems, Read, Test};

use crate::watch::Touched;

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
    let read = read_file(path, mistakes, &Touched::default(), &Heritage::default());
    let read = told(read)?;
    Some((read.plan?, read.tests))
}

/// Reads a file that holds only unit tests.
pub(crate) fn load_tests(path: &Path) -> Option<Vec<Test>> {
    let text = told_text(text_of(path))?;
    let (tests, problems) = forebay::read_tests(&path.display().to_string(), &text);
    show(&problems);
    (!problems.has_errors()).then_some(tests)
}

/// Reads a configuration file after others, and notes what files it is made of.
pub(crate) fn read_file(
    path: &Path,
    mistakes: Mistakes,
    touched: &Touched,
    heritage: &Heritage,
) -> Result<Read, String> {
    let name = path.display().to_string();
    let directory = path.parent().unwrap_or(Path::new(""));
    touched.begin(path);
    let text = text_of(path)?;
    let outside = Outside {
        env: &|variable| std::env::var(variable).ok(),
        open: &|file| {
            let file = directory.join(file);
            touched.file(&file);
            std::fs::read(file)
        },
        find: &|pattern| {
            touched.pattern(&directory.join(pattern));
            included(directory, pattern)
        },
        strict: mistakes == Mistakes::Refuse,
    };
    Ok(forebay::read_after(&name, &text, &outside, heritage))
}

/// Reads a text that stands for a configuration file.
pub(crate) fn read_text(name: &str, text: &str, heritage: &Heritage) -> Read {
    let outside = Outside {
        env: &|variable| std::env::var(variable).ok(),
        ..Outside::nothing()
    };
    forebay::read_after(name, text, &outside, heritage)
}

/// Tells people what is wrong with what was read; None when there was nothing
/// to read.
pub(crate) fn told(read: Result<Read, String>) -> Option<Read> {
    let read = match read {
        Ok(read) => read,
        Err(why) => {
            eprintln!("error: {why}");
            return None;
        }
    };
    for (file, problems) in &read.left_out {
        show(problems);
        eprintln!("error: {file} is left out until this is mended; everything else goes on\n");
    }
    show(&read.problems);
    Some(read)
}

fn told_text(text: Result<String, String>) -> Option<String> {
    text.inspect_err(|why| eprintln!("error: {why}")).ok()
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

fn text_of(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| {
        let hint = match error.kind() {
            std::io::ErrorKind::NotFound => {
                "\n  a first one: server: { address: \"127.0.0.1:8080\" } and so on; see `forebay reference`"
            }
            _ => "",
        };
        format!("cannot read {}: {error}{hint}", path.display())
    })
}

fn show(problems: &Problems) {
    if !problems.is_empty() {
        let color = std::io::stderr().is_terminal() && std::env::var("NO_COLOR").is_err();
        eprintln!("{}", problems.render(color).trim_end());
    }
}

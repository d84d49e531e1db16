//! Reading configurations, and showing what is wrong with them.
#![expect(clippy::print_stderr, reason = "the program owns the terminal")]
#![expect(
    clippy::disallowed_methods,
    reason = "only the program reads the environment"
)]

use std::fs::File;
use std::io::{Error, IsTerminal, Read as _};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use forebay::words::plain;
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
    let read = told(read, Some(path))?;
    Some((read.plan?, read.tests))
}

/// Reads a file that holds only unit tests.
pub(crate) fn load_tests(path: &Path) -> Option<Vec<Test>> {
    let text = text_of(path).inspect_err(|why| say_unreadable(why, Some(path)));
    let text = text.ok()?;
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
            bytes_of(&file, Kinds::Regular)
        },
        find: &|pattern| {
            touched.pattern(&directory.join(pattern));
            included(directory, pattern)
        },
        is_public: &|file| {
            let about = std::fs::metadata(directory.join(file));
            about.is_ok_and(|about| about.permissions().mode() & 0o004 != 0)
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

/// Tells people what is wrong with what was read, from this file if from any;
/// None when there was nothing to read.
pub(crate) fn told(read: Result<Read, String>, path: Option<&Path>) -> Option<Read> {
    let read = read.inspect_err(|why| say_unreadable(why, path)).ok()?;
    for (file, problems) in &read.left_out {
        show(problems);
        let file = plain(file);
        eprintln!("error: {file} is left out until this is mended; everything else goes on\n");
    }
    show(&read.problems);
    Some(read)
}

/// Why there is nothing to serve, if that is so.
pub(crate) fn refusal(read: &Result<Read, String>) -> Option<String> {
    match read {
        Err(why) => Some(why.clone()),
        Ok(read) if read.plan.is_none() => Some(read.problems.render(false)),
        Ok(_) => None,
    }
}

fn say_unreadable(why: &str, path: Option<&Path>) {
    eprintln!("error: {why}");
    if path.is_some_and(|path| !path.exists()) {
        eprintln!(
            "  a first one: server: {{ address: \"127.0.0.1:8080\" }} and so on; see `forebay reference`"
        );
    }
}

/// Larger files are a mistake, and reading them would take all memory.
const LARGEST: u64 = 64 << 20;

/// What may be read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kinds {
    /// Files only: from a pipe or a device there may never come an end.
    Regular,
    /// Anything, as in `forebay check -c /dev/stdin`.
    Any,
}

fn bytes_of(path: &Path, kinds: Kinds) -> std::io::Result<Vec<u8>> {
    let about = std::fs::metadata(path)?;
    let kind = about.file_type();
    if kinds == Kinds::Regular && !kind.is_file() && !kind.is_dir() {
        return Err(Error::other("it is a pipe, a socket or a device"));
    }
    let mut bytes = Vec::new();
    // Nothing of it is read in vain, but where the size is not known before.
    if about.len() <= LARGEST {
        let mut file = File::open(path)?.take(LARGEST + 1);
        file.read_to_end(&mut bytes)?;
    }
    if about.len().max(bytes.len() as u64) > LARGEST {
        let most = LARGEST >> 20;
        return Err(Error::other(format!("it is larger than {most} MiB")));
    }
    Ok(bytes)
}

fn read_file_text(path: &Path, kinds: Kinds) -> std::io::Result<String> {
    let bytes = bytes_of(path, kinds)?;
    String::from_utf8(bytes).map_err(|_| Error::other("it is not UTF-8 text"))
}

/// The files of an `include`, in the order of their names. A pattern may stand
/// for none, a name has to be there. As in a shell, `*` does not stand for the
/// dot of a hidden file, which is what editors leave behind.
fn included(directory: &Path, pattern: &str) -> Result<Vec<IncludedFile>, String> {
    let whole = directory.join(pattern);
    let visible = glob::MatchOptions {
        require_literal_leading_dot: true,
        ..glob::MatchOptions::default()
    };
    let is_pattern = pattern.contains(['*', '?', '[']);
    let mut paths: Vec<PathBuf> = match is_pattern {
        false => vec![whole],
        true => glob::glob_with(&whole.display().to_string(), visible)
            .map_err(|error| format!("it is no pattern: {}", error.msg))?
            .collect::<Result<_, _>>()
            .map_err(|error| error.to_string())?,
    };
    paths.retain(|path| !is_pattern || !path.is_dir());
    let file = |path: PathBuf| {
        let name = path.display().to_string();
        if !is_pattern && !path.exists() {
            return Err(format!("there is no {name}"));
        }
        let text = read_file_text(&path, Kinds::Regular).map_err(|error| error.to_string());
        Ok(IncludedFile { name, text })
    };
    paths.into_iter().map(file).collect()
}

fn text_of(path: &Path) -> Result<String, String> {
    read_file_text(path, Kinds::Any)
        .map_err(|error| format!("cannot read {}: {error}", path.display()))
}

fn show(problems: &Problems) {
    if !problems.is_empty() {
        let color = std::io::stderr().is_terminal() && std::env::var("NO_COLOR").is_err();
        eprintln!("{}", problems.render(color).trim_end());
    }
}

//! `forebay diff`.
#![expect(clippy::print_stderr, reason = "the program owns the terminal")]

mod plans;
mod requests;

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::ExitCode;

use forebay::{Plan, Replayed};

use crate::arguments::DiffOptions;
use crate::commands::print;
use crate::files::Mistakes;
use crate::{DIFFERS, REFUSED, files};

pub(crate) fn diff(options: &DiffOptions) -> ExitCode {
    let mistakes = Mistakes::when(options.strict);
    // Both, so that one run shows the mistakes of either.
    let [old, new] = [&options.old, &options.new].map(|path| files::load(path, mistakes));
    let (Some(old), Some(new)) = (old, new) else {
        return ExitCode::from(REFUSED);
    };
    let replayed = match options
        .requests
        .as_deref()
        .map(|log| replay(&old, &new, log))
    {
        None => None,
        Some(Ok(replayed)) => Some(replayed),
        Some(Err(fault)) => {
            eprintln!("error: {fault}");
            return ExitCode::from(REFUSED);
        }
    };
    let differences = forebay::diff(&old, &new);
    let mut text = String::new();
    // Writing into memory does not fail.
    let _ = plans::show(&mut text, &differences);
    if let Some(replayed) = &replayed {
        text.push('\n');
        let _ = requests::show(&mut text, replayed);
    }
    let differs = !differences.is_empty() || replayed.is_some_and(|r| r.differing > 0);
    match print(&text) {
        ExitCode::SUCCESS if differs && options.exit_code => ExitCode::from(DIFFERS),
        code => code,
    }
}

fn replay(old: &Plan, new: &Plan, log: &Path) -> Result<Replayed, String> {
    let fault = |error: io::Error| format!("cannot read {}: {error}", log.display());
    let mut reader: Box<dyn BufRead> = match log.to_str() {
        Some("-") => Box::new(io::stdin().lock()),
        _ => Box::new(BufReader::new(File::open(log).map_err(fault)?)),
    };
    forebay::replay(old, new, &mut reader).map_err(fault)
}

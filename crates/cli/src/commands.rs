//! One file per command.
#![expect(clippy::print_stderr, reason = "the program owns the terminal")]

pub(crate) mod certs;
pub(crate) mod check;
pub(crate) mod ctl;
pub(crate) mod demo;
pub(crate) mod diff;
pub(crate) mod explain;
pub(crate) mod register;
pub(crate) mod reload;
pub(crate) mod run;
pub(crate) mod test;
pub(crate) mod upgrade;

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use crate::REFUSED;

pub(crate) fn print_schema() -> ExitCode {
    print(&format!("{:#}\n", forebay::schema()))
}

pub(crate) fn print_reference() -> ExitCode {
    print(&forebay::reference())
}

pub(crate) fn print_version() -> ExitCode {
    print(concat!("forebay ", env!("CARGO_PKG_VERSION"), "\n"))
}

/// Writes a command's result to standard output. A reader that leaves early,
/// as `head` does, has what it wanted.
fn print(text: &str) -> ExitCode {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(text.as_bytes());
    match written.and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            eprintln!("error: cannot write to standard output: {error}");
            ExitCode::from(REFUSED)
        }
        _ => ExitCode::SUCCESS,
    }
}

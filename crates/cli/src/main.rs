//! The program `forebay`: arguments, files, environment, signals and what is
//! printed. Everything else is in the library.

mod activation;
mod arguments;
mod client;
mod commands;
mod duties;
mod files;
mod log_text;
mod logging;
mod office;
mod origin;
mod pid_file;
mod reloads;
mod service;
mod signals;
mod upgrade;
mod watch;

use std::process::ExitCode;

use arguments::{Arguments, Command};
use clap::Parser;

/// `forebay diff --exit-code` has found a difference.
const DIFFERS: u8 = 3;

/// A refused configuration, or a Forebay that could not start.
const REFUSED: u8 = 1;

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Run(options) => commands::run::run(&options),
        Command::Upgrade(options) => commands::upgrade::upgrade(&options),
        Command::Demo(options) => commands::demo::demo(&options),
        Command::Check(options) => commands::check::check(&options),
        Command::Test(options) => commands::test::test(&options),
        Command::Explain(options) => commands::explain::explain(&options),
        Command::Diff(options) => commands::diff::diff(&options),
        Command::Ctl(options) => commands::ctl::ctl(&options),
        Command::Register(options) => commands::register::register(&options),
        Command::Certs(options) => commands::certs::certs(&options),
        Command::Schema => commands::print_schema(),
        Command::Reference => commands::print_reference(),
        Command::Version => commands::print_version(),
    }
}

//! Reading configurations, and showing what is wrong with them.
#![expect(clippy::print_stderr, reason = "the program owns the terminal")]
#![expect(
    clippy::disallowed_methods,
    reason = "only the program reads the environment"
)]

use std::io::IsTerminal;
use std::path::Path;

use forebay::Plan;

/// Reads a configuration file. Problems go to standard error; None when there
/// are errors among them.
pub(crate) fn load(path: &Path) -> Option<Plan> {
    let name = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => read(&name, &text),
        Err(error) => {
            eprintln!("error: cannot read {name}: {error}");
            if error.kind() == std::io::ErrorKind::NotFound {
                eprintln!(
                    "  a first one: server: {{ address: \"127.0.0.1:8080\" }} and so on; see `forebay reference`"
                );
            }
            None
        }
    }
}

/// Reads a configuration text.
pub(crate) fn read(name: &str, text: &str) -> Option<Plan> {
    let read = forebay::read(name, text, &|variable| std::env::var(variable).ok());
    if !read.problems.is_empty() {
        let color = std::io::stderr().is_terminal() && std::env::var("NO_COLOR").is_err();
        eprintln!("{}", read.problems.render(color).trim_end());
    }
    read.plan
}

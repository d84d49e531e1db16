//! `forebay check`.
#![expect(clippy::print_stderr, reason = "the program owns the terminal")]

use std::path::Path;
use std::process::ExitCode;

use crate::arguments::CheckOptions;
use crate::commands::print;
use crate::files::Mistakes;
use crate::{REFUSED, files};

pub(crate) fn check(options: &CheckOptions) -> ExitCode {
    // A check that lets mistakes pass is none.
    let Some(plan) = files::load(&options.config, Mistakes::Refuse) else {
        return ExitCode::from(REFUSED);
    };
    // Whoever checks may be another user, or on another machine.
    if let Some(Err(why)) = plan.state_file().map(forebay::check_state_file) {
        eprintln!("warning: from here, {why}");
    }
    if let Some(acme) = &plan.acme {
        let directory = options.config.parent().unwrap_or(Path::new(""));
        let folder = directory.join(&*acme.folder);
        if let Err(why) = forebay::check_acme_folder(&folder) {
            eprintln!("warning: from here, {why}");
        }
    }
    let backends: usize = plan.groups.iter().map(|g| g.balance.backends.len()).sum();
    print(&format!(
        "{} is fine: {}, {}, {} with {}\n",
        options.config.display(),
        count(plan.listeners.len(), "listener"),
        count(plan.routes.len(), "route"),
        count(plan.groups.len(), "group"),
        count(backends, "backend"),
    ))
}

fn count(n: usize, what: &str) -> String {
    let s = if n == 1 { "" } else { "s" };
    format!("{n} {what}{s}")
}

//! Forebay as a library: the same engine as the program's.
//!
//! ```no_run
//! let text = "server: { address: 127.0.0.1:0 }";
//! let read = forebay::read("forebay.yaml", text, &forebay::Outside::nothing());
//! let Some(plan) = read.plan else {
//!     eprint!("{}", read.problems.render(false));
//!     return;
//! };
//! let running = forebay::start(std::sync::Arc::new(plan)).expect("the port is free");
//! println!("serving at {:?}", running.addresses());
//! running.drain();
//! ```

mod certificates;
mod control;
mod file_trait;
mod handover;
mod hooks;
mod kept;
mod kept_state;
mod leases;
mod live;
mod private_file;
mod recorded;
mod replay;
mod sentences;
mod sources;
mod testing;
pub mod words;

pub use admin::{LastReload, document as admin_api, rfc3339};
pub use certificates::check_folder as check_acme_folder;
pub use config::{AccessLogOutput, File as IncludedFile, Problems, Test, reference, schema};
pub use file_trait::{FileTrait, file_trait};
pub use handover::{Handover, Predecessor, Reloads};
pub use hooks::Hooks;
pub use kept::Kept;
pub use kept_state::check as check_state_file;
pub use live::{Leaving, Live, LiveFault, Reloaded, Source};
pub use plan::{
    AccessLog, Change, Changes, Difference, Differences, Found, Group, GroupChanges, Heritage,
    Listener, Logging, MetricsEndpoint, Plan, Precedence, Route, Turned, What, diff,
};
pub use proxy::{
    Agree, Aim, Candidate, Explanation, Given, Question, Running, Sockets, StartFault, aim,
    explain, host_and_target, request_head, start, start_with,
};
pub use replay::{End, Example, Fate, Replayed, Shift, Uncertain, replay};
pub use sentences::{lines, sums};
pub use telemetry::{
    FORMAT_VARIABLES as ACCESS_LOG_VARIABLES, LogHandle, LogWriter, OpenFault, Output,
};
pub use testing::check as check_test;
pub use tls::{CertificateFault, ClientCertificate, read_client_certificate};

/// What came of a configuration.
pub struct Read {
    /// None when there is at least one error among the problems.
    pub plan: Option<Plan>,
    /// Errors and warnings, each at its place in the text.
    pub problems: Problems,
    /// Included files that are left out because of mistakes, which these are.
    pub left_out: Vec<(String, Problems)>,
    /// Its unit tests.
    pub tests: Vec<Test>,
    /// Of the text with all it includes, in sixteen hexadecimal digits.
    pub hash: String,
    /// What it was made of.
    pub kept: Kept,
}

/// What a configuration may ask for besides its own text.
pub struct Outside<'a> {
    /// Looks up the variable of `${env:NAME}`.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// Reads a file that the configuration names.
    pub open: &'a plan::Open<'a>,
    /// Finds the files of an `include`.
    pub find: &'a config::Find<'a>,
    /// Whether anybody on this machine may read a file.
    pub is_public: &'a dyn Fn(&str) -> bool,
    /// An included file with a mistake refuses the whole configuration, and is
    /// not merely left out.
    pub strict: bool,
}

impl Outside<'_> {
    /// There is nothing.
    pub fn nothing() -> Self {
        Self {
            env: &|_| None,
            open: &|_| Err(std::io::ErrorKind::NotFound.into()),
            find: &|_| Err("there are no files here".to_owned()),
            is_public: &|_| false,
            strict: true,
        }
    }
}

/// Reads and compiles a configuration. The extension of `name` chooses the
/// format: `.json`, `.toml`, and YAML for everything else. Opens nothing but
/// through `outside`, and starts nothing.
pub fn read(name: &str, text: &str, outside: &Outside<'_>) -> Read {
    let heritage = Heritage::default();
    heritage
        .living
        .on_change(std::sync::Arc::new(proxy::log_change));
    read_after(name, text, outside, &heritage)
}

/// The same for a configuration that is to follow others: `heritage` is what
/// they leave to it.
pub fn read_after(name: &str, text: &str, outside: &Outside<'_>, heritage: &Heritage) -> Read {
    Kept::read(name, text, outside, heritage)
}

/// Only for [`Kept`], which adds what it was made of.
fn read_without_record(name: &str, text: &str, outside: &Outside<'_>, heritage: &Heritage) -> Read {
    let mut left_out: Vec<(String, Problems)> = Vec::new();
    loop {
        let names: Vec<String> = left_out.iter().map(|(name, _)| name.clone()).collect();
        let mut read = read_without(name, text, &names, outside, heritage);
        let bad = read.problems.files_with_errors();
        let bad: Vec<_> = bad
            .into_iter()
            .filter(|&(number, _)| number > 0 && !outside.strict)
            .map(|(number, file)| (file.to_owned(), read.problems.of_file(number)))
            .collect();
        if bad.is_empty() {
            if let Some(plan) = &mut read.plan {
                plan.left_out = names;
            }
            read.left_out = left_out;
            return read;
        }
        // What is wrong with the rest may change once these are gone.
        left_out.extend(bad);
    }
}

fn read_without(
    name: &str,
    text: &str,
    left_out: &[String],
    outside: &Outside<'_>,
    heritage: &Heritage,
) -> Read {
    let config::Reading {
        settings,
        mut problems,
        parsed,
    } = config::read_files(name, text, left_out, outside.env, outside.find);
    let plan = parsed
        .then(|| plan::compile(&settings, &mut problems, heritage, outside.open))
        .flatten();
    let certificates = plan.iter().flat_map(plan::Plan::certificates);
    for key in certificates.map(|files| &files.key) {
        if (outside.is_public)(key) {
            let message = format!(
                "`{}`: anybody on this machine may read the private key",
                key.value
            );
            problems
                .warning(key.span, message)
                .help(format!("take the right away: chmod o= {}", key.value));
        }
    }
    problems.finish();
    let tests = settings.tests.into_iter().map(|test| test.value).collect();
    Read {
        hash: hash(&problems),
        kept: Kept::default(),
        plan,
        problems,
        left_out: Vec::new(),
        tests,
    }
}

fn hash(problems: &Problems) -> String {
    let hash = problems.texts().fold(0, |hash: u64, text| {
        hash.rotate_left(5) ^ upstream::hash_key(text.as_bytes())
    });
    format!("{hash:016x}")
}

/// Reads a file that holds only `tests`.
pub fn read_tests(name: &str, text: &str) -> (Vec<Test>, Problems) {
    let config::Reading {
        settings, problems, ..
    } = config::read(name, text, &|_| None);
    let tests = settings.tests.into_iter().map(|test| test.value);
    (tests.collect(), problems)
}

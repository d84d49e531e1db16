//! `forebay test`.
#![expect(clippy::print_stderr, reason = "the program owns the terminal")]

use std::fmt::Write;
use std::process::ExitCode;

use forebay::Test;

use crate::arguments::TestOptions;
use crate::commands::print;
use crate::files::Mistakes;
use crate::{REFUSED, files};

pub(crate) fn test(options: &TestOptions) -> ExitCode {
    let Some((plan, mut tests)) =
        files::load_with_tests(&options.file.config, Mistakes::when(options.file.strict))
    else {
        return ExitCode::from(REFUSED);
    };
    for file in &options.tests {
        let Some(more) = files::load_tests(file) else {
            return ExitCode::from(REFUSED);
        };
        tests.extend(more);
    }
    if tests.is_empty() {
        eprintln!(
            "error: there are no tests\n  write some under `tests` in {}, or give a file with --tests",
            options.file.config.display()
        );
        return ExitCode::from(REFUSED);
    }
    let mut text = String::new();
    let mut failed = 0;
    for test in &tests {
        let faults = forebay::check_test(&plan, test);
        failed += usize::from(!faults.is_empty());
        let mark = if faults.is_empty() { "ok  " } else { "FAIL" };
        // Writing into memory does not fail.
        let _ = writeln!(text, "{mark} {}", name(test));
        for fault in faults {
            let _ = writeln!(text, "       {fault}");
        }
    }
    let plural = if tests.len() == 1 { "" } else { "s" };
    let _ = writeln!(text, "{} test{plural}, {failed} failed", tests.len());
    match (print(&text), failed) {
        (code, 0) => code,
        _ => ExitCode::from(REFUSED),
    }
}

fn name(test: &Test) -> String {
    let request = || format!("{} {}", test.request.method, &*test.request.url);
    test.name.clone().unwrap_or_else(request)
}

//! How `forebay upgrade` learns what comes of a signal.
//!
//! A serving process has a file in memory to which it adds a line for each step
//! of an upgrade. Whoever may send it signals may read that, by way of `/proc`;
//! nobody else can, and there is no name to agree on.

use std::fs::File;
use std::io::{Read, Write};

use rustix::fs::{MemfdFlags, memfd_create};

const NAME: &str = "forebay-upgrades";

/// Stands for the end of a line within one.
const BREAK: char = '\u{2028}';

/// The outcomes of this process's upgrades.
pub(crate) struct Outcomes(Option<File>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Begun,
    /// Another process serves: its number.
    Done(u32),
    /// Everything is as it was, for this reason.
    Failed(String),
}

impl Outcomes {
    /// Without such files in the system, nobody learns of anything.
    pub(crate) fn new() -> Self {
        let file = memfd_create(NAME, MemfdFlags::CLOEXEC);
        Self(file.ok().map(File::from))
    }

    pub(crate) fn add(&self, outcome: &Outcome) {
        let line = match outcome {
            Outcome::Begun => "begun\n".to_owned(),
            Outcome::Done(pid) => format!("done {pid}\n"),
            Outcome::Failed(why) => format!("failed {}\n", why.replace('\n', &BREAK.to_string())),
        };
        if let Some(mut file) = self.0.as_ref() {
            // Memory that cannot be had is missed by whoever waits for it.
            let _ = file.write_all(line.as_bytes());
        }
    }
}

/// The outcomes of another process's upgrades.
pub(crate) struct Watching {
    file: File,
    unread: String,
}

impl Watching {
    /// None where the process has no such file, or where one may not look.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        let entries = std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
        let mut paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let path = paths.find(|path| {
            let target = std::fs::read_link(path).unwrap_or_default();
            target
                .to_string_lossy()
                .starts_with(&format!("/memfd:{NAME} "))
        })?;
        Some(Self {
            file: File::open(path).ok()?,
            unread: String::new(),
        })
    }

    /// The outcomes since the last look; lines that nobody knows are skipped.
    pub(crate) fn next(&mut self) -> Vec<Outcome> {
        // What cannot be read has not been written.
        let _ = self.file.read_to_string(&mut self.unread);
        let whole = self.unread.rfind('\n').map_or(0, |end| end + 1);
        let lines: String = self.unread.drain(..whole).collect();
        lines.lines().filter_map(Outcome::read).collect()
    }
}

impl Outcome {
    fn read(line: &str) -> Option<Self> {
        match line.split_once(' ').unwrap_or((line, "")) {
            ("begun", _) => Some(Self::Begun),
            ("done", pid) => pid.parse().ok().map(Self::Done),
            ("failed", why) => Some(Self::Failed(why.replace(BREAK, "\n"))),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_by_whoever_finds_it() {
        let outcomes = Outcomes::new();
        let mut watching = Watching::of(std::process::id()).unwrap();
        assert_eq!(watching.next(), []);
        let first = [Outcome::Begun, Outcome::Failed("a\nb".into())];
        outcomes.add(&Outcome::Begun);
        outcomes.add(&Outcome::Failed("a\nb".into()));
        assert_eq!(watching.next(), first);
        outcomes.add(&Outcome::Done(7));
        assert_eq!(watching.next(), [Outcome::Done(7)]);
        assert_eq!(watching.next(), []);
        assert!(Watching::of(u32::MAX).is_none());
    }

    #[test]
    fn lines_that_nobody_knows_are_skipped() {
        for line in ["", "done", "done x", "later 5"] {
            assert_eq!(Outcome::read(line), None, "{line}");
        }
    }
}

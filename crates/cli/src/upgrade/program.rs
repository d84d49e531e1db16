//! Where the program is, and what it was started with.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What another process of the same is started with.
pub(crate) struct Program {
    pub(super) path: PathBuf,
    pub(super) arguments: Vec<OsString>,
}

impl Program {
    /// To be asked for at the start: later, the file may be another one, and the
    /// kernel's name of the running one is that of a deleted file.
    pub(crate) fn own() -> Result<Self, String> {
        let running = std::env::current_exe();
        let running =
            running.map_err(|error| format!("the program's own path is not known: {error}"))?;
        let mut arguments = std::env::args_os();
        let named = arguments.next().unwrap_or_default();
        Ok(Self {
            path: as_called(&named, &running),
            arguments: arguments.collect(),
        })
    }
}

/// The path by which it was called, which may go through links that lead
/// elsewhere one day; or else the file itself.
fn as_called(named: &OsString, running: &Path) -> PathBuf {
    let is_running = |path: &PathBuf| match (path.metadata(), running.metadata()) {
        (Ok(a), Ok(b)) => (a.dev(), a.ino()) == (b.dev(), b.ino()),
        _ => false,
    };
    let called = match named.to_string_lossy().contains('/') {
        true => std::path::absolute(named).ok(),
        false => std::env::var_os("PATH").and_then(|paths| {
            let found = std::env::split_paths(&paths).map(|folder| folder.join(named));
            found.into_iter().find(|path| path.is_file())
        }),
    };
    let called = called.filter(|path| path.is_absolute() && is_running(path));
    called.unwrap_or_else(|| running.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_leads_to_the_running_program_is_kept_and_others_are_not() {
        let running = std::env::current_exe().unwrap();
        let folder = std::env::temp_dir().join(format!("forebay-program-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let link = folder.join("current");
        std::os::unix::fs::symlink(&running, &link).unwrap();
        let gone = folder.join("gone").into_os_string();
        assert_eq!(as_called(&link.clone().into_os_string(), &running), link);
        for other in [gone, "/bin/sh".into(), "sh".into(), "".into()] {
            assert_eq!(as_called(&other, &running), running, "{other:?}");
        }
        std::fs::remove_dir_all(folder).unwrap();
    }
}

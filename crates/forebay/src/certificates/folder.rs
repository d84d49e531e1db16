//! What is kept on disk: the account, certificates with their keys, and what of
//! late has failed. Files of 0600 in folders of 0700.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use tls::Certificate;

use super::attempts::Attempts;
use super::lifetime::Lifetime;
use crate::private_file;

pub(super) struct Folder {
    path: PathBuf,
}

/// While it lives no other process orders anything of this folder's.
pub(super) struct Turn {
    _locked: File,
}

impl Folder {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Makes the folder. None while it is another process's turn, such as during
    /// an upgrade.
    pub(super) fn turn(&self) -> Result<Option<Turn>, String> {
        let fault = |path: &Path, error: &dyn std::fmt::Display| {
            format!("{} cannot be written: {error}", path.display())
        };
        let inner = self.path.join("certificates");
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&inner);
        made.map_err(|error| fault(&inner, &error))?;
        let path = self.path.join("lock");
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(false).mode(0o600);
        let file = file.open(&path).map_err(|error| fault(&path, &error))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Turn { _locked: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(fault(&path, &error)),
        }
    }

    pub(super) fn account(&self) -> Option<String> {
        fs::read_to_string(self.path.join("account.json")).ok()
    }

    pub(super) fn keep_account(&self, text: &str) -> Result<(), String> {
        self.keep(&self.path.join("account.json"), text)
    }

    /// The authority does not know it any more.
    pub(super) fn forget_account(&self) -> io::Result<()> {
        let file = self.path.join("account.json");
        fs::rename(&file, self.path.join("account.json.unknown"))
    }

    pub(super) fn keep(&self, file: &Path, text: &str) -> Result<(), String> {
        let written = private_file::write(file, text.as_bytes());
        written.map_err(|error| format!("{} cannot be written: {error}", file.display()))
    }
}

/// The certificate in a file; none where it cannot be used.
pub(super) fn lifetime(file: &Path) -> Option<Lifetime> {
    let bytes = fs::read(file).ok()?;
    let certificate = Certificate::read(&bytes, &bytes).ok()?;
    Some(Lifetime::of(&certificate))
}

/// What has failed since the certificate in `file` came.
pub(super) fn attempts(file: &Path) -> Attempts {
    let text = fs::read(beside(file)).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

pub(super) fn keep_attempts(
    folder: &Folder,
    file: &Path,
    attempts: &Attempts,
) -> Result<(), String> {
    let text = serde_json::to_string(attempts).map_err(|error| error.to_string())?;
    folder.keep(&beside(file), &text)
}

pub(super) fn forget_attempts(file: &Path) {
    // Most often there is none.
    let _ = fs::remove_file(beside(file));
}

fn beside(file: &Path) -> PathBuf {
    file.with_extension("failed.json")
}

/// Looks whether certificates could be kept in a folder; writes nothing.
///
/// # Errors
///
/// Says what is in the way.
pub fn check(folder: &Path) -> Result<(), String> {
    let mut there = folder;
    while !there.exists() {
        there = match there.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
    }
    let fault = |why: &dyn std::fmt::Display| {
        let folder = folder.display();
        format!("certificates cannot be kept in {folder}: {why}; see `acme.storage`")
    };
    if !there.is_dir() {
        return Err(fault(&format!("{} is no folder", there.display())));
    }
    access(there, Access::WRITE_OK | Access::EXEC_OK)
        .map_err(|error| fault(&format!("{}: {}", there.display(), io::Error::from(error))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_at_a_time_orders() {
        let path = std::env::temp_dir().join(format!("forebay-acme-turn-{}", std::process::id()));
        let (one, other) = (Folder::new(path.clone()), Folder::new(path.clone()));
        let turn = one.turn().unwrap();
        assert!(turn.is_some());
        assert!(other.turn().unwrap().is_none());
        drop(turn);
        assert!(other.turn().unwrap().is_some());
        // A file where the folder should be.
        let inside = Folder::new(path.join("lock"));
        let why = inside.turn().err().unwrap();
        assert!(why.contains("cannot be written"), "{why}");
        let why = check(&path.join("lock/x")).err().unwrap();
        assert!(why.contains("is no folder"), "{why}");
        assert_eq!(check(&path.join("x/y")), Ok(()));
        fs::remove_dir_all(path).unwrap();
    }
}

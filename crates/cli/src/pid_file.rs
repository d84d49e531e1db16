//! The file that says which process is the main one.

use std::io;
use std::path::{Path, PathBuf};

/// The number in such a file.
pub(crate) fn read(path: &Path) -> Result<u32, String> {
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let number = text.trim().parse().ok().filter(|&pid| pid > 0);
    number.ok_or_else(|| format!("{} does not hold the number of a process", path.display()))
}

/// This process's claim to be the main one. Dropping it takes the file away, if
/// no other process has claimed it since.
pub(crate) struct PidFile {
    path: PathBuf,
}

impl PidFile {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Writes this process's number, in one step for whoever reads it.
    /// Never in the place of a device or a directory.
    pub(crate) fn claim(&self) -> io::Result<()> {
        if std::fs::metadata(&self.path).is_ok_and(|about| !about.is_file()) {
            let why = format!("{} is no ordinary file", self.path.display());
            return Err(io::Error::other(why));
        }
        let pid = std::process::id();
        let mut new = self.path.clone().into_os_string();
        new.push(format!(".{pid}"));
        std::fs::write(&new, format!("{pid}\n"))?;
        std::fs::rename(&new, &self.path).inspect_err(|_| drop(std::fs::remove_file(&new)))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        if read(&self.path) == Ok(std::process::id()) {
            // One that stays says a number that is nobody's, which may be.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_goes_with_its_process_and_not_with_another() {
        let path = std::env::temp_dir().join(format!("forebay-{}.pid", std::process::id()));
        let file = PidFile::new(path.clone());
        file.claim().unwrap();
        assert_eq!(read(&path), Ok(std::process::id()));
        drop(file);
        assert!(!path.exists());
        std::fs::write(&path, "1\n").unwrap();
        drop(PidFile::new(path.clone()));
        assert_eq!(read(&path), Ok(1));
        for bad in ["", "0", "-3", "x", "12 13"] {
            std::fs::write(&path, bad).unwrap();
            assert!(read(&path).is_err(), "{bad}");
        }
        std::fs::remove_file(&path).unwrap();
    }
}

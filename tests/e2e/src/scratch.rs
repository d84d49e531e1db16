//! A directory of a test's own, gone when the test is.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("forebay-e2e-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file; returns its path as text.
    pub fn write(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// A pipe with a name.
    #[track_caller]
    pub fn pipe(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        make_pipe(&path);
        path
    }

    /// A pipe that takes nothing for as long as what is returned is neither read
    /// nor dropped.
    #[track_caller]
    pub fn full_pipe(&self, name: &str) -> (PathBuf, File) {
        let path = self.pipe(name);
        // Open for both, so that it is there without anybody else.
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true);
        let mut pipe = options.custom_flags(libc::O_NONBLOCK).open(&path).unwrap();
        while pipe.write(&[b'\n'; 4096]).is_ok() {}
        (path, pipe)
    }

    pub fn as_path(&self) -> &Path {
        &self.0
    }
}

#[track_caller]
pub(crate) fn make_pipe(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status();
    assert!(made.unwrap().success());
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is in the system's temporary directory anyway.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

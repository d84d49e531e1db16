//! What tells one state of a file from another, without reading it.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Device, inode, length, and time of the last change. A link that is pointed
/// elsewhere leads to others.
pub type FileTrait = (u64, u64, u64, i64, i64);

/// Nothing where there is no such file.
pub fn file_trait(path: &Path) -> Option<FileTrait> {
    let about = std::fs::metadata(path).ok()?;
    Some((
        about.dev(),
        about.ino(),
        about.size(),
        about.mtime(),
        about.mtime_nsec(),
    ))
}

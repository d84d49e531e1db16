//! Which files a configuration is made of, and whether they have changed.
//!
//! Looked at once a second: that sees every kind of change, on every file
//! system, also a link that is pointed elsewhere.
use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The files of the configuration that was read last.
#[derive(Debug, Clone, Default)]
pub(crate) struct Touched(Arc<Mutex<Names>>);

#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Names {
    files: Vec<PathBuf>,
    patterns: Vec<String>,
}

impl Touched {
    fn names(&self) -> MutexGuard<'_, Names> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A configuration is read from its beginning.
    pub(crate) fn begin(&self, main: &Path) {
        *self.names() = Names {
            files: vec![main.to_owned()],
            patterns: Vec::new(),
        };
    }

    pub(crate) fn file(&self, path: &Path) {
        let mut names = self.names();
        if !names.files.iter().any(|known| known == path) {
            names.files.push(path.to_owned());
        }
    }

    pub(crate) fn pattern(&self, pattern: &Path) {
        let pattern = pattern.display().to_string();
        let mut names = self.names();
        if !names.patterns.contains(&pattern) {
            names.patterns.push(pattern);
        }
    }

    /// What the files are like now.
    pub(crate) fn look(&self) -> Look {
        self.names().look()
    }
}

impl Names {
    fn look(&self) -> Look {
        let found = self.patterns.iter().filter_map(|p| glob::glob(p).ok());
        let mut files: Vec<PathBuf> = found.flatten().flatten().collect();
        files.extend(self.files.iter().cloned());
        Look(
            files
                .into_iter()
                .map(|file| (trait_of(&file), file))
                .collect(),
        )
    }
}

/// Files with what changes when they are written or replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Look(Vec<(Option<Trait>, PathBuf)>);

/// Device, inode, length, and time of the last change.
type Trait = (u64, u64, u64, i64, i64);

fn trait_of(path: &Path) -> Option<Trait> {
    let about = std::fs::metadata(path).ok()?;
    Some((
        about.dev(),
        about.ino(),
        about.size(),
        about.mtime(),
        about.mtime_nsec(),
    ))
}

impl Look {
    /// The same files, as they were before where they were looked at.
    fn as_known(&self, before: &Look) -> Look {
        let before: HashMap<_, _> = before.0.iter().map(|(then, file)| (file, *then)).collect();
        let known = |(now, file): &(Option<Trait>, PathBuf)| {
            (before.get(file).copied().unwrap_or(*now), file.clone())
        };
        Look(self.0.iter().map(known).collect())
    }
}

/// The names and the state of files at one time.
pub(crate) struct Before {
    names: Names,
    look: Look,
}

/// Says when files have changed, and change no more.
pub(crate) struct Watch {
    touched: Touched,
    /// What they were like when they were last taken up or refused.
    settled: Look,
    /// What they were like at the last look.
    seen: Look,
}

impl Watch {
    pub(crate) fn new(touched: Touched) -> Self {
        let look = touched.look();
        Self {
            touched,
            settled: look.clone(),
            seen: look,
        }
    }

    /// To be called once a second. True when there is something new that has
    /// stayed as it is since the last look: whoever writes is done.
    pub(crate) fn has_news(&mut self) -> bool {
        let look = self.touched.look();
        let rests = look == self.seen;
        self.seen = look;
        rests && self.seen != self.settled
    }

    /// What there is before the configuration is read.
    pub(crate) fn before(&self) -> Before {
        let names = self.touched.names().clone();
        Before {
            look: names.look(),
            names,
        }
    }

    /// What was there then is known now. What has changed since, while it was
    /// read and taken up, is news.
    pub(crate) fn settle(&mut self, before: Before) {
        let now = self.touched.look();
        self.settled = match *self.touched.names() == before.names {
            true => before.look,
            // Of other files there is nothing from before.
            false => now.as_known(&before.look),
        };
        self.seen = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writing_replacing_and_pointing_elsewhere_is_news_once() {
        let folder = std::env::temp_dir().join(format!("forebay-watch-{}", std::process::id()));
        let at = |name: &str| folder.join(name);
        std::fs::create_dir_all(at("one")).unwrap();
        std::fs::create_dir(at("two")).unwrap();
        for (file, text) in [("one/main", "1"), ("two/main", "2"), ("a.part", "a")] {
            std::fs::write(at(file), text).unwrap();
        }
        std::os::unix::fs::symlink(at("one"), at("data")).unwrap();
        let touched = Touched::default();
        touched.begin(&at("data/main"));
        touched.pattern(&at("*.part"));
        let watch_also = touched.clone();
        let mut watch = Watch::new(touched);
        let another_folder = || {
            std::os::unix::fs::symlink(at("two"), at("new")).unwrap();
            std::fs::rename(at("new"), at("data")).unwrap();
        };
        let changes: [(&str, &dyn Fn()); 6] = [
            ("nothing", &|| {}),
            ("written", &|| std::fs::write(at("one/main"), "12").unwrap()),
            ("one more", &|| std::fs::write(at("b.part"), "b").unwrap()),
            ("one gone", &|| std::fs::remove_file(at("a.part")).unwrap()),
            ("another folder", &another_folder),
            ("gone", &|| std::fs::remove_file(at("two/main")).unwrap()),
        ];
        for (what, change) in changes {
            change();
            // The first look sees it, the second that it stays.
            assert!(!watch.has_news(), "{what}");
            assert_eq!(watch.has_news(), what != "nothing", "{what}");
            let before = watch.before();
            watch.settle(before);
            assert!(!watch.has_news(), "{what}");
        }
        // While it was read: known files, a new one, and files that are new to it.
        let changes: [(&str, &dyn Fn()); 3] = [
            ("written", &|| std::fs::write(at("b.part"), "bb").unwrap()),
            ("one more", &|| std::fs::write(at("c.part"), "c").unwrap()),
            ("other names", &|| {
                std::fs::write(at("c.part"), "cc").unwrap();
                watch_also.file(&at("page"));
            }),
        ];
        for (what, change) in changes {
            let before = watch.before();
            change();
            watch.settle(before);
            assert!(watch.has_news(), "{what}");
            let before = watch.before();
            watch.settle(before);
            assert!(!watch.has_news(), "{what}");
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
}

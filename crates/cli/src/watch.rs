//! Which files a configuration is made of, and whether they have changed.
//!
//! Looked at once a second: that sees every kind of change, on every file
//! system, also a link that is pointed elsewhere.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use forebay::{FileTrait, file_trait};

/// The files of the configuration that was read last.
#[derive(Debug, Clone, Default)]
pub(crate) struct Touched(Arc<Mutex<Names>>);

#[derive(Debug, Default)]
struct Names {
    files: Vec<PathBuf>,
    patterns: Vec<String>,
    /// What each file was like just before it was read.
    as_read: Look,
}

/// Files with what changes when they are written or replaced.
type Look = BTreeMap<PathBuf, Option<FileTrait>>;

impl Touched {
    fn names(&self) -> MutexGuard<'_, Names> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A configuration is read from its beginning.
    pub(crate) fn begin(&self, main: &Path) {
        *self.names() = Names::default();
        self.file(main);
    }

    /// This file is about to be read.
    pub(crate) fn file(&self, path: &Path) {
        let now = file_trait(path);
        let mut names = self.names();
        if !names.files.iter().any(|known| known == path) {
            names.files.push(path.to_owned());
            names.as_read.insert(path.to_owned(), now);
        }
    }

    /// The files of this pattern are about to be read.
    pub(crate) fn pattern(&self, pattern: &Path) {
        let pattern = pattern.display().to_string();
        let now = look_at(&[], std::slice::from_ref(&pattern));
        let mut names = self.names();
        if !names.patterns.contains(&pattern) {
            names.patterns.push(pattern);
            names.as_read.extend(now);
        }
    }

    /// What the files are like now.
    fn look(&self) -> Look {
        let names = self.names();
        let (files, patterns) = (names.files.clone(), names.patterns.clone());
        // A disk that does not answer must not hold up whoever reads.
        drop(names);
        look_at(&files, &patterns)
    }
}

fn look_at(files: &[PathBuf], patterns: &[String]) -> Look {
    let found = patterns.iter().filter_map(|p| glob::glob(p).ok());
    let found = found.flatten().flatten().chain(files.iter().cloned());
    found
        .map(|file| (file.clone(), file_trait(&file)))
        .collect()
}

/// Says when files have changed since they were read, and change no more.
pub(crate) struct Watch {
    touched: Touched,
    /// What they were like at the last look.
    seen: Look,
}

impl Watch {
    pub(crate) fn new(touched: Touched) -> Self {
        let seen = touched.look();
        Self { touched, seen }
    }

    /// To be called once a second. True when there is something new that has
    /// stayed as it is since the last look: whoever writes is done.
    pub(crate) fn has_news(&mut self) -> bool {
        let look = self.touched.look();
        let rests = look == self.seen;
        self.seen = look;
        rests && self.seen != self.touched.names().as_read
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
        let read = || {
            touched.begin(&at("data/main"));
            touched.file(&at("page"));
            touched.pattern(&at("*.part"));
        };
        read();
        // Before anybody watches.
        std::fs::write(at("page"), "page").unwrap();
        let mut watch = Watch::new(touched.clone());
        assert!(watch.has_news());
        read();
        assert!(!watch.has_news());
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
            read();
            assert!(!watch.has_news(), "{what}");
        }
        // While it was read: known files, and a new one.
        let changes: [(&str, &dyn Fn()); 3] = [
            ("written", &|| std::fs::write(at("b.part"), "bb").unwrap()),
            ("one more", &|| std::fs::write(at("c.part"), "c").unwrap()),
            ("a page", &|| std::fs::write(at("page"), "").unwrap()),
        ];
        for (what, change) in changes {
            read();
            change();
            assert!(!watch.has_news(), "{what}");
            assert!(watch.has_news(), "{what}");
            read();
            assert!(!watch.has_news(), "{what}");
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
}

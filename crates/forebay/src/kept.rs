//! A configuration as it was when it was read, to be read again without looking
//! at files that may have changed meanwhile.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use config::File;
use plan::Heritage;

use crate::{Outside, Read, read_without_record};

/// The text with all that it asked for, and what it got.
#[derive(Debug, Clone, Default)]
pub struct Kept {
    name: String,
    text: String,
    answers: Arc<Answers>,
}

/// What it asked for, and what it got.
#[derive(Debug, Clone, Default)]
struct Answers {
    strict: bool,
    variables: HashMap<String, Option<String>>,
    opened: HashMap<String, Result<Vec<u8>, io::ErrorKind>>,
    found: HashMap<String, Result<Vec<File>, String>>,
}

impl Kept {
    /// Reads a configuration and keeps what it is made of.
    pub(crate) fn read(name: &str, text: &str, outside: &Outside<'_>, heritage: &Heritage) -> Read {
        let (variables, opened, found) = <(RefCell<_>, RefCell<_>, RefCell<_>)>::default();
        let recording = Outside {
            env: &|variable| {
                let value = (outside.env)(variable);
                let mut variables: std::cell::RefMut<'_, HashMap<_, _>> = variables.borrow_mut();
                variables.insert(variable.to_owned(), value.clone());
                value
            },
            open: &|file| {
                let bytes = (outside.open)(file);
                let kept = bytes.as_ref().map(Vec::clone).map_err(io::Error::kind);
                let mut opened: std::cell::RefMut<'_, HashMap<_, _>> = opened.borrow_mut();
                opened.insert(file.to_owned(), kept);
                bytes
            },
            find: &|pattern| {
                let files = (outside.find)(pattern);
                let mut found: std::cell::RefMut<'_, HashMap<_, _>> = found.borrow_mut();
                found.insert(pattern.to_owned(), files.clone());
                files
            },
            is_public: outside.is_public,
            strict: outside.strict,
        };
        let read = read_without_record(name, text, &recording, heritage);
        let kept = Self {
            name: name.to_owned(),
            text: text.to_owned(),
            answers: Arc::new(Answers {
                strict: outside.strict,
                variables: variables.into_inner(),
                opened: opened.into_inner(),
                found: found.into_inner(),
            }),
        };
        Read { kept, ..read }
    }

    /// Where its files are.
    pub(crate) fn directory(&self) -> &Path {
        Path::new(&self.name).parent().unwrap_or(Path::new(""))
    }

    /// The same with what is in these files by now, and which of them differ; None
    /// where that is what was in them before.
    pub(crate) fn with_files<'f>(
        &self,
        files: impl Iterator<Item = &'f str>,
        open: &plan::Open<'_>,
    ) -> Option<(Self, Vec<String>)> {
        let mut answers = Answers::clone(&self.answers);
        let mut changed: Vec<String> = Vec::new();
        for file in files {
            let now = open(file).map_err(|error| error.kind());
            if self.answers.opened.get(file) != Some(&now) {
                changed.push(file.to_owned());
            }
            answers.opened.insert(file.to_owned(), now);
        }
        let with = || Self {
            answers: Arc::new(answers),
            ..self.clone()
        };
        (!changed.is_empty()).then(|| (with(), changed))
    }

    /// Reads it again, after what there is by now.
    pub(crate) fn again(&self, heritage: &Heritage) -> Read {
        self.instead(&self.name, &self.text, self.answers.strict, heritage)
    }

    /// The same, where an included file with a mistake refuses everything.
    pub(crate) fn strictly(&self, heritage: &Heritage) -> Read {
        self.instead(&self.name, &self.text, true, heritage)
    }

    /// Reads another text, which finds what this one has found, and no more.
    pub(crate) fn instead(
        &self,
        name: &str,
        text: &str,
        strict: bool,
        heritage: &Heritage,
    ) -> Read {
        let answers = &*self.answers;
        let outside = Outside {
            env: &|variable| answers.variables.get(variable).cloned().flatten(),
            open: &|file| match answers.opened.get(file) {
                Some(Ok(bytes)) => Ok(bytes.clone()),
                Some(Err(kind)) => Err((*kind).into()),
                None => Err(io::ErrorKind::NotFound.into()),
            },
            find: &|pattern| {
                let found = answers.found.get(pattern).cloned();
                found.unwrap_or_else(|| Ok(Vec::new()))
            },
            is_public: &|_| false,
            strict,
        };
        let read = read_without_record(name, text, &outside, heritage);
        // Whatever is read can be read again.
        let kept = Self {
            name: name.to_owned(),
            text: text.to_owned(),
            answers: Arc::clone(&self.answers),
        };
        Read { kept, ..read }
    }
}

//! Reads the corpus in `tests/e2e/corpus`; its README says how it is written.

use std::fmt;
use std::path::{Path, PathBuf};

use forebay_e2e::unescape;

/// What no backend may ever see as a request of its own.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

/// What a client sends on one connection, and what comes of it.
pub(super) struct Entry {
    /// File, line and name.
    pub(super) title: String,
    pub(super) steps: Vec<Step>,
    /// The connection ends after the last answer.
    pub(super) ends: bool,
}

/// Bytes, and the answers to them, for which the next step waits.
#[derive(Default)]
pub(super) struct Step {
    pub(super) send: Vec<u8>,
    pub(super) answers: Vec<Answer>,
}

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// Why Forebay refuses the request; none for a backend's answer.
    pub(super) reason: Option<String>,
    /// The request as a backend sees it; none if it must not see anything.
    pub(super) asked: Option<Asked>,
}

#[derive(Clone)]
pub(super) struct Asked {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) body: Vec<u8>,
    /// Its body is refused: a backend may see its beginning, but no end.
    pub(super) is_cut: bool,
}

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (method, target, body) = (&self.method, &self.target, self.body.escape_ascii());
        let extent = if self.is_cut { "Cut" } else { "Whole" };
        write!(f, "{method} {target} {extent} {body}")
    }
}

impl Asked {
    pub(super) fn get(target: String) -> Self {
        Self {
            method: "GET".to_owned(),
            target,
            body: Vec::new(),
            is_cut: false,
        }
    }
}

impl Entry {
    pub(super) fn answers(&self) -> impl Iterator<Item = &Answer> {
        self.steps.iter().flat_map(|step| &step.answers)
    }
}

/// All entries of all files.
pub(super) fn read() -> Vec<Entry> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let files = std::fs::read_dir(folder).unwrap();
    let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|e| e == "txt"));
    files.sort();
    files.iter().flat_map(|file| read_file(file)).collect()
}

fn read_file(file: &Path) -> Vec<Entry> {
    let name = file.file_name().unwrap().to_str().unwrap();
    let text = std::fs::read_to_string(file).unwrap();
    let mut entries: Vec<Entry> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let place = format!("{name}:{number}");
        let (mark, rest) = line.split_once(' ').unwrap_or((line, ""));
        match (mark, entries.last_mut()) {
            ("" | "#", _) => {}
            ("==", _) => entries.push(Entry {
                title: format!("{place}: {rest}"),
                steps: Vec::new(),
                ends: false,
            }),
            (">", Some(entry)) => send(entry, rest),
            ("<", Some(entry)) => answer(entry, rest, &place),
            _ => panic!("{place}: not a line of a corpus: {line}"),
        }
    }
    entries
}

fn bytes(text: &str) -> Vec<u8> {
    let named = text.replace("{smuggled}", &SMUGGLED.escape_default().to_string());
    unescape(&named)
}

fn send(entry: &mut Entry, text: &str) {
    if entry.steps.last().is_none_or(|s| !s.answers.is_empty()) {
        entry.steps.push(Step::default());
    }
    let step = entry.steps.last_mut().unwrap();
    step.send.extend(bytes(text));
}

/// `end`, or `STATUS [REASON] [METHOD TARGET [BODY]]`.
fn answer(entry: &mut Entry, text: &str, place: &str) {
    if text == "end" {
        entry.ends = true;
        return;
    }
    let (status, rest) = text.split_once(' ').expect(place);
    let is_reason = rest.starts_with(|c: char| c.is_ascii_lowercase());
    let (reason, rest) = match rest.split_once(' ') {
        Some((reason, rest)) if is_reason => (Some(reason), rest),
        None if is_reason => (Some(rest), ""),
        _ => (None, rest),
    };
    // Forebay answers no further request on a connection it does not trust.
    entry.ends |= reason.is_some();
    let mut parts = rest.splitn(3, ' ');
    let asked = match (parts.next(), parts.next()) {
        (Some(method), Some(target)) => Some(Asked {
            method: method.to_owned(),
            target: target.to_owned(),
            body: bytes(parts.next().unwrap_or_default()),
            is_cut: reason.is_some(),
        }),
        _ => None,
    };
    assert!(reason.is_some() || asked.is_some(), "{place}: {text}");
    let step = entry.steps.last_mut().expect(place);
    step.answers.push(Answer {
        status: status.parse().expect(place),
        reason: reason.map(str::to_owned),
        asked,
    });
}

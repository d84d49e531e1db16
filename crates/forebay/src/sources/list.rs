//! Backends in a file.

use std::fs::{File, Metadata};
use std::io::{Error, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use plan::BackendSource;
use registry::find::{NoAnswer, Place};
use tokio::time::sleep;

use super::board::Board;

const EVERY: Duration = Duration::from_secs(1);
/// A file that has stayed as it is for so long is complete.
const REST: Duration = Duration::from_millis(200);
/// Larger files are a mistake, and reading them would take all memory.
const LARGEST: u64 = 16 << 20;

/// Reads the file now, and again whenever it has changed.
pub(super) async fn look(source: &BackendSource, path: &Path, board: &Board) {
    let mut seen = None;
    loop {
        let traits = traits_of(path);
        if seen.as_ref() != Some(&traits) {
            if seen.is_some() {
                rest(path, traits).await;
            }
            // Before it is read: what is written meanwhile is seen then.
            seen = Some(traits_of(path));
            take(source, path, board).await;
        }
        sleep(EVERY).await;
    }
}

/// Waits until nobody is writing any more, as far as that shows.
async fn rest(path: &Path, mut traits: Option<Traits>) {
    loop {
        sleep(REST).await;
        let now = traits_of(path);
        if now == traits {
            return;
        }
        traits = now;
    }
}

async fn take(source: &BackendSource, path: &Path, board: &Board) {
    let path = path.to_owned();
    // The disk may be slow, and others look on this thread.
    let read = tokio::task::spawn_blocking(move || read(&path)).await;
    match read {
        Ok(Ok(places)) => board.answers(source, places),
        Ok(Err(why)) => board.is_bad(source, &why),
        Err(_) => board.is_bad(source, &NoAnswer("reading it has failed".to_owned())),
    }
}

fn read(path: &Path) -> Result<Vec<Place>, NoAnswer> {
    let name = path.display().to_string();
    let text = text_of(path).map_err(|error| NoAnswer(format!("cannot read {name}: {error}")))?;
    let backends = config::read_backends(&name, &text)
        .map_err(|problems| NoAnswer(problems.render(false).trim_end().to_owned()))?;
    let place = |backend: config::ListedBackend| Place {
        url: backend.url.to_string(),
        weight: backend.weight,
    };
    Ok(backends.into_iter().map(place).collect())
}

fn text_of(path: &Path) -> std::io::Result<String> {
    // From a pipe or a device there may never come an end.
    if !std::fs::metadata(path)?.is_file() {
        return Err(Error::other("it is not a file"));
    }
    let mut text = String::new();
    let read = File::open(path)?
        .take(LARGEST + 1)
        .read_to_string(&mut text)?;
    match read as u64 > LARGEST {
        true => Err(Error::other(format!("it is larger than {LARGEST} bytes"))),
        false => Ok(text),
    }
}

/// Device, inode, length, and time of the last change.
type Traits = (u64, u64, u64, i64, i64);

/// What changes when a file is written or replaced; none where there is none.
fn traits_of(path: &Path) -> Option<Traits> {
    let traits = |about: Metadata| {
        let changed = (about.mtime(), about.mtime_nsec());
        (about.dev(), about.ino(), about.size(), changed.0, changed.1)
    };
    std::fs::metadata(path).ok().map(traits)
}

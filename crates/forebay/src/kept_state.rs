//! What was changed while it ran, kept in a file for the next start.
//!
//! The file holds what an upgrade hands over, but for what only matters at once.
//! It is replaced as a whole, so that it is never half a file.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Weak;
use std::time::{Duration, SystemTime};

use rustix::fs::{Access, access};
use serde::{Deserialize, Serialize};

use crate::handover::Handover;
use crate::live::Live;
use crate::private_file;

/// How often it is looked whether anything has changed.
const EVERY: Duration = Duration::from_secs(1);

/// Leases are written anew after so many looks, also where nothing else has changed.
const LEASES: u32 = 10;

const NO_FILE: &str = "it is a directory, a device or the like, and no file";

/// Larger files are none of ours.
const LARGEST: u64 = 256 << 20;

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct KeptState {
    saved_unix_ms: u64,
    pub(crate) state: Handover,
}

impl KeptState {
    /// Of what is worth keeping.
    fn new(state: Handover, now: SystemTime) -> Self {
        Self {
            saved_unix_ms: unix_ms(now),
            state,
        }
    }

    /// None where there is no such file yet.
    ///
    /// # Errors
    ///
    /// Says what is wrong with the file.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>, String> {
        let fault = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(fault(&error)),
            Ok(about) if !about.is_file() => return Err(fault(&NO_FILE)),
            Ok(about) if about.len() > LARGEST => return Err(fault(&"it is too large")),
            Ok(_) => {}
        }
        let text = fs::read(path).map_err(|error| fault(&error))?;
        let kept = serde_json::from_slice(&text).map_err(|error| fault(&error))?;
        Ok(Some(kept))
    }

    /// How long nobody was there.
    pub(crate) fn downtime(&self, now: SystemTime) -> Duration {
        Duration::from_millis(unix_ms(now).saturating_sub(self.saved_unix_ms))
    }

    fn write(&self, path: &Path) -> io::Result<()> {
        if is_no_file(path) {
            return Err(io::Error::other(NO_FILE));
        }
        private_file::write(path, &serde_json::to_vec(self)?)
    }
}

/// A device, say, which must not be replaced by a file.
fn is_no_file(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|about| !about.is_file())
}

fn unix_ms(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}

/// Keeps the file as it should be for as long as the Forebay lives.
///
/// # Errors
///
/// When no thread can be had.
pub(crate) fn keep(live: Weak<Live>) -> io::Result<()> {
    let thread = std::thread::Builder::new().name("forebay-state".to_owned());
    thread.spawn(move || {
        let mut last = None;
        let mut looks = 0;
        loop {
            std::thread::sleep(EVERY);
            let Some(live) = live.upgrade() else { return };
            // It is another process's file then, or nobody's.
            if live.running().is_draining() {
                return;
            }
            // Another process may have the file already.
            if live.leaving().is_some() {
                continue;
            }
            // A reload may name one.
            if live.running().plan().state_file().is_none() {
                last = None;
                continue;
            }
            looks += 1;
            let state = live.handover().worth_keeping();
            let is_known = last.as_ref().is_some_and(|last| state.is_like(last));
            if !is_known || looks >= LEASES {
                looks = 0;
                let kept = KeptState::new(state.clone(), now());
                last = write(&live, &kept).then_some(state);
            }
        }
    })?;
    Ok(())
}

/// Writes the file now, if there is to be one.
pub(crate) fn save(live: &Live) {
    // Working out what there is to keep looks at every group.
    if live.running().plan().state_file().is_none() {
        return;
    }
    write(
        live,
        &KeptState::new(live.handover().worth_keeping(), now()),
    );
}

/// False where it could not be written. That is said when it begins and ends.
fn write(live: &Live, kept: &KeptState) -> bool {
    let plan = live.running().plan();
    let Some(path) = plan.state_file().map(Path::new) else {
        return true;
    };
    let written = kept.write(path);
    let is_news = live.note_kept(written.is_ok());
    match &written {
        Err(error) if is_news => tracing::error!(
            "what was changed cannot be kept in {}: {error}; it would be lost at a restart",
            path.display()
        ),
        Ok(()) if is_news => tracing::info!("what is changed is kept in {}", path.display()),
        _ => {}
    }
    written.is_ok()
}

/// Looks whether a state file can be written; writes nothing.
///
/// # Errors
///
/// Says what is in the way.
pub fn check(path: &str) -> Result<(), String> {
    let fault = |why: &dyn std::fmt::Display| {
        format!("the state file {path} cannot be written: {why}; see `admin.state_file`")
    };
    let path = Path::new(path);
    if is_no_file(path) {
        return Err(fault(&NO_FILE));
    }
    let directory = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let directory = directory.unwrap_or(Path::new("."));
    access(directory, Access::WRITE_OK | Access::EXEC_OK).map_err(|error| {
        fault(&format!(
            "{}: {}",
            directory.display(),
            io::Error::from(error)
        ))
    })
}

/// Keeps a file that is of no use from being written over; says where it is.
pub(crate) fn set_aside(path: &Path) -> String {
    if is_no_file(path) {
        return format!("it stays as it is: {NO_FILE}");
    }
    let aside = PathBuf::from(format!("{}.bad", path.display()));
    match fs::rename(path, &aside) {
        Ok(()) => format!("the file is now {}", aside.display()),
        Err(error) => format!("it cannot be kept as {}: {error}", aside.display()),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "leases end with time, also while nobody is there"
)]
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}

//! What was changed while it ran, kept in a file for the next start.
//!
//! The file holds what an upgrade hands over, but for what only matters at once.
//! It is replaced as a whole, so that it is never half a file.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Weak;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::handover::Handover;
use crate::live::Live;

/// How often it is looked whether anything has changed.
const EVERY: Duration = Duration::from_secs(1);

/// Leases are written anew after so many looks, also where nothing else has changed.
const LEASES: u32 = 10;

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
        let new = PathBuf::from(format!("{}.new", path.display()));
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(&new)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.sync_all()?;
        fs::rename(new, path)
    }
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
            looks += 1;
            let state = live.handover().worth_keeping();
            let is_known = last.as_ref().is_some_and(|last| state.is_like(last));
            if !is_known || looks >= LEASES {
                looks = 0;
                write(&live, &KeptState::new(state.clone(), now()));
                last = Some(state);
            }
        }
    })?;
    Ok(())
}

/// Writes the file now, if there is to be one.
pub(crate) fn save(live: &Live) {
    write(
        live,
        &KeptState::new(live.handover().worth_keeping(), now()),
    );
}

fn write(live: &Live, kept: &KeptState) {
    let plan = live.running().plan();
    let Some(path) = plan.state_file().map(Path::new) else {
        return;
    };
    if let Err(error) = kept.write(path) {
        tracing::error!("the state cannot be kept in {}: {error}", path.display());
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "leases end with time, also while nobody is there"
)]
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}

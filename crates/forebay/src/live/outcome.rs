//! What comes of taking up a configuration.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use plan::{Differences, Plan};
use proxy::StartFault;
use telemetry::ConfigurationFigures;

use super::Leaving;
use crate::Read;

/// What became of the latest configuration.
#[derive(Debug, Clone)]
pub struct Last {
    /// What the running configuration is, in sixteen hexadecimal digits; other
    /// text, other digits.
    pub hash: String,
    /// Since when it is the one.
    pub since: SystemTime,
    /// When one was last read, and why that is not the running one.
    pub tried: SystemTime,
    pub failure: Option<String>,
    /// How often another one was taken up, and refused.
    pub taken: u64,
    pub refused: u64,
    /// Whether what was changed could be written to the file for it when that was
    /// tried last.
    pub is_kept: Option<bool>,
}

/// Why there is no running Forebay.
pub enum LiveFault {
    /// The configuration cannot be read.
    Unreadable(String),
    /// The configuration has mistakes.
    Mistakes(Box<Read>),
    Start(StartFault),
    /// What is changed could not be kept.
    StateFile(String),
    /// Nothing may be changed now.
    Leaving(Leaving),
}

/// What came of reading the configuration anew.
pub struct Reloaded {
    pub plan: Arc<Plan>,
    /// Nothing where it says the same as before.
    pub differences: Differences,
    pub hash: String,
    /// What was read, for its warnings and the files that are left out.
    pub read: Read,
    /// The number of workers would be another, which takes a restart.
    pub workers_differ: bool,
}

impl Last {
    pub(super) fn figures(&self) -> ConfigurationFigures {
        let since = self.since.duration_since(SystemTime::UNIX_EPOCH);
        ConfigurationFigures {
            hash: self.hash.clone(),
            is_latest: self.failure.is_none(),
            since_unix_seconds: since.unwrap_or_default().as_secs_f64(),
            taken: self.taken,
            refused: self.refused,
            is_state_kept: self.is_kept,
        }
    }
}

impl fmt::Display for LiveFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LiveFault::Unreadable(why) => f.write_str(why),
            LiveFault::Mistakes(read) => f.write_str(read.problems.render(false).trim_end()),
            LiveFault::StateFile(why) => f.write_str(why),
            LiveFault::Start(fault) => fault.fmt(f),
            LiveFault::Leaving(why) => why.fmt(f),
        }
    }
}

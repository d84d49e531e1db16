//! What comes of taking up a configuration.

use std::fmt;
use std::sync::Arc;

use plan::{Differences, Plan};
use proxy::StartFault;

use super::Leaving;
use crate::Read;

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
